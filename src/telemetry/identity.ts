import type { Principal } from '../principal.ts'

/** What `stamp_identity` puts on an export, by the names that Claude's own telemetry has for it. */
export type Attributes = readonly (readonly [key: string, value: string])[]

/** What is known of the person; the groups as Claude Desktop tells them, in one text. */
export function identityAttributes({ sub, email, groups }: Pick<Principal, 'sub' | 'email' | 'groups'>): Attributes {
  const all: [string, string | undefined][] = [
    ['user.id', sub],
    ['user.email', email],
    ['user.groups', groups.length === 0 ? undefined : groups.join(',')],
  ]
  return all.filter((pair): pair is [string, string] => pair[1] !== undefined)
}
