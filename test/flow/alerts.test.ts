// Alerts over a real PostgreSQL and real receivers. Spend is written as the ledger leaves it.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import type { LimitsOfCounter } from '../../src/alert/alert.ts'
import { createAlerts, type AlertsConfig, type AlertsDeps } from '../../src/alert/alerts.ts'
import { watchOnce } from '../../src/alert/watch.ts'
import { connect, type Database } from '../../src/db/connect.ts'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { isAudit, type AuditEvent, type Observation } from '../../src/observe/events.ts'
import { exposition } from '../../src/observe/metrics.ts'
import type { AppliedLimit } from '../../src/spend/limit.ts'
import { Secret } from '../../src/std/secret.ts'
import { startCollector, type TestCollector } from '../support/collector.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startWorld } from '../support/gateway.ts'

const SECRET = 'a-secret-of-a-webhook'
const SOON = { watch: 20, deliver: 20 }

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createTestDatabase()
  db = connect({ url: database.url, maxConnections: 3, observe: () => {} })
  await setClock(NOON)
})
const NOON = '2026-08-12 12:00+00'
const open: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
  await database.sql.unsafe('truncate spend_day, spend_alert, alert_delivery, person; update alert_watch set looked_at = now()')
  await setClock(NOON)
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

const setClock = (moment: string) => database.sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select timestamptz '${moment}' $$`)

/** Adds to a counter; dollars. */
async function spend(dollars: number, { scope = 'user', scopeId = 'https://i alice', day = '2026-08-12' } = {}): Promise<void> {
  const nano = String(BigInt(Math.round(dollars * 100)) * 10_000_000n)
  await database.sql`insert into spend_day as s (scope, scope_id, day, spent) values (${scope}, ${scopeId}, ${day}, ${nano})
    on conflict (scope, scope_id, day) do update set spent = s.spent + excluded.spent, updated_at = now()`
}
const meet = (sub: string, groups: string[] = []) =>
  database.sql`insert into person (issuer, sub, email, name, groups) values ('https://i', ${sub}, ${`${sub}@example.com`}, ${sub}, ${database.sql.json(groups)})`

const daily = (dollars: number, changes: Partial<AppliedLimit> = {}): AppliedLimit => ({ limitId: 'spl_daily', period: 'daily', amount: BigInt(dollars) * 1_000_000_000n, source: 'user', ...changes })
const fiftyADay: LimitsOfCounter = ({ scope }) => (scope === 'user' ? [daily(50)] : [])

function receiver(): TestCollector {
  const server = startCollector()
  open.push(server)
  return server
}

function replica(destinations: AlertsConfig['destinations'], changes: Partial<AlertsDeps> = {}) {
  const observed: Observation[] = []
  const alerts = createAlerts({ thresholds: [75, 90, 100], destinations }, { db, fetch: createGuardedFetch({ allowLoopback: true }), observe: (one) => observed.push(one), limitsOf: fiftyADay, everyMs: SOON, backOffSeconds: () => 0.02, ...changes })
  open.push(alerts)
  alerts.start()
  return {
    observed,
    alerts,
    told: () => observed.filter(isAudit),
    /** Resolves with the first line that says so. */
    said: async (words: RegExp) => {
      for (;;) {
        const found = observed.find((one) => 'op' in one && words.test(one.message))
        if (found !== undefined) return found
        await Bun.sleep(5)
      }
    },
  }
}
const webhook = ({ url }: TestCollector) => ({ url: new Secret(`${url}/hook`), kind: 'webhook' as const, secret: new Secret(SECRET) })
const json = (server: TestCollector) => server.received.map(({ body }) => JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>)

/** Looks once without delivering. */
async function look(limitsOf: LimitsOfCounter = fiftyADay, thresholds = [75, 90, 100]): Promise<AuditEvent[]> {
  const observed: Observation[] = []
  await watchOnce({ db, observe: (one) => observed.push(one), thresholds, destinations: [], limitsOf })
  return observed.filter(isAudit)
}
/** Looks of all replicas see what the last half minute moved; only what is new is told. */
const queueIsEmpty = async () => {
  while ((await database.sql`select 1 from alert_delivery`).length > 0) await Bun.sleep(10)
}

describe('a threshold', () => {
  test('is told once in its window, the highest of those that were passed', async () => {
    await meet('alice', ['eng'])
    await spend(37.49)
    expect(await look()).toEqual([])
    await spend(8)
    expect(await look()).toEqual([
      { evt: 'spend.alert', scope: 'user', issuer: 'https://i', sub: 'alice', email: 'alice@example.com', spend_limit_id: 'spl_daily', period: 'daily', threshold: 90, percent: 90, spent: '$45.49', limit: '$50.00', resets_at: '2026-08-13T00:00:00.000Z', projected_exhaustion: expect.stringMatching(/^2026-08-12T13:1/) },
    ] as never)
    expect(await look()).toEqual([])
    await spend(20)
    expect(await look()).toMatchObject([{ threshold: 100, percent: 130 }])
    expect(await database.sql`select threshold::float8 as threshold, told from spend_alert order by 1`).toEqual([{ threshold: 75, told: false }, { threshold: 90, told: true }, { threshold: 100, told: true }] as never)
  })

  test('is told anew in the next window, and anew of another amount', async () => {
    await spend(40)
    expect(await look()).toHaveLength(1)
    expect(await look(() => [daily(53)])).toMatchObject([{ threshold: 75, limit: '$53.00' }])
    await setClock('2026-08-13 00:00:01+00')
    expect(await look()).toEqual([])
    await spend(40, { day: '2026-08-13' })
    expect(await look()).toMatchObject([{ threshold: 75, resets_at: '2026-08-14T00:00:00.000Z' }])
  })

  test.each<[string, string, string[], number]>([
    ['day', 'daily', ['2026-08-11', '2026-08-12'], 40],
    ['week, from Monday', 'weekly', ['2026-08-09', '2026-08-10', '2026-08-12'], 80],
    ['month', 'monthly', ['2026-07-31', '2026-08-01', '2026-08-10', '2026-08-12'], 120],
  ])('is judged by the spend of the %s', async (_, period, days, percent) => {
    for (const day of days) await spend(40, { day })
    expect(await look(() => [daily(100, { period: period as 'daily' })], [10])).toMatchObject([{ period, percent }])
  })

  test('belongs to a person, with the groups they were last seen with, to a shared pool, or to everybody', async () => {
    await meet('alice', ['eng', 'ops'])
    for (const [scope, scopeId] of [['user', 'https://i alice'], ['user', 'https://i never seen'], ['rbac_group', 'eng'], ['organization', '']] as const) await spend(60, { scope, scopeId })
    const asked: unknown[] = []
    const told = await look((counter) => {
      asked.push([counter.scope, counter.scopeId, counter.person?.groups])
      return [daily(50)]
    })
    expect(asked).toEqual([['organization', '', undefined], ['rbac_group', 'eng', undefined], ['user', 'https://i alice', ['eng', 'ops']], ['user', 'https://i never seen', undefined]])
    expect(told.map(({ scope, group, sub }: any) => [scope, group, sub])).toEqual([['organization', undefined, undefined], ['rbac_group', 'eng', undefined], ['user', undefined, 'alice'], ['user', undefined, undefined]])
  })

  test('of thousands of people is told of each', async () => {
    await database.sql`insert into spend_day (scope, scope_id, day, spent) select 'user', 'https://i person ' || n, '2026-08-12', 45000000000 from generate_series(1, 2500) n`
    expect(await look()).toHaveLength(2500)
    expect(await look()).toHaveLength(0)
  })

  test('is not missed while the limits cannot be read', async () => {
    await spend(40)
    expect(await look(() => undefined)).toEqual([])
    await database.sql`update alert_watch set looked_at = looked_at - interval '29 seconds'`
    const before = await database.sql`select looked_at::text from alert_watch`
    expect(await look(() => undefined)).toEqual([])
    expect(await database.sql`select looked_at::text from alert_watch`).toEqual(before)
    expect(await look()).toHaveLength(1)
    expect(await database.sql`select looked_at::text from alert_watch`).not.toEqual(before)
  })
})

describe('a webhook', () => {
  test('hears once of replicas that look at the same time, signed so that the documented check takes it', async () => {
    const server = receiver()
    await meet('alice')
    const replicas = [replica([webhook(server)]), replica([webhook(server)])]
    await spend(46)
    await server.arrived(1)
    await queueIsEmpty()
    await spend(5)
    await server.arrived(2)
    await queueIsEmpty()
    expect(json(server).map(({ threshold, text }) => [threshold, text])).toEqual([
      [90, 'alice@example.com has used 92 % of the daily spend limit: $46.00 of $50.00. At this pace it is used up today at about 13:00 UTC. A new daily window begins on 2026-08-13 00:00 UTC.'],
      [100, 'alice@example.com has used up the daily spend limit: $51.00 of $50.00 (102 %). A new daily window begins on 2026-08-13 00:00 UTC.'],
    ])
    expect(replicas.flatMap(({ told }) => told())).toHaveLength(2)
    const [check] = readFileSync(new URL('../../docs/alerts.md', import.meta.url), 'utf8').match(/(?<=```python\n)[^`]+/) as [string]
    for (const { headers, body } of server.received) {
      expect(headers.get('x-gatehouse-delivery')).toMatch(/^[0-9a-f-]{36}$/)
      const isTaken = (bytes: Uint8Array, secret: string) => {
        const program = `${check}\nimport sys\nprint(is_from_gatehouse(sys.argv[1], sys.stdin.buffer.read(), sys.argv[2]))`
        return Bun.spawnSync(['python3', '-c', program, headers.get('x-gatehouse-signature') as string, secret], { stdin: bytes }).stdout.toString().trim()
      }
      expect([isTaken(body, SECRET), isTaken(body, 'another'), isTaken(Buffer.concat([body, Buffer.from(' ')]), SECRET)]).toEqual(['True', 'False', 'False'])
    }
  })

  test('that fails twice gets the same delivery until it takes it, and never again', async () => {
    const server = receiver()
    server.enqueue(() => new Response('', { status: 500 }), () => new Response('', { status: 429 }))
    const { alerts } = replica([webhook(server)])
    await spend(40)
    await server.arrived(3)
    await queueIsEmpty()
    expect(new Set(server.received.map(({ headers }) => headers.get('x-gatehouse-delivery'))).size).toBe(1)
    expect(server.received).toHaveLength(3)
    const metrics = exposition(alerts.metrics())
    expect(metrics).toContain('gatehouse_alerts_total 1\n')
    expect(metrics).toContain('gatehouse_alert_deliveries_total{outcome="delivered"} 1\n')
    expect(metrics).toContain('gatehouse_alert_deliveries_total{outcome="postponed"} 2\n')
  })

  test('that is away hears of it after a restart', async () => {
    const server = receiver()
    server.enqueue(() => new Response('', { status: 503 }))
    const first = replica([webhook(server)], { backOffSeconds: () => 3600 })
    await spend(40)
    await server.arrived(1)
    await first.said(/an alert is tried again later: answered 503/)
    await first.alerts.stop()
    expect(await database.sql`select attempts, last_error, claimed_until from alert_delivery`).toEqual([{ attempts: 1, last_error: 'answered 503', claimed_until: null }] as never)
    await database.sql`update alert_delivery set next_attempt_at = now()`
    replica([webhook(server)])
    await server.arrived(2)
    await queueIsEmpty()
    expect(server.received[0]?.headers.get('x-gatehouse-delivery')).toBe(server.received[1]?.headers.get('x-gatehouse-delivery') as string)
  })

  test('that cannot be reached is tried again', async () => {
    const server = startCollector()
    const destination = webhook(server)
    await server.stop()
    const { said } = replica([destination])
    await spend(40)
    await said(/an alert is tried again later: the connection to 127\.0\.0\.1:\d+ failed/)
    expect(await database.sql`select 1 from alert_delivery`).toHaveLength(1)
  })

  test('that asks to be left alone is left alone, with everything that waits for it', async () => {
    const server = receiver()
    server.enqueue(() => new Response('', { status: 429, headers: { 'retry-after': '600' } }))
    for (const scopeId of ['https://i a', 'https://i b', 'https://i c']) await spend(40, { scopeId })
    const { said } = replica([webhook(server)], { backOffSeconds: (_, retryAfter) => Number(retryAfter ?? 0) })
    await said(/answered 429/)
    while ((await database.sql`select 1 from alert_delivery where next_attempt_at > now() + interval '500 seconds' and claimed_until is null`).length < 3) await Bun.sleep(10)
    expect(server.received).toHaveLength(1)
    expect(await database.sql`select attempts from alert_delivery order by 1`).toEqual([{ attempts: 0 }, { attempts: 0 }, { attempts: 1 }] as never)
  })

  test.each([400, 404, 302])('that refuses it with %d does not get it again, and the operator hears', async (status) => {
    const server = receiver()
    server.enqueue(() => new Response('', { status, headers: { location: 'https://elsewhere.example.com/' } }))
    const { said } = replica([webhook(server)])
    await spend(40)
    expect(await said(/was refused and is given up/)).toMatchObject({ op: 'error', message: expect.stringMatching(new RegExp(`^alerts: 127\\.0\\.0\\.1:\\d+: an alert was refused and is given up: answered ${status}$`)) })
    await queueIsEmpty()
    expect(server.received).toHaveLength(1)
  })

  test('that takes nothing for a day does not get it any more, and the operator hears', async () => {
    const server = receiver()
    server.enqueue(() => new Response('', { status: 503 }), () => new Response('', { status: 503 }))
    const { said } = replica([webhook(server)], { backOffSeconds: () => 0.3 })
    await spend(40)
    await said(/is tried again later/)
    await database.sql`update alert_delivery set created_at = now() - interval '25 hours'`
    expect(await said(/given up/)).toMatchObject({ op: 'error', message: expect.stringContaining('an alert was not taken for a day and is given up: answered 503') })
    await queueIsEmpty()
  })

  test('that is not configured any more gets nothing, and its deliveries are dropped', async () => {
    const [gone, kept] = [receiver(), receiver()]
    gone.enqueue(() => new Response('', { status: 503 }))
    const before = replica([webhook(gone)], { backOffSeconds: () => 3600 })
    await spend(40)
    await before.said(/is tried again later/)
    await before.alerts.stop()
    await database.sql`update alert_delivery set next_attempt_at = now(), created_at = now() - interval '2 hours'`
    const after = replica([webhook(kept)])
    await after.said(/^alerts: 1 deliveries to destinations that are not configured any more were dropped$/)
    expect([gone.received.length, kept.received.length]).toEqual([1, 0])
  })

  test('has its URL and its secret nowhere in the database, and in no line', async () => {
    const server = receiver()
    server.enqueue(() => new Response('', { status: 503 }))
    const { said, observed } = replica([{ ...webhook(server), url: new Secret(`${server.url}/T0-canary/B0`) }], { backOffSeconds: () => 3600 })
    await spend(40)
    await said(/is tried again later/)
    const rows = JSON.stringify([await database.sql`select * from alert_delivery`, await database.sql`select threshold::text, scope_id from spend_alert`, observed])
    expect(rows).not.toContain('canary')
    expect(rows).not.toContain(SECRET)
  })
})

test('Slack gets text and nothing else, without a signature', async () => {
  const server = receiver()
  replica([{ url: new Secret(`${server.url}/services/T0/B0/x`), kind: 'slack', secret: new Secret(SECRET) }], { limitsOf: () => [daily(50, { source: 'rbac_group' })] })
  await spend(46, { scope: 'rbac_group', scopeId: 'R&D <ops>' })
  await server.arrived(1)
  expect(json(server)).toEqual([{ text: 'The group R&amp;D &lt;ops&gt; has used 92 % of the shared daily spend limit: $46.00 of $50.00. At this pace it is used up today at about 13:00 UTC. A new daily window begins on 2026-08-13 00:00 UTC.' }])
  expect([server.received[0]?.path, server.received[0]?.headers.get('x-gatehouse-signature')]).toEqual(['/services/T0/B0/x', null])
})

test('a destination whose name leads to an address that must not be reached is not sent anything', async () => {
  const fetch = createGuardedFetch({ allowLoopback: false, resolve: async () => ['169.254.169.254'] as never })
  const { said } = replica([{ url: new Secret('https://hooks.example.com/'), kind: 'webhook' }], { fetch })
  await spend(40)
  await said(/hooks\.example\.com resolves to an address that outbound requests may not reach/)
})

test('a gateway tells what its configuration asks for', async () => {
  const server = receiver()
  const key = 'write-key-canary-of-more-than-32-bytes'
  const world = await startWorld({ config: { admin: { write_keys: [{ id: 'finance', key }], alerts: { thresholds: [40], destinations: [{ url: `${server.url}/hook`, kind: 'slack' }] } } } })
  open.push(world)
  expect((await world.gateway.post('/v1/organizations/spend_limits', { scope: { type: 'organization' }, shared: true, amount_usd: '100', period: 'daily' }, undefined, { 'x-api-key': key })).status).toBe(200)
  await world.database.sql`insert into spend_day (scope, scope_id, day, spent) values ('organization', '', spend_day_of(now()), 50000000000)`
  // Its first look is at its start.
  const replica = await world.replica()
  expect(await replica.saw('spend.alert')).toMatchObject({ scope: 'organization', threshold: 40, percent: 50 })
  await server.arrived(1)
  expect(json(server)[0]?.text).toStartWith('The organisation has used 50 % of the shared daily spend limit: $50.00 of $100.00.')
})

test.each([
  ['the metadata address', 'https://169.254.169.254/hook', 'admin.alerts.destinations[0]: the url names a link-local, metadata, multicast or unspecified address, which outbound requests may not reach'],
  ['one without TLS', 'http://hooks.example.com/canary', 'admin.alerts.destinations[0]: the url must be an https URL'],
])('a gateway does not start with %s as a destination', async (_, url, words) => {
  const failed = await startWorld({ config: { admin: { alerts: { destinations: [{ url }] } } } }).then(() => undefined, (error: Error) => error.message)
  expect(failed).toBe(words)
})
