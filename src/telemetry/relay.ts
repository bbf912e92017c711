import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { Observe } from '../observe/events.ts'
import { createCollector, type CollectorConfig, type CollectorReport, type Export } from './collector.ts'

export interface TelemetryRelay {
  /** Offers an export to every collector that wants its signal; never waits. */
  accept(item: Export): void
  reports(): CollectorReport[]
  stop(): Promise<void>
}

/** How long the last exports may take when the process ends. */
const FAREWELL_MS = 3000

export function createTelemetryRelay(collectors: readonly CollectorConfig[], { fetch, observe }: { fetch: GuardedFetch; observe: Observe }): TelemetryRelay {
  const all = collectors.map((config) => createCollector(config, { fetch, warn: (message) => observe({ op: 'warn', message, repeat: message }) }))
  return {
    accept: (item) => all.forEach((collector) => collector.offer(item)),
    reports: () => all.map((collector) => collector.report()),
    async stop() {
      await Promise.all(all.map((collector) => collector.stop(FAREWELL_MS)))
    },
  }
}
