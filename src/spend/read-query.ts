// The query parameters of the admin API. What nobody knows is ignored (new clients ask for new things); what is known and
// wrong is 400 `parameter: reason`.
import type { CounterScope } from '../ledger/counters.ts'
import { PERIODS, type Period } from './limit.ts'
import { checkName, refuse } from './refuse.ts'

const LIMIT = { least: 1, most: 1000, fallback: 20 }
const SCOPES = ['organization', 'rbac_group', 'user'] as const
/** Names of one page: more do not fit into a URL. */
const MOST_NAMES = 1000

export interface ListQuery {
  readonly limit: number
  readonly after: string | undefined
  readonly before: string | undefined
  readonly scope: CounterScope | undefined
}

export function readListQuery(parameters: URLSearchParams): ListQuery {
  const [after, before] = [readCursor(parameters, 'after_id', 'spl_'), readCursor(parameters, 'before_id', 'spl_')]
  if (after !== undefined && before !== undefined) refuse('before_id', 'is given beside after_id: name one of them')
  return { limit: readLimit(parameters), after, before, scope: readOne(parameters, 'scope_type', SCOPES) }
}

export function readAuditQuery(parameters: URLSearchParams): { limit: number; after: string | undefined } {
  return { limit: readLimit(parameters), after: readCursor(parameters, 'after_id', 'aud_') }
}

export interface EffectiveQuery {
  readonly limit: number
  /** Undefined: whoever was seen spending. */
  readonly subs: readonly string[] | undefined
  readonly periods: readonly Period[]
  readonly isBySpend: boolean
  readonly search: string | undefined
  readonly page: string | undefined
}

export function readEffectiveQuery(parameters: URLSearchParams): EffectiveQuery {
  const subs = readMany(parameters, 'user_ids').map((sub) => checkName(sub, 'user_ids[]'))
  const asked = readMany(parameters, 'period')
  for (const period of asked) if (!PERIODS.some((one) => one === period)) refuse('period[]', `must be one of ${PERIODS.join(', ')}`)
  const periods = PERIODS.filter((period) => asked.length === 0 || asked.includes(period))
  const isBySpend = readOne(parameters, 'sort', ['spend_desc']) !== undefined
  if (isBySpend && periods.length !== 1) refuse('sort', 'spend_desc needs exactly one period[]')
  const search = readText(parameters, 'q')
  return { limit: readLimit(parameters), subs: subs.length === 0 ? undefined : subs, periods, isBySpend, search: search && checkName(search, 'q'), page: readText(parameters, 'page') }
}

/** `?reason=` of a deletion, for the audit trail. */
export function readReason(parameters: URLSearchParams): string | undefined {
  const reason = readText(parameters, 'reason')
  return reason && checkName(reason, 'reason', 1000)
}

/** Absent and empty are the same. */
function readText(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name)
  if (values.length > 1) refuse(name, 'is given twice')
  return values[0] === '' ? undefined : values[0]
}

function readOne<const word extends string>(parameters: URLSearchParams, name: string, words: readonly word[]): word | undefined {
  const value = readText(parameters, name)
  return value === undefined ? undefined : (words.find((word) => word === value) ?? refuse(name, `must be ${words.length === 1 ? words[0] : `one of ${words.join(', ')}`}`))
}

/** With brackets, as the Admin API spells lists, or without. */
function readMany(parameters: URLSearchParams, name: string): string[] {
  const values = [...parameters.getAll(`${name}[]`), ...parameters.getAll(name)].filter((value) => value !== '')
  if (values.length > MOST_NAMES) refuse(`${name}[]`, `is given more than ${MOST_NAMES} times`)
  return values
}

function readLimit(parameters: URLSearchParams): number {
  const text = readText(parameters, 'limit')
  if (text === undefined) return LIMIT.fallback
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  return limit >= LIMIT.least && limit <= LIMIT.most ? limit : refuse('limit', `must be a whole number from ${LIMIT.least} to ${LIMIT.most}`)
}

function readCursor(parameters: URLSearchParams, name: string, prefix: string): string | undefined {
  const id = readText(parameters, name)
  return id === undefined || isId(id, prefix) ? id : refuse(name, `must be an id such as ${prefix}…, from an answer`)
}

/** An id as `spend_new_id` makes them. */
export function isId(id: string, prefix: string): boolean {
  return id.startsWith(prefix) && /^[0-9a-f]{32}$/.test(id.slice(prefix.length))
}
