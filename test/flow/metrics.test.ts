// Metrics as a gateway has them that has served traffic, and everything that relies on their names.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Glob, YAML } from 'bun'
import { createDatabaseMetrics } from '../../src/db/database-metrics.ts'
import { createExecutionMetrics } from '../../src/ledger/execution-metrics.ts'
import { exposition } from '../../src/observe/metrics.ts'
import { upstreamMetrics } from '../../src/relay/upstream-report.ts'
import type { Lane } from '../../src/relay/lanes.ts'
import { READ_KEY, until } from '../support/admin.ts'
import { readExposition, type ReadFamily } from '../support/exposition.ts'
import { readPromql } from '../support/promql.ts'
import { MODEL, startTraffic, type Traffic } from '../support/traffic.ts'

const root = new URL('../../', import.meta.url).pathname
let traffic: Traffic
let families: Map<string, ReadFamily>
beforeAll(async () => {
  traffic = await startTraffic()
  families = new Map([...seldom(), ...(await traffic.metrics())])
})
afterAll(() => traffic.stop())

/** What appears when something goes wrong, or with clouds. */
function seldom(): Map<string, ReadFamily> {
  const database = createDatabaseMetrics()
  const meter = database.meter('main', 1)
  meter.began()
  meter.ended(1, 'deadline')
  const upstream = { name: 'u', provider: 'bedrock', priority: 0, weight: 1, credential: () => ({ obtainedAtMs: 0, expiresAtMs: 1000 }), leftOut: () => [{ model: MODEL, item: 'beta:x', refusals: 1 }] }
  const lane = { upstream, inFlight: 0, breakers: () => [], outcomes: {}, failovers: 0 } as unknown as Lane
  const executions = createExecutionMetrics({ models: [], upstreams: [] })
  executions.count([{ kind: 'compaction', model: 'm', upstream: 'u', provider: 'bedrock', usage: { isEstimated: true, beside: [] }, status: 200, outcome: 'completed', cost: 0n, price: { by: '', rates: { input: 0n, output: 0n, cacheRead: 0n, cacheWrite5m: 0n, cacheWrite1h: 0n, webSearch: 0n } } } as never])
  return readExposition(exposition([...database.families(), ...upstreamMetrics([lane], 0, 0), ...executions.families()].filter(({ name, samples }) => samples.length > 0 && !name.startsWith('gen_ai'))))
}

const labelsOf = ({ lines }: ReadFamily) => [...new Set(lines.flatMap(({ labels }) => Object.keys(labels)))].filter((label) => label !== 'le')
const valueOf = (name: string, labels: Record<string, string> = {}) => families.get(name)?.lines.find((line) => Object.entries(labels).every(([label, value]) => line.labels[label] === value))?.value

