// Executions in the ledger, written as the gateway writes them.
import { createHash, randomUUID } from 'node:crypto'
import type postgres from 'postgres'

export interface TestExecution {
  /** RFC 3339 */
  at: string
  sub?: string
  email?: string | null
  groups?: readonly string[]
  model?: string
  upstream?: string
  client?: string
  session?: string | null
  speed?: string
  inferenceGeo?: string
  serviceTier?: string
  input?: number
  output?: number
  cacheRead?: number
  cacheWrite5m?: number
  cacheWrite1h?: number
  webSearches?: number
  status?: number
  estimated?: boolean
  kind?: string
  /** Nano-dollars per million tokens: input, output, cache read, writes of 5 minutes and an hour; and for each search. */
  rates?: readonly [number, number, number, number, number, number]
  /** Nano-dollars; what the rates make of the counts unless given. */
  cost?: bigint
}

const RATES = [3_000_000_000, 15_000_000_000, 300_000_000, 3_750_000_000, 6_000_000_000, 10_000_000] as const
export const ISSUER = 'https://idp.example.com'

/** Settles one request for each execution. */
export async function settle(sql: postgres.Sql, executions: readonly TestExecution[]): Promise<void> {
  const made = executions.map((execution) => ({ id: randomUUID(), ...execution }))
  const requests = made.map(({ id, at, sub = 'alice', email = `${sub}@example.com`, groups = [] }) => ({
    request_id: id,
    started_at: at,
    issuer: ISSUER,
    sub,
    email,
    name: email === null ? null : sub,
    group_set: groupSet(groups),
    groups,
    pools: [],
    seen: true,
  }))
  await sql.unsafe('select spend_settle($1::text::jsonb, $2::text::jsonb)', [JSON.stringify(requests), JSON.stringify(made.map(rowOf))])
}

function rowOf({ id, ...execution }: TestExecution & { id: string }) {
  const { input = 0, output = 0, cacheRead = 0, cacheWrite5m = 0, cacheWrite1h = 0, webSearches = 0, rates = RATES } = execution
  const { model = 'claude-sonnet-5', upstream = 'anthropic', status = 200 } = execution
  const perMillion = [input, output, cacheRead, cacheWrite5m, cacheWrite1h].reduce((sum, tokens, at) => sum + BigInt(tokens) * BigInt(rates[at] as number), 0n)
  return {
    request_id: id,
    seq: 0,
    kind: execution.kind ?? 'message',
    session: execution.session ?? null,
    client: execution.client ?? 'claude-cli',
    client_version: '2.1.330',
    model_asked: model,
    model,
    upstream,
    provider: 'anthropic',
    upstream_model: model,
    input_tokens: input,
    output_tokens: output,
    cache_read_tokens: cacheRead,
    cache_write_5m_tokens: cacheWrite5m,
    cache_write_1h_tokens: cacheWrite1h,
    thinking_tokens: 0,
    web_searches: webSearches,
    speed: execution.speed ?? 'standard',
    inference_geo: execution.inferenceGeo ?? 'not_available',
    service_tier: execution.serviceTier ?? 'standard',
    status,
    outcome: status >= 400 ? 'failed' : 'completed',
    estimated: execution.estimated ?? false,
    priced_by: 'list',
    rate_input: rates[0],
    rate_output: rates[1],
    rate_cache_read: rates[2],
    rate_cache_write_5m: rates[3],
    rate_cache_write_1h: rates[4],
    rate_web_search: rates[5],
    cost: String(execution.cost ?? perMillion / 1_000_000n + BigInt(webSearches) * BigInt(rates[5])),
  }
}

function groupSet(groups: readonly string[]): string {
  const hex = createHash('sha256').update(JSON.stringify([...groups].sort())).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** The same numbers for the same seed: Park and Miller's generator. */
export function seeded(seed: number) {
  let state = seed
  const below = (limit: number) => (state = (state * 48_271) % 2_147_483_647) % limit
  return { below, oneOf: <value>(values: readonly value[]): value => values[below(values.length)] as value }
}

/** Puts the clock of money to a moment. */
export async function setClock(sql: postgres.Sql, moment: string): Promise<void> {
  await sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select '${moment}'::timestamptz $$`)
}
