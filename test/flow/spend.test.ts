// Limits as people meet them: through the whole gateway, on two replicas, with the database there and away.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, adminCalls, type Call } from '../support/admin.ts'
import { messageEvents, USAGE, type Script } from '../support/upstream.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { startWorld, type TestGateway, type Tokens, type World } from '../support/gateway.ts'

let world: World
let call: Call
let reserving: TestGateway
let otherReserving: TestGateway
let closed: TestGateway
let open: TestGateway
let proxy: TcpProxy
let alice: Tokens
let bob: Tokens
beforeAll(async () => {
  world = await startWorld({ config: { admin: { ...ADMIN, blocked_message: 'Ask #claude-budget.' } } })
  call = adminCalls(world.gateway)
  const { hostname, port } = new URL(world.database.url)
  proxy = await createTcpProxy(hostname, Number(port))
  const through = new URL(world.database.url)
  through.port = String(proxy.port)
  reserving = await world.replica({ enforcement: { reserve: true } })
  otherReserving = await world.replica({ enforcement: { reserve: true } })
  closed = await world.replica({ store: { postgres_url: through.href }, enforcement: { fail_closed_on_error: true } })
  open = await world.replica({ store: { postgres_url: through.href } })
  alice = await world.signIn('alice')
  bob = await world.signIn('bob')
}, 30_000)
afterAll(async () => {
  proxy.set('pass')
  await world.stop()
  proxy.stop()
}, 20_000)
afterEach(async () => {
  await settled()
  for (const limit of await limits()) await admin('DELETE', `/${limit.id}`)
  await world.database.sql`delete from spend_day`
  await world.database.sql`create or replace function spend_clock() returns timestamptz language sql stable as 'select now()'`
  world.upstream.requests.length = 0
  world.upstream.forget()
})

const ask = { model: 'claude-sonnet-5', max_tokens: 1000, messages: [], stream: true }
/** What the upstream's usual answer costs, in nano-dollars: 0.756 cents. */
const COST = 1000 * 2000 + 200 * 2500 + 300 * 200 + 500 * 10_000

async function admin(method: string, path = '', body?: object): Promise<any> {
  const answer = await call(method, path, body)
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
  return answer.body
}
const limits = async () => (await admin('GET', '?limit=1000')).data as { id: string }[]

/** Set, and known to the replica that was asked. */
const limit = (scope: object, amount: string | null, period = 'daily', changes: object = {}): Promise<{ id: string }> => admin('POST', '', { scope, amount, period, ...changes })

/** Resolves when other replicas have the newest list too: each refuses somebody while a limit says so, and then no more. */
async function known(...replicas: TestGateway[]): Promise<void> {
  const marker = await admin('POST', '', { scope: { type: 'user', user_id: 'bob' }, amount: '0', period: 'weekly' })
  for (const at of replicas) while ((await at.post('/v1/messages', { ...ask, stream: false }, bob.access_token)).status !== 429) await Bun.sleep(20)
  await admin('DELETE', `/${marker.id}`)
  for (const at of replicas) while ((await at.post('/v1/messages', { ...ask, stream: false }, bob.access_token)).status !== 200) await Bun.sleep(20)
}

const ALICE = { type: 'user', user_id: 'alice' }
const ORGANIZATION = { type: 'organization' }
const ENGINEERING = { type: 'rbac_group', rbac_group_id: 'engineering' }

async function settled(): Promise<void> {
  for (let count = 1; count > 0; ) count = (await world.database.sql`select count(*)::int as count from usage_hold`)[0]?.count
}

/** Alice has spent this many nano-dollars today, and the pools with her. */
async function spend(amount: number, scope = 'user', scopeId = `${world.idp.issuer} alice`): Promise<void> {
  await world.database.sql`insert into spend_day (scope, scope_id, day, spent) values (${scope}, ${scopeId}, spend_day_of(spend_clock()), ${amount}) on conflict (scope, scope_id, day) do update set spent = excluded.spent`
}

const CENT = 10_000_000
const unified = ({ headers }: Response) => Object.fromEntries([...headers].filter(([name]) => name.startsWith('anthropic-ratelimit-unified')).map(([name, value]) => [name.slice('anthropic-ratelimit-unified-'.length), value]))

