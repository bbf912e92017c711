// Signing in to the page as an attacker would bend it: in front of a provider that agrees at once.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from '../../src/db/connect.ts'
import { hashToken } from '../../src/oauth/codes.ts'
import { sweepOnce } from '../../src/oauth/sweep.ts'
import { PUBLIC_URL, SAME_ORIGIN, startEvilWorld, type Away, type EvilWorld } from '../support/evil-world.ts'
import type { TestGateway } from '../support/gateway.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'

let world: EvilWorld
beforeAll(async () => {
  world = await startEvilWorld()
})
afterAll(() => world.stop())

const NAME = '__Host-gatehouse-me'
const GONE = `${NAME}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`
const post = (path: string, headers: Record<string, string> = SAME_ORIGIN, at: TestGateway = world.gateway, body?: URLSearchParams) => fetch(at.url + path, { method: 'POST', headers, redirect: 'manual', ...(body && { body }) })
const page = async (cookie: string, at = world.gateway) => {
  const response = await at.get('/me', undefined, { cookie })
  return { status: response.status, text: await response.text(), cookies: response.headers.getSetCookie(), headers: response.headers }
}
const isSignedIn = async (cookie: string) => (await page(cookie)).text.includes('action="/me/sign-out"')
const pageCookie = (response: Response) => response.headers.getSetCookie().find((line) => line.startsWith(NAME))?.split(';')[0]
const counts = async () => (await world.database.sql`select (select count(*)::int from sign_in_attempt) as attempts, (select count(*)::int from page_session) as sessions, (select count(*)::int from session) as signed_in`)[0]

/** Presses the page's button. */
async function leave(headers: Record<string, string> = SAME_ORIGIN): Promise<Away> {
  const response = await post('/me/sign-in', headers)
  if (response.status !== 303) throw new Error(`POST /me/sign-in answered ${response.status}`)
  return { url: new URL(response.headers.get('location') ?? ''), cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? '' }
}

async function signIn(cookies = ''): Promise<string> {
  const away = await leave()
  const response = await world.comeBack(away, { cookie: [away.cookie, cookies].filter(Boolean).join('; ') })
  if (response.status !== 303) throw new Error(`the callback answered ${response.status}`)
  return pageCookie(response) as string
}

describe('the button', () => {
  test('sends the browser to the provider, bound, with everything a sign-in has', async () => {
    const response = await post('/me/sign-in')
    const location = new URL(response.headers.get('location') ?? '')
    expect([response.status, location.origin + location.pathname, response.headers.get('cache-control')]).toEqual([303, `${world.idp.issuer}/authorize`, 'no-store'])
    expect(Object.fromEntries(location.searchParams)).toMatchObject({ response_type: 'code', redirect_uri: `${PUBLIC_URL}/oauth/callback`, code_challenge_method: 'S256' })
    for (const name of ['state', 'nonce', 'code_challenge']) expect(location.searchParams.get(name)).toMatch(/^[\w-]{43}$/)
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-gatehouse-[\w-]{12}=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/)])
  })

  // T072, T230
  test.each<[Record<string, string>]>([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site', origin: PUBLIC_URL }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
    [{ referer: `${PUBLIC_URL}/me` }],
    [{}],
  ])('does nothing for another site (%p), nor does the one that signs out', async (headers) => {
    const cookie = await signIn()
    const before = await counts()
    for (const path of ['/me/sign-in', '/me/sign-out']) {
      const response = await post(path, { ...headers, cookie })
      expect([path, response.status, response.headers.getSetCookie()]).toEqual([path, 403, []])
    }
    expect([await counts(), await isSignedIn(cookie)]).toEqual([before, true])
  })

  // T035
  test('leads to the provider and then to the page, whatever anybody writes into the request', async () => {
    for (const target of ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:alert(1)']) {
      const query = `?return_to=${encodeURIComponent(target)}`
      const begun = await post(`/me/sign-in${query}`, SAME_ORIGIN, world.gateway, new URLSearchParams({ return_to: target, next: target, redirect_uri: target }))
      expect(begun.headers.get('location')).toStartWith(`${world.idp.issuer}/authorize?`)
      expect(begun.headers.get('location')).not.toContain('evil')
      const away = { url: new URL(begun.headers.get('location') ?? ''), cookie: begun.headers.getSetCookie()[0]?.split(';')[0] ?? '' }
      expect((await world.comeBack(away, { parameters: { return_to: target } })).headers.get('location')).toBe(`${PUBLIC_URL}/me`)
      expect((await post(`/me/sign-out${query}`)).headers.get('location')).toBe(`${PUBLIC_URL}/me`)
    }
  })
})

