// What spend is counted on.

/** A person, the members of a group together (a shared pool), or everybody. */
export type CounterScope = 'user' | 'rbac_group' | 'organization'

export interface Counter {
  readonly scope: CounterScope
  /** Of a person: see `personKey`; of a pool: the group's name; of everybody: empty. */
  readonly scopeId: string
}

/** A person's name in counters. An issuer is a URL and has no space in it. */
export function personKey({ issuer, sub }: { readonly issuer: string; readonly sub: string }): string {
  return `${issuer} ${sub}`
}

/** Whose name in counters this is. */
export function personOfKey(key: string): { issuer: string; sub: string } {
  const space = key.indexOf(' ')
  return { issuer: key.slice(0, space), sub: key.slice(space + 1) }
}
