// One execution at an upstream as a row of the ledger. Pure: what the database would refuse is made harmless here, so
// that no row is lost and none holds up the others.
import type { Price } from '../pricing/price.ts'
import { costOf, type Rates } from '../pricing/rates.ts'
import type { BesideUsage, Usage } from '../pricing/usage.ts'
import type { Identity } from '../principal.ts'

export interface Execution {
  readonly kind: 'message' | BesideUsage['kind']
  readonly session: string | undefined
  readonly client: string
  readonly clientVersion: string | undefined
  readonly modelAsked: string
  readonly model: string
  readonly upstream: string
  readonly provider: string
  readonly upstreamModel: string
  readonly region: string | undefined
  readonly upstreamRequestId: string | undefined
  readonly usage: Usage
  /** 0 when there was no answer. */
  readonly status: number
  readonly outcome: 'completed' | 'client_gone' | 'upstream_broke' | 'drained' | 'failed' | 'swept'
  readonly ttfbMs: number | undefined
  readonly durationMs: number | undefined
  readonly price: Pick<Price, 'rates' | 'by'>
  /** Nano-dollars: `executionCost` of the two above. */
  readonly cost: bigint
}

/** A request as its settlement names it. */
export interface LedgerRequest {
  readonly requestId: string
  /** When it began as far as this program knows; its hold, where there is one, knows better. */
  readonly startedAt: Date
  readonly person: Identity
  /** Groups whose shared pool pays. */
  readonly pools: readonly string[]
}

/** No request comes near this; a figure beyond it is a fault, and sums must never overflow for it. */
const MOST_COST = 1_000_000_000_000_000n
const MOST_TOKENS = 1_000_000_000_000
const MAX_TEXT = 256

export type LedgerRow = Readonly<Record<string, string | number | boolean | null>>

/** Nano-dollars of an execution. */
export function executionCost({ price, usage }: Pick<Execution, 'price' | 'usage'>): bigint {
  const cost = costOf(price.rates, usage)
  return cost < MOST_COST ? cost : MOST_COST
}

/** The columns of table `usage`, as `spend_settle` takes them. */
export function ledgerRow(requestId: string, seq: number, execution: Execution): LedgerRow {
  const { usage, price } = execution
  return {
    request_id: requestId,
    seq,
    kind: execution.kind,
    session: plain(execution.session),
    client: plain(execution.client) ?? '',
    client_version: plain(execution.clientVersion),
    model_asked: plain(execution.modelAsked) ?? '',
    model: plain(execution.model) ?? '',
    upstream: plain(execution.upstream) ?? '',
    provider: execution.provider,
    upstream_model: plain(execution.upstreamModel) ?? '',
    region: plain(execution.region),
    upstream_request_id: plain(execution.upstreamRequestId),
    input_tokens: tokens(usage.input),
    output_tokens: tokens(usage.output),
    cache_read_tokens: tokens(usage.cacheRead),
    cache_write_5m_tokens: tokens(usage.cacheWrite5m),
    cache_write_1h_tokens: tokens(usage.cacheWrite1h),
    thinking_tokens: tokens(usage.thinking),
    web_searches: tokens(usage.webSearches),
    speed: plain(usage.speed) ?? 'standard',
    inference_geo: plain(usage.inferenceGeo) ?? '',
    service_tier: plain(usage.serviceTier) ?? 'standard',
    status: execution.status,
    outcome: execution.outcome,
    estimated: usage.isEstimated,
    ttfb_ms: execution.ttfbMs ?? null,
    duration_ms: execution.durationMs ?? null,
    priced_by: price.by,
    ...rateColumns(price.rates),
    cost: String(execution.cost),
  }
}

/** Rates are worked out once for many executions (known-prices.ts), and so is their text. */
const textsOfRates = new WeakMap<Rates, LedgerRow>()

function rateColumns(rates: Rates): LedgerRow {
  const known = textsOfRates.get(rates)
  if (known !== undefined) return known
  const made = {
    rate_input: String(rates.input),
    rate_output: String(rates.output),
    rate_cache_read: String(rates.cacheRead),
    rate_cache_write_5m: String(rates.cacheWrite5m),
    rate_cache_write_1h: String(rates.cacheWrite1h),
    rate_web_search: String(rates.webSearch),
  }
  textsOfRates.set(rates, made)
  return made
}

/** The part of a settlement that speaks of the request; `seen`: this is news of the person. */
export function ledgerRequest({ requestId, startedAt, person, pools }: LedgerRequest, { seen }: { seen: boolean }) {
  const groups = groupSetOf(person.groups)
  return {
    request_id: requestId,
    started_at: startedAt.toISOString(),
    issuer: person.issuer,
    sub: person.sub,
    email: plain(person.email),
    name: plain(person.name),
    group_set: groups.id,
    groups: groups.names,
    pools,
    seen,
  }
}

interface GroupSet {
  readonly id: string
  readonly names: readonly string[]
}

/** Of those who work now: what waits to be written shares one list of their groups. */
const groupSets = new Map<string, GroupSet>()
const MOST_GROUP_SETS = 10_000

/** The same groups in any order have the same id. */
function groupSetOf(groups: readonly string[]): GroupSet {
  const key = JSON.stringify(groups)
  const known = groupSets.get(key)
  if (known !== undefined) return known
  const names = groups.map((group) => plain(group, 1024) ?? '').sort()
  const hex = new Bun.CryptoHasher('sha256').update(JSON.stringify(names)).digest('hex')
  const made = { id: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`, names }
  if (groupSets.size >= MOST_GROUP_SETS) groupSets.clear()
  groupSets.set(key, made)
  return made
}

function tokens(count: number | undefined): number {
  return Math.min(count ?? 0, MOST_TOKENS)
}

/** PostgreSQL takes no NUL and no half of a surrogate pair; a text somebody sent may have either. */
function plain(text: string | undefined, length = MAX_TEXT): string | null {
  if (text === undefined) return null
  return text.length <= length && /^[\x20-\x7e]*$/.test(text) ? text : text.slice(0, length).toWellFormed().replace(/\p{Cc}/gu, '\ufffd')
}
