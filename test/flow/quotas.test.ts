// Quotas through the whole gateway, and what replicas know of each other.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from '../../src/db/connect.ts'
import type { Observation } from '../../src/observe/events.ts'
import type { Principal } from '../../src/principal.ts'
import type { QuotaConfig } from '../../src/quota/config.ts'
import { createExchange } from '../../src/quota/exchange.ts'
import { createQuotas, type QuotaRefusal } from '../../src/quota/quotas.ts'
import { createTally } from '../../src/quota/tally.ts'
import { PLACE } from '../../src/quota/window.ts'
import { createTokens } from '../../src/session/token.ts'
import { Secret } from '../../src/std/secret.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startWorld, type TestGateway, type World } from '../support/gateway.ts'
import { SESSION_SECRET } from '../support/people.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'
import { answerError, answerStream, messageEvents, type Script } from '../support/upstream.ts'

const ask = { model: 'claude-sonnet-5', max_tokens: 10, messages: [], stream: true }

describe('a gateway with quotas', () => {
  let world: World
  let tokenOf: (sub: string, groups?: string[]) => Promise<string>
  beforeAll(async () => {
    world = await startWorld({
      config: {
        session: { jwt_secret: SESSION_SECRET },
        quotas: [
          { match: { user_id: 'many' }, requests_per_minute: 3 },
          { match: { user_id: 'talker' }, input_tokens_per_minute: 1200 },
          { match: { user_id: 'single' }, concurrent: 1 },
          { match: { groups: ['pool'] }, shared: true, requests_per_minute: 2 },
          { match: { user_id: 'roamer' }, requests_per_minute: 4 },
        ],
      },
    })
    const tokens = createTokens({ secrets: [new Secret(SESSION_SECRET)], issuer: world.gateway.url, ttlSeconds: 3600 })
    tokenOf = async (sub, groups = []) =>
      tokens.mint({ issuer: 'https://idp.example.com', sub, email: `${sub}@example.com`, name: sub, groups }, `session-of-${sub}`, Math.floor(Date.now() / 1000)).token
  })
  afterAll(() => world.stop())

  const send = async (token: string, at: TestGateway = world.gateway, init: { signal?: AbortSignal } = {}) =>
    fetch(`${at.url}/v1/messages`, { method: 'POST', body: JSON.stringify(ask), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...init })
  const answered = async (token: string, at?: TestGateway) => {
    const response = await send(token, at)
    return [response.status, await response.text()] as const
  }

  test('refuses what is too much before anything is sent, in words, and lets clients try again', async () => {
    const token = await tokenOf('many')
    for (let n = 0; n < 3; n++) expect((await answered(token))[0]).toBe(200)
    const before = world.upstream.requests.length
    const response = await send(token)
    expect(response.status).toBe(429)
    const retryAfter = Number(response.headers.get('retry-after'))
    expect(retryAfter).toBeGreaterThanOrEqual(1)
    expect(retryAfter).toBeLessThanOrEqual(61)
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'rate_limit_error', message: `more than 3 requests a minute; try again in ${retryAfter} s` } })
    expect(response.headers.get('x-should-retry')).toBeNull()
    expect([...response.headers.keys()].filter((name) => name.startsWith('anthropic-ratelimit-'))).toEqual([])
    expect(world.upstream.requests.length).toBe(before)
    expect(await world.gateway.saw('inference.denied', ({ sub }) => sub === 'many')).toMatchObject({ reason: 'quota_requests_per_minute', model: 'claude-sonnet-5' })
    expect((await answered(await tokenOf('somebody else')))[0]).toBe(200)
  })

  test('counts no token count', async () => {
    const token = await tokenOf('many')
    for (let n = 0; n < 5; n++) expect((await world.gateway.post('/v1/messages/count_tokens', ask, token)).status).toBe(200)
  })

  test('counts tokens that an answer used, without those read from the cache', async () => {
    const token = await tokenOf('talker')
    // 1000 of input and 200 written to the cache make 1200; 300 were read.
    expect((await answered(token))[0]).toBe(200)
    expect(await answered(token)).toEqual([429, expect.stringContaining('more than 1200 input tokens a minute; try again in ')])
  })

  test('lets a group draw on one amount together', async () => {
    expect((await answered(await tokenOf('p1', ['pool'])))[0]).toBe(200)
    expect((await answered(await tokenOf('p2', ['pool'])))[0]).toBe(200)
    expect(await answered(await tokenOf('p3', ['pool']))).toEqual([429, expect.stringContaining('more than 2 requests a minute by members of pool together')])
  })

  describe('with one request at once', () => {
    const endings: [string, Script | undefined, (token: string) => Promise<unknown>][] = [
      ['was answered', undefined, (token) => answered(token)],
      ['was refused by the upstream', answerError(400, 'no'), (token) => answered(token)],
      ['broke off in the middle', async (answer) => {
        answer.head(200, { 'content-type': 'text/event-stream' })
        await answer.chunk(messageEvents()[0] as string)
        answer.reset()
      }, (token) => answered(token)],
      ['could not be sent', (answer) => answer.reset(), (token) => answered(token)],
      ['was left by its client in the middle', async (answer) => {
        answer.head(200, { 'content-type': 'text/event-stream' })
        await answer.chunk(messageEvents()[0] as string)
      }, async (token) => {
        const leaving = new AbortController()
        const response = await send(token, world.gateway, { signal: leaving.signal })
        await response.body?.getReader().read()
        leaving.abort()
        await world.gateway.saw('inference', ({ sub, outcome }) => sub === 'single' && outcome === 'client_gone')
      }],
      ['was left by its client before the answer began', () => {}, async (token) => {
        const leaving = new AbortController()
        const before = world.upstream.requests.length
        const sent = send(token, world.gateway, { signal: leaving.signal }).catch(() => {})
        while (world.upstream.requests.length === before) await Bun.sleep(5)
        leaving.abort()
        await sent
        await world.gateway.saw('inference', ({ sub, status }) => sub === 'single' && status === 499)
      }],
    ]
    test.each(endings)('another may be sent once the one before %s', async (_, script, run) => {
      const token = await tokenOf('single')
      if (script !== undefined) world.upstream.enqueue(script)
      await run(token)
      expect((await answered(token))[0]).toBe(200)
    })

    test('a second is refused while the first one runs', async () => {
      const token = await tokenOf('single')
      const goOn = Promise.withResolvers<void>()
      world.upstream.enqueue(async (answer, request) => {
        await goOn.promise
        return answerStream()(answer, request)
      })
      const before = world.upstream.requests.length
      const first = answered(token)
      while (world.upstream.requests.length === before) await Bun.sleep(5)
      const second = await send(token)
      expect([second.status, second.headers.get('retry-after'), await second.json()]).toEqual([429, '1', expect.objectContaining({ error: { type: 'rate_limit_error', message: 'more than 1 request at once; try again in 1 s' } })])
      goOn.resolve()
      expect((await first)[0]).toBe(200)
      expect((await answered(token))[0]).toBe(200)
    })
  })

  test('shares what it counted with the other replicas, and a restart does not forget it', async () => {
    const token = await tokenOf('roamer')
    const other = await world.replica()
    const processes = async () => ((await world.database.sql`select count(distinct process_id)::int as n from quota_count`)[0] as unknown as { n: number }).n
    for (let n = 0; n < 4; n++) expect((await answered(token))[0]).toBe(200)
    // Nobody can know of it before the first exchange.
    expect((await answered(token, other))[0]).toBe(200)
    while ((await processes()) < 2) await Bun.sleep(20)
    let overshoot = 1
    for (; (await answered(token, other))[0] === 200; overshoot++) await Bun.sleep(20)
    // Alone it would have let four through.
    expect(overshoot).toBeLessThan(4)
    await other.stop()
    const restarted = await world.replica()
    expect((await answered(token, restarted))[0]).toBe(429)
  })
})

