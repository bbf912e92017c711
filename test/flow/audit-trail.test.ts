// The stored trail of a real gateway: in order, once, with the changes it is about, whatever the database does meanwhile.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { forgetEvents, storeEvents } from '../../src/audit/store.ts'
import { createTrail, type Trail } from '../../src/audit/trail.ts'
import { verifyTrail } from '../../src/audit/verify.ts'
import { connect, type Database } from '../../src/db/connect.ts'
import { auditLine, auditRecord, type TimedEvent } from '../../src/observe/audit-line.ts'
import type { AuditEvent, Observation } from '../../src/observe/events.ts'
import { ADMIN, adminCalls, READ_KEY, until, type Call } from '../support/admin.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startWorld, type Tokens, type World } from '../support/gateway.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const ALICE = { type: 'user', user_id: 'alice' }
const ASK = { model: 'claude-sonnet-5', max_tokens: 10, messages: [{ role: 'user', content: 'hello' }] }

const isStored = (observation: Observation): observation is TimedEvent => 'evt' in observation && observation.evt !== 'audit.anchor'

async function linesOf({ sql }: TestDatabase): Promise<string[]> {
  return (await sql`select line from audit_event order by day, seq`).map(({ line }) => line as string)
}

async function proved(database: TestDatabase, { retentionDays = 365, now = new Date() } = {}): Promise<number> {
  const db = connect({ url: database.url, maxConnections: 1, observe: () => {} })
  try {
    const { fault, state } = await verifyTrail(db, { from: undefined, to: undefined, anchors: [], retentionDays, now })
    expect(fault).toBeUndefined()
    return state.events
  } finally {
    await db.close()
  }
}

