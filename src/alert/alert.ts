// Thresholds of spend limits, and which of them a counter has passed. Pure.
import { createHash } from 'node:crypto'
import type { Counter } from '../ledger/counters.ts'
import type { AppliedLimit, Period } from '../spend/limit.ts'
import { exhaustedAt } from './projection.ts'

/** A counter with whom it counts. */
export interface AlertCounter extends Counter {
  /** Of scope `user`; groups as they were when the person was last seen. */
  readonly person?: AlertPerson | undefined
}

export interface AlertPerson {
  readonly issuer: string
  readonly sub: string
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
}

/**
 * The limits of a counter: of a person their own, of a group or the organisation those of its shared pool, and none for
 * a limit that each member has alone. Undefined when limits cannot be read now: the counter is then looked at again.
 */
export type LimitsOfCounter = (counter: AlertCounter) => readonly AppliedLimit[] | undefined

/** A counter that moved, with what was spent on it in the windows of now. */
export interface Movement {
  readonly counter: AlertCounter
  /** Nano-dollars. */
  readonly spent: Readonly<Record<Period, bigint>>
}

/** Now, by the database, and the first days of the windows that hold now: `2026-08-07`. */
export interface Moment {
  readonly nowMs: number
  readonly starts: Readonly<Record<Period, string>>
}

export interface PassedThreshold {
  readonly counter: AlertCounter
  readonly limit: AppliedLimit
  /** Percent. */
  readonly threshold: number
  /** The highest that was passed; the others are noted without a word. */
  readonly isHighest: boolean
  /** Nano-dollars. */
  readonly spent: bigint
  /** Whole percent of the limit that is spent. */
  readonly percent: number
  readonly windowStart: string
  /** When the next window begins, and when the limit is used up before that at the pace so far. */
  readonly resetsAtMs: number
  readonly exhaustedAtMs: number | undefined
}

/** Every threshold of every limit that a counter is at or above. A limit of nothing lets nobody through and never fills. */
export function passedThresholds({ counter, spent }: Movement, limits: readonly AppliedLimit[], thresholds: readonly number[], { nowMs, starts }: Moment): PassedThreshold[] {
  return limits.flatMap((limit) => {
    const { period, amount } = limit
    if (amount <= 0n) return []
    const used = spent[period]
    const passed = thresholds.filter((threshold) => used * 100_000n >= amount * BigInt(Math.round(threshold * 1000)))
    const highest = Math.max(...passed)
    const startMs = Date.parse(starts[period])
    const resetsAtMs = windowEnd(period, startMs)
    return passed.map((threshold) => ({
      counter,
      limit,
      threshold,
      isHighest: threshold === highest,
      spent: used,
      percent: Number((used * 100n) / amount),
      windowStart: starts[period],
      resetsAtMs,
      exhaustedAtMs: exhaustedAt({ spent: used, amount, startMs, endMs: resetsAtMs, nowMs }),
    }))
  })
}

/** The same threshold is called the same by every replica and for every destination. */
export function alertId({ counter, limit, windowStart, threshold }: PassedThreshold): string {
  const facts = [counter.scope, counter.scopeId, limit.limitId, limit.period, windowStart, limit.amount.toString(), threshold]
  return `alt_${createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32)}`
}

const DAY_MS = 86_400_000

function windowEnd(period: Period, startMs: number): number {
  if (period !== 'monthly') return startMs + (period === 'daily' ? 1 : 7) * DAY_MS
  const start = new Date(startMs)
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1)
}

