// What an administrator sends to set a limit, judged strictly: a key nobody knows is refused, because a typo in `period` or
// `shared` would otherwise set another limit than was meant. Every refusal is `field: reason`.
import { membersOf, scanObject, type Member } from '../json/scan.ts'
import type { CounterScope } from '../ledger/counters.ts'
import { isJsonObject } from '../std/json-object.ts'
import { MOST_CENTS, readCents, readDollars } from './amounts.ts'
import { PERIODS } from './limit.ts'
import { checkName, refuse } from './refuse.ts'
import type { WantedLimit } from './store.ts'

export type Fields = Readonly<Record<string, unknown>>

const FIELDS = ['scope', 'amount', 'amount_usd', 'period', 'currency', 'shared', 'expires_at', 'reason']

const SCOPE_FIELDS: Readonly<Record<CounterScope, readonly string[]>> = {
  organization: ['type'],
  rbac_group: ['type', 'rbac_group_id'],
  user: ['type', 'user_id', 'user_email'],
}

/** The body of `POST /v1/organizations/spend_limits`. Throws `invalid_request`. */
export function parseLimit(body: Uint8Array): WantedLimit & { readonly reason: string | undefined } {
  const { scope: given, ...fields } = readObject(body)
  checkKeys(fields, FIELDS, '')
  if (given === undefined) refuse('scope', 'is required')
  if (!isJsonObject(given)) refuse('scope', 'must be an object such as {"type": "organization"}')
  const scope = parseScope(given)
  return {
    ...scope,
    isShared: parseShared(fields.shared, scope.scope),
    period: parsePeriod(fields.period),
    amount: parseAmount(fields),
    expiresAt: parseExpiry(fields.expires_at),
    reason: parseReason(fields.reason),
  }
}

/** A JSON object. JSON.parse takes the last of two equal keys, and other readers the first: what was meant is not known, in it or in its `scope`. */
export function readObject(body: Uint8Array): Fields {
  const scan = scanObject(body)
  if (!scan.ok) refuse('body', scan.reason === 'not_an_object' ? 'must be a JSON object' : 'is not JSON')
  checkTwice(scan.members, '')
  for (const { name, valueStart } of scan.members) if (name === 'scope' && body[valueStart] === 0x7b) checkTwice(membersOf(body, valueStart), 'scope.')
  return JSON.parse(Buffer.from(body).toString('utf8')) as Fields
}

function checkTwice(members: readonly Member[], path: string): void {
  const names = members.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) refuse(`${path}${shown(twice)}`, 'is given twice')
}

/** Refuses what nobody knows: a typo must not ask for something else than was meant. */
export function checkKeys(fields: Fields, known: readonly string[], path: string): void {
  for (const key of Object.keys(fields)) if (!known.includes(key)) refuse(`${path}${shown(key)}`, 'unknown')
}

/** A key of the client's in a message of ours: short, and on one line. */
const shown = (key: string): string => key.slice(0, 64).replace(/[^\x20-\x7e]/g, '?')

function parseScope(given: Fields): Pick<WantedLimit, 'scope' | 'scopeId' | 'userEmail'> {
  const scope = Object.keys(SCOPE_FIELDS).find((type): type is CounterScope => type === given.type)
  if (scope === undefined) refuse('scope.type', `must be one of ${Object.keys(SCOPE_FIELDS).join(', ')}`)
  checkKeys(given, SCOPE_FIELDS[scope], 'scope.')
  if (scope === 'organization') return { scope, scopeId: '', userEmail: undefined }
  if (scope === 'rbac_group') return { scope, scopeId: parseName(given.rbac_group_id, 'scope.rbac_group_id'), userEmail: undefined }
  if (given.user_id !== undefined && given.user_email !== undefined) refuse('scope', 'takes user_id or user_email, not both')
  if (given.user_email !== undefined) return { scope, scopeId: '', userEmail: parseAddress(given.user_email) }
  return { scope, scopeId: parseName(given.user_id, 'scope.user_id'), userEmail: undefined }
}

function parseName(value: unknown, field: string): string {
  if (value === undefined) refuse(field, 'is required')
  if (typeof value !== 'string' || value.trim() === '') refuse(field, 'must be text with something in it')
  return checkName(value, field)
}

function parseAddress(value: unknown): string {
  const address = parseName(value, 'scope.user_email').trim()
  if (!/^[^@\s]+@[^@\s]+$/.test(address)) refuse('scope.user_email', 'must be one e-mail address')
  return address.toLowerCase()
}

function parsePeriod(value: unknown): WantedLimit['period'] {
  const period = PERIODS.find((one) => one === (value ?? 'monthly'))
  return period ?? refuse('period', `must be one of ${PERIODS.join(', ')}`)
}

function parseAmount({ amount, amount_usd, currency }: Fields): bigint | null {
  if (currency !== undefined && currency !== 'USD') refuse('currency', 'must be USD')
  if (amount !== undefined && amount_usd !== undefined) refuse('amount', 'is given beside amount_usd: name one of them')
  if (amount_usd !== undefined) return parseDollars(amount_usd)
  if (amount === undefined) refuse('amount', 'is required: whole cents as text, such as "1200", or null for no limit')
  if (amount === null) return null
  if (typeof amount === 'number') refuse('amount', 'must be text, such as "1200", not a number')
  return (typeof amount === 'string' ? readCents(amount) : undefined) ?? refuse('amount', `must be whole cents as text, such as "1200", at most "${MOST_CENTS}"; for dollars there is amount_usd`)
}

function parseDollars(value: unknown): bigint {
  if (typeof value === 'number') refuse('amount_usd', 'must be text, such as "12.10", not a number')
  return (typeof value === 'string' ? readDollars(value) : undefined) ?? refuse('amount_usd', `must be dollars as text, such as "12.10", with two decimals at most, and at most "${MOST_CENTS / 100n}"`)
}

function parseShared(value: unknown, scope: CounterScope): boolean {
  if (value === undefined) return false
  if (typeof value !== 'boolean') refuse('shared', 'must be true or false')
  if (value && scope === 'user') refuse('shared', 'is for a group or the organization: one person shares with nobody')
  return value
}

/** RFC 3339 §5.6. That it is to come is for the database to say: its clock decides. */
const MOMENT = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/

function parseExpiry(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || !MOMENT.test(value) || Number.isNaN(Date.parse(value))) refuse('expires_at', 'must be a moment of RFC 3339, such as "2026-01-31T18:00:00Z"')
  return new Date(value).toISOString()
}

/** Why, for the audit trail. */
export function parseReason(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') refuse('reason', 'must be text')
  return checkName(value, 'reason', 1000)
}
