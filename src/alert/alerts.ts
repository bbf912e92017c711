// Alerts of spend limits that fill: looked for every few seconds, delivered in the background.
import type { Database } from '../db/connect.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import type { Observe } from '../observe/events.ts'
import { startRounds, type Rounds } from '../std/rounds.ts'
import type { LimitsOfCounter } from './alert.ts'
import { deliverBatch, DELIVERY_OUTCOMES, type DeliverDeps, type DeliveryOutcome } from './deliver.ts'
import { toDestination, type Destination, type DestinationConfig } from './destination.ts'
import { forgetAlerts } from './store.ts'
import { watchOnce } from './watch.ts'

export interface AlertsConfig {
  /** Percent of a limit. */
  readonly thresholds: readonly number[]
  readonly destinations: readonly DestinationConfig[]
}

export interface AlertsDeps {
  db: Database
  fetch: GuardedFetch
  observe: Observe
  limitsOf: LimitsOfCounter
  /** For tests: everything happens that much oftener. */
  everyMs?: { watch: number; deliver: number }
  backOffSeconds?: DeliverDeps['backOffSeconds']
}

export interface Alerts {
  start(): void
  metrics(): MetricFamily[]
  reports(): DestinationReport[]
  /** Lets what is being sent come to its end, for a few seconds. What is queued stays queued. */
  stop(): Promise<void>
}

/** How a destination does, as far as this process has sent to it. */
export interface DestinationReport {
  /** Its host: the rest of the URL is a secret. */
  readonly name: string
  readonly delivered: number
  /** Given up: refused, or not taken for a day. */
  readonly lost: number
  /** Why the last delivery did not succeed; undefined after one that did. */
  readonly trouble: string | undefined
}

const EVERY_MS = { watch: 5000, deliver: 1000 }
const FORGET_EVERY_MS = 600_000
const FAREWELL_MS = 3000

export function createAlerts({ thresholds, destinations: configured }: AlertsConfig, { db, fetch, observe, limitsOf, everyMs = EVERY_MS, backOffSeconds }: AlertsDeps): Alerts {
  const destinations = configured.map(toDestination)
  const reports = new Map(destinations.map((destination) => [destination, { name: destination.host, delivered: 0, lost: 0, trouble: undefined as string | undefined }]))
  const outcomes = new Map<DeliveryOutcome, number>(DELIVERY_OUTCOMES.map((outcome) => [outcome, 0]))
  const ending = new AbortController()
  const running: Rounds[] = []
  let passed = 0
  let isStopping = false

  function counted(destination: Destination, outcome: DeliveryOutcome, words: string | undefined): void {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    const report = reports.get(destination)
    if (report === undefined) return
    report.trouble = words
    if (outcome === 'delivered') report.delivered++
    else if (outcome !== 'postponed') report.lost++
  }

  async function watch(): Promise<void> {
    passed += (await watchOnce({ db, observe, thresholds, destinations, limitsOf })).length
  }

  async function deliver(destination: Destination): Promise<void> {
    const deps: DeliverDeps = { db, fetch, observe, counted: (outcome, words) => counted(destination, outcome, words), signal: ending.signal, ...(backOffSeconds && { backOffSeconds }) }
    while (!isStopping && (await deliverBatch(destination, deps)));
  }

  async function forget(): Promise<void> {
    const dropped = await forgetAlerts(db, destinations.map(({ id }) => id))
    if (dropped > 0) observe({ op: 'warn', message: `alerts: ${dropped} deliveries to destinations that are not configured any more were dropped` })
  }

  /** The first round is at once. */
  function every(ms: number, work: () => Promise<void>, repeat: string): void {
    const rounds = startRounds(ms, work, (error) => observe({ op: 'warn', message: `alerts: ${error.message}`, repeat }))
    running.push(rounds)
    void rounds.run()
  }

  return {
    start() {
      every(everyMs.watch, watch, 'alert.watch')
      for (const destination of destinations) every(everyMs.deliver, () => deliver(destination), 'alert.deliver')
      every(FORGET_EVERY_MS, forget, 'alert.forget')
    },
    metrics: () => [
      { name: 'gatehouse_alerts_total', type: 'counter', help: 'Thresholds of spend limits that this process saw pass first.', samples: [{ labels: {}, value: passed }] },
      { name: 'gatehouse_alert_deliveries_total', type: 'counter', help: 'Deliveries of alerts by what became of them; postponed ones are tried again.', samples: [...outcomes].map(([outcome, value]) => ({ labels: { outcome }, value })) },
    ],
    reports: () => [...reports.values()],
    async stop() {
      isStopping = true
      const ended = Promise.all(running.map((rounds) => rounds.stop()))
      await Promise.race([ended, Bun.sleep(FAREWELL_MS)])
      ending.abort()
      await Promise.race([ended, Bun.sleep(FAREWELL_MS)])
    },
  }
}
