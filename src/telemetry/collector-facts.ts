import type { CollectorReport } from './collector.ts'

export interface CollectorFacts {
  name: string
  delivered: number
  /** Since the start. */
  lost: number
  /** Since the last of it; absent where nothing was. */
  lost_seconds_ago?: number
  /** Exports in memory, and their size. */
  held: number
  held_bytes: number
  spooled_bytes?: number
  asks_to_wait_seconds?: number
  /** Why the last attempt failed, and for how long none has succeeded. */
  trouble?: string
  trouble_seconds?: number
}

/** How each collector does, for verbose readiness. `lostAgo`: seconds since each lost something last. */
export function collectorFacts(reports: readonly CollectorReport[], lostAgo: readonly (number | undefined)[]): CollectorFacts[] {
  return reports.map((report, at) => {
    const { name, held, heldBytes, spooledBytes, trouble, troubledMs, pausedMs } = report
    const ago = lostAgo[at]
    return {
      name,
      delivered: sum(report, (one) => one.delivered),
      lost: lostOf(report),
      ...(ago !== undefined && { lost_seconds_ago: ago }),
      held,
      held_bytes: heldBytes,
      ...(spooledBytes !== undefined && { spooled_bytes: spooledBytes }),
      ...(pausedMs > 0 && { asks_to_wait_seconds: Math.ceil(pausedMs / 1000) }),
      ...(trouble !== undefined && { trouble }),
      ...(troubledMs !== undefined && { trouble_seconds: Math.round(troubledMs / 1000) }),
    }
  })
}

/** Exports that the collector will never get, since the start. */
export function lostOf(report: CollectorReport): number {
  return sum(report, (one) => one.rejected + one.gave_up + one.queue_full + one.unreadable)
}

function sum({ outcomes }: CollectorReport, counts: (one: CollectorReport['outcomes']['metrics']) => number): number {
  return Object.values(outcomes).reduce((total, one) => total + counts(one), 0)
}
