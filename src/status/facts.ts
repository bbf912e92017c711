// How the gateway does, as plain data: what `/readyz?verbose=1` says as JSON and `/status` as a page, to administrators alone.
// Everything is known already: nothing is asked of the store, the identity provider or an upstream to say how they do.
import type { Alerts } from '../alert/alerts.ts'
import type { Trail } from '../audit/trail.ts'
import type { Store } from '../db/open-store.ts'
import type { Health } from '../http/health.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { LogLevel } from '../observe/log-level.ts'
import { redact } from '../observe/redact.ts'
import type { RelyingParty } from '../oidc/relying-party.ts'
import type { Relay } from '../relay/relay.ts'
import { upstreamReports, type UpstreamReport } from '../relay/upstream-report.ts'
import type { Revocations } from '../session/revocations.ts'
import { collectorFacts, type CollectorFacts } from '../telemetry/collector-facts.ts'
import type { TelemetryRelay } from '../telemetry/relay.ts'
import type { LossAges } from './recent-losses.ts'

/** Words, and how long ago they were true. */
export interface Trouble {
  words: string
  seconds_ago: number
}

export interface StoreFacts {
  reachable: boolean
  /** For how long it has not answered. */
  away_seconds?: number
  /** After so many the gateway is not ready. */
  grace_seconds: number
  /** Of the last answer; absent before the first look, a second after the start. */
  latency_ms?: number
  /** The newest migration that is applied. */
  schema: string
  pools: { name: string; statements_in_flight: number; max_connections: number }[]
}

export interface IdpFacts {
  issuer: string
  discovery_read_seconds_ago: number
  /** Absent where nobody has signed in since the start: they are read when they are needed. */
  keys_read_seconds_ago?: number
  answered_seconds_ago: number
  /** Whether the last request to it was answered. */
  answers: boolean
  /** The last time that it did not answer, or not with what was needed, whatever came after. */
  trouble?: Trouble
  /** Why its keys could not be read the last time. */
  keys_trouble?: string
}

export interface LedgerFacts {
  requests_held: number
  settlements_waiting: number
  lag_seconds: number
  set_aside: number
  checks_unanswered: number
}

export interface AuditFacts {
  events_waiting: number
  lag_seconds: number
  lost: number
  /** Requests are refused, because their events could not be stored (`audit.on_failure`). */
  blocking: boolean
}

export interface AlertFacts {
  name: string
  delivered: number
  /** Since the start. */
  lost: number
  /** Since the last of it; absent where nothing was. */
  lost_seconds_ago?: number
  trouble?: string
}

/** The machine and the process, as far as the program was told; where `kill` finds it. */
export interface Machine {
  readonly host: string
  readonly pid: number
}

export interface GatewayFacts {
  ready: boolean
  version: string
  /** Who answers. `id`: of the process, in `gateway_process`; another one after each start. */
  replica: { id: string } & Partial<Machine>
  /** RFC 3339. */
  taken_at: string
  uptime_seconds: number
  draining: boolean
  requests_in_flight: number
  store: StoreFacts
  idp: IdpFacts
  upstreams: UpstreamReport[]
  ledger: LedgerFacts
  /** Absent where the trail is not stored. */
  audit?: AuditFacts
  collectors: CollectorFacts[]
  /** Absent where none are configured. */
  alerts?: AlertFacts[]
  /** Since the list of revoked sessions was read. */
  revocations: { age_seconds: number }
  log_level: { level: string; level_at_start: string; until?: string; level_after?: string }
  config: { file?: string; sha256?: string; loaded_at: string }
}

export interface FactSources {
  health: Pick<Health, 'isReady' | 'state'>
  store: Pick<Store, 'pools' | 'schema'>
  relyingParty: Pick<RelyingParty, 'state'>
  relay: Pick<Relay, 'lanes' | 'activeRequests'>
  ledger: Pick<Ledger, 'state' | 'processId'>
  trail: Pick<Trail, 'state' | 'isBlocking'> | undefined
  telemetry: Pick<TelemetryRelay, 'reports'>
  alerts: Pick<Alerts, 'reports'> | undefined
  losses: () => LossAges
  revocations: Pick<Revocations, 'ageMs'>
  logLevel: Pick<LogLevel, 'state'>
  version: string
  machine: Machine | undefined
  configFile: { readonly path: string; readonly sha256: string } | undefined
  now: () => Date
  /** Monotonic, in milliseconds. */
  nowMs: () => number
}

