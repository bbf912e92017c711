// `GET …/effective`: for each person and period the limit that holds, whose it is, and what was spent. Pure.
import { centsText, NANO_PER_CENT } from './amounts.ts'
import { PERIODS, type Period, type Pool } from './limit.ts'
import { scopeAnswer } from './limit-row.ts'
import { decidingLimits, poolsOf, type LimitIndex, type LimitRules } from './limits-of.ts'
import type { EffectiveQuery } from './read-query.ts'
import { refuse } from './refuse.ts'
import type { PeopleRange, PoolSpending, SpendingPerson } from './store.ts'

/** Where a page begins: at this row of this person. */
interface Place {
  readonly sub: string
  readonly issuer: string
  readonly period: Period
  readonly spent: string | undefined
}

interface Row {
  readonly person: SpendingPerson
  readonly period: Period
}

/** Which people a page needs: one row more than it shows says whether another page follows. */
export function peopleRange(query: EffectiveQuery): PeopleRange {
  const place = readPlace(query)
  return {
    subs: query.subs,
    search: query.search,
    bySpendOf: query.isBySpend ? query.periods[0] : undefined,
    from: place && { sub: place.sub, issuer: place.issuer, spent: place.spent },
    most: Math.ceil((query.limit + query.periods.length) / query.periods.length),
  }
}

export interface Facts {
  /** Of the range. */
  readonly people: readonly SpendingPerson[]
  readonly pools: readonly PoolSpending[]
  readonly limits: LimitIndex
  readonly rules: LimitRules
}

export function effectivePage(query: EffectiveQuery, facts: Facts) {
  const place = readPlace(query)
  const all = facts.people.flatMap((person) => query.periods.map((period): Row => ({ person, period })))
  const isBefore = ({ person, period }: Row) => place !== undefined && person.sub === place.sub && person.issuer === place.issuer && PERIODS.indexOf(period) < PERIODS.indexOf(place.period)
  const rows = all.filter((row) => !isBefore(row))
  const next = rows[query.limit]
  return {
    data: rows.slice(0, query.limit).map(({ person, period }) => summary(person, period, facts)),
    next_page: next === undefined ? null : writePlace(query, { sub: next.person.sub, issuer: next.person.issuer, period: next.period, spent: query.isBySpend ? next.person[next.period] : undefined }),
  }
}

function summary(person: SpendingPerson, period: Period, { pools, limits, rules }: Facts) {
  const limited = { ...person, email: person.email ?? undefined }
  const limit = decidingLimits(limited, limits, rules)[period]
  const shared = poolsOf(limited, limits, rules).flatMap((pool) => poolSummary(pool, period, pools))
  return {
    scope: { type: 'user', user_id: person.sub },
    groups: person.groups,
    actor: { type: 'user_actor', user_id: person.sub, name: person.name, email_address: person.email, deleted: false },
    amount: limit?.amount?.toString() ?? null,
    currency: 'USD',
    period,
    source: limit === undefined ? null : scopeAnswer({ scope: limit.scope, scope_id: limit.scopeId, user_email: limit.userEmail ?? null }),
    spend_limit_id: limit?.id ?? null,
    period_to_date_spend: centsText(BigInt(person[period])),
    ...(shared.length > 0 && { pools: shared }),
  }
}

/** What the person draws on with others in this period. */
function poolSummary({ scope, scopeId, limits }: Pool, period: Period, pools: readonly PoolSpending[]) {
  const spent = pools.find((pool) => pool.scope === scope && pool.scope_id === scopeId)?.[period] ?? '0'
  return limits
    .filter((limit) => limit.period === period)
    .map(({ limitId, amount }) => ({
      scope: scopeAnswer({ scope, scope_id: scopeId, user_email: null }),
      amount: String(amount / NANO_PER_CENT),
      spend_limit_id: limitId,
      period_to_date_spend: centsText(BigInt(spent)),
    }))
}

/**
 * A page belongs to the question it came from. The sum is against accidents alone: the place is one among rows that whoever
 * asks may read anyway, so there is nothing to forge.
 */
function writePlace(query: EffectiveQuery, { sub, issuer, period, spent }: Place): string {
  const text = Buffer.from(JSON.stringify([sub, issuer, period, spent ?? null])).toString('base64url')
  return `page_${text}.${sumOf(query, text)}`
}

function readPlace(query: EffectiveQuery): Place | undefined {
  if (query.page === undefined) return undefined
  const wrong = () => refuse('page', 'does not belong to this query: begin with its first page')
  const [, text, sum] = /^page_([\w-]{1,4096})\.([0-9a-f]{16})$/.exec(query.page) ?? []
  if (text === undefined || sum !== sumOf(query, text)) return wrong()
  const place = parsed(Buffer.from(text, 'base64url').toString('utf8'))
  if (!isPlace(place)) return wrong()
  const [sub, issuer, period, spent] = place
  return { sub, issuer, period, spent: spent ?? undefined }
}

/** Undefined for what is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whoever works the sum out may have written anything; the database is told only what it can take. */
function isPlace(value: unknown): value is [string, string, Period, string | null] {
  if (!Array.isArray(value) || value.length !== 4) return false
  const [sub, issuer, period, spent] = value
  const isText = (one: unknown) => typeof one === 'string' && !/\p{Cc}/u.test(one) && one.isWellFormed()
  return isText(sub) && isText(issuer) && PERIODS.includes(period) && (spent === null || (typeof spent === 'string' && /^-?\d{1,30}$/.test(spent)))
}

function sumOf({ subs, periods, isBySpend, search }: EffectiveQuery, text: string): string {
  return new Bun.CryptoHasher('sha256').update(JSON.stringify([text, subs ?? null, periods, isBySpend, search ?? null])).digest('hex').slice(0, 16)
}
