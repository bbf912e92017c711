import type { Principal } from '../principal.ts'

/** What `stamp_identity` puts on an export, by the names that Claude's own telemetry has for it. */
export type Attributes = readonly (readonly [key: string, value: string])[]

/** Told as far as they fit: a directory can know thousands. */
const MOST_GROUPS_LENGTH = 4096
const NAMES = ['user.id', 'user.email', 'user.groups']

export function isIdentity(key: string): boolean {
  return NAMES.includes(key)
}

/** What is known of the person; the groups as Claude Desktop tells them, in one text. */
export function identityAttributes({ sub, email, groups }: Pick<Principal, 'sub' | 'email' | 'groups'>): Attributes {
  const values = [sub, email, groupsText(groups)]
  return NAMES.flatMap((name, at): Attributes => (values[at] === undefined ? [] : [[name, values[at]]]))
}

function groupsText(groups: readonly string[]): string | undefined {
  const text = groups.join(',')
  const told = text.length <= MOST_GROUPS_LENGTH ? text : text.slice(0, Math.max(0, text.lastIndexOf(',', MOST_GROUPS_LENGTH)))
  return told === '' ? undefined : told
}

/** What a resource says already; the value is undefined when it is no text, and matters for identities alone. */
export type Carried = readonly [key: string, value: string | undefined]

/** What it lacks. Nothing where it says something else of the person: one record must not be of two people. */
export function missingFrom(carried: readonly Carried[], attributes: Attributes): Attributes {
  const own = new Map(attributes)
  if (carried.some(([key, value]) => isIdentity(key) && (value === undefined || value !== own.get(key)))) return []
  const names = new Set(carried.map(([key]) => key))
  return attributes.filter(([key]) => !names.has(key))
}