/** What is known at the moment of each call. `createFacts` itself is the start that uptime counts from. */
export function createFacts(sources: FactSources): () => GatewayFacts {
  const { health, relyingParty, relay, ledger, trail, telemetry, alerts, losses, revocations, logLevel, version, machine, configFile, now, nowMs } = sources
  const startedMs = performance.now()
  const loadedAt = now().toISOString()
  return () => {
    const [wallMs, monotonicMs, lostAgo] = [now().getTime(), nowMs(), losses()]
    return {
      ready: health.isReady(),
      version,
      replica: { id: ledger.processId, ...machine },
      taken_at: new Date(wallMs).toISOString(),
      uptime_seconds: seconds(performance.now() - startedMs),
      draining: health.state().isDraining,
      requests_in_flight: relay.activeRequests(),
      store: storeFacts(sources),
      idp: idpFacts(relyingParty, wallMs),
      upstreams: upstreamReports(relay.lanes(), monotonicMs, wallMs),
      ledger: ledgerFacts(ledger, monotonicMs),
      ...(trail && { audit: trailFacts(trail, monotonicMs) }),
      collectors: collectorFacts(telemetry.reports(), lostAgo.collectors),
      ...(alerts && { alerts: alertFacts(alerts, lostAgo.alerts) }),
      revocations: { age_seconds: seconds(revocations.ageMs()) },
      log_level: levelFacts(logLevel),
      config: { ...(configFile && { file: configFile.path, sha256: configFile.sha256 }), loaded_at: loadedAt },
    }
  }
}

function storeFacts({ health, store }: FactSources): StoreFacts {
  const { awayMs, latencyMs, graceMs } = health.state()
  return {
    reachable: awayMs === undefined,
    ...(awayMs !== undefined && { away_seconds: seconds(awayMs) }),
    grace_seconds: seconds(graceMs),
    ...(latencyMs !== undefined && { latency_ms: Math.round(latencyMs * 10) / 10 }),
    schema: store.schema,
    pools: store.pools().map(({ name, inFlight, maxConnections }) => ({ name, statements_in_flight: inFlight, max_connections: maxConnections })),
  }
}

function idpFacts(relyingParty: FactSources['relyingParty'], wallMs: number): IdpFacts {
  const { issuer, discoveredAtMs, keys, answeredAtMs = discoveredAtMs, trouble, answers } = relyingParty.state()
  return {
    issuer,
    discovery_read_seconds_ago: ago(wallMs - discoveredAtMs),
    ...(keys.ageMs !== undefined && { keys_read_seconds_ago: ago(keys.ageMs) }),
    answered_seconds_ago: ago(wallMs - answeredAtMs),
    answers,
    ...(trouble && { trouble: { words: redact(trouble.words), seconds_ago: ago(wallMs - trouble.atMs) } }),
    ...(keys.trouble !== undefined && { keys_trouble: redact(keys.trouble) }),
  }
}

function ledgerFacts(ledger: FactSources['ledger'], nowMs: number): LedgerFacts {
  const { running, waiting, oldestMs, setAside, unanswered } = ledger.state()
  return { requests_held: running, settlements_waiting: waiting, lag_seconds: lagSeconds(oldestMs, nowMs), set_aside: setAside, checks_unanswered: unanswered }
}

function trailFacts(trail: NonNullable<FactSources['trail']>, nowMs: number): AuditFacts {
  const { waiting, oldestMs, lost } = trail.state()
  return { events_waiting: waiting, lag_seconds: lagSeconds(oldestMs, nowMs), lost, blocking: trail.isBlocking() }
}

function alertFacts(alerts: NonNullable<FactSources['alerts']>, lostAgo: LossAges['alerts']): AlertFacts[] {
  return alerts.reports().map(({ trouble, ...report }, at) => {
    const ago = lostAgo[at]
    return { ...report, ...(ago !== undefined && { lost_seconds_ago: ago }), ...(trouble !== undefined && { trouble: redact(trouble) }) }
  })
}

function levelFacts(logLevel: FactSources['logLevel']): GatewayFacts['log_level'] {
  const { level, levelAtStart, until, levelAfter } = logLevel.state()
  return { level, level_at_start: levelAtStart, ...(until && { until: until.toISOString() }), ...(levelAfter && { level_after: levelAfter }) }
}

const lagSeconds = (oldestMs: number | undefined, nowMs: number): number => (oldestMs === undefined ? 0 : ago(nowMs - oldestMs))
const seconds = (ms: number): number => Math.round(ms / 1000)
/** A clock may have been set back. */
const ago = (ms: number): number => Math.max(0, seconds(ms))