describe('coming back from the provider', () => {
  // T034
  test('signs in with one cookie, host-only, unreadable for scripts, for an hour', async () => {
    const away = await leave()
    const response = await world.comeBack(away)
    expect([response.status, response.headers.get('location'), response.headers.get('cache-control')]).toEqual([303, `${PUBLIC_URL}/me`, 'no-store'])
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-gatehouse-me=[\w-]{43}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure$/),
      `${away.cookie.split('=')[0]}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`,
    ])
    const token = pageCookie(response)?.split('=')[1] as string
    const [row] = await world.database.sql`select extract(epoch from expires_at - now())::int as left from page_session where token_hash = ${hashToken(token)}`
    expect(row?.left).toBeWithin(3590, 3601)
    expect(await isSignedIn(`${NAME}=${token}`)).toBe(true)
    expect(JSON.stringify(await world.database.sql`select * from page_session`)).not.toContain(token)
  })

  // T021, T042
  test('works for the browser that left, once, and not for another', async () => {
    const [away, other] = [await leave(), await leave()]
    const before = await counts()
    const renamed = `${away.cookie.split('=')[0]}=${other.cookie.split('=')[1]}`
    for (const cookie of ['', other.cookie, renamed, `${away.cookie}; ${away.cookie}`, `${away.cookie}x`, '%']) {
      const response = await world.comeBack(away, { cookie })
      expect([response.status, pageCookie(response)]).toEqual([400, undefined])
    }
    expect(await counts()).toEqual(before)
    const exchanges = world.idp.count('/token')
    expect((await world.comeBack(away)).status).toBe(303)
    const replayed = await world.comeBack(away)
    expect([replayed.status, pageCookie(replayed), world.idp.count('/token')]).toEqual([400, undefined, exchanges + 1])
    expect((await world.comeBack(other)).status).toBe(303)
  })

  test('does not work after ten minutes, by a HEAD, or for a browser that fetches ahead', async () => {
    const away = await leave()
    expect(pageCookie(await world.comeBack(away, { method: 'HEAD' }))).toBeUndefined()
    expect((await world.comeBack(away, { headers: { 'sec-purpose': 'prefetch' } })).status).toBe(503)
    await world.database.sql`update sign_in_attempt set expires_at = now() - interval '1 second' where browser_hash = ${hashToken(away.cookie.split('=')[1] as string)}`
    expect((await world.comeBack(away)).status).toBe(400)
  })

  test('refuses whom the allow-lists refuse, in general words, and says why in the audit log', async () => {
    const before = await counts()
    world.idp.faults.claims = (claims) => ({ ...claims, email: 'mallory@elsewhere.example' })
    const response = await world.comeBack(await leave())
    world.idp.faults.claims = undefined as never
    const text = await response.text()
    expect([response.status, pageCookie(response), text.includes('You could not be signed in'), text.includes('elsewhere')]).toEqual([403, undefined, true, false])
    expect(await counts()).toEqual(before)
    expect(await world.gateway.saw('page.sign_in', ({ outcome }) => outcome === 'refused')).toMatchObject({ reason: 'email_domain' })
  })

  test('says so when the provider is in trouble, and when it declines', async () => {
    world.idp.faults.tokenResponse = () => new Response('busy', { status: 503 })
    const troubled = await world.comeBack(await leave())
    world.idp.faults.tokenResponse = undefined as never
    expect([troubled.status, troubled.headers.get('retry-after'), pageCookie(troubled)]).toEqual([503, '10', undefined])
    const declined = await world.comeBack(await leave(), { parameters: { error: 'access_denied', error_description: '<script>alert(1)</script>' } })
    expect([declined.status, pageCookie(declined), (await declined.text()).includes('<script>')]).toEqual([403, undefined, false])
  })

  // T043
  test('ends whatever the browser held before: a planted cookie signs nobody in', async () => {
    const planted = await signIn()
    const mine = await signIn(planted)
    expect(mine).not.toBe(planted)
    expect([await isSignedIn(planted), await isSignedIn(mine)]).toEqual([false, true])
    const unknown = `${NAME}=${'x'.repeat(43)}`
    expect(await isSignedIn(await signIn(unknown))).toBe(true)
    expect(await isSignedIn(unknown)).toBe(false)
  })
})

