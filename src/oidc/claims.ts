// What the provider says of a person, read from its claims. Pure. `sources` are claim sets in order of trust: the
// id_token, then userinfo, whose claims count only where the id_token has none.
import { resolvePointer } from '../std/json-pointer.ts'
import { emailDomain } from './email-address.ts'
import type { Claims } from './id-token.ts'

export type EmailClaim = { kind: 'absent' } | { kind: 'malformed' } | { kind: 'address'; address: string; domain: string }

const MAX_NAME_LENGTH = 255
const MAX_GROUP_LENGTH = 1_024

/** A claim by name, or by JSON pointer when it begins with a slash. */
export function readClaim(claims: Claims, name: string): unknown {
  if (name.startsWith('/')) return resolvePointer(claims, name)
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

/** Of several claims the first that is present; of several sources the first that has any of them. */
export function readEmail(sources: readonly Claims[], names: string | readonly string[]): EmailClaim {
  const order = typeof names === 'string' ? [names] : names
  for (const claims of sources) {
    const value = order.map((name) => readClaim(claims, name)).find((found) => found !== undefined && found !== null && found !== '')
    if (value === undefined) continue
    const domain = typeof value === 'string' ? emailDomain(value) : undefined
    return domain === undefined ? { kind: 'malformed' } : { kind: 'address', address: value as string, domain }
  }
  return { kind: 'absent' }
}

/**
 * True when any source says that the address is not the person's. Absent is accepted, since most providers vouch for
 * their addresses without saying so; so is the text "true", which some send.
 */
export function isEmailUnverified(sources: readonly Claims[]): boolean {
  return sources.some(({ email_verified: verified }) => verified !== undefined && verified !== null && verified !== true && verified !== 'true')
}

/** The groups of the first source that has the claim: a list of texts, or a single one. Undefined when none has it. */
export function readGroups(sources: readonly Claims[], name: string): readonly string[] | undefined {
  for (const claims of sources) {
    const value = readClaim(claims, name)
    if (Array.isArray(value)) return [...new Set(value.filter(isGroup))]
    if (isGroup(value)) return [value]
  }
  return undefined
}

export function readName(sources: readonly Claims[]): string | undefined {
  for (const { name } of sources) {
    const printable = typeof name === 'string' ? name.replace(/\p{C}+/gu, ' ').trim().slice(0, MAX_NAME_LENGTH) : ''
    if (printable !== '') return printable
  }
  return undefined
}

/**
 * Entra leaves the groups of a member of more than 200 out and names, in `_claim_names`, a place to ask for them
 * (OpenID Connect Core §5.6.2); the implicit flow says `hasgroups` instead.
 */
export function hasGroupsOverage(claims: Claims): boolean {
  const names = claims._claim_names
  const named = typeof names === 'object' && names !== null && Object.hasOwn(names, 'groups')
  return named || claims.hasgroups === true || claims.hasgroups === 'true'
}

function isGroup(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= MAX_GROUP_LENGTH && !/\p{Cc}/u.test(value)
}
