import type { CollectorReport } from './collector.ts'

export interface CollectorFacts {
  name: string
  delivered: number
  lost: number
  /** Exports in memory, and their size. */
  held: number
  held_bytes: number
  spooled_bytes?: number
  asks_to_wait_seconds?: number
  /** Why the last attempt failed, and for how long none has succeeded. */
  trouble?: string
  trouble_seconds?: number
}

/** How each collector does, for verbose readiness. What was lost is since the start of the process. */
export function collectorFacts(reports: readonly CollectorReport[]): CollectorFacts[] {
  return reports.map(({ name, held, heldBytes, spooledBytes, outcomes, trouble, troubledMs, pausedMs }) => {
    const sum = (counts: (one: CollectorReport['outcomes']['metrics']) => number) => Object.values(outcomes).reduce((total, one) => total + counts(one), 0)
    return {
      name,
      delivered: sum((one) => one.delivered),
      lost: sum((one) => one.rejected + one.gave_up + one.queue_full + one.unreadable),
      held,
      held_bytes: heldBytes,
      ...(spooledBytes !== undefined && { spooled_bytes: spooledBytes }),
      ...(pausedMs > 0 && { asks_to_wait_seconds: Math.ceil(pausedMs / 1000) }),
      ...(trouble !== undefined && { trouble }),
      ...(troubledMs !== undefined && { trouble_seconds: Math.round(troubledMs / 1000) }),
    }
  })
}