describe('the page and devices', () => {
  test('signing in to the page approves no device that waits, in the same browser', async () => {
    const device = await world.begin()
    const forDevice = await world.leave(device.user_code)
    const forPage = await leave()
    const both = `${forDevice.cookie}; ${forPage.cookie}`
    expect((await world.comeBack(forPage, { cookie: both })).status).toBe(303)
    expect(await (await world.poll(device)).json()).toMatchObject({ error: 'authorization_pending' })
    // One state cannot be finished with the code of the other: the verifier is not the challenge's.
    const crossed = await world.comeBack({ ...forDevice, url: withState(await leave(), forDevice.url.searchParams.get('state') as string).url }, { cookie: both })
    expect([crossed.status, pageCookie(crossed)]).toEqual([403, undefined])
  })

  test('approving a device signs nobody in to the page', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    const response = await world.comeBack(away)
    expect([response.status, pageCookie(response)]).toEqual([200, undefined])
    const { access_token, refresh_token } = (await (await world.poll(device)).json()) as Record<string, string>
    for (const value of [access_token, refresh_token, away.cookie.split('=')[1]]) expect(await isSignedIn(`${NAME}=${value}`)).toBe(false)
  })

  test('an attempt whose purpose is changed in the store finishes nothing', async () => {
    const device = await world.begin()
    const forDevice = await world.leave(device.user_code)
    const forPage = await leave()
    const { sql } = world.database
    const hash = (away: Away) => hashToken(away.cookie.split('=')[1] as string)
    await sql`update sign_in_attempt set purpose = 'page', device_code_hash = null where browser_hash = ${hash(forDevice)}`
    await sql`update sign_in_attempt set purpose = 'device', device_code_hash = ${hashToken(device.device_code)} where browser_hash = ${hash(forPage)}`
    for (const away of [forDevice, forPage]) {
      const response = await world.comeBack(away)
      expect([response.status, pageCookie(response)]).toEqual([400, undefined])
    }
    expect(await (await world.poll(device)).json()).toMatchObject({ error: 'authorization_pending' })
    await expect(Promise.resolve(sql`insert into sign_in_attempt (state_hash, browser_hash, sealed, expires_at, purpose) values ('a', 'b', 'c', now(), 'device')`)).rejects.toThrow('sign_in_attempt_purpose_grant')
  })
})

function withState(away: Away, state: string): Away {
  const url = new URL(away.url)
  url.searchParams.set('state', state)
  return { ...away, url }
}

describe('being signed in', () => {
  test.each([
    ['after an hour', (hash: string) => world.database.sql`update page_session set expires_at = now() where token_hash = ${hash}`],
    ['when the session is revoked', (hash: string) => world.database.sql`update session set revoked_at = now() from page_session where session.sid = page_session.sid and token_hash = ${hash}`],
    ['when the session is gone', (hash: string) => world.database.sql`delete from session using page_session where session.sid = page_session.sid and token_hash = ${hash}`],
  ])('ends %s, and the cookie with it', async (_, end) => {
    const cookie = await signIn()
    expect(await isSignedIn(cookie)).toBe(true)
    await end(hashToken(cookie.split('=')[1] as string))
    expect(await page(cookie)).toMatchObject({ status: 200, text: expect.stringContaining('action="/me/sign-in"'), cookies: [GONE] })
  })

  // T045
  test('is not had by a malformed cookie, and nothing breaks', async () => {
    const cookie = await signIn()
    const token = cookie.split('=')[1]
    for (const malformed of ['%', `${NAME}=`, `${NAME}=%`, `${NAME}="${token}"`, `${NAME}=${token}x`, `${NAME}=${'s'.repeat(8192)}`, `${cookie}; ${cookie}`, `gatehouse-me=${token}`, `x-${cookie}`, '__proto__=x', `${NAME}=${hashToken(token as string)}`]) {
      expect(await page(malformed)).toMatchObject({ status: 200, text: expect.stringContaining('action="/me/sign-in"') })
    }
  })

  // T075
  test('shows what the provider says of a person as text', async () => {
    world.idp.faults.claims = (claims) => ({ ...claims, name: '<img src=x onerror=alert(1)>\u202e' })
    const cookie = await signIn()
    world.idp.faults.claims = undefined as never
    const { text } = await page(cookie)
    expect([text.includes('<img'), text.includes('&#60;img src=x onerror=alert(1)&#62; ·')]).toEqual([false, true])
  })

  test('a sign-out without a session, twice, or with a strange cookie changes nothing and goes back to the page', async () => {
    const cookie = await signIn()
    for (const held of ['', '%', `${NAME}=${'x'.repeat(43)}`]) {
      const response = await post('/me/sign-out', { ...SAME_ORIGIN, cookie: held })
      expect([response.status, response.headers.get('location'), response.headers.getSetCookie()]).toEqual([303, `${PUBLIC_URL}/me`, [GONE]])
    }
    expect(await isSignedIn(cookie)).toBe(true)
    for (let n = 0; n < 2; n++) expect((await post('/me/sign-out', { ...SAME_ORIGIN, cookie })).status).toBe(303)
    expect(await isSignedIn(cookie)).toBe(false)
    expect(world.gateway.observed.filter((one) => 'evt' in one && one.evt === 'page.sign_out' && one.outcome === 'signed_out')).toHaveLength(1)
  })

  test('leaves nothing in the store when it is over', async () => {
    await signIn()
    await leave()
    const { sql } = world.database
    await sql`update page_session set expires_at = now() - interval '1 second'`
    await sql`update sign_in_attempt set expires_at = now() - interval '1 second' where purpose = 'page'`
    await sql`update session set created_at = now() - interval '100 days', refreshed_at = now() - interval '100 days'`
    const db = connect({ url: world.database.url, maxConnections: 1, observe: () => {} })
    await sweepOnce(db, 24)
    await db.close()
    expect(await counts()).toMatchObject({ sessions: 0, signed_in: 0 })
    expect([...(await sql`select from sign_in_attempt where purpose = 'page'`)]).toEqual([])
  })
})

