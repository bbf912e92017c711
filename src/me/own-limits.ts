// The limits of one person with what is used of each. Pure.
import type { CounterScope } from '../ledger/counters.ts'
import type { CounterSums } from '../ledger/store.ts'
import { NANO_PER_CENT } from '../spend/amounts.ts'
import { PERIODS, type Period, type Pool, type SpendLimit } from '../spend/limit.ts'
import { decisive, fullest, passedThreshold, percentUsed, useOf, type Use } from '../spend/standing.ts'

export interface OwnLimit extends Use {
  /** Whose limit it is that applies. */
  readonly source: CounterScope
  /** Where it is a group's, or the group's pool: its name. */
  readonly group: string | undefined
}

export interface Standing {
  /** One a period at most; one without an amount is no limit. */
  readonly own: Partial<Record<Period, SpendLimit>>
  readonly pools: readonly Pool[]
  /** Of the person, then of each pool. */
  readonly sums: readonly CounterSums[]
  readonly now: Date
}

/** Their own by period, then those they share. */
export function ownLimits({ own, pools, sums, now }: Standing): OwnLimit[] {
  const [mine, ...shared] = sums as [CounterSums, ...CounterSums[]]
  const alone = PERIODS.flatMap((period) => {
    const limit = own[period]
    if (limit === undefined || limit.amount === null) return []
    return { ...useOf(period, limit.amount * NANO_PER_CENT, mine, now), isPool: false, source: limit.scope, group: groupOf(limit) }
  })
  const together = pools.flatMap((pool, at) =>
    pool.limits.map(({ period, amount }) => ({ ...useOf(period, amount, shared[at] as CounterSums, now), isPool: true, source: pool.scope, group: groupOf(pool) })),
  )
  return [...alone, ...together]
}

function groupOf({ scope, scopeId }: { scope: CounterScope; scopeId: string }): string | undefined {
  return scope === 'rbac_group' ? scopeId : undefined
}

/** The one that describes the person now: of those that are used up the last to reset, else the fullest. */
export function activeLimit(limits: readonly OwnLimit[]): OwnLimit | undefined {
  return (decisive(limits) ?? fullest(limits)) as OwnLimit | undefined
}

export type Severity = 'normal' | 'warning' | 'critical'

/** By the thresholds of the answers' headers (contract §5). */
export function severityOf(use: Use): Severity {
  const passed = passedThreshold(percentUsed(use))
  if (passed === undefined) return 'normal'
  return passed === 95 ? 'critical' : 'warning'
}

/** Whole percents, rounded down: a hundred is said of what is used up alone, and never more. */
export function percentShown(use: Use): number {
  return Math.min(percentUsed(use), 100)
}

/** Never below nothing: a request that began below the limit may end beyond it. Nano-dollars. */
export function remainingOf({ limit, spent }: Use): bigint {
  return spent < limit ? limit - spent : 0n
}
