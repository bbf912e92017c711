// RFC 7009, OAuth 2.0 Token Revocation, without client authentication: whoever holds a token may end its sign-in.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Tokens } from '../support/gateway.ts'
import { claimsOf, startEvilWorld, type EvilWorld } from '../support/evil-world.ts'

let world: EvilWorld
beforeAll(async () => {
  world = await startEvilWorld()
})
afterAll(() => world.stop())

const revoke = (form: Record<string, string>) => world.gateway.form('/oauth/revoke', form)
const isServed = async ({ access_token }: Tokens) => (await world.gateway.get('/v1/models', access_token)).status === 200

describe('§2.1 a revocation', () => {
  test.each<[string, (tokens: Tokens) => Record<string, string>]>([
    ['the bearer', ({ access_token }) => ({ token: access_token })],
    ['the bearer with a wrong hint', ({ access_token }) => ({ token: access_token, token_type_hint: 'refresh_token' })],
    ['the refresh token', ({ refresh_token }) => ({ token: refresh_token })],
    ['the refresh token with its hint', ({ refresh_token }) => ({ token: refresh_token, token_type_hint: 'refresh_token' })],
    ['the refresh token with a hint nobody knows', ({ refresh_token }) => ({ token: refresh_token, token_type_hint: 'magic' })],
  ])('by %s ends the whole sign-in at once, and is on record', async (_, form) => {
    const tokens = await world.signIn()
    expect(await isServed(tokens)).toBe(true)
    const response = await revoke(form(tokens))
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
    const refused = await world.gateway.get('/v1/models', tokens.access_token)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('x-should-retry')).toBe('false')
    expect(await (await world.refresh(tokens.refresh_token)).json()).toMatchObject({ error: 'invalid_grant' })
    const { sid } = claimsOf(tokens.access_token)
    expect(await world.gateway.saw('session.revoke', (event) => event.sid === sid)).toMatchObject({ by: 'token_holder', sub: 'alice' })
    expect(await world.database.sql`select idp_refresh_token from session where sid = ${sid as string}`).toEqual([{ idp_refresh_token: null }] as never)
  })

  test('by a token that was replaced ends the sign-in, too', async () => {
    const first = await world.signIn()
    const second = (await (await world.refresh(first.refresh_token)).json()) as Tokens
    await revoke({ token: first.refresh_token, token_type_hint: 'refresh_token' })
    expect(await isServed(second)).toBe(false)
  })

  test('leaves other sign-ins of the same person alone', async () => {
    const [one, other] = [await world.signIn(), await world.signIn()]
    await revoke({ token: one.refresh_token })
    expect(await isServed(one)).toBe(false)
    expect(await isServed(other)).toBe(true)
  })
})

describe('§2.2 the answer', () => {
  test('is 200 whatever the token is, and ends nothing', async () => {
    const tokens = await world.signIn()
    const [head, , signature] = tokens.access_token.split('.')
    const forged = `${head}.${Buffer.from(JSON.stringify(claimsOf(tokens.access_token)).replace('alice', 'mallory')).toString('base64url')}.${signature}`
    for (const token of ['', 'x', `ghr_${'a'.repeat(43)}`, `${tokens.access_token}x`, forged, '\0', 'y'.repeat(20_000)]) {
      expect((await revoke({ token })).status).toBe(200)
    }
    expect((await revoke({})).status).toBe(200)
    const again = await world.signIn()
    for (let n = 0; n < 2; n++) expect((await revoke({ token: again.refresh_token })).status).toBe(200)
    expect(await isServed(tokens)).toBe(true)
  })
})