describe('replicas on one database', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  const open: { stop?(): unknown; close?(): unknown }[] = []
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await (one.stop ?? one.close)?.()
    await database.sql.unsafe('truncate quota_count; create or replace function spend_clock() returns timestamptz language sql stable as $$ select now() $$')
  })
  afterAll(() => database.drop())

  const shiftClock = (by: string) => database.sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select now() + interval '${by}' $$`)

  function dbFor(url = database.url) {
    const db = connect({ url, maxConnections: 2, observe: () => {} })
    open.push({ close: () => db.close() })
    return db
  }

  function replica(url?: string) {
    const tally = createTally()
    const observed: Observation[] = []
    const nowMs = () => performance.now()
    const exchange = createExchange({ tally, db: dbFor(url), observe: (one) => observed.push(one), nowMs })
    return {
      tally,
      exchange,
      observed,
      count: (key: string, requests: number) => tally.count(key, PLACE.requests, requests, exchange.clock(nowMs())),
      knows: (key: string) => {
        const { windows, running } = tally.counts(key, exchange.clock(nowMs()))
        return [windows.flat().reduce((sum, slot) => sum + slot[PLACE.requests], 0), running]
      },
    }
  }

  const person: Principal = { issuer: 'https://i', sub: 'alice', email: undefined, name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0 }
  const limit = (changes: Partial<QuotaConfig>): QuotaConfig => ({ match: {}, shared: false, ...changes }) as QuotaConfig

  test('know after one exchange each what the other counted, once however often they exchange', async () => {
    const [a, b] = [replica(), replica()]
    a.count('alice', 3)
    b.count('alice', 2)
    b.tally.run('alice', 1)
    for (const one of [a, b, a, b, a]) await one.exchange.run()
    expect([a.knows('alice'), b.knows('alice')]).toEqual([[5, 1], [5, 1]])
    b.tally.run('alice', -1)
    a.count('alice', 1)
    for (const one of [b, a, b]) await one.exchange.run()
    expect([a.knows('alice'), b.knows('alice')]).toEqual([[6, 0], [6, 0]])
  })

  test('agree on the second by the database, whatever their own clocks say', async () => {
    const [a, b] = [replica(), replica()]
    await shiftClock('3 days')
    for (const one of [a, b]) await one.exchange.run()
    a.count('alice', 1)
    for (const one of [a, b]) await one.exchange.run()
    expect(b.knows('alice')).toEqual([1, 0])
    await shiftClock('3 days 62 seconds')
    await b.exchange.run()
    b.tally.forget(b.exchange.clock(performance.now()))
    expect(b.tally.isEmpty()).toBe(true)
  })

  test('count what ran in a process that died for ten seconds and no longer', async () => {
    const [a, b] = [replica(), replica()]
    a.tally.run('alice', 1)
    for (const one of [a, b]) await one.exchange.run()
    expect(b.knows('alice')).toEqual([0, 1])
    await shiftClock('11 seconds')
    await b.exchange.run()
    expect(b.knows('alice')).toEqual([0, 0])
    // It had not died.
    await a.exchange.run()
    await a.exchange.run()
    await b.exchange.run()
    expect(b.knows('alice')).toEqual([0, 1])
  })

  test('write nothing when there is nothing to tell, and nobody\'s name', async () => {
    const quotas = createQuotas([limit({ requests_per_minute: 5 })], { db: dbFor(), observe: () => {}, nowMs: () => performance.now() })
    open.push(quotas)
    await quotas.start()
    expect(await database.sql`select * from quota_count`).toHaveLength(0)
    quotas.admit(person, performance.now())
    await quotas.stop()
    const rows = await database.sql`select *, told_at::text from quota_count`
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ running: 1, counted: [[expect.any(Number), 1, 0, 0]], key: expect.stringMatching(/^[\w-]{43}$/) })
  })

  test('find room again when the minute is over', async () => {
    const quotas = createQuotas([limit({ requests_per_minute: 2 })], { db: dbFor(), observe: () => {}, nowMs: () => performance.now() })
    open.push(quotas)
    await quotas.start()
    const asked = () => quotas.admit(person, performance.now())
    expect([asked().ok, asked().ok, asked().ok]).toEqual([true, true, false])
    await shiftClock('62 seconds')
    while (!asked().ok) await Bun.sleep(20)
    expect([asked().ok, asked().ok]).toEqual([true, false])
  })

  test('count on alone while the database is away, and together again when it is back', async () => {
    const { hostname, port, pathname, username, password } = new URL(database.url)
    const proxy = await createTcpProxy(hostname, Number(port))
    open.push(proxy)
    const url = `postgres://${username}${password === '' ? '' : `:${password}`}@127.0.0.1:${proxy.port}${pathname}`
    const [a, b] = [replica(url), replica()]
    a.count('alice', 1)
    await a.exchange.run()
    proxy.set('refuse')
    a.count('alice', 4)
    a.tally.run('alice', 1)
    await a.exchange.run()
    expect([a.exchange.failures(), a.knows('alice')]).toEqual([1, [5, 1]])
    expect(a.observed).toMatchObject([{ op: 'warn', message: expect.stringMatching(/^quotas: this process counts alone: database: not reachable/) }])
    await b.exchange.run()
    expect(b.knows('alice')).toEqual([1, 0])
    proxy.set('pass')
    while (a.exchange.failures() > 0 && (b.knows('alice')[0] as number) < 5) {
      await a.exchange.run()
      await b.exchange.run()
    }
    expect(b.knows('alice')).toEqual([5, 1])
  })

  test('decide without waiting while the database swallows every byte', async () => {
    const { hostname, port } = new URL(database.url)
    const proxy = await createTcpProxy(hostname, Number(port))
    open.push(proxy)
    const url = new URL(database.url)
    url.port = String(proxy.port)
    const quotas = createQuotas([limit({ requests_per_minute: 2 })], { db: dbFor(url.href), observe: () => {}, nowMs: () => performance.now() })
    await quotas.start()
    proxy.set('black-hole')
    const asked = () => quotas.admit(person, performance.now()) as QuotaRefusal
    expect([asked().ok, asked().ok, asked().error.message]).toEqual([true as never, true as never, expect.stringContaining('more than 2 requests a minute')])
    const stoppedMs = performance.now()
    await quotas.stop()
    expect(performance.now() - stoppedMs).toBeLessThan(4000)
  })
})
