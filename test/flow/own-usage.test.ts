// What a person is told of their own spend: by Claude Code's /usage (contract §4.6), and by ours for scripts.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, adminCalls, until, type Call } from '../support/admin.ts'
import { startWorld, type TestGateway, type Tokens, type World } from '../support/gateway.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

let world: World
let cutOff: TestGateway
let proxy: TcpProxy
let admin: Call
let alice: Tokens
let bob: Tokens
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN } })
  const { hostname, port } = new URL(world.database.url)
  proxy = await createTcpProxy(hostname, Number(port))
  const through = new URL(world.database.url)
  through.port = String(proxy.port)
  cutOff = await world.replica({ store: { postgres_url: through.href } })
  admin = adminCalls(world.gateway)
  alice = await world.signIn('alice')
  bob = await world.signIn('bob')
}, 30_000)
afterAll(async () => {
  proxy.set('pass')
  await world.stop()
  proxy.stop()
}, 20_000)
afterEach(async () => {
  proxy.set('pass')
  await until(async () => (await world.database.sql`select from usage_hold`).length === 0)
  for (const { id } of (await admin('GET', '?limit=1000')).body.data) await admin('DELETE', `/${id}`)
  for (const table of ['spend_day', 'usage_day']) await world.database.sql.unsafe(`delete from ${table}`)
  await clock('now()')
})

const ALICE = { type: 'user', user_id: 'alice' }
const ENGINEERING = { type: 'rbac_group', rbac_group_id: 'engineering' }
const ORGANIZATION = { type: 'organization' }
const CENT = 10_000_000n

