// Sign-in as the client and the browser of a person see it: the device grant in front of OpenID Connect.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { approve, createBrowser } from '../support/browser.ts'
import { DEVICE_CODE } from '../support/gateway.ts'
import { decodeToken, errorOf, SECRET, sameOriginForm, signToken, startContractWorld, walkToCallback, type ContractWorld } from './contract-world.ts'

const LETTERS = 'BCDFGHJKMNPQRSTVWXYZ'
const OIDC = { allowed_email_domains: ['example.com'], allowed_groups: ['engineering', 'staff'], form_action_origins: ['https://sso.example.com'] }

let world: ContractWorld
beforeAll(async () => {
  world = await startContractWorld({ oidc: OIDC })
})
afterAll(() => world.stop())

const press = (init: RequestInit, path = '/device') => fetch(world.url + path, { redirect: 'manual', ...init })
const pressed = (user_code: string, headers: Record<string, string>) => press({ method: 'POST', body: new URLSearchParams({ user_code }), headers })
const claims = (sub: string, values: Record<string, unknown>) => world.installation.idp.setClaims(sub, values)
const usable = async (token: string) => (await world.get('/v1/models', token)).status

/** Signs in up to the page and polls once. */
async function signInWith(login: string, values: Record<string, unknown>) {
  claims(login, values)
  const device = await world.begin()
  const page = await approve(createBrowser(), `${world.url}/device`, device.user_code, login)
  return { device, page, polled: await world.poll(device) }
}

describe('POST /oauth/device_authorization', () => {
  test('answers 200 with the codes, the addresses, expires_in 600 and interval 5, never stored', async () => {
    const response = await world.form('/oauth/device_authorization', { surface: 'claude_code' })
    const body = (await response.json()) as Record<string, unknown>
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toContain('no-store')
    expect(body).toMatchObject({ expires_in: 600, interval: 5, verification_uri: `${world.url}/device` })
    expect(String(body.verification_uri_complete)).toStartWith(`${world.url}/device?user_code=`)
    expect(body.verification_uri_complete).toContain(body.user_code as string)
  })

  test('ignores the unknown and needs neither client_id nor scope nor a body', async () => {
    expect((await world.form('/oauth/device_authorization', { surface: 'of_tomorrow', client_id: 'x', scope: 'y', more: 'z' })).status).toBe(200)
    expect((await world.form('/oauth/device_authorization?beta=true', {})).status).toBe(200)
  })

  test('makes a device_code of at least 256 bits and a user_code of 8 of the 20 letters, shown XXXX-XXXX', async () => {
    const devices = await Promise.all(Array.from({ length: 20 }, () => world.begin()))
    for (const { device_code, user_code } of devices) {
      expect(device_code).toMatch(/^[\w-]{43,}$/)
      expect(user_code).toMatch(new RegExp(`^[${LETTERS}]{4}-[${LETTERS}]{4}$`))
    }
    expect(new Set(devices.flatMap(({ device_code, user_code }) => [device_code, user_code])).size).toBe(40)
  })
})

