// How the upstreams do, for the operator: as facts of `/readyz?verbose=1` and as metrics. Names of upstreams and models
// are the configuration's, so the label sets are bounded; no person is in one.
import type { MetricFamily, Sample } from '../observe/metrics.ts'
import { redact } from '../observe/redact.ts'
import type { CredentialKind } from '../upstream/credential-kind.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Lane } from './lanes.ts'

export interface UpstreamReport {
  name: string
  provider: string
  region?: string
  priority: number
  weight: number
  in_flight: number
  max_concurrency?: number
  /** Models that are left alone for a while, or about to be. */
  breakers: { model: string; state: string; failures: number }[]
  /** Since the start, by what they said of it. */
  requests: Lane['outcomes']
  /** The last request that it failed, whatever came after. */
  last_failure?: { words: string; seconds_ago: number }
  credential?: CredentialReport
  /** What the upstream has refused and therefore does not get. */
  left_out: { model: string; item: string; refusals: number }[]
}

/** Closer to its end a credential is not used any more. */
const LATE_SECONDS = 30

/** Whether the one at hand still serves, however renewing it went. */
export function isLiving({ age_seconds: age, expires_in_seconds: left }: CredentialReport): boolean {
  return age !== undefined && (left === null || left === undefined || left > LATE_SECONDS)
}

/** Of the credential itself nothing is said. */
export interface CredentialReport {
  kind?: CredentialKind
  /** Both absent where nothing has to be renewed, and before the first was needed; null where it does not end by itself. */
  age_seconds?: number
  expires_in_seconds?: number | null
  /** Why the last attempt to get one failed; absent after one that did not. */
  failure?: { words: string; seconds_ago: number }
}

/** `nowMs` is the monotonic clock of the breakers, `wallMs` milliseconds since the epoch. */
export function upstreamReports(lanes: readonly Lane[], nowMs: number, wallMs: number): UpstreamReport[] {
  return lanes.map(({ upstream, inFlight, breakers, outcomes, lastFailure }) => {
    const credential = credentialReport(upstream, wallMs)
    return {
      name: upstream.name,
      provider: upstream.provider,
      ...(upstream.region !== undefined && { region: upstream.region }),
      priority: upstream.priority,
      weight: upstream.weight,
      in_flight: inFlight,
      ...(upstream.maxConcurrency !== undefined && { max_concurrency: upstream.maxConcurrency }),
      breakers: breakers(nowMs),
      requests: { ...outcomes },
      ...(lastFailure !== undefined && { last_failure: { words: lastFailure.words, seconds_ago: ago(nowMs - lastFailure.atMs) } }),
      ...(credential !== undefined && { credential }),
      left_out: [...(upstream.leftOut?.() ?? [])],
    }
  })
}

function credentialReport(upstream: Upstream, wallMs: number): CredentialReport | undefined {
  const [state, trouble, kind] = [upstream.credential?.(), upstream.credentialTrouble?.(), upstream.credentialKind]
  if (state === undefined && trouble === undefined && kind === undefined) return undefined
  return {
    ...(kind !== undefined && { kind }),
    ...(state !== undefined && { age_seconds: seconds(wallMs - state.obtainedAtMs), expires_in_seconds: Number.isFinite(state.expiresAtMs) ? seconds(state.expiresAtMs - wallMs) : null }),
    ...(trouble !== undefined && { failure: { words: redact(trouble.message), seconds_ago: ago(wallMs - trouble.atMs) } }),
  }
}

const STATES: Readonly<Record<string, number>> = { closed: 0, half_open: 1, open: 2 }

export function upstreamMetrics(lanes: readonly Lane[], nowMs: number, wallMs: number): MetricFamily[] {
  const reports = upstreamReports(lanes, nowMs, wallMs)
  const each = (sample: (report: UpstreamReport) => Sample[]) => reports.flatMap(sample)
  const one = (labels: Sample['labels'], value: number | undefined | null): Sample[] => (value === undefined || value === null ? [] : [{ labels, value }])
  return [
    {
      name: 'gatehouse_upstream_requests_in_flight',
      type: 'gauge',
      help: 'Requests that an upstream is working on, streams included.',
      samples: each(({ name, in_flight }) => one({ upstream: name }, in_flight)),
    },
    {
      name: 'gatehouse_upstream_attempts_total',
      type: 'counter',
      help: 'Requests to an upstream by what became of them.',
      samples: lanes.flatMap(({ upstream, outcomes }) => Object.entries(outcomes).map(([outcome, value]) => ({ labels: { upstream: upstream.name, outcome }, value }))),
    },
    {
      name: 'gatehouse_upstream_failovers_total',
      type: 'counter',
      help: 'Requests that went on to another upstream after this one had failed them.',
      samples: lanes.map(({ upstream, failovers }) => ({ labels: { upstream: upstream.name }, value: failovers })),
    },
    {
      name: 'gatehouse_upstream_breaker_state',
      type: 'gauge',
      help: '0 closed, 1 half open, 2 open; models that never failed are left out.',
      samples: each(({ name, breakers }) => breakers.map(({ model, state }) => ({ labels: { upstream: name, model }, value: STATES[state] ?? 0 }))),
    },
    {
      name: 'gatehouse_upstream_credential_age_seconds',
      type: 'gauge',
      help: 'Since the credential at hand was obtained.',
      samples: each(({ name, credential }) => one({ upstream: name }, credential?.age_seconds)),
    },
    {
      name: 'gatehouse_upstream_credential_expires_in_seconds',
      type: 'gauge',
      help: 'Until the credential at hand ends; absent where it does not end by itself.',
      samples: each(({ name, credential }) => one({ upstream: name }, credential?.expires_in_seconds)),
    },
    {
      name: 'gatehouse_upstream_refused_items_total',
      type: 'counter',
      help: 'Refusals of betas and fields that are now left out. Which ones, verbose readiness says: their names are the clients\'.',
      samples: each(({ name, left_out }) => sumByKind(left_out).map(({ model, kind, refusals }) => ({ labels: { upstream: name, model, kind }, value: refusals }))),
    },
  ]
}

function sumByKind(items: UpstreamReport['left_out']): { model: string; kind: string; refusals: number }[] {
  const sums = new Map<string, { model: string; kind: string; refusals: number }>()
  for (const { model, item, refusals } of items) {
    const kind = item.startsWith('beta:') ? 'beta' : 'field'
    const known = sums.get(`${kind} ${model}`)
    sums.set(`${kind} ${model}`, { model, kind, refusals: (known?.refusals ?? 0) + refusals })
  }
  return [...sums.values()]
}

/** A clock may have been set back. */
function ago(ms: number): number {
  return Math.max(0, seconds(ms))
}

function seconds(ms: number): number {
  return Math.round(ms / 1000)
}
