import type { LimitRow } from './limit-row.ts'

/** A sentence beside the answer when nobody the limit is meant for was ever seen: a typo would otherwise limit nobody, silently. */
export function warningFor({ scope, scope_id, user_email }: LimitRow, isSeen: boolean): { warning?: string } {
  if (isSeen || scope === 'organization') return {}
  if (scope === 'rbac_group') return { warning: `nobody who has signed in is in a group "${scope_id}"; names of groups are exact and case-sensitive` }
  if (user_email !== null) return { warning: `nobody has signed in as ${user_email}; the limit is theirs from their first sign-in with this address` }
  const hint = scope_id.includes('@') ? '; user_id is the subject (sub) of the identity provider, an address goes into user_email' : ''
  return { warning: `nobody with the user_id "${scope_id}" has signed in; the limit is theirs when they do${hint}` }
}