describe('GET /device', () => {
  test('shows the code and asks to compare it; Approve and Deny are buttons and nothing is submitted automatically', async () => {
    const device = await world.begin()
    const page = await createBrowser().get(device.verification_uri_complete)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toStartWith('text/html')
    expect(page.text).toContain(device.user_code)
    expect(page.text).toMatch(/compare|same|match/i)
    const buttons = [...page.text.matchAll(/<button[^>]*>([\s\S]*?)<\/button>/g)].map((match) => match[1]?.replace(/<[^>]+>/g, '').trim())
    expect(buttons).toEqual(expect.arrayContaining([expect.stringMatching(/^approve/i), expect.stringMatching(/^deny/i)]))
    expect(page.text).not.toMatch(/<script|http-equiv="?refresh|onload=/i)
    expect(await errorOf(await world.poll(device))).toBe('400 authorization_pending')
  })

  test('sends default-src none, frame-ancestors none and a form-action of itself, the provider and the configured origins', async () => {
    const { headers } = await world.get('/device')
    const directives = (headers.get('content-security-policy') ?? '').split(';').map((directive) => directive.trim())
    expect(directives).toEqual(expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'"]))
    const formAction = directives.find((directive) => directive.startsWith('form-action'))?.split(' ').slice(1)
    expect(formAction?.toSorted()).toEqual(["'self'", world.installation.idp.issuer, 'https://sso.example.com'].toSorted())
  })

  test('accepts the code in lower case and without the dash', async () => {
    const device = await world.begin()
    const typed = device.user_code.toLowerCase().replace('-', '')
    expect((await createBrowser().get(`${world.url}/device?user_code=${typed}`)).text).toContain(device.user_code)
    expect((await approve(createBrowser(), `${world.url}/device`, typed)).status).toBe(200)
    expect((await world.poll(device)).status).toBe(200)
  })
})

describe('POST /device', () => {
  test('binds the browser with a cookie and redirects with PKCE S256, state, nonce, response_mode=query and the exact callback', async () => {
    const { user_code } = await world.begin()
    const response = await press(sameOriginForm({ user_code }))
    expect(response.status).toBeOneOf([302, 303])
    expect(response.headers.get('set-cookie')).toMatch(/httponly/i)
    const { origin, searchParams } = new URL(response.headers.get('location') ?? '')
    expect(origin).toBe(world.installation.idp.issuer)
    expect(Object.fromEntries(searchParams)).toMatchObject({
      ...{ response_type: 'code', response_mode: 'query', redirect_uri: `${world.url}/oauth/callback`, client_id: world.installation.idp.clientId },
      ...{ code_challenge_method: 'S256', code_challenge: expect.stringMatching(/^[\w-]{43}$/), state: expect.stringMatching(/.{22}/), nonce: expect.stringMatching(/.{22}/) },
    })
  })

  test('sends no code challenge with use_pkce: false', async () => {
    const gateway = await world.boot({ oidc: { use_pkce: false } })
    const { user_code } = await gateway.begin()
    const response = await fetch(`${gateway.url}/device`, { ...sameOriginForm({ user_code }), redirect: 'manual' })
    expect(response.headers.get('location')).toMatch(/[?&]state=/)
    expect(response.headers.get('location')).not.toContain('code_challenge')
  })

  test.each([{ 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }, { 'sec-fetch-site': 'none', origin: 'https://evil.example' }, { 'sec-fetch-site': 'same-origin', referer: 'https://evil.example/' }])(
    'lets %j pass',
    async (headers) => {
      expect((await pressed((await world.begin()).user_code, headers)).status).toBeOneOf([302, 303])
    },
  )

  test.each<Record<string, string>>([{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'of-tomorrow' }, { origin: 'https://evil.example' }, { origin: 'null' }])(
    'refuses %j without sending the browser anywhere',
    async (headers) => {
      const device = await world.begin()
      const response = await pressed(device.user_code, headers)
      expect(response.status).toBe(403)
      expect(response.headers.get('location')).toBeNull()
      expect(await errorOf(await world.poll(device))).toBe('400 authorization_pending')
    },
  )

  test('lets Origin decide when Sec-Fetch-Site is absent, and a cross-site Sec-Fetch-Site over a good Origin', async () => {
    expect((await pressed((await world.begin()).user_code, { origin: world.url, referer: 'https://evil.example/' })).status).toBeOneOf([302, 303])
    expect((await pressed((await world.begin()).user_code, { origin: world.url, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  })

  test('answers a code that is not there with a page that is not a success', async () => {
    const response = await press(sameOriginForm({ user_code: 'BBBB-BBBB' }))
    expect(response.status).toBeWithin(400, 500)
    expect(response.headers.get('content-type')).toStartWith('text/html')
  })
})

describe('GET /oauth/callback', () => {
  test('is for the same browser only', async () => {
    const [device, browser] = [await world.begin(), createBrowser()]
    const callback = await walkToCallback(browser, world.url, device.user_code)
    expect((await createBrowser().get(callback)).status).toBeWithin(400, 500)
    expect((await world.poll(device)).status).not.toBe(200)
  })

  test('marks the grant approved and shows a result page', async () => {
    const [device, browser] = [await world.begin(), createBrowser()]
    const page = await browser.get(await walkToCallback(browser, world.url, device.user_code))
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toStartWith('text/html')
    expect((await world.poll(device)).status).toBe(200)
  })

  test.each<[string, string, Record<string, unknown>]>([
    ['an email outside allowed_email_domains', 'mallory', { email: 'mallory@elsewhere.test', email_verified: true, groups: ['staff'] }],
    ['a person in none of allowed_groups', 'bob', { groups: ['contractors'] }],
    ['email_verified false', 'unverified-1', { email: 'u1@example.com', email_verified: false, groups: ['staff'] }],
    ['email_verified "false"', 'unverified-2', { email: 'u2@example.com', email_verified: 'false', groups: ['staff'] }],
  ])('refuses %s with a general sentence to the person, access_denied to the poller and the reason to the audit log', async (_, login, values) => {
    const { page, polled } = await signInWith(login, values)
    expect(page.status).toBeWithin(400, 500)
    expect(page.text).not.toMatch(/domain|group|verif|elsewhere\.test/i)
    expect(await errorOf(polled)).toBe('400 access_denied')
    const line = await world.audited('device.callback', ({ request_id }) => request_id === page.headers.get('x-request-id'))
    expect(line.reason).toMatch(/domain|group|verif/)
  })

  test('accepts an absent email_verified', async () => {
    const { polled } = await signInWith('silent', { email: 'silent@example.com', groups: ['staff'] })
    expect(polled.status).toBe(200)
  })

  test('reads groups by a JSON pointer', async () => {
    const gateway = await world.boot({ oidc: { groups_claim: '/groups/nested', allowed_groups: ['deep'] } })
    claims('pointed', { email: 'pointed@example.com', groups: { nested: ['deep'] } })
    const device = await gateway.begin()
    const browser = createBrowser()
    const callback = await walkToCallback(browser, world.url, device.user_code, 'pointed')
    const { host, pathname, search } = new URL(callback)
    const cookie = [...browser.cookies(host)].map((pair) => pair.join('=')).join('; ')
    expect((await fetch(`${gateway.url}${pathname}${search}`, { headers: { cookie } })).status).toBe(200)
    const tokens = (await (await gateway.poll(device)).json()) as { access_token: string }
    expect(decodeToken(tokens.access_token).claims.groups).toEqual(['deep'])
  })

  test('tells the poller of a denial at the provider', async () => {
    const [device, browser] = [await world.begin(), createBrowser()]
    const sent = await browser.once(`${world.url}/device`, sameOriginForm({ user_code: device.user_code }))
    const state = new URL(sent.headers.get('location') ?? '').searchParams.get('state') ?? ''
    const back = new URLSearchParams({ error: 'access_denied', state, iss: world.installation.idp.issuer })
    const page = await browser.get(`${world.url}/oauth/callback?${back}`)
    expect(page.status).toBeWithin(400, 500)
    expect(await errorOf(await world.poll(device))).toBe('400 access_denied')
  })
})

describe('POST /oauth/token with a device_code', () => {
  test('answers an approved grant with the bearer, its lifetime, a refresh token and the email, once', async () => {
    const device = await world.begin()
    await approve(createBrowser(), `${world.url}/device`, device.user_code)
    const answer = await world.poll(device)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toContain('no-store')
    expect(await answer.json()).toMatchObject({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600, refresh_token: expect.any(String), email: 'alice@example.com' })
    await world.wait(device, 30)
    expect(await errorOf(await world.poll(device))).toBe('400 expired_token')
  })

  test('mints one bearer from parallel redemptions of one device code', async () => {
    const device = await world.begin()
    await approve(createBrowser(), `${world.url}/device`, device.user_code)
    const statuses = (await Promise.all(Array.from({ length: 12 }, () => world.poll(device)))).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toEqual([200])
  })

  test('answers 400 authorization_pending, then at once 429 slow_down, and the interval grows by 5 s', async () => {
    const device = await world.begin()
    const next = async () => errorOf(await world.poll(device))
    expect(await next()).toBe('400 authorization_pending')
    expect(await next()).toBe('429 slow_down')
    await world.wait(device, 7)
    expect(await next()).toBe('429 slow_down')
    await world.wait(device, 16)
    expect(await next()).toBe('400 authorization_pending')
  })

  test('answers a denied grant with access_denied, which stays final; the Deny button posts to /device/deny', async () => {
    const device = await world.begin()
    expect((await createBrowser().get(device.verification_uri_complete)).text).toContain('action="/device/deny"')
    const denied = await press(sameOriginForm({ user_code: device.user_code }), '/device/deny')
    expect(denied.status).toBeWithin(200, 400)
    expect(await errorOf(await world.poll(device))).toBe('400 access_denied')
    await approve(createBrowser(), `${world.url}/device`, device.user_code)
    await world.wait(device, 30)
    expect(await errorOf(await world.poll(device))).toBe('400 access_denied')
  })

  test('answers expired and unknown codes with expired_token', async () => {
    const device = await world.begin()
    await world.wait(device, 601)
    expect(await errorOf(await world.poll(device))).toBe('400 expired_token')
    expect(await errorOf(await world.poll({ device_code: 'x'.repeat(43) }))).toBe('400 expired_token')
  })

  test('answers another grant with unsupported_grant_type, a missing device_code and a JSON body with invalid_request', async () => {
    expect(await errorOf(await world.form('/oauth/token', { grant_type: 'password', username: 'a', password: 'b' }))).toBe('400 unsupported_grant_type')
    expect(await errorOf(await world.form('/oauth/token', { grant_type: DEVICE_CODE }))).toBe('400 invalid_request')
    expect(await errorOf(await world.post('/oauth/token', { grant_type: DEVICE_CODE, device_code: 'x' }))).toBe('400 invalid_request')
  })
})

describe('POST /oauth/token with a refresh_token', () => {
  test('answers 200 with a fresh set', async () => {
    const before = await world.signIn()
    const answer = await world.refresh(before.refresh_token)
    const after = (await answer.json()) as typeof before
    expect(answer.status).toBe(200)
    expect(after).toMatchObject({ token_type: 'Bearer', expires_in: 3600, refresh_token: expect.any(String) })
    expect(after.access_token).not.toBe(before.access_token)
    expect(await usable(after.access_token)).toBe(200)
  })

  test('answers 401 invalid_grant when the provider refuses', async () => {
    claims('leaver', { email: 'leaver@example.com', groups: ['staff'] })
    const { refresh_token } = await world.signIn('leaver')
    world.installation.idp.disable('leaver')
    expect(await errorOf(await world.refresh(refresh_token))).toBe('401 invalid_grant')
  })

  test('answers 401 invalid_grant when the allow-lists no longer admit the person', async () => {
    claims('mover', { email: 'mover@example.com', groups: ['staff'] })
    const { refresh_token } = await world.signIn('mover')
    claims('mover', { groups: ['elsewhere'] })
    expect(await errorOf(await world.refresh(refresh_token))).toBe('401 invalid_grant')
  })

  test('answers 401 invalid_grant to a token nobody issued', async () => {
    expect(await errorOf(await world.refresh('x'.repeat(43)))).toBe('401 invalid_grant')
  })
})

describe('the access token', () => {
  test('is an HS256 JWT with a kid and the claims iss, aud, sub, email, name, groups, iat, exp, sid, jti', async () => {
    const { access_token } = await world.signIn()
    const { header, claims } = decodeToken(access_token)
    expect(signToken(header, claims)).toBe(access_token)
    expect(header).toMatchObject({ alg: 'HS256', kid: expect.any(String) })
    expect(claims).toMatchObject({ iss: world.url, aud: 'claude-gateway', email: 'alice@example.com', name: 'Alice A', groups: ['engineering'], sid: expect.any(String), jti: expect.any(String) })
    expect(claims.sub).toBeString()
    expect(Number(claims.exp) - Number(claims.iat)).toBe(3600)
  })

  test('lives for ttl_hours, and its kid depends on the secret', async () => {
    const gateway = await world.boot({ session: { ttl_hours: 2, jwt_secret: `another-${SECRET}` } })
    const device = await gateway.begin()
    await approve(createBrowser(), `${world.url}/device`, device.user_code)
    const tokens = (await (await gateway.poll(device)).json()) as { access_token: string; expires_in: number }
    expect(tokens.expires_in).toBe(7200)
    const other = decodeToken(tokens.access_token)
    expect(other.claims.exp - other.claims.iat).toBe(7200)
    expect(other.header.kid).not.toBe(decodeToken((await world.signIn()).access_token).header.kid)
  })

  test('is refused when it is signed but has no exp', async () => {
    const { header, claims } = decodeToken((await world.signIn()).access_token)
    expect(await usable(signToken(header, claims))).toBe(200)
    expect(await usable(signToken(header, { ...claims, exp: undefined }))).toBe(401)
  })

  test('stays within 16,384 characters for a member of 300 groups', async () => {
    claims('joiner', { email: 'joiner@example.com', groups: ['staff', ...Array.from({ length: 300 }, (_, n) => `department-of-very-long-names-and-more-of-them-so-that-it-is-a-long-name-${n}`)] })
    const { access_token } = await world.signIn('joiner')
    expect(access_token.length).toBeLessThanOrEqual(16_384)
    expect(await usable(access_token)).toBe(200)
  })
})

describe('POST /oauth/revoke', () => {
  test('always answers 200', async () => {
    for (const form of [{ token: 'nobody issued this' }, { token: 'x', token_type_hint: 'of_tomorrow' }]) expect((await world.form('/oauth/revoke', form)).status).toBe(200)
  })

  test('makes the next request of a revoked bearer 401 with x-should-retry: false', async () => {
    const { access_token } = await world.signIn()
    expect(await usable(access_token)).toBe(200)
    expect((await world.form('/oauth/revoke', { token: access_token })).status).toBe(200)
    const refused = await world.get('/v1/models', access_token)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('x-should-retry')).toBe('false')
  })

  test('ends a session by its refresh token', async () => {
    const { access_token, refresh_token } = await world.signIn()
    expect((await world.form('/oauth/revoke', { token: refresh_token, token_type_hint: 'refresh_token' })).status).toBe(200)
    expect(await errorOf(await world.refresh(refresh_token))).toBe('401 invalid_grant')
    expect(await usable(access_token)).toBe(401)
  })
})
