// Staying signed in: the refresh grant, its rotation, and how a sign-in ends.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from '../../src/db/connect.ts'
import { createOpaqueToken, hashToken } from '../../src/oauth/codes.ts'
import { createRefresher } from '../../src/oauth/refresh.ts'
import { sweepOnce } from '../../src/oauth/sweep.ts'
import type { RefreshOutcome, RelyingParty } from '../../src/oidc/relying-party.ts'
import type { Revocations } from '../../src/session/revocations.ts'
import { createSealer } from '../../src/session/seal.ts'
import { Secret } from '../../src/std/secret.ts'
import type { TestGateway, Tokens } from '../support/gateway.ts'
import { claimsOf, startEvilWorld, type EvilWorld } from '../support/evil-world.ts'

let world: EvilWorld
let replica: TestGateway
beforeAll(async () => {
  world = await startEvilWorld()
  replica = await world.replica()
})
afterAll(() => world.stop())

const errorOf = async (response: Response) => ({ status: response.status, ...((await response.json()) as { error: string }) })
const tokensOf = async (response: Response) => {
  expect(response.status).toBe(200)
  return (await response.json()) as Tokens
}
const sidOf = ({ access_token }: Tokens) => claimsOf(access_token).sid as string
const rowsOf = (tokens: Tokens) => world.database.sql`select token_hash, used_at, successor from refresh_token where sid = ${sidOf(tokens)}`
const isServed = async ({ access_token }: Tokens, at = world.gateway) => (await at.get('/v1/models', access_token)).status === 200
/** Lets time pass since a token was used. */
const age = (refreshToken: string, seconds: number) =>
  world.database.sql`update refresh_token set used_at = used_at - make_interval(secs => ${seconds}) where token_hash = ${hashToken(refreshToken)}`

async function withFaults<value>(faults: EvilWorld['idp']['faults'], work: () => Promise<value>): Promise<value> {
  world.idp.faults = faults
  try {
    return await work()
  } finally {
    world.idp.faults = {}
  }
}