describe('the exposition', () => {
  test('of a gateway that has served traffic keeps every rule of the format', async () => {
    expect((await traffic.metrics()).size).toBeGreaterThan(40)
  })

  test.each([
    ['gatehouse_http_requests_total', { surface: 'messages', code: '200' }, 3],
    ['gatehouse_http_requests_total', { surface: 'messages', code: '401' }, 2],
    ['gatehouse_http_requests_total', { surface: 'count_tokens', code: '200' }, 1],
    ['gatehouse_refusals_total', { by: 'policy', reason: 'not_served' }, 1],
    ['gatehouse_refusals_total', { by: 'quota', reason: 'requests_per_minute' }, 1],
    ['gatehouse_refusals_total', { by: 'spend', reason: 'limit' }, 1],
    ['gatehouse_refusals_total', { by: 'admin', reason: 'credentials' }, 1],
    ['gatehouse_sign_ins_total', { outcome: 'approved' }, 2],
    ['gatehouse_session_refreshes_total', { outcome: 'refreshed' }, 1],
    ['gatehouse_upstream_failovers_total', { upstream: 'first' }, 1],
    ['gatehouse_upstream_failovers_total', { upstream: 'spare' }, 0],
    ['gatehouse_upstream_breaker_state', { upstream: 'first', model: MODEL }, 2],
    ['gatehouse_tokens_total', { model: MODEL, upstream: 'first', class: 'cache_write_5m' }, 200],
    ['gatehouse_tokens_total', { model: MODEL, upstream: 'spare', class: 'output' }, 1000],
    // 1000 in at $2, 500 out at $10, 300 read at $0.20, 200 written at $2.50, per million.
    ['gatehouse_cost_dollars_total', { model: MODEL, upstream: 'first' }, 0.00756],
    ['gatehouse_spend_checks_total', {}, 4],
    ['gatehouse_ready', {}, 1],
    ['gatehouse_streams_in_flight', {}, 0],
    ['gatehouse_telemetry_exports_total', { signal: 'metrics', outcome: 'delivered' }, 1],
  ] as [string, Record<string, string>, number | undefined][])('counts %s %p: %p', (name, labels, expected) => {
    expect(valueOf(name, labels)).toBe(expected as number)
  })

  test('measures each request once, in every histogram of its way', () => {
    const count = (name: string, labels: Record<string, string> = {}) => (families.get(name)?.lines ?? []).filter((line) => line.name.endsWith('_count') && Object.entries(labels).every(([label, value]) => line.labels[label] === value)).reduce((sum, { value }) => sum + value, 0)
    expect(count('gatehouse_overhead_seconds', { surface: 'messages', stage: 'before_send' })).toBe(3)
    expect(count('gatehouse_overhead_seconds', { surface: 'messages', stage: 'after_answer' })).toBe(3)
    expect(count('gen_ai_server_time_to_first_token_seconds')).toBe(3)
    expect(count('gen_ai_server_request_duration_seconds', { error_type: '429' })).toBe(1)
    expect(count('gatehouse_spend_check_duration_seconds', { outcome: 'refused' })).toBe(1)
    expect(count('gatehouse_http_request_duration_seconds', { surface: 'messages' })).toBe(8)
  })
})

describe('/metrics beside everything else', () => {
  test.each([
    ['nobody', {}, 401],
    ['a wrong key', { 'x-api-key': 'wrong-key-canary-of-more-than-32-bytes' }, 401],
    ['the holder of a key', { 'x-api-key': READ_KEY }, 200],
  ])('answers %s', async (_, headers, status) => {
    expect((await fetch(`${traffic.world.gateway.url}/metrics`, { headers })).status).toBe(status)
  })

  test('is nothing for somebody who is signed in', async () => {
    expect((await traffic.world.gateway.get('/metrics', await traffic.person('carol'))).status).toBe(401)
  })

  test('is not there where there are no administrators, whoever asks', async () => {
    const other = await traffic.world.replica({ admin: undefined, enforcement: undefined, telemetry: undefined })
    expect([(await other.get('/metrics')).status, (await other.get('/metrics', await traffic.person('carol'))).status]).toEqual([401, 404])
  })
})

