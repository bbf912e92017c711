// RFC 8628, OAuth 2.0 Device Authorization Grant. Names cite clauses; the deviations are those of the client's contract.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { DEVICE_CODE } from '../support/gateway.ts'
import { PUBLIC_URL, startEvilWorld, type Device, type EvilWorld } from '../support/evil-world.ts'

let world: EvilWorld
beforeAll(async () => {
  world = await startEvilWorld()
})
afterAll(() => world.stop())

const send = (path: string, init: RequestInit) => fetch(world.gateway.url + path, init)
const errorOf = async (response: Response) => `${response.status} ${((await response.json()) as { error: string }).error}`
const countOf = async (table: string) => (await world.database.sql`select count(*)::int as count from ${world.database.sql(table)}`)[0]?.count as number
const polled = async (device: Device) => errorOf(await world.poll(device))

describe('§3.1 device authorization request', () => {
  test('needs no client_id and no scope, and ignores what it does not know', async () => {
    for (const form of [{}, { surface: 'claude_code' }, { client_id: 'any', scope: 'admin openid', login_hint: 'x' }]) {
      expect((await world.gateway.form('/oauth/device_authorization', form)).status).toBe(200)
    }
    expect((await send('/oauth/device_authorization', { method: 'POST' })).status).toBe(200)
  })

  // T055
  test.each<[string, RequestInit]>([
    ['JSON', { body: '{"surface":"claude_code"}', headers: { 'content-type': 'application/json' } }],
    ['plain text', { body: 'surface=claude_code', headers: { 'content-type': 'text/plain' } }],
    ['a repeated parameter', { body: 'client_id=a&client_id=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['ten thousand parameters', { body: 'a=1&'.repeat(10_000), headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  ])('refuses %s and stores nothing', async (_, init) => {
    const before = await countOf('device_grant')
    const response = await send('/oauth/device_authorization', { method: 'POST', ...init })
    expect(response.status).toBeOneOf([400, 413])
    expect(await response.json()).toMatchObject({ error: 'invalid_request' })
    expect(await countOf('device_grant')).toBe(before)
  })

  test('is a POST', async () => {
    const before = await countOf('device_grant')
    expect((await send('/oauth/device_authorization', { method: 'GET' })).ok).toBe(false)
    expect(await countOf('device_grant')).toBe(before)
  })

  // T083
  test('is not for scripts of other sites', async () => {
    const preflight = await send('/oauth/device_authorization', { method: 'OPTIONS', headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' } })
    const request = await send('/oauth/device_authorization', { method: 'POST', body: new URLSearchParams({ surface: 'x' }), headers: { origin: 'https://evil.example' } })
    for (const { headers } of [preflight, request]) expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('§3.2 device authorization response', () => {
  // T053
  test('carries exactly what the client reads, and is not cached', async () => {
    const response = await world.gateway.form('/oauth/device_authorization', { surface: 'claude_code' })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('content-type')).toStartWith('application/json')
    const device = (await response.json()) as Device
    expect(device).toEqual({
      device_code: expect.stringMatching(/^[\w-]{43}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKMNPQRSTVWXYZ]{4}-[BCDFGHJKMNPQRSTVWXYZ]{4}$/),
      verification_uri: `${PUBLIC_URL}/device`,
      verification_uri_complete: `${PUBLIC_URL}/device?user_code=${device.user_code}`,
      expires_in: 600,
      interval: 5,
    })
  })

  // T054
  test('names the configured origin, whatever Host and forwarding headers say', async () => {
    for (const headers of [{ host: 'evil.example' }, { 'x-forwarded-host': 'evil.example' }, { forwarded: 'host=evil.example' }, { 'x-forwarded-proto': 'http' }]) {
      const response = await send('/oauth/device_authorization', { method: 'POST', body: new URLSearchParams({}), headers: headers as Record<string, string> })
      if (response.status === 200) expect(((await response.json()) as Device).verification_uri).toBe(`${PUBLIC_URL}/device`)
      else expect([400, 421]).toContain(response.status)
    }
  })
})

describe('§3.4 device access token request', () => {
  test.each<[string, RequestInit, string]>([
    ['without a device_code', { body: new URLSearchParams({ grant_type: DEVICE_CODE }) }, '400 invalid_request'],
    ['with an empty device_code', { body: new URLSearchParams({ grant_type: DEVICE_CODE, device_code: '' }) }, '400 invalid_request'],
    ['with two device_codes', { body: new URLSearchParams([['grant_type', DEVICE_CODE], ['device_code', 'a'], ['device_code', 'b']]) }, '400 invalid_request'],
    ['without a grant_type', { body: new URLSearchParams({ device_code: 'a' }) }, '400 invalid_request'],
    ['with two grant_types', { body: new URLSearchParams([['grant_type', DEVICE_CODE], ['grant_type', 'refresh_token']]) }, '400 invalid_request'],
    ['as JSON', { body: JSON.stringify({ grant_type: DEVICE_CODE, device_code: 'a' }), headers: { 'content-type': 'application/json' } }, '400 invalid_request'],
    ['without a body', { body: null }, '400 invalid_request'],
    ['for a password', { body: new URLSearchParams({ grant_type: 'password', username: 'a', password: 'b' }) }, '400 unsupported_grant_type'],
    ['for client credentials', { body: new URLSearchParams({ grant_type: 'client_credentials' }) }, '400 unsupported_grant_type'],
    ['for an authorization code', { body: new URLSearchParams({ grant_type: 'authorization_code', code: 'a' }) }, '400 unsupported_grant_type'],
    ['for a grant in other letters', { body: new URLSearchParams({ grant_type: DEVICE_CODE.toUpperCase(), device_code: 'a' }) }, '400 unsupported_grant_type'],
    ['with a device_code of nobody', { body: new URLSearchParams({ grant_type: DEVICE_CODE, device_code: 'a'.repeat(43) }) }, '400 expired_token'],
    ['with NUL for a device_code', { body: new URLSearchParams({ grant_type: DEVICE_CODE, device_code: '\0' }) }, '400 expired_token'],
  ])('%s is refused', async (_, init, expected) => {
    const response = await send('/oauth/token', { method: 'POST', ...init })
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await errorOf(response)).toBe(expected)
  })

  // T081
  test('does not take a device code for another kind of token, and the other way round', async () => {
    const device = await world.begin()
    const { refresh_token, access_token } = await world.signIn()
    expect(await errorOf(await world.refresh(device.device_code))).toBe('401 invalid_grant')
    for (const device_code of [refresh_token, access_token, device.user_code]) expect(await polled({ ...device, device_code })).toBe('400 expired_token')
  })
})

describe('§3.5 device access token response', () => {
  // T057
  test('is authorization_pending until the person decides', async () => {
    const device = await world.begin()
    for (let n = 0; n < 3; n++) {
      expect(await polled(device)).toBe('400 authorization_pending')
      await world.wait(device, 5)
    }
  })

  test('is slow_down for a poll within the interval, which grows by five seconds for all later polls', async () => {
    const device = await world.begin()
    expect(await polled(device)).toBe('400 authorization_pending')
    expect(await polled(device)).toBe('429 slow_down')
    await world.wait(device, 6)
    expect(await polled(device)).toBe('429 slow_down')
    await world.wait(device, 11)
    expect(await polled(device)).toBe('429 slow_down')
    await world.wait(device, 20)
    expect(await polled(device)).toBe('400 authorization_pending')
    await world.wait(device, 15)
    expect(await polled(device)).toBe('429 slow_down')
  })

  test('allows for clocks and networks: a poll a little early is on time', async () => {
    const device = await world.begin()
    await world.poll(device)
    await world.wait(device, 4.6)
    expect(await polled(device)).toBe('400 authorization_pending')
    await world.wait(device, 4)
    expect(await polled(device)).toBe('429 slow_down')
  })

  test('gives an approved code out even to a poll that came too soon', async () => {
    const device = await world.begin()
    await world.poll(device)
    await world.approve(device.user_code)
    expect((await world.poll(device)).status).toBe(200)
  })

  test('is a token of RFC 6749 §5.1, with the address to confirm', async () => {
    const device = await world.begin()
    await world.approve(device.user_code)
    const response = await world.poll(device)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('pragma')).toBe('no-cache')
    expect(await response.json()).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: expect.stringMatching(/^ghr_[\w-]{43}$/),
      email: 'alice@corp.example',
    })
  })

  // T061
  test('is expired_token for a code that was used, and gives nothing a second time', async () => {
    const device = await world.begin()
    await world.approve(device.user_code)
    await world.poll(device)
    const sessions = await countOf('session')
    for (let n = 0; n < 2; n++) expect(await polled(device)).toBe('400 expired_token')
    expect(await countOf('session')).toBe(sessions)
  })

  // T059
  test('is expired_token after expires_in, whether the code was approved or not, and no session is born', async () => {
    const [pending, approved] = [await world.begin(), await world.begin()]
    await world.approve(approved.user_code)
    const sessions = await countOf('session')
    for (const device of [pending, approved]) {
      await world.wait(device, 601)
      for (let n = 0; n < 2; n++) expect(await polled(device)).toBe('400 expired_token')
    }
    expect(await countOf('session')).toBe(sessions)
  })

  // T060
  test('is access_denied for good once the person denied', async () => {
    const device = await world.begin()
    await world.press(device.user_code, { path: '/device/deny' })
    for (let n = 0; n < 2; n++) expect(await polled(device)).toBe('400 access_denied')
    await world.wait(device, 601)
    expect(await polled(device)).toBe('400 access_denied')
  })
})

describe('§6.1 user code', () => {
  test('is taken in lower case, without its dash and with blanks', async () => {
    for (const spell of [(code: string) => code.toLowerCase(), (code: string) => code.replace('-', ''), (code: string) => ` ${code.replace('-', ' ')} `]) {
      const { user_code } = await world.begin()
      expect((await world.press(spell(user_code))).status).toBe(303)
    }
  })
})