describe('under a limit', () => {
  test('every answer says how much of it is used, and when it begins anew', async () => {
    await limit(ALICE, '100')
    await spend(76 * CENT)
    const response = await world.gateway.post('/v1/messages', ask, alice.access_token)
    const tomorrow = String(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth(), new Date().getUTCDate() + 1) / 1000)
    expect(unified(response)).toEqual({ status: 'allowed_warning', 'representative-claim': 'overage', reset: tomorrow, 'overage-status': 'allowed_warning', 'overage-reset': tomorrow, 'overage-utilization': '0.76', 'overage-surpassed-threshold': '0.75' })
    await response.text()
  })

  test('no limit, no headers; a refused request has none either', async () => {
    expect(unified(await world.gateway.post('/v1/messages', ask, alice.access_token))).toEqual({})
    await limit(ALICE, '100')
    world.upstream.enqueue((answer) => answer.send(400, { 'content-type': 'application/json' }, '{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'))
    expect(unified(await world.gateway.post('/v1/messages', ask, alice.access_token))).toEqual({})
  })

  test('the fullest of several is described, a pool too', async () => {
    await limit(ALICE, '1000', 'monthly')
    await limit(ENGINEERING, '100', 'daily', { shared: true })
    await spend(50 * CENT)
    await spend(96 * CENT, 'rbac_group', 'engineering')
    expect(unified(await world.gateway.post('/v1/messages', ask, alice.access_token))).toMatchObject({ 'overage-utilization': '0.96', 'overage-surpassed-threshold': '0.95' })
  })
})

