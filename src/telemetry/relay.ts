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

export function createTelemetryRelay(collectors: readonly Omit<CollectorConfig, 'name'>[], { fetch, observe }: { fetch: GuardedFetch; observe: Observe }): TelemetryRelay {
  const warn = (message: string) => observe({ op: 'warn', message, repeat: message })
  const all = collectors.map((config, at) => createCollector({ ...config, name: nameOf(collectors, at) }, { fetch, warn }))
  return {
    accept: (item) => all.forEach((collector) => collector.offer(item)),
    reports: () => all.map((collector) => collector.report()),
    async stop() {
      const dropped = await Promise.all(all.map((collector) => collector.stop(FAREWELL_MS)))
      for (const [at, times] of dropped.entries()) if (times > 0) warn(`telemetry: collector ${nameOf(collectors, at)}: ${times} exports were not delivered before the end`)
    },
  }
}

/** Host and path; of two collectors behind one address, for two tenants, the later ones are numbered. */
function nameOf(collectors: readonly { readonly url: string }[], at: number): string {
  const place = ({ url }: { readonly url: string }) => new URL(url).host + new URL(url).pathname.replace(/\/$/, '')
  const name = place(collectors[at] as { url: string })
  const earlier = collectors.slice(0, at).filter((other) => place(other) === name).length
  return earlier === 0 ? name : `${name} (${earlier + 1})`
}