describe('a gateway with audit.store', () => {
  let world: World
  let call: Call
  let alice: Tokens
  beforeAll(async () => {
    world = await startWorld({ config: { admin: ADMIN, audit: { store: true } } })
    call = adminCalls(world.gateway)
    alice = await world.signIn('alice')
  }, 20_000)
  afterAll(() => world.stop(), 20_000)

  const told = () => world.gateway.observed.filter(isStored).map((event) => auditLine(event))
  const allStored = () =>
    until(async () => {
      const lines = new Set(await linesOf(world.database))
      return told().every((line) => lines.has(line))
    })

  test('stores every event of a sign-in and of a request as the log has it, in its order', async () => {
    expect((await world.gateway.post('/v1/messages', ASK, alice.access_token)).status).toBe(200)
    await world.gateway.saw('inference')
    expect((await world.gateway.get('/v1/models', 'not-a-token')).status).toBe(401)
    await allStored()
    const lines = await linesOf(world.database)
    expect(lines).toEqual(told())
    expect(new Set(lines.map((line) => JSON.parse(line).evt))).toEqual(new Set(['device.authorize', 'device.verify', 'device.callback', 'session.mint', 'inference', 'auth.denied']))
    expect(await proved(world.database)).toBe(lines.length)
  })

  test('keeps beside each line what it is asked by', async () => {
    const [row] = await world.database.sql`select ts, evt, request_id, issuer, sub, line from audit_event where evt = 'inference'`
    const event = JSON.parse(row?.line as string)
    expect({ ...row, ts: (row?.ts as Date).toISOString() } as unknown).toEqual({ ts: event.ts, evt: 'inference', request_id: event.request_id, issuer: world.idp.issuer, sub: 'alice', line: row?.line })
  })

  test('stores a change of a limit with the change, the line as the log has it', async () => {
    const { body } = await call('POST', '', { scope: ALICE, amount: '500', reason: 'starts today' })
    await call('POST', '', { scope: ALICE, amount: '700', expires_at: '2099-01-01T00:00:00Z' })
    await call('DELETE', `/${body.id}`)
    const stored = (await world.database.sql`select line from audit_event where evt like 'admin.limit.%' order by day, seq`).map(({ line }) => line as string)
    expect(stored).toEqual(told().filter((line) => line.includes('"admin.limit.')))
    expect(stored.map((line) => JSON.parse(line))).toMatchObject([
      { evt: 'admin.limit.upsert', actor: 'admin-key:ops', limit_id: body.id, scope: 'user', scope_id: 'alice', period: 'monthly', shared: false, amount: '500', request_id: expect.any(String), client_ip: '127.0.0.1' },
      { evt: 'admin.limit.upsert', amount: '700', amount_before: '500', expires_at: '2099-01-01T00:00:00.000Z' },
      { evt: 'admin.limit.delete', amount_before: '700', limit_id: body.id },
    ])
    await allStored()
    await proved(world.database)
  })

  test('stores who a limit was bound to, and that one ran out', async () => {
    await call('POST', '', { scope: { type: 'user', user_email: 'bob@example.com' }, amount: '5' })
    await world.signIn('bob')
    const bound = await world.gateway.saw('admin.limit.bind')
    expect(bound).toMatchObject({ actor: 'gateway', sub: 'bob', email: 'bob@example.com', outcome: 'bound' })
    const { sql } = world.database
    const [{ id }] = (await sql`insert into spend_limit (id, scope, scope_id, shared, period, has_base, temporary_amount, temporary_until) values (spend_new_id('spl_'), 'user', 'carol', false, 'daily', false, 5, now() - interval '1 hour') returning id`) as unknown as [{ id: string }]
    await call('POST', '', { scope: ALICE, amount: '1' })
    expect(await world.gateway.saw('admin.limit.expire')).toMatchObject({ actor: 'gateway', limit_id: id, scope_id: 'carol', amount_before: '5' })
    const lines = await linesOf(world.database)
    for (const evt of ['bind', 'expire']) expect(told().find((line) => line.includes(`admin.limit.${evt}`))).toBe(lines.find((line) => line.includes(`admin.limit.${evt}`)) as string)
  })

  test('stores that a sign-in was ended, once', async () => {
    const dave = await world.signIn('bob')
    for (let n = 0; n < 2; n++) expect((await world.gateway.form('/oauth/revoke', { token: dave.refresh_token })).status).toBe(200)
    const rows = await world.database.sql`select line from audit_event where evt = 'session.revoke'`
    expect(rows.map(({ line }) => JSON.parse(line as string))).toMatchObject([{ by: 'token_holder', sub: 'bob', issuer: world.idp.issuer, request_id: expect.any(String) }])
  })

  // T231
  describe('whose trail refuses', () => {
    const refusing = async (work: () => Promise<void>) => {
      const { sql } = world.database
      await sql.unsafe(`create function test_refuse() returns trigger language plpgsql as $$ begin raise exception 'no audit today'; end $$;
        create trigger test_refuse before insert on audit_event for each row execute function test_refuse()`)
      try {
        await work()
      } finally {
        await sql.unsafe('drop trigger test_refuse on audit_event; drop function test_refuse()')
      }
    }

    test('changes no limit', async () => {
      const { sql } = world.database
      const { id } = (await call('POST', '', { scope: ALICE, amount: '100' })).body
      const state = async () => [await sql`select * from spend_limit order by id`, await sql`select * from spend_limit_audit order by id`, await sql`select * from spend_limit_mark`]
      const before = await state()
      const heard = told().filter((line) => line.includes('"admin.limit.')).length
      await refusing(async () => {
        for (const answer of [await call('POST', '', { scope: ALICE, amount: '200' }), await call('POST', '', { scope: { type: 'organization' }, amount: '0' }), await call('DELETE', `/${id}`)]) {
          expect([answer.status, answer.body.error.message]).toEqual([500, 'internal error'])
        }
      })
      expect(await state()).toEqual(before as never)
      expect(told().filter((line) => line.includes('"admin.limit.')).length).toBe(heard)
      expect((await call('DELETE', `/${id}`)).status).toBe(200)
    })

    // A change that was answered as failed must not happen a moment later.
    test('for as long as somebody else holds it changes nothing, then or later', async () => {
      const { sql } = world.database
      const held = Promise.withResolvers<void>()
      const holding = sql.begin(async (one) => {
        await one`select from audit_head for update`
        await held.promise
      })
      await until(async () => (await sql`select from pg_locks where relation = 'audit_head'::regclass and mode = 'RowShareLock' and granted`).length > 0)
      const answer = await call('POST', '', { scope: ALICE, amount: '777' })
      held.resolve()
      await holding
      expect(answer.status).toBeGreaterThanOrEqual(500)
      await call('POST', '', { scope: ALICE, amount: '100' })
      expect(await sql`select from spend_limit_audit where after->>'amount' = '777'`).toHaveLength(0)
    }, 20_000)

    test('for as long as the limits are somebody else’s changes nothing, then or later', async () => {
      const { sql } = world.database
      const held = Promise.withResolvers<void>()
      const holding = sql.begin(async (one) => {
        await one`select spend_limit_lock()`
        await held.promise
      })
      const locks = () => sql`select granted from pg_locks where locktype = 'advisory' and objid = 73054663`
      await until(async () => (await locks()).length > 0)
      const answer = await call('POST', '', { scope: ALICE, amount: '778' })
      held.resolve()
      await holding
      expect(answer.status).toBeGreaterThanOrEqual(500)
      await until(async () => (await locks()).length === 0)
      await call('POST', '', { scope: ALICE, amount: '100' })
      expect(await sql`select from spend_limit_audit where after->>'amount' = '778'`).toHaveLength(0)
    }, 20_000)

    test('ends no sign-in', async () => {
      const bob = await world.signIn('bob')
      await refusing(async () => {
        expect((await world.gateway.form('/oauth/revoke', { token: bob.refresh_token })).status).toBeGreaterThanOrEqual(500)
      })
      expect((await world.gateway.get('/v1/models', bob.access_token)).status).toBe(200)
      expect((await world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: bob.refresh_token })).status).toBe(200)
      await world.gateway.form('/oauth/revoke', { token: bob.refresh_token })
      expect((await world.gateway.get('/v1/models', bob.access_token)).status).toBe(401)
    })

    test('lets requests pass, and stores their events when it takes them again', async () => {
      let request_id = ''
      await refusing(async () => {
        const answer = await world.gateway.post('/v1/messages', ASK, alice.access_token)
        request_id = answer.headers.get('x-request-id') as string
        expect(answer.status).toBe(200)
        await until(() => world.gateway.observed.some((one) => 'op' in one && one.message.startsWith('audit trail: database')))
      })
      await until(async () => (await world.database.sql`select from audit_event where evt = 'inference' and request_id = ${request_id}`).length === 1)
      await allStored()
      expect(await proved(world.database)).toBe(told().length)
    })
  })

  test('says how it does to whoever may ask, and in metrics', async () => {
    await allStored()
    const facts = (await (await world.gateway.get('/readyz?verbose=1', undefined, { 'x-api-key': READ_KEY })).json()) as { audit: object }
    expect(facts.audit).toEqual({ events_waiting: 0, lag_seconds: 0, lost: 0, blocking: false })
    const metrics = await (await world.gateway.get('/metrics', undefined, { 'x-api-key': READ_KEY })).text()
    expect(metrics).toMatch(/^gatehouse_audit_events_stored_total [1-9]\d*$/m)
    expect(metrics).toMatch(/^gatehouse_audit_events_lost_total 0$/m)
    expect(metrics).toMatch(/^gatehouse_audit_write_failures_total [1-9]/m)
  })

  test('shares the trail with other replicas, and stores what is left when it stops', async () => {
    const others = [await world.replica(), await world.replica()]
    const before = (await linesOf(world.database)).length
    await Promise.all([world.gateway, ...others].flatMap((one) => Array.from({ length: 60 }, () => one.get('/v1/models', 'not-a-token'))))
    for (const one of others) await one.stop()
    await allStored()
    const events = others.flatMap(({ observed }) => observed.filter(isStored).map((event) => auditLine(event)))
    const lines = await linesOf(world.database)
    expect(events).toHaveLength(120)
    // Each replica's events are there, once, in its own order; a change overtakes what waits, because it is stored at once.
    for (const { observed } of [world.gateway, ...others]) {
      const own = observed.filter(isStored).filter(({ evt }) => evt === 'auth.denied').map((event) => auditLine(event))
      const ownSet = new Set(own)
      expect(lines.filter((line) => ownSet.has(line))).toEqual(own)
    }
    expect(lines.length).toBe(before + 180)
    expect(await proved(world.database)).toBe(lines.length)
  })

  test('says where the trail ends when it starts and when it stops, for a copy elsewhere', async () => {
    await allStored()
    const other = await world.replica()
    const first = await other.saw('audit.anchor')
    await other.get('/v1/models', 'not-a-token')
    await other.stop()
    const anchors = other.observed.filter((one): one is Extract<AuditEvent, { evt: 'audit.anchor' }> => 'evt' in one && one.evt === 'audit.anchor')
    expect(anchors.length).toBe(2)
    expect(anchors[1]?.seq).toBeGreaterThan(first.seq)
    const db = connect({ url: world.database.url, maxConnections: 1, observe: () => {} })
    const { fault, state } = await verifyTrail(db, { from: undefined, to: undefined, anchors, retentionDays: 365, now: new Date() })
    await db.close()
    expect([fault, state.anchors]).toEqual([undefined, { held: 2, apart: 0 }])
  })

  test('stores of a flood without a sign-in the first hundred, and how many more there were, as the log has it', async () => {
    await allStored()
    const other = await world.replica()
    const before = (await linesOf(world.database)).length
    for (let n = 0; n < 15; n++) await Promise.all(Array.from({ length: 10 }, () => other.get('/v1/models', 'not-a-token')))
    await other.stop()
    const heard = other.observed.filter(isStored).filter(({ evt }) => evt === 'auth.denied')
    expect([heard.length, heard.reduce((sum, { repeated = 1 }) => sum + repeated, 0), heard.at(-1)?.client_ip]).toEqual([101, 150, '127.0.0.1'])
    expect((await linesOf(world.database)).slice(before)).toEqual(heard.map((event) => auditLine(event)))
    await proved(world.database)
  })

  test('leaves the trail to others when it is told not to store', async () => {
    const silent = await world.replica({ audit: { store: false } })
    const before = (await linesOf(world.database)).length
    await silent.get('/v1/models', 'not-a-token')
    await silent.saw('auth.denied')
    await silent.stop()
    expect((await linesOf(world.database)).length).toBe(before)
  })
})