describe('over a limit', () => {
  // T224
  test('a request is refused before any upstream hears of it, in words that say which limit and until when', async () => {
    await limit(ALICE, '100')
    await spend(150 * CENT)
    world.upstream.requests.length = 0
    const response = await world.gateway.post('/v1/messages', ask, alice.access_token)
    expect(response.status).toBe(429)
    const tomorrow = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth(), new Date().getUTCDate() + 1))
    const reset = String(tomorrow.getTime() / 1000)
    expect(unified(response)).toEqual({ status: 'rejected', reset, 'overage-reset': reset, 'overage-utilization': '1.5', 'overage-surpassed-threshold': '1', 'overage-period': 'daily', 'overage-disabled-reason': 'org_spend_cap_reached' })
    expect([response.headers.get('x-should-retry'), Number(response.headers.get('retry-after')) > 0]).toEqual(['false', true])
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'billing_error', message: `spend limit reached (daily; resets ${tomorrow.toISOString().slice(0, 10)} 00:00 UTC) Ask #claude-budget.` } })
    expect(world.upstream.requests.length).toBe(0)
    expect(await world.gateway.saw('spend.blocked', ({ sub }) => sub === 'alice')).toMatchObject({ reason: 'limit', period: 'daily', pool: false })
  })

  test('counting tokens goes on', async () => {
    await limit(ALICE, '0')
    expect((await world.gateway.post('/v1/messages', ask, alice.access_token)).status).toBe(429)
    expect((await world.gateway.post('/v1/messages/count_tokens', ask, alice.access_token)).status).toBe(200)
  })

  test('the very next request is refused, although the one before has just ended', async () => {
    await limit(ALICE, '1')
    for (const status of [200, 200, 429]) {
      const response = await world.gateway.post('/v1/messages', ask, alice.access_token)
      expect(response.status).toBe(status)
      await response.text()
    }
  })

  test.each([
    ['exactly at the limit', 100 * CENT, 429],
    ['a nano-dollar below', 100 * CENT - 1, 200],
  ])('%s', async (_, spent, status) => {
    await limit(ALICE, '100')
    await spend(spent)
    expect((await world.gateway.post('/v1/messages', ask, alice.access_token)).status).toBe(status)
  })

  test('of several, the one that resets last is named', async () => {
    await limit(ALICE, '1', 'daily')
    await limit(ALICE, '1', 'monthly')
    await spend(2 * CENT)
    expect(await (await world.gateway.post('/v1/messages', ask, alice.access_token)).json()).toMatchObject({ error: { message: expect.stringContaining('(monthly; resets ') } })
  })

  test('a zero limit names no time that would help', async () => {
    await limit(ALICE, '0')
    const response = await world.gateway.post('/v1/messages', ask, alice.access_token)
    expect([unified(response)['overage-utilization'], await response.json()]).toMatchObject(['1', { error: { message: 'spend limit reached · Ask #claude-budget.' } }])
  })

  test('a pool stops its members, and nobody else, and says that it is a pool', async () => {
    await limit(ENGINEERING, '100', 'monthly', { shared: true })
    await spend(100 * CENT, 'rbac_group', 'engineering')
    const response = await world.gateway.post('/v1/messages', ask, alice.access_token)
    expect([response.status, unified(response)['overage-scope']]).toEqual([429, 'group_pool'])
    expect((await world.gateway.post('/v1/messages', ask, bob.access_token)).status).toBe(200)
  })

  test('a pool is charged by its members, beside their own', async () => {
    await limit(ENGINEERING, '100000', 'monthly', { shared: true })
    await limit(ORGANIZATION, '100000', 'monthly', { shared: true })
    await settled()
    await world.database.sql`delete from spend_day`
    await (await world.gateway.post('/v1/messages', ask, alice.access_token)).text()
    await (await world.gateway.post('/v1/messages', ask, bob.access_token)).text()
    await settled()
    const counters = await world.database.sql`select scope, scope_id, spent::int from spend_day order by scope, scope_id`
    expect([...counters] as unknown).toEqual([
      { scope: 'organization', scope_id: '', spent: 2 * COST },
      { scope: 'rbac_group', scope_id: 'engineering', spent: COST },
      { scope: 'user', scope_id: `${world.idp.issuer} alice`, spent: COST },
      { scope: 'user', scope_id: `${world.idp.issuer} bob`, spent: COST },
    ])
  })

  // T215
  test('another device, a fresh token and another spelling of the address are the same person', async () => {
    await limit({ type: 'user', user_email: 'ALICE@example.com' }, '1')
    await spend(2 * CENT)
    const second = await world.signIn('alice')
    const refreshed = (await (await world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: second.refresh_token })).json()) as Tokens
    for (const { access_token } of [alice, second, refreshed]) expect((await world.gateway.post('/v1/messages', ask, access_token)).status).toBe(429)
  })

  // T222
  test('a limit that is raised, lowered or deleted meanwhile holds on every replica, and what runs goes on', async () => {
    const release = Promise.withResolvers<void>()
    const held: Script = async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      const [first, ...rest] = messageEvents()
      await answer.chunk(first as string)
      await release.promise
      for (const event of rest) await answer.chunk(event)
      answer.end()
    }
    await limit(ALICE, '100')
    world.upstream.enqueue(held)
    const running = await world.gateway.post('/v1/messages', ask, alice.access_token)
    const { id } = await limit(ALICE, '0')
    await known(reserving)
    for (const at of [world.gateway, reserving]) expect((await at.post('/v1/messages', ask, alice.access_token)).status).toBe(429)
    release.resolve()
    expect(await running.text()).toContain('message_stop')
    await limit(ALICE, '100')
    await known(reserving)
    expect((await reserving.post('/v1/messages', ask, alice.access_token)).status).toBe(200)
    await limit(ALICE, '0')
    await admin('DELETE', `/${id}`)
    await known(reserving)
    expect((await reserving.post('/v1/messages', ask, alice.access_token)).status).toBe(200)
  })

  // T219
  test('the next day begins by the clock of the database, whatever this machine thinks', async () => {
    await limit(ALICE, '100')
    await spend(200 * CENT)
    expect((await world.gateway.post('/v1/messages', ask, alice.access_token)).status).toBe(429)
    await world.database.sql`create or replace function spend_clock() returns timestamptz language sql stable as 'select now() + interval ''1 day'''`
    expect((await world.gateway.post('/v1/messages', ask, alice.access_token)).status).toBe(200)
  })
})

describe('while spend cannot be read', () => {
  test.each(['refuse', 'black-hole'] as const)('requests run, unless the operator wants none then, and what ran is written later (%s)', async (fault) => {
    await limit(ALICE, '100')
    await known(open, closed)
    await settled()
    await world.database.sql`delete from usage`
    proxy.set(fault)
    const served = await open.post('/v1/messages', ask, alice.access_token)
    expect([served.status, unified(served)]).toEqual([200, {}])
    await served.text()
    const refused = await closed.post('/v1/messages', ask, alice.access_token)
    expect([refused.status, unified(refused), refused.headers.get('x-should-retry')]).toEqual([429, { 'overage-disabled-reason': 'fetch_error' }, 'false'])
    expect(await refused.json()).toMatchObject({ error: { type: 'billing_error', message: 'spend limit unavailable' } })
    proxy.set('pass')
    for (let count = 0; count < 1; ) count = (await world.database.sql`select count(*)::int as count from usage`)[0]?.count
    const rows = await world.database.sql`select cost::int from usage`
    expect([...rows] as unknown).toEqual([{ cost: COST }])
    // Both know again that it is back.
    while ((await closed.post('/v1/messages', ask, alice.access_token)).status !== 200) await Bun.sleep(20)
    while (Object.keys(unified(await open.post('/v1/messages', ask, alice.access_token))).length === 0) await Bun.sleep(20)
  }, 60_000)
})

