// How a person stands against everything that limits them. Pure.
import type { Counter } from '../ledger/counters.ts'
import { personKey } from '../ledger/counters.ts'
import type { CounterSums, LimitedCounter } from '../ledger/store.ts'
import type { AppliedLimit, Period, PersonLimits } from './limit.ts'
import { resetOf } from './windows.ts'

/** One limit and what is spent of it. Amounts are nano-dollars. */
export interface Use {
  readonly period: Period
  readonly limit: bigint
  readonly spent: bigint
  /** Held for requests that still run. */
  readonly held: bigint
  readonly resetsAt: Date
  readonly isPool: boolean
}

/** The counters of a person's limits, theirs first, each with its limits. */
export function limitedCounters(person: { issuer: string; sub: string }, { own, pools }: PersonLimits): LimitedCounter[] {
  const counters = pools.map(({ scope, scopeId, limits }) => ({ scope, scopeId, limits: byPeriod(limits) }))
  return own.length === 0 ? counters : [{ ...personCounter(person), limits: byPeriod(own) }, ...counters]
}

export function personCounter(person: { issuer: string; sub: string }): Counter {
  return { scope: 'user', scopeId: personKey(person) }
}

function byPeriod(limits: readonly AppliedLimit[]): Partial<Record<Period, bigint>> {
  return Object.fromEntries(limits.map(({ period, amount }) => [period, amount]))
}

/** Every limit with its use; `unsettled` is what the person's counter does not show yet. */
export function usesOf(counters: readonly LimitedCounter[], sums: readonly CounterSums[], now: Date, unsettled = 0n): Use[] {
  return counters.flatMap(({ scope, limits }, at) =>
    Object.entries(limits).map(([period, limit]) => {
      const use = useOf(period as Period, limit, sums[at] as CounterSums, now)
      return { ...use, spent: use.spent + unsettled, isPool: scope !== 'user' }
    }),
  )
}

/** One limit and what its counter says of it. */
export function useOf(period: Period, limit: bigint, { spent, held }: CounterSums, now: Date): Omit<Use, 'isPool'> {
  return { period, limit, spent: spent[period], held: held[period], resetsAt: resetOf(period, now) }
}

/** At the limit counts as over it: a request may cost anything. */
export function isSpent({ spent, limit }: Use): boolean {
  return spent >= limit
}

/** Of several that are spent, the one that resets last: until then nothing helps. */
export function decisive(uses: readonly Use[]): Use | undefined {
  return uses.filter(isSpent).reduce<Use | undefined>((last, use) => (last === undefined || use.resetsAt > last.resetsAt || (use.resetsAt.getTime() === last.resetsAt.getTime() && use.limit < last.limit) ? use : last), undefined)
}

/** The one of which most is used; of equals the one that resets last. */
export function fullest(uses: readonly Use[]): Use | undefined {
  return uses.reduce<Use | undefined>((most, use) => {
    if (most === undefined) return use
    // Compared as fractions: spent/limit without division.
    const [a, b] = [use.spent * most.limit, most.spent * use.limit]
    return a > b || (a === b && use.resetsAt > most.resetsAt) ? use : most
  }, undefined)
}

/** Hundredths of the limit that are used, rounded down; a limit of nothing is used up. */
export function percentUsed({ spent, limit }: Pick<Use, 'spent' | 'limit'>): number {
  return limit === 0n ? 100 : Number((spent * 100n) / limit)
}

/** Percents of a limit from which on people are warned (contract §5). */
const THRESHOLDS = [95, 75] as const

/** The highest that was passed. */
export function passedThreshold(percent: number): (typeof THRESHOLDS)[number] | undefined {
  return THRESHOLDS.find((threshold) => percent >= threshold)
}