describe('a trail whose database goes away', () => {
  let database: TestDatabase
  let proxy: TcpProxy
  let db: Database
  let said: Observation[]
  const trails: Trail[] = []
  beforeAll(async () => {
    database = await createTestDatabase()
    const { hostname, port } = new URL(database.url)
    proxy = await createTcpProxy(hostname, Number(port))
    const through = new URL(database.url)
    through.port = String(proxy.port)
    db = connect({ url: through.href, maxConnections: 2, observe: () => {} })
  })
  afterAll(async () => {
    for (const trail of trails) await trail.stop()
    await db.close()
    proxy.stop()
    await database.drop()
  }, 20_000)

  function start(options: Partial<Parameters<typeof createTrail>[0]> = {}): Trail {
    said = []
    const trail = createTrail({ db, tell: (one) => said.push(one), onFailure: 'continue', retentionDays: 1, now: () => new Date(), nowMs: () => performance.now(), ...options })
    trails.push(trail)
    return trail
  }
  /** Events of somebody who has signed in. */
  const deny = (trail: Trail, name: string, times: number) => {
    for (let n = 0; n < times; n++) trail.observe({ evt: 'inference.denied', sub: 'alice', model: '', reason: `${name} ${n}`, path: '/' })
  }
  const reasons = async (name: string) => (await linesOf(database)).map((line) => String(JSON.parse(line).reason)).filter((reason) => reason.startsWith(`${name} `))
  const numbers = (name: string, upTo: number) => Array.from({ length: upTo }, (_, n) => `${name} ${n}`)

  test('keeps the events and stores them, each once and in order, when it is back', async () => {
    const trail = start()
    deny(trail, 'away', 5)
    await until(() => trail.state().stored === 5)
    proxy.set('refuse')
    deny(trail, 'away-2', 1200)
    await until(() => trail.state().failures > 0)
    expect(trail.isBlocking()).toBe(false)
    expect(said.filter((one) => 'op' in one)[0]).toMatchObject({ op: 'error', message: expect.stringMatching(/^audit trail: database: not reachable .*; \d+ events wait$/) })
    proxy.set('pass')
    await until(() => trail.state().waiting === 0)
    expect(await reasons('away-2')).toEqual(numbers('away-2', 1200))
    expect(trail.state()).toMatchObject({ bytes: 0, lost: 0, stored: 1205, oldestMs: undefined })
    await proved(database)
  }, 20_000)

  test('drops what is beyond its memory, and says in the trail how much that was', async () => {
    const trail = start({ mostBytes: 20_000 })
    proxy.set('refuse')
    deny(trail, 'full', 200)
    const { waiting, lost } = trail.state()
    expect([waiting + lost, waiting < 100, trail.state().bytes <= 20_000]).toEqual([200, true, true])
    expect(said.filter((one) => 'evt' in one)).toHaveLength(200)
    proxy.set('pass')
    await until(() => trail.state().waiting === 0 && said.some((one) => 'evt' in one && one.evt === 'audit.gap'))
    await until(async () => (await linesOf(database)).some((line) => line.includes('audit.gap')))
    expect(await reasons('full')).toEqual(numbers('full', waiting))
    const gap = JSON.parse((await linesOf(database)).at(-1) as string)
    expect(gap).toMatchObject({ evt: 'audit.gap', lost, since: expect.stringMatching(/Z$/), until: expect.stringMatching(/Z$/) })
    await proved(database)
  }, 20_000)

  // T232
  test('blocks, where it is told to, when its memory fills or the database stays away', async () => {
    let nowMs = 0
    const trail = start({ mostBytes: 20_000, onFailure: 'block', patienceMs: 1000, nowMs: () => nowMs })
    proxy.set('refuse')
    deny(trail, 'block', 1)
    expect(trail.isBlocking()).toBe(false)
    nowMs = 1001
    expect(trail.isBlocking()).toBe(true)
    nowMs = 0
    deny(trail, 'block-2', 60)
    expect(trail.isBlocking()).toBe(true)
    proxy.set('pass')
    await until(() => !trail.isBlocking())
    await until(() => trail.state().waiting === 0)
    expect(await reasons('block-2')).toEqual(numbers('block-2', 60))
  }, 20_000)

  // A flood of wrong tokens must neither stop the others nor drive what they did out of the trail.
  test('keeps a quarter of its memory for whoever has not signed in, and blocks nobody for them', async () => {
    const trail = start({ mostBytes: 80_000, onFailure: 'block' })
    proxy.set('refuse')
    for (let n = 0; n < 1000; n++) trail.observe({ evt: 'auth.denied', reason: `flood ${n}`, method: 'GET', path: '/' })
    expect([trail.state().bytes <= 20_000, trail.state().lost > 0, trail.isBlocking()]).toEqual([true, true, false])
    // What they take brings nobody nearer to being blocked.
    deny(trail, 'signed-in', 100)
    expect([trail.state().bytes < 60_000, trail.isBlocking()]).toEqual([true, false])
    proxy.set('pass')
    await until(() => trail.state().waiting === 0)
    expect(await reasons('signed-in')).toEqual(numbers('signed-in', 100))
  }, 20_000)

  test('counts as somebody’s whatever names a person, an administrator or a session', async () => {
    const trail = start({ mostBytes: 20_000 })
    proxy.set('refuse')
    for (let n = 0; n < 12; n++) {
      trail.observe({ evt: 'page.sign_in', outcome: 'signed_in', sub: 'alice', reason: `named ${n}` })
      trail.observe({ evt: 'admin.denied', method: 'GET', path: '/', actor: 'admin-key:read' })
      trail.observe({ evt: 'session.refresh', outcome: 'refused', sid: 's' })
    }
    expect(trail.state()).toMatchObject({ waiting: 36, lost: 0 })
    for (let n = 0; n < 50; n++) trail.observe({ evt: 'session.refresh', outcome: 'refused', reason: `unknown ${n}` })
    expect(trail.state().lost).toBeGreaterThan(20)
    proxy.set('pass')
    await until(() => trail.state().waiting === 0)
    expect(await reasons('named')).toEqual(numbers('named', 12))
  }, 20_000)

  test('does not store twice what it is given twice, even with more behind it', async () => {
    const writer = crypto.randomUUID()
    const records = numbers('twice', 5).map((reason) => auditRecord({ ts: new Date().toISOString(), evt: 'access.denied', reason, path: '/' }))
    await storeEvents(db, { writer, first: 1, records: records.slice(0, 3) }, 5000)
    await Promise.all([storeEvents(db, { writer, first: 1, records: records.slice(0, 3) }, 5000), storeEvents(db, { writer, first: 1, records }, 5000)])
    expect(await reasons('twice')).toEqual(numbers('twice', 5))
    await proved(database)
  })

  test('stores what no database likes: NUL, half a character, a megabyte, line ends, directions', async () => {
    const trail = start()
    const hostile = 'a\0b\ud800c\u2028\u202e\u001b[31m\n{"evt":"x"}'
    trail.observe({ evt: 'auth.denied', reason: hostile, method: 'GET', path: 'x'.repeat(1_000_000), request_id: 'r\0\ud800' })
    trail.observe({ evt: 'session.mint', sid: 's', groups: Array.from({ length: 5000 }, (_, n) => `group ${n}`), expires_in: 1, sub: hostile })
    await until(() => trail.state().waiting === 0)
    expect(trail.state()).toMatchObject({ stored: 2, lost: 0 })
    const lines = (await linesOf(database)).slice(-2)
    for (const line of lines) expect([line.length < 20_000, /[\u0000-\u001f\u007f-\u009f\u2028\u202e]/.test(line)]).toEqual([true, false])
    expect(JSON.parse(lines[0] as string).reason).toBe(hostile)
    await proved(database)
  })

  test('forgets whole days that are over, by retention alone', async () => {
    await database.sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select now() + interval '3 days' $$`)
    const trail = start()
    deny(trail, 'later', 3)
    await until(() => trail.state().waiting === 0)
    const now = new Date(Date.now() + 3 * 86_400_000)
    expect(await proved(database, { now })).toBeGreaterThan(1000)
    while ((await forgetEvents(db, { days: 1, most: 700 })) > 0);
    expect(await proved(database, { retentionDays: 1, now })).toBe(3)
    expect(await reasons('later')).toEqual(numbers('later', 3))
  })
})

describe('a gateway that must not go on without its trail', () => {
  test('refuses requests of signed-in people while the database takes no events for long, and serves them again', async () => {
    let skippedMs = 0
    const world = await startWorld({ config: { audit: { store: true, on_failure: 'block' } }, nowMs: () => performance.now() + skippedMs })
    try {
      const alice = await world.signIn('alice')
      await world.database.sql.unsafe(`create function test_refuse() returns trigger language plpgsql as $$ begin raise exception 'no audit today'; end $$;
        create trigger test_refuse before insert on audit_event for each row execute function test_refuse()`)
      expect((await world.gateway.get('/v1/models', 'not-a-token')).status).toBe(401)
      expect((await world.gateway.post('/v1/messages', ASK, alice.access_token)).status).toBe(200)
      skippedMs = 31_000
      const refused = await world.gateway.post('/v1/messages', ASK, alice.access_token)
      expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([503, '5', expect.objectContaining({ error: { type: 'api_error', message: 'audit trail unavailable; try again' } })])
      expect((await world.gateway.get('/v1/models', 'not-a-token')).status).toBe(401)
      expect((await world.gateway.get('/healthz')).status).toBe(200)
      await world.database.sql.unsafe('drop trigger test_refuse on audit_event')
      await until(async () => (await world.gateway.post('/v1/messages', ASK, alice.access_token)).status === 200)
    } finally {
      await world.stop()
    }
  }, 30_000)
})