describe('with reservations', () => {
  /** A request that may cost no more than ten cents: its prompt is nothing, its answer 10,000 tokens of a cent a thousand. */
  const dear = { ...ask, max_tokens: 10_000 }
  const held = async () => (await world.database.sql`select coalesce(sum(held), 0)::bigint::text as held from spend_day`)[0]?.held
  /** An answer of exactly 10,000 tokens, when it is let go. */
  const exactly = (release: Promise<void>): Script => async (answer) => {
    answer.head(200, { 'content-type': 'text/event-stream' })
    await release
    const [start, ...rest] = messageEvents()
    await answer.chunk((start as string).replace(JSON.stringify(USAGE), '{"input_tokens":0,"output_tokens":1}'))
    for (const event of rest) await answer.chunk(event.replace('"output_tokens":500', '"output_tokens":10000'))
    answer.end()
  }

  // T208
  test('200 requests at once on two replicas come to the limit and no more than one request beyond', async () => {
    await limit(ALICE, '100')
    await known(reserving, otherReserving)
    const release = Promise.withResolvers<void>()
    for (let n = 0; n < 200; n++) world.upstream.enqueue(exactly(release.promise))
    let [running, answered] = [0, 0]
    const wave = Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const response = await (n % 2 === 0 ? reserving : otherReserving).post('/v1/messages', dear, alice.access_token)
        answered++
        if (response.status === 200) running++
        if (response.status === 429) expect(await response.json()).toMatchObject({ error: { type: 'rate_limit_error', message: expect.stringContaining('held for requests that are still running') } })
        await response.text().catch(() => '')
        return response.status
      }),
    )
    // Every one is refused, or has the head of its answer.
    while (answered < 200) await Bun.sleep(5)
    release.resolve()
    const statuses = await wave
    await settled()
    const [counter] = await world.database.sql`select spent::bigint::text as spent from spend_day where scope_id = ${`${world.idp.issuer} alice`}`
    const spent = Number(counter?.spent)
    expect(statuses.filter((status) => status === 200).length).toBe(running)
    expect(spent).toBeGreaterThan(80 * CENT)
    expect(spent).toBeLessThanOrEqual(100 * CENT + 11 * CENT)
    expect(await held()).toBe('0')
  }, 60_000)

  // T209
  test.each<[string, Script | undefined, number]>([
    ['a success', undefined, 200],
    ['a refusal', (answer) => answer.send(400, { 'content-type': 'application/json' }, '{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'), 400],
    ['a failure', (answer) => answer.send(500, { 'content-type': 'application/json' }, '{}'), 502],
    ['a connection that breaks', (answer) => answer.reset(), 502],
  ])('nothing stays held after %s', async (_, script, status) => {
    await limit(ALICE, '1000')
    await known(reserving)
    if (script !== undefined) world.upstream.enqueue(script)
    const response = await reserving.post('/v1/messages', dear, alice.access_token)
    expect(response.status).toBe(status)
    await response.text()
    await settled()
    expect(await held()).toBe('0')
  })

  test('nothing stays held after a client that leaves, and what it may still cost is held until then', async () => {
    await limit(ALICE, '1000')
    await known(reserving)
    const arrived = Promise.withResolvers<void>()
    world.upstream.enqueue(() => arrived.resolve())
    const leaving = new AbortController()
    const failed = fetch(`${reserving.url}/v1/messages`, { method: 'POST', body: JSON.stringify(dear), headers: { authorization: `Bearer ${alice.access_token}` }, signal: leaving.signal }).catch(() => 'left')
    await arrived.promise
    const atWork = Number(await held())
    leaving.abort()
    expect(await failed).toBe('left')
    await settled()
    expect([atWork >= 10 * CENT && atWork < 11 * CENT, await held()]).toEqual([true, '0'])
  })

  test('who is over the limit is told so, and not that something is held', async () => {
    await limit(ALICE, '100')
    await known(reserving)
    await spend(100 * CENT)
    expect(await (await reserving.post('/v1/messages', dear, alice.access_token)).json()).toMatchObject({ error: { type: 'billing_error' } })
  })
})