describe('from one address', () => {
  test('many sign-ins begun or cookies tried are refused for a while; those that succeed do not count', async () => {
    const narrow = await world.replica({ rate_limits: { device_verify: { max: 2, window_seconds: 600 } } })
    const from = (ip: string) => ({ ...SAME_ORIGIN, 'x-forwarded-for': ip })
    const statuses = async (ip: string, times: number) => Promise.all(Array.from({ length: times }, async () => (await post('/me/sign-in', from(ip), narrow)).status))
    expect((await statuses('203.0.113.1', 3)).toSorted()).toEqual([303, 303, 429])
    expect(await statuses('203.0.113.2', 1)).toEqual([303])
    for (let n = 0; n < 4; n++) {
      const begun = await post('/me/sign-in', from('203.0.113.3'), narrow)
      const away = { url: new URL(begun.headers.get('location') ?? ''), cookie: begun.headers.getSetCookie()[0]?.split(';')[0] ?? '' }
      const callback = world.idp.authorize(away.url)
      expect((await fetch(narrow.url + callback.pathname + callback.search, { headers: { cookie: away.cookie, ...from('203.0.113.3') }, redirect: 'manual' })).status).toBe(303)
    }
    const good = await signIn()
    const look = async (cookie: string, ip: string) => (await narrow.get('/me', undefined, { cookie, 'x-forwarded-for': ip })).status
    for (let n = 0; n < 25; n++) expect(await look(good, '203.0.113.4')).toBe(200)
    for (let n = 0; n < 20; n++) expect(await look(`${NAME}=${String(n).padStart(43, 'x')}`, '203.0.113.4')).toBe(200)
    expect(await look(`${NAME}=${'y'.repeat(43)}`, '203.0.113.4')).toBe(429)
    expect(await narrow.saw('page.sign_in', ({ outcome }) => outcome === 'rate_limited')).toMatchObject({ client_ip: '203.0.113.1' })
  })
})

describe('while the database is away', () => {
  test('the page says so, and comes back by itself', async () => {
    const { hostname, port } = new URL(world.database.url)
    const proxy = await createTcpProxy(hostname, Number(port))
    const through = new URL(world.database.url)
    through.port = String(proxy.port)
    const cutOff = await world.replica({ store: { postgres_url: through.href } })
    const cookie = await signIn()
    expect((await page(cookie, cutOff)).text).toContain('action="/me/sign-out"')
    proxy.set('refuse')
    expect(await page(cookie, cutOff)).toMatchObject({ status: 503, text: expect.stringContaining('Your spend cannot be shown now'), cookies: [] })
    expect((await post('/me/sign-in', SAME_ORIGIN, cutOff)).status).toBe(503)
    proxy.set('pass')
    while ((await page(cookie, cutOff)).status !== 200) await Bun.sleep(20)
    await cutOff.stop()
    proxy.stop()
  }, 30_000)
})
