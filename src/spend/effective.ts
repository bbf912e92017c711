// `GET …/effective`: for each person and period the limit that holds, whose it is, and what was spent. Pure.
import { centsText, NANO_PER_CENT } from './amounts.ts'
import { PERIODS, type Period, type Pool } from './limit.ts'
import { scopeAnswer } from './limit-row.ts'
import { decidingLimits, poolsOf, type LimitIndex, type LimitRules } from './limits-of.ts'
import type { EffectiveQuery } from './read-query.ts'
import type { PeopleRange, PoolSpending, SpendingPerson } from './store.ts'

/** Where a page begins: at this row of this person. */
export interface Place {
  readonly sub: string
  readonly issuer: string
  readonly period: Period
  readonly spent?: string | undefined
}

interface Row {
  readonly person: SpendingPerson
  readonly period: Period
}

/** Which people a page needs: one row more than it shows says whether another page follows. */
export function peopleRange(query: EffectiveQuery, place: Place | undefined): PeopleRange {
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

/** `next` is where the page after it begins. */
export function effectivePage(query: EffectiveQuery, place: Place | undefined, facts: Facts) {
  const all = facts.people.flatMap((person) => query.periods.map((period): Row => ({ person, period })))
  const isBefore = ({ person, period }: Row) => place !== undefined && person.sub === place.sub && person.issuer === place.issuer && PERIODS.indexOf(period) < PERIODS.indexOf(place.period)
  const rows = all.filter((row) => !isBefore(row))
  const next = rows[query.limit]
  return {
    data: rows.slice(0, query.limit).map(({ person, period }) => summary(person, period, facts)),
    next: next && { sub: next.person.sub, issuer: next.person.issuer, period: next.period, spent: query.isBySpend ? next.person[next.period] : undefined },
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