const clock = (moment: string) => world.database.sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select ${moment}::timestamptz $$`)
/** A Wednesday. */
const WEDNESDAY = `'2026-11-18 13:45:00Z'`

async function limit(scope: object, amount: string | null, period = 'daily', changes: object = {}): Promise<void> {
  const { status, body } = await admin('POST', '', { scope, amount, period, ...changes })
  if (status !== 200) throw new Error(JSON.stringify(body))
}

/** In nano-dollars. */
async function spend(amount: bigint, { day = '2026-11-18', scope = 'user', scopeId = `${world.idp.issuer} alice` } = {}): Promise<void> {
  await world.database.sql`insert into spend_day (scope, scope_id, day, spent) values (${scope}, ${scopeId}, ${day}, ${String(amount)}::bigint)`
}

async function used(hour: string, model: string, cost: bigint, { sub = 'alice', upstream = 'one' } = {}): Promise<void> {
  await world.database.sql`
    insert into usage_day values (date_trunc('day', ${hour}::timestamptz, 'UTC'), ${world.idp.issuer}, ${sub}, gen_random_uuid(), ${model}, ${upstream}, 'claude-cli', 'standard', 'not_available', 'standard', 3, 1, 1000, 200, 300, 40, 2, 0, ${String(cost)}::bigint, 0)`
}

const oauthUsage = async (token = alice.access_token) => (await (await world.gateway.get('/api/oauth/usage', token)).json()) as any
const meUsage = async (token = alice.access_token) => (await (await world.gateway.get('/me/usage', token)).json()) as any

describe('GET /api/oauth/usage', () => {
  test('without a limit has the amounts of the periods and no limit', async () => {
    await clock(WEDNESDAY)
    await spend(250n * CENT)
    await spend(1000n * CENT, { day: '2026-11-16' })
    await spend(5000n * CENT, { day: '2026-11-15' })
    await spend(7777n * CENT, { day: '2026-10-31' })
    const response = await world.gateway.get('/api/oauth/usage', alice.access_token)
    expect([response.status, response.headers.get('cache-control'), response.headers.get('content-type')]).toEqual([200, 'no-store', 'application/json;charset=utf-8'])
    expect(await response.json()).toEqual({
      extra_usage: {
        is_enabled: true,
        monthly_limit: null,
        used_credits: 6250,
        utilization: null,
        currency: 'USD',
        daily: { limit: null, used_credits: 250, utilization: null },
        weekly: { limit: null, used_credits: 1250, utilization: null },
      },
      limits: [],
    })
  })

  test('a limit that was set to none is no limit', async () => {
    await limit(ORGANIZATION, '100')
    await limit(ALICE, null)
    expect((await oauthUsage()).limits).toEqual([])
  })

  test('has every limit, says which describes the person with its amounts, and when each begins anew', async () => {
    await clock(WEDNESDAY)
    await limit(ALICE, '1000')
    await limit(ENGINEERING, '2000', 'weekly')
    await limit(ORGANIZATION, '10000', 'monthly')
    await spend(790n * CENT)
    await spend(1120n * CENT, { day: '2026-11-17' })
    expect(await oauthUsage()).toEqual({
      extra_usage: { is_enabled: true, monthly_limit: 2000, used_credits: 1910, utilization: 95, currency: 'USD' },
      limits: [
        { kind: 'spend', group: 'daily', percent: 79, resets_at: '2026-11-19T00:00:00Z', severity: 'warning', is_active: false },
        { kind: 'spend', group: 'weekly', percent: 95, resets_at: '2026-11-23T00:00:00Z', severity: 'critical', is_active: true },
        { kind: 'spend', group: 'monthly', percent: 19, resets_at: '2026-12-01T00:00:00Z', severity: 'normal', is_active: false },
      ],
    })
  })

  test('of several that are used up, the one that resets last describes the person', async () => {
    await clock(WEDNESDAY)
    await limit(ALICE, '100')
    await limit(ALICE, '900', 'weekly')
    await spend(1000n * CENT)
    const { extra_usage, limits } = await oauthUsage()
    expect(limits.map(({ group, percent, is_active }: any) => [group, percent, is_active])).toEqual([
      ['daily', 100, false],
      ['weekly', 100, true],
    ])
    expect(extra_usage).toMatchObject({ monthly_limit: 900, used_credits: 1000, utilization: 100 })
  })

  test.each<[string, string, bigint, number, number, string]>([
    ['nothing yet', '100', 0n, 0, 0, 'normal'],
    ['less than a cent', '100', 9_999_999n, 0, 0, 'normal'],
    ['just below the first threshold', '100', 75n * CENT - 1n, 74, 74, 'normal'],
    ['the first threshold', '100', 75n * CENT, 75, 75, 'warning'],
    ['just below the second', '100', 95n * CENT - 1n, 94, 94, 'warning'],
    ['a nano-dollar below the limit', '100', 100n * CENT - 1n, 99, 99, 'critical'],
    ['exactly the limit', '100', 100n * CENT, 100, 100, 'critical'],
    ['beyond it', '100', 1234n * CENT, 1234, 100, 'critical'],
    ['a limit of nothing', '0', 0n, 0, 100, 'critical'],
    ['half of a billion dollars', '100000000000', 50_000_000_000n * CENT, 50_000_000_000, 50, 'normal'],
  ])('rounds down: %s', async (_, amount, spent, cents, percent, severity) => {
    await clock(WEDNESDAY)
    await limit(ALICE, amount, 'monthly')
    await spend(spent)
    const { extra_usage, limits } = await oauthUsage()
    expect([extra_usage.monthly_limit, extra_usage.used_credits, extra_usage.utilization]).toEqual([Number(amount), cents, percent])
    expect(limits).toEqual([expect.objectContaining({ percent, severity, is_active: true })])
  })

  test('a pool is one more limit, told apart, for its members alone', async () => {
    await clock(WEDNESDAY)
    await limit(ALICE, '1000', 'monthly')
    await limit(ENGINEERING, '100', 'monthly', { shared: true })
    await spend(30n * CENT)
    await spend(100n * CENT, { scope: 'rbac_group', scopeId: 'engineering' })
    expect(await oauthUsage()).toMatchObject({
      extra_usage: { monthly_limit: 100, used_credits: 100, utilization: 100 },
      limits: [
        { group: 'monthly', percent: 3, is_active: false },
        { kind: 'spend', group: 'monthly', percent: 100, resets_at: '2026-12-01T00:00:00Z', severity: 'critical', is_active: true, shared: true },
      ],
    })
    expect((await oauthUsage(bob.access_token)).limits).toEqual([])
  })

  test('agrees with the headers of an answer, to the second', async () => {
    await limit(ALICE, '100000')
    const answer = await world.gateway.post('/v1/messages', { model: 'claude-sonnet-5', max_tokens: 1000, messages: [] }, alice.access_token)
    await answer.text()
    const { limits } = await oauthUsage()
    expect(Date.parse(limits[0].resets_at) / 1000).toBe(Number(answer.headers.get('anthropic-ratelimit-unified-reset')))
  })

  test('is 404 without administrators, as is every path nobody serves', async () => {
    const plain = await world.replica({ admin: undefined })
    const response = await plain.get('/api/oauth/usage', alice.access_token)
    expect([response.status, await response.json()]).toMatchObject([404, { type: 'error', error: { type: 'not_found_error', message: 'not found' } }])
    expect((await plain.get('/api/oauth/usage')).status).toBe(401)
  })
})

describe('GET /me/usage', () => {
  test('says what is limited, by whom, what is left, and the month by day and by model', async () => {
    await clock(WEDNESDAY)
    await limit(ALICE, '1000')
    await limit(ENGINEERING, '2000', 'weekly')
    await limit(ENGINEERING, '5000', 'monthly', { shared: true })
    await limit(ORGANIZATION, '9000', 'monthly', { shared: true })
    await spend(10_075_600_000n)
    await spend(4n * CENT, { scope: 'rbac_group', scopeId: 'engineering' })
    await used('2026-11-17T23:00:00Z', 'claude-haiku-4-5', 1_000_000n)
    await used('2026-11-18T00:00:00Z', 'claude-sonnet-5', 7_560_000n)
    await used('2026-11-18T12:00:00Z', 'claude-sonnet-5', 10_000_000_000n)
    await used('2026-11-18T12:00:00Z', 'claude-sonnet-5', 30_000_000n, { upstream: 'two' })
    await used('2026-10-31T23:00:00Z', 'claude-sonnet-5', 5n * CENT)
    await used('2026-11-18T12:00:00Z', 'claude-sonnet-5', 5n * CENT, { sub: 'bob' })
    const response = await world.gateway.get('/me/usage', alice.access_token)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const shared = { severity: 'normal', is_active: false, shared: true, resets_at: '2026-12-01T00:00:00Z', period: 'monthly' }
    expect(await response.json()).toEqual({
      person: { issuer: world.idp.issuer, user_id: 'alice', email: 'alice@example.com', name: 'Alice A' },
      as_of: '2026-11-18T13:45:00Z',
      currency: 'USD',
      spent: { daily: { usd: '10.0756', cents: 1007 }, weekly: { usd: '10.0756', cents: 1007 }, monthly: { usd: '10.0756', cents: 1007 } },
      limits: [
        {
          period: 'daily', limit: { usd: '10.00', cents: 1000 }, spent: { usd: '10.0756', cents: 1007 }, remaining: { usd: '0.00', cents: 0 },
          percent: 100, severity: 'critical', resets_at: '2026-11-19T00:00:00Z', is_active: true, shared: false, source: { type: 'user' },
        },
        {
          period: 'weekly', limit: { usd: '20.00', cents: 2000 }, spent: { usd: '10.0756', cents: 1007 }, remaining: { usd: '9.9244', cents: 992 },
          percent: 50, severity: 'normal', resets_at: '2026-11-23T00:00:00Z', is_active: false, shared: false, source: { type: 'rbac_group', rbac_group_id: 'engineering' },
        },
        { ...shared, limit: { usd: '50.00', cents: 5000 }, spent: { usd: '0.04', cents: 4 }, remaining: { usd: '49.96', cents: 4996 }, percent: 0, source: { type: 'rbac_group', rbac_group_id: 'engineering' } },
        { ...shared, limit: { usd: '90.00', cents: 9000 }, spent: { usd: '0.00', cents: 0 }, remaining: { usd: '90.00', cents: 9000 }, percent: 0, source: { type: 'organization' } },
      ],
      month: {
        from: '2026-11-01',
        by_day: [
          { date: '2026-11-17', spent: { usd: '0.001', cents: 0 }, ...counts(1) },
          { date: '2026-11-18', spent: { usd: '10.03756', cents: 1003 }, ...counts(3) },
        ],
        by_model: [
          { model: 'claude-sonnet-5', spent: { usd: '10.03756', cents: 1003 }, ...counts(3) },
          { model: 'claude-haiku-4-5', spent: { usd: '0.001', cents: 0 }, ...counts(1) },
        ],
      },
    })
  })

  const counts = (rows: number) => ({ requests: 3 * rows, input_tokens: 1000 * rows, output_tokens: 200 * rows, cache_read_tokens: 300 * rows, cache_write_tokens: 42 * rows })

  test('shows the cost of an answer that has just ended', async () => {
    await (await world.gateway.post('/v1/messages', { model: 'claude-sonnet-5', max_tokens: 1000, messages: [] }, alice.access_token)).text()
    // The answer's last byte may be here before its end is noted there.
    await until(async () => (await meUsage()).spent.daily.usd !== '0.00')
    const { spent, month } = await meUsage()
    expect([spent.daily, month.by_model]).toMatchObject([{ usd: '0.00756' }, [{ model: 'claude-sonnet-5', requests: 1, spent: { usd: '0.00756' } }]])
  })

  test('goes without administrators, and then without limits', async () => {
    const plain = await world.replica({ admin: undefined })
    await limit(ALICE, '1000')
    expect(await (await plain.get('/me/usage', alice.access_token)).json()).toMatchObject({ person: { user_id: 'alice' }, limits: [], month: { by_day: [], by_model: [] } })
  })

  test('takes the token in either header, and nothing without one', async () => {
    expect((await world.gateway.get('/me/usage', undefined, { 'x-api-key': alice.access_token })).status).toBe(200)
    for (const path of ['/me/usage', '/api/oauth/usage']) expect((await world.gateway.get(path)).status).toBe(401)
  })
})

describe('while the database is away', () => {
  test.each(['refuse', 'black-hole'] as const)('both say so and ask to come back (%s)', async (fault) => {
    expect((await cutOff.get('/me/usage', alice.access_token)).status).toBe(200)
    proxy.set(fault)
    for (const path of ['/me/usage', '/api/oauth/usage']) {
      const response = await cutOff.get(path, alice.access_token)
      expect([path, response.status, response.headers.get('cache-control'), await response.json()]).toMatchObject([path, 503, 'no-store', { type: 'error', error: { type: 'api_error', message: 'the gateway cannot reach its store; try again' } }])
    }
    proxy.set('pass')
    await until(async () => (await cutOff.get('/me/usage', alice.access_token)).status === 200)
  }, 30_000)
})