describe('a refresh', () => {
  // T111
  test('gives a new bearer and a new refresh token of the same sign-in', async () => {
    const first = await world.signIn()
    const response = await world.refresh(first.refresh_token)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const second = await tokensOf(response)
    expect(second).toMatchObject({ token_type: 'Bearer', expires_in: 3600, email: 'alice@corp.example' })
    expect(second.refresh_token).toMatch(/^ghr_[\w-]{43}$/)
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(sidOf(second)).toBe(sidOf(first))
    expect(claimsOf(second.access_token).jti).not.toBe(claimsOf(first.access_token).jti)
    expect(await isServed(second)).toBe(true)
    expect(await world.gateway.saw('session.refresh', (event) => event.sid === sidOf(first))).toMatchObject({ outcome: 'refreshed', sub: 'alice', client_ip: '127.0.0.1' })
  })

  // T115, T041
  test('says what the provider says now, not what it said at sign-in', async () => {
    const first = await world.signIn()
    world.idp.userinfo = { ...world.idp.userinfo, groups: ['finance'] }
    const second = await tokensOf(await world.refresh(first.refresh_token))
    world.idp.userinfo = { ...world.idp.userinfo, groups: ['staff'] }
    expect(claimsOf(first.access_token).groups).toEqual(['staff'])
    expect(claimsOf(second.access_token).groups).toEqual(['finance'])
  })

  // T113, T114
  test('answers the same successor to whoever presents the token again within the overlap', async () => {
    const first = await world.signIn()
    const asked = world.idp.count('/token')
    const answers = [await tokensOf(await world.refresh(first.refresh_token)), await tokensOf(await world.refresh(first.refresh_token, replica))]
    await age(first.refresh_token, 110)
    answers.push(await tokensOf(await world.refresh(first.refresh_token)))
    expect(new Set(answers.map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect(world.idp.count('/token')).toBe(asked + 1)
    expect(await rowsOf(first)).toHaveLength(2)
    for (const answer of answers) expect(await isServed(answer)).toBe(true)
    await tokensOf(await world.refresh(answers[0]?.refresh_token as string))
  })

  // T113
  test('makes one successor of twenty presentations at once over two replicas, and asks the provider once', async () => {
    const first = await world.signIn()
    const asked = world.idp.count('/token')
    const slow = { tokenResponse: async (document: object) => (await Bun.sleep(150), document) }
    const answers = await withFaults(slow, () =>
      Promise.all(Array.from({ length: 20 }, async (_, n) => tokensOf(await world.refresh(first.refresh_token, n % 2 === 0 ? world.gateway : replica)))),
    )
    expect(new Set(answers.map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect(world.idp.count('/token')).toBe(asked + 1)
    expect(await rowsOf(first)).toHaveLength(2)
  })

  // T111
  test('of a token that was used before the overlap ends the sign-in for everybody who holds a part of it', async () => {
    const first = await world.signIn()
    const second = await tokensOf(await world.refresh(first.refresh_token))
    await age(first.refresh_token, 121)
    expect(await errorOf(await world.refresh(first.refresh_token))).toMatchObject({ status: 401, error: 'invalid_grant' })
    expect(await world.gateway.saw('session.revoke', (event) => event.sid === sidOf(first))).toMatchObject({ by: 'reuse', sub: 'alice', client_ip: '127.0.0.1' })
    expect(await errorOf(await world.refresh(second.refresh_token))).toMatchObject({ status: 401, error: 'invalid_grant' })
    for (const tokens of [first, second]) {
      const refused = await world.gateway.get('/v1/models', tokens.access_token)
      expect(refused.status).toBe(401)
      expect(refused.headers.get('x-should-retry')).toBe('false')
    }
  })

  test('of a used token that was swept counts as reuse, too', async () => {
    const first = await world.signIn()
    await tokensOf(await world.refresh(first.refresh_token))
    await age(first.refresh_token, 121)
    await sweep()
    expect(await errorOf(await world.refresh(first.refresh_token))).toMatchObject({ status: 401, error: 'invalid_grant' })
    expect(await world.gateway.saw('session.revoke', (event) => event.sid === sidOf(first))).toMatchObject({ by: 'reuse' })
  })

  // T110
  test('is refused when the provider refuses; the running bearer goes on, and so does the token once the person is let in again', async () => {
    const first = await world.signIn()
    const refusing = { tokenResponse: () => Response.json({ error: 'invalid_grant' }, { status: 400 }) }
    await withFaults(refusing, async () => {
      for (let n = 0; n < 2; n++) expect(await errorOf(await world.refresh(first.refresh_token))).toMatchObject({ status: 401, error: 'invalid_grant' })
    })
    expect(await world.gateway.saw('session.refresh', (event) => event.sid === sidOf(first))).toMatchObject({ outcome: 'refused', reason: 'grant_refused' })
    expect(await isServed(first)).toBe(true)
    expect(await tokensOf(await world.refresh(first.refresh_token))).toBeDefined()
  })

  test('is refused when the allow-lists admit the person no longer', async () => {
    const first = await world.signIn()
    world.idp.person = { ...world.idp.person, email: 'alice@elsewhere.example' }
    expect(await errorOf(await world.refresh(first.refresh_token))).toMatchObject({ status: 401, error: 'invalid_grant' })
    world.idp.person = { ...world.idp.person, email: 'alice@corp.example' }
    expect(await world.gateway.saw('session.refresh', (event) => event.sid === sidOf(first))).toMatchObject({ outcome: 'refused', reason: 'email_domain' })
  })

  test.each([
    ['answers 500', { tokenResponse: () => new Response('oops', { status: 500 }) }],
    ['answers 429', { tokenResponse: () => new Response('slow', { status: 429 }) }],
    ['answers something else', { tokenResponse: () => new Response('<html>') }],
  ])('is put off, not refused, when the provider %s', async (_, faults) => {
    const first = await world.signIn()
    const response = await withFaults(faults, () => world.refresh(first.refresh_token))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(await isServed(first)).toBe(true)
    expect(await tokensOf(await world.refresh(first.refresh_token))).toBeDefined()
  })

  // A provider that rotates has already done so when something after it fails.
  test('keeps the provider’s new refresh token when userinfo fails after it was given', async () => {
    const first = await world.signIn()
    let generation = 0
    const rotating = {
      tokenResponse: (document: object, form: URLSearchParams) => {
        const expected = generation === 0 ? 'refresh-token-canary' : `generation-${generation}`
        if (form.get('refresh_token') !== expected) return Response.json({ error: 'invalid_grant' }, { status: 400 })
        return { ...document, refresh_token: `generation-${++generation}` }
      },
    }
    const failed = await withFaults({ ...rotating, userinfo: () => new Response(null, { status: 503 }) }, () => world.refresh(first.refresh_token))
    expect(failed.status).toBe(503)
    const second = await withFaults(rotating, async () => tokensOf(await world.refresh(first.refresh_token)))
    await withFaults(rotating, async () => tokensOf(await world.refresh(second.refresh_token)))
    expect(generation).toBe(3)
  })

  test('is refused at the age of session.max_hours', async () => {
    const first = await world.signIn()
    await world.database.sql`update session set created_at = created_at - interval '721 hours' where sid = ${sidOf(first)}`
    const asked = world.idp.count('/token')
    expect(await errorOf(await world.refresh(first.refresh_token))).toMatchObject({ status: 401, error: 'invalid_grant' })
    expect(world.idp.count('/token')).toBe(asked)
    expect(await world.gateway.saw('session.refresh', (event) => event.sid === sidOf(first))).toMatchObject({ reason: 'too_old' })
  })

  // T081
  test('is refused for a token of nobody, a device code, a bearer or the provider’s own token', async () => {
    const first = await world.signIn()
    const device = await world.begin()
    for (const token of ['ghr_', `ghr_${'a'.repeat(43)}`, device.device_code, first.access_token, 'refresh-token-canary', 'x'.repeat(50_000), '\0']) {
      expect(await errorOf(await world.refresh(token))).toMatchObject({ status: 401, error: 'invalid_grant' })
    }
    expect(await errorOf(await world.gateway.form('/oauth/token', { grant_type: 'refresh_token' }))).toMatchObject({ status: 400, error: 'invalid_request' })
  })

  test('is not offered where the provider gives no refresh token', async () => {
    const tokens = await withFaults({ tokenResponse: ({ refresh_token: _, ...document }) => document }, () => world.signIn())
    expect(tokens).not.toHaveProperty('refresh_token')
    expect(await rowsOf(tokens)).toHaveLength(0)
  })

  test('goes to the replica that is alive when the one that asked the provider died', async () => {
    const first = await world.signIn()
    await world.database.sql`update refresh_token set claimed_until = now() + interval '300 milliseconds' where token_hash = ${hashToken(first.refresh_token)}`
    expect(await tokensOf(await world.refresh(first.refresh_token))).toBeDefined()
  })
})

// The refresher itself, with a provider that answers when the test lets it.
describe('a slow provider', () => {
  const context = { requestId: 'r', clientIp: '::1', principal: undefined, receivedAt: 0, receivedMs: 0, idleLimit: { lift() {}, restore() {} } }
  const identity = { issuer: 'https://idp.example', sub: 'carol', email: undefined, name: undefined, groups: [] }

  async function setup({ waitMs = 100 } = {}) {
    const { sql } = world.database
    const db = connect({ url: world.database.url, maxConnections: 2, observe: () => {} })
    const sealer = createSealer([new Secret('a-secret-of-a-test-with-thirty-two-bytes')])
    const [sid, token] = [crypto.randomUUID(), createOpaqueToken('ghr_')]
    await sql`insert into session (sid, issuer, sub, groups, idp_refresh_token) values (${sid}, 'https://idp.example', 'carol', '[]', ${sealer.seal('idp-token', 'idp_refresh_token')})`
    await sql`insert into refresh_token (token_hash, sid) values (${hashToken(token)}, ${sid})`
    const answer = Promise.withResolvers<RefreshOutcome>()
    const asked: string[] = []
    const isAsked = Promise.withResolvers<void>()
    const relyingParty = {
      refresh: (idpToken: string) => {
        asked.push(idpToken)
        isAsked.resolve()
        return answer.promise
      },
    } as unknown as RelyingParty
    const revocations = { add() {} } as unknown as Revocations
    const refresh = createRefresher({ db, sealer, relyingParty, revocations, tell: () => {}, debug: () => {}, now: () => new Date(), session: { max_hours: 1 } }, waitMs)
    return { db, sid, asked, isAsked: isAsked.promise, answer, present: () => refresh(token, context) }
  }

  test('is waited for as long as a client waits; what it says at last is there for the next try', async () => {
    const { db, sid, asked, answer, present } = await setup()
    expect(await Promise.all([present(), present()])).toEqual([{ ok: false, unavailable: true, reason: 'busy' }, { ok: false, unavailable: true, reason: 'busy' }])
    answer.resolve({ ok: true, identity, idpRefreshToken: 'next-idp-token' })
    expect(await present()).toMatchObject({ ok: true, sid, refreshToken: expect.stringMatching(/^ghr_/) })
    expect(asked).toEqual(['idp-token'])
    await db.close()
  })

  test('gives nothing to a sign-in that was revoked while it thought', async () => {
    // Longer than any statement takes: who has waited for too long would share the outcome with the next one.
    const { db, sid, isAsked, answer, present } = await setup({ waitMs: 20_000 })
    const presented = present()
    await isAsked
    await world.database.sql`update session set revoked_at = now() where sid = ${sid}`
    answer.resolve({ ok: true, identity, idpRefreshToken: undefined })
    expect(await presented).toMatchObject({ ok: false })
    expect(await present()).toMatchObject({ ok: false, unavailable: false, reason: 'revoked' })
    expect(await world.database.sql`select from refresh_token where sid = ${sid}`).toHaveLength(1)
    await db.close()
  })
})

describe('a sweep', () => {
  test('forgets successors after the overlap and what has ended, and keeps what is alive', async () => {
    const [alive, ended, rotated] = [await world.signIn(), await world.signIn(), await world.signIn()]
    await tokensOf(await world.refresh(rotated.refresh_token))
    const [old, open] = [await world.begin(), await world.begin()]
    await world.leave(old.user_code)
    await world.wait(old, 600 + 3601)
    await world.database.sql`update session set created_at = created_at - interval '33 days', refreshed_at = refreshed_at - interval '33 days' where sid = ${sidOf(ended)}`
    await sweep()
    expect(await rowsOf(ended)).toHaveLength(0)
    expect(await rowsOf(alive)).toHaveLength(1)
    expect((await rowsOf(rotated)).filter(({ successor }) => successor !== null)).toHaveLength(1)
    await age(rotated.refresh_token, 121)
    await sweep()
    expect((await rowsOf(rotated)).filter(({ successor }) => successor !== null)).toHaveLength(0)
    const grants = await world.database.sql`select user_code from device_grant`
    expect(grants.map(({ user_code }) => user_code)).not.toContain(old.user_code.replace('-', ''))
    expect(grants.map(({ user_code }) => user_code)).toContain(open.user_code.replace('-', ''))
    expect(await world.database.sql`select from sign_in_attempt where device_code_hash = ${hashToken(old.device_code)}`).toHaveLength(0)
  })
})

async function sweep(): Promise<void> {
  const db = connect({ url: world.database.url, maxConnections: 1, observe: () => {} })
  await sweepOnce(db, 720)
  await db.close()
}
