// Sign-in while PostgreSQL crashes, while an answer of it is lost, and while it lets everybody wait.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import { claimsOf, startEvilWorld, type EvilWorld } from '../support/evil-world.ts'
import type { TestGateway, Tokens } from '../support/gateway.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const ask = { model: 'claude-sonnet-5', max_tokens: 10, messages: [] }

describe('a PostgreSQL that crashes while people refresh', () => {
  const CRASHES = 4
  const PEOPLE = 6
  let server: PostgresServer
  let world: EvilWorld
  let people: Tokens[]
  beforeAll(async () => {
    server = await startPostgres()
    world = await startEvilWorld({ config: { store: { postgres_url: server.url } } })
    people = await Promise.all(Array.from({ length: PEOPLE }, () => world.signIn()))
  })
  afterAll(async () => {
    await world.stop()
    await server.stop()
  })

  /** Kills a backend as the kernel would; the server then drops every connection and recovers from its log. */
  async function crash(): Promise<void> {
    const dropped = Promise.withResolvers<void>()
    const sql = postgres(server.url, { max: 1, onnotice: () => {}, onclose: () => dropped.resolve() })
    const [row] = await sql`select pid from pg_stat_activity where application_name = 'gatehouse' limit 1`
    process.kill(row?.pid as number, 'SIGKILL')
    await dropped.promise
    await sql.end({ timeout: 1 })
  }

  /** What the store answers as soon as it has recovered. */
  async function atTheStore(statement: string) {
    for (;;) {
      const sql = postgres(server.url, { max: 1, onnotice: () => {} })
      const rows = await sql.unsafe(statement).catch(() => undefined)
      await sql.end({ timeout: 1 })
      if (rows !== undefined) return [...rows]
    }
  }

  /** Asks again while the gateway says that it cannot tell. */
  async function refresh(tokens: Tokens): Promise<Tokens> {
    for (;;) {
      const response = await world.refresh(tokens.refresh_token)
      if (response.status === 200) return (await response.json()) as Tokens
      expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('temporarily_unavailable')])
    }
  }

  // T276
  test('costs nobody the sign-in, forks none, and takes no answer from those who are signed in', async () => {
    const sids = people.map(({ access_token }) => claimsOf(access_token).sid)
    for (let n = 0; n < CRASHES; n++) {
      const over = Promise.withResolvers<void>()
      const asked = Promise.withResolvers<void>()
      let refreshing = 0
      // One half is answered before the crash and one after it.
      world.idp.faults.tokenResponse = async (document) => {
        if (++refreshing === PEOPLE) asked.resolve()
        if (refreshing % 2 === 0) await over.promise
        return document
      }
      const answers = people.map((tokens) => world.refresh(tokens.refresh_token))
      await asked.promise
      await crash()
      const messages = await Promise.all(people.map(({ access_token }) => world.gateway.post('/v1/messages', ask, access_token)))
      expect(messages.map(({ status }) => status)).toEqual(Array(PEOPLE).fill(200))
      over.resolve()
      world.idp.faults = {}
      for (const answer of await Promise.all(answers)) expect([200, 503]).toContain(answer.status)
      // Nobody has kept what came then: everybody presents the old token again, once those who asked count as dead.
      await atTheStore('update refresh_token set claimed_until = now()')
      people = await Promise.all(people.map(refresh))
    }
    expect(people.map(({ access_token }) => claimsOf(access_token).sid)).toEqual(sids)
    expect(await atTheStore('select count(*)::int as unused from refresh_token where used_at is null group by sid')).toEqual(Array(PEOPLE).fill({ unused: 1 }))
  }, 60_000)
})

describe('a replica behind a bad network', () => {
  let world: EvilWorld
  let proxy: TcpProxy
  let subject: TestGateway
  beforeAll(async () => {
    world = await startEvilWorld()
    const through = new URL(world.database.url)
    proxy = await createTcpProxy(through.hostname, Number(through.port))
    through.port = String(proxy.port)
    // One connection, so that it knows the statements of a refresh after the first: then they are one message each.
    subject = await world.replica({ store: { postgres_url: through.href, max_connections: 1 } })
  })
  afterAll(async () => {
    await world.stop()
    proxy.stop()
  })

  // T278
  test('gives the token again that was stored although nobody heard of it', async () => {
    const before = await world.signIn()
    const tokens = (await (await world.refresh(before.refresh_token, subject)).json()) as Tokens
    const asked = world.idp.count('/token')
    world.idp.faults.tokenResponse = (document) => {
      proxy.set('mute')
      return document
    }
    expect((await world.refresh(tokens.refresh_token, subject)).status).toBe(503)
    world.idp.faults = {}
    proxy.set('pass')
    const sid = claimsOf(tokens.access_token).sid as string
    const rows = await world.database.sql`select used_at is not null as used from refresh_token where sid = ${sid} order by created_at`
    expect([...rows]).toEqual([{ used: true }, { used: true }, { used: false }])
    const again = await world.refresh(tokens.refresh_token, subject)
    expect(again.status).toBe(200)
    expect(world.idp.count('/token')).toBe(asked + 1)
    expect((await world.refresh(((await again.json()) as Tokens).refresh_token, subject)).status).toBe(200)
  }, 60_000)
})

describe('a table that is locked', () => {
  // T279
  test('makes sign-ins fail in time, leaves signed-in people alone, and is forgotten when it opens', async () => {
    const world = await startEvilWorld()
    const { access_token } = await world.signIn()
    await world.database.sql.begin(async (held) => {
      await held`lock table device_grant in access exclusive mode`
      const begun = Array.from({ length: 200 }, () => world.gateway.form('/oauth/device_authorization', {}))
      expect((await world.gateway.post('/v1/messages', ask, access_token)).status).toBe(200)
      expect((await world.gateway.get('/healthz')).status).toBe(200)
      const answers = await Promise.all(begun)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
    })
    expect((await world.begin()).user_code).toMatch(/^\w{4}-\w{4}$/)
    await world.stop()
  }, 60_000)
})
