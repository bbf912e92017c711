// When a collector or a receiver of alerts was last kept out of something. They count since the start: what was lost on
// Monday is no news on Friday.
import type { Alerts } from '../alert/alerts.ts'
import { startRounds } from '../std/rounds.ts'
import { lostOf } from '../telemetry/collector-facts.ts'
import type { TelemetryRelay } from '../telemetry/relay.ts'

/** What was lost since the start, in the order of the configuration. */
export interface LossCounts {
  readonly collectors: readonly number[]
  readonly alerts: readonly number[]
}

/** Seconds since the last loss was seen; undefined where there was none. */
export interface LossAges {
  readonly collectors: readonly (number | undefined)[]
  readonly alerts: readonly (number | undefined)[]
}

const EVERY_MS = 10_000

/** Looks every ten seconds, and when it is asked. */
export function watchLosses({ telemetry, alerts, nowMs }: { telemetry: Pick<TelemetryRelay, 'reports'>; alerts: Pick<Alerts, 'reports'> | undefined; nowMs: () => number }): { look: () => LossAges; stop: () => Promise<void> } {
  const look = createRecentLosses(() => ({ collectors: telemetry.reports().map(lostOf), alerts: (alerts?.reports() ?? []).map(({ lost }) => lost) }), nowMs)
  const rounds = startRounds(EVERY_MS, async () => look(), () => {})
  return { look, stop: rounds.stop }
}

/** A loss counts from the first look that finds it, so that somebody has to look again and again. `nowMs` is monotonic. */
export function createRecentLosses(counts: () => LossCounts, nowMs: () => number): () => LossAges {
  const [collectors, alerts] = [lastRises(nowMs), lastRises(nowMs)]
  return () => {
    const counted = counts()
    return { collectors: collectors(counted.collectors), alerts: alerts(counted.alerts) }
  }
}

function lastRises(nowMs: () => number): (counts: readonly number[]) => (number | undefined)[] {
  let seen: readonly number[] = []
  const roseAtMs = new Map<number, number>()
  return (counts) => {
    for (const [at, count] of counts.entries()) if (count > (seen[at] ?? 0)) roseAtMs.set(at, nowMs())
    seen = counts
    return counts.map((_, at) => {
      const roseMs = roseAtMs.get(at)
      return roseMs === undefined ? undefined : Math.round((nowMs() - roseMs) / 1000)
    })
  }
}