describe('docs/metrics.md', () => {
  const row = (name: string, { type, help }: Pick<ReadFamily, 'type' | 'help'>, labels: readonly string[]) => `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`

  test('has a row for each metric, as it is exposed', async () => {
    const text = await Bun.file(`${root}docs/metrics.md`).text()
    const written = text.split('\n').filter((line) => /^\| `(?:gatehouse|gen_ai|process)_/.test(line))
    expect(written.toSorted()).toEqual([...families].map(([name, family]) => row(name, family, labelsOf(family))).toSorted())
  })

  test('knows every metric that the source names', async () => {
    const named = new Set<string>()
    for await (const file of new Glob('src/**/*.ts').scan(root)) for (const [, name = ''] of (await Bun.file(root + file).text()).matchAll(/(?:name: |(?:single|counter|gauge)\()'((?:gatehouse|gen_ai|process)_[a-z0-9_]+)'/g)) named.add(name)
    expect(named.size).toBeGreaterThan(50)
    expect([...named].filter((name) => !families.has(name))).toEqual([])
  })
})

/** Prometheus adds these to what it reads. */
const TARGET_LABELS = ['instance', 'job']

/** Throws where an expression asks for what no gateway exposes. */
function checkExpression(expression: string): void {
  const { selectors, grouped } = readPromql(expression)
  const known = new Set<string>(TARGET_LABELS)
  for (const { metric, labels } of selectors) {
    const name = families.has(metric) ? metric : metric.replace(/_(?:bucket|sum|count)$/, '')
    const family = families.get(name)
    if (family === undefined || !family.lines.some((line) => line.name === metric)) throw new Error(`nothing exposes ${metric}`)
    const own = [...labelsOf(family), ...TARGET_LABELS, ...(metric.endsWith('_bucket') ? ['le'] : [])]
    for (const [label, value] of Object.entries(labels)) {
      if (!own.includes(label)) throw new Error(`${metric} has no label ${label}`)
      const hasValue = value === undefined || TARGET_LABELS.includes(label) || family.lines.some((line) => line.labels[label] === value)
      if (!hasValue) throw new Error(`${metric} has no ${label} ${value}`)
    }
    for (const label of own) known.add(label)
  }
  if (selectors.length === 0) throw new Error('it asks for nothing')
  for (const label of grouped) if (!known.has(label)) throw new Error(`there is no label ${label} to group by`)
}

test.each(['nothing_such', 'gatehouse_ready{person="x"}', 'sum by (person) (gatehouse_ready)', 'gatehouse_refusals_total{by="nobody"}', 'rate(gatehouse_overhead_seconds[5m])', '1 + 1'])('the check of expressions refuses %s', (expression) => {
  expect(() => checkExpression(expression)).toThrow()
})

test.each(['sum(', 'rate(gatehouse_ready[5m]', 'gatehouse_ready{'])('the check of expressions refuses what is no PromQL: %s', (expression) => {
  expect(() => checkExpression(expression)).toThrow('not PromQL')
})

describe('the dashboard', async () => {
  const dashboard = JSON.parse(await Bun.file(`${root}docs/grafana/gatehouse.json`).text())
  const panels: any[] = dashboard.panels
  const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }: { expr: string }) => [title, expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '5m')]))

  test.each(queries)('asks in %p for what there is: %s', (_, expression) => checkExpression(expression))

  test('can be loaded: its own ids, places and data source', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { gridPos, type, datasource, targets } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) expect(taken.has(`${x} ${y}`) || !taken.add(`${x} ${y}`)).toBeFalse()
      if (type === 'row') continue
      expect([datasource, ...targets.map((target: any) => target.datasource)]).toEqual(Array(targets.length + 1).fill({ type: 'prometheus', uid: '${datasource}' }))
    }
    expect(dashboard).toMatchObject({ schemaVersion: 41, uid: 'gatehouse', templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }, { name: 'instance', definition: 'label_values(gatehouse_build_info, instance)' }] } })
  })
})

describe('the alert rules', async () => {
  const { groups } = YAML.parse(await Bun.file(`${root}docs/alert-rules.yaml`).text()) as { groups: { rules: { alert: string; expr: string; annotations: { summary: string }; labels: { severity: string } }[] }[] }
  const rules = groups.flatMap(({ rules }) => rules)

  test.each(rules.map(({ alert, expr }) => [alert, expr]))('%s asks for what there is: %s', (_, expression) => checkExpression(expression))

  test('say what happened, and how urgent it is', () => {
    expect(rules.filter(({ annotations, labels }) => annotations.summary === '' || !['page', 'ticket'].includes(labels.severity))).toEqual([])
  })
})

// T264
test('ten thousand people with clients, models and paths of their own make a bounded number of series, and none has a name in it', async () => {
  const { gateway } = traffic.world
  const series = async () => (await traffic.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
  const before = await series()
  const visit = async (at: number) => {
    const token = await traffic.person(`person-${at}`)
    const headers = { 'user-agent': `agent-${at}/1.${at}`, 'x-claude-code-session-id': crypto.randomUUID() }
    if (at % 20 === 0) await (await gateway.post('/v1/messages', { model: MODEL, max_tokens: 1, messages: [] }, token, headers)).text()
    const answer = await (at % 2 === 0 ? gateway.post('/v1/messages', { model: `model-${at}`, max_tokens: 1, messages: [] }, token, headers) : gateway.get(`/path-${at}`, at % 4 === 1 ? token : `nonsense-${at}`, headers))
    await answer.text()
  }
  for (let at = 0; at < 10_000; at += 50) await Promise.all(Array.from({ length: 50 }, (_, one) => visit(at + one)))
  await until(async () => (await traffic.metrics()).get('gatehouse_ledger_settlements_waiting')?.lines[0]?.value === 0)
  const text = await traffic.text()
  readExposition(text)
  expect((await series()) - before).toBeLessThan(120)
  expect(text).not.toMatch(/person-|agent-|model-\d|path-\d|example\.com|nonsense/)
}, 120_000)
