import type { Result } from '../std/result.ts'

/** Groups that are not in the claims but in a directory. */
export type GroupLookup = (person: { email: string | undefined; accessToken: string }) => Promise<Result<readonly string[], 'idp_unavailable' | 'group_lookup'>>

/** A directory's answer may list thousands of groups. */
export const MAX_GROUP_LIST_BYTES = 2 * 1024 * 1024
