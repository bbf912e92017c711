// Signing in as the browser sees it, in front of a provider that agrees at once.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from '../../src/db/connect.ts'
import { hashToken } from '../../src/oauth/codes.ts'
import { insertGrant } from '../../src/oauth/store.ts'
import { DEVICE_CODE } from '../support/gateway.ts'
import { PUBLIC_URL, SAME_ORIGIN, startEvilWorld, type EvilWorld } from '../support/evil-world.ts'

let world: EvilWorld
beforeAll(async () => {
  world = await startEvilWorld({ config: { access_control: {} } })
})
afterAll(() => world.stop())

const errorOf = async (response: Response) => ({ status: response.status, ...((await response.json()) as { error: string }) })
const textOf = (page: string) => page.replace(/<style>[\s\S]*?<\/style>|<[^>]+>/g, ' ').replace(/\s+/g, ' ')
const look = (query: string, headers: Record<string, string> = {}) => world.gateway.get(`/device${query}`, undefined, headers)
const attemptsFor = async (deviceCode: string) => (await world.database.sql`select from sign_in_attempt where device_code_hash = ${hashToken(deviceCode)}`).length

describe('the page of a code', () => {
  // T070
  test('shows the code, who asked and when, warns, and approves nothing by being looked at', async () => {
    const device = await world.begin()
    await world.wait(device, 130)
    for (const method of ['GET', 'HEAD']) await fetch(`${world.gateway.url}/device?user_code=${device.user_code}`, { method })
    const page = await look(`?user_code=${device.user_code}`, { 'x-forwarded-for': '203.0.113.9' })
    const text = textOf(await page.clone().text())
    expect(page.status).toBe(200)
    expect(text).toContain(device.user_code)
    expect(text).toContain('127.0.0.1 (not this browser’s address)')
    expect(text).toContain('2 minutes ago')
    expect(text).toContain('choose Deny')
    expect(textOf(await (await look(`?user_code=${device.user_code}`)).text())).toContain('(this browser’s address)')
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'authorization_pending' })
    expect(await attemptsFor(device.device_code)).toBe(0)
  })

  test('has a button for each decision, and lets forms lead to the provider alone', async () => {
    const { user_code } = await world.begin()
    const page = await look(`?user_code=${user_code}`)
    const text = await page.text()
    const forms = [...text.matchAll(/<form method="(\w+)" action="([^"]+)">.*?name="user_code" value="(\w+)".*?<button type="submit"/g)].map((form) => form.slice(1))
    const code = user_code.replace('-', '')
    expect(forms).toEqual([
      ['post', '/device', code],
      ['post', '/device/deny', code],
    ])
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toContain(`form-action 'self' ${world.idp.issuer};`)
    // T073
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(page.headers.get('x-frame-options')).toBe('DENY')
    expect(page.headers.get('cache-control')).toBe('no-store')
  })

  test('asks for the code where none came along', async () => {
    for (const query of ['', '?user_code=', '?user_code=%20']) {
      const page = await look(query)
      expect(page.status).toBe(200)
      expect(await page.text()).toMatch(/<label for="user_code">.*<input id="user_code" name="user_code"/s)
    }
  })

  // T066
  test('is found by every spelling of the code', async () => {
    const { user_code } = await world.begin()
    for (const spelling of [user_code, user_code.toLowerCase(), user_code.replace('-', ''), user_code.replace('-', ' ')]) {
      expect((await look(`?user_code=${encodeURIComponent(spelling)}`)).status).toBe(200)
    }
  })

  // T075
  test('shows nothing of what a stranger wrote into the link', async () => {
    for (const written of ['<img src=x onerror=alert(1)>', '</script><script>alert(1)</script>', '"><svg onload=1>', '\u202egnp.exe', '{{7*7}}']) {
      const page = await look(`?user_code=${encodeURIComponent(written)}`)
      expect(page.status).toBe(400)
      expect(await page.text()).not.toContain(written)
    }
  })
})

describe('a code that does not work', () => {
  // T066, T068
  test('gets one and the same page wherever it is tried, whatever is wrong with it', async () => {
    const [expired, denied, consumed] = await Promise.all([world.begin(), world.begin(), world.begin()])
    await world.wait(expired, 601)
    await world.press(denied.user_code, { path: '/device/deny' })
    await world.approve(consumed.user_code)
    await world.poll(consumed)
    const approved = await world.begin()
    await world.approve(approved.user_code)
    const codes = [expired, denied, consumed, approved].map(({ user_code }) => user_code)
    const answers = new Set<string>()
    for (const code of [...codes, 'BBBB-BBBB', 'nonsense', 'ＷＤＪＢ-ＭＪＨＴ', 'WDJB\0MJHT', 'ßßßß', '']) {
      for (const path of ['/device', '/device/deny']) {
        const response = await world.press(code, { path })
        answers.add(`${response.status} ${await response.text()}`)
      }
      if (code === '') continue
      const response = await look(`?user_code=${encodeURIComponent(code)}`)
      answers.add(`${response.status} ${await response.text()}`)
    }
    expect([...answers].map((answer) => answer.slice(0, 4))).toEqual(['400 '])
    expect(await errorOf(await world.poll(denied))).toEqual({ status: 400, error: 'access_denied' })
  })

  test('is refused without an error of ours when it is a megabyte long, comes twice, or is no form', async () => {
    const post = (body: string, type = 'application/x-www-form-urlencoded') =>
      fetch(`${world.gateway.url}/device`, { method: 'POST', body, headers: { 'content-type': type, ...SAME_ORIGIN } })
    const { user_code } = await world.begin()
    expect((await post(`user_code=${'W'.repeat(1_048_576)}`)).status).toBe(400)
    expect((await post(`user_code=${user_code}&user_code=${user_code}`)).status).toBe(400)
    expect((await post(JSON.stringify({ user_code }), 'application/json')).status).toBe(400)
    expect((await post(`user_code=${user_code}`, 'text/plain')).status).toBe(400)
  })
})

describe('pressing Approve', () => {
  // T034, T048, T035
  test('sends the browser to the provider and binds it', async () => {
    const { user_code } = await world.begin()
    const response = await world.press(user_code)
    expect(response.status).toBe(303)
    const location = new URL(response.headers.get('location') ?? '')
    expect(location.origin + location.pathname).toBe(`${world.idp.issuer}/authorize`)
    expect(Object.fromEntries(location.searchParams)).toMatchObject({
      response_type: 'code',
      response_mode: 'query',
      client_id: 'gatehouse',
      redirect_uri: `${PUBLIC_URL}/oauth/callback`,
      code_challenge_method: 'S256',
    })
    for (const name of ['state', 'nonce', 'code_challenge']) expect(location.searchParams.get(name)).toMatch(/^[\w-]{43}$/)
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-gatehouse-[\w-]{12}=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/)])
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  // T072
  test.each<[Record<string, string>, number]>([
    [{ 'sec-fetch-site': 'same-origin' }, 303],
    [{ 'sec-fetch-site': 'none' }, 303],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, 303],
    [{ origin: PUBLIC_URL }, 303],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: PUBLIC_URL }, 403],
    [{ 'sec-fetch-site': 'cross-site', origin: PUBLIC_URL, referer: `${PUBLIC_URL}/device` }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ referer: `${PUBLIC_URL}/device` }, 403],
    [{}, 403],
  ])('with %p answers %p, and a refused one changes nothing', async (headers, status) => {
    const device = await world.begin()
    for (const path of ['/device/deny', '/device']) {
      if (status === 303 && path === '/device/deny') continue
      const response = await world.press(device.user_code, { path, headers })
      expect(response.status).toBe(status)
      if (status === 403) expect(response.headers.get('content-type')).toContain('text/html')
      expect(response.headers.getSetCookie()).toHaveLength(status === 303 ? 1 : 0)
    }
    expect(await attemptsFor(device.device_code)).toBe(status === 303 ? 1 : 0)
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'authorization_pending' })
  })

  // T035
  test('goes to the provider and nowhere else, whatever the form says', async () => {
    for (const target of ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:alert(1)']) {
      const { user_code } = await world.begin()
      const body = new URLSearchParams({ user_code, return_to: target, redirect_uri: target, next: target, url: target })
      const response = await fetch(`${world.gateway.url}/device?return_to=${encodeURIComponent(target)}`, { method: 'POST', body, headers: SAME_ORIGIN, redirect: 'manual' })
      expect(response.headers.get('location')).toStartWith(`${world.idp.issuer}/authorize?`)
      expect(response.headers.get('location')).not.toContain('evil')
    }
  })
})

describe('pressing Deny', () => {
  // T060
  test('is final: the device hears of it at once and again, and nobody can approve any more', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    const page = await world.press(device.user_code, { path: '/device/deny' })
    expect(page.status).toBe(200)
    for (let n = 0; n < 2; n++) expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'access_denied' })
    expect((await world.comeBack(away)).status).toBe(400)
    expect((await world.press(device.user_code)).status).toBe(400)
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'access_denied' })
    expect(await world.gateway.saw('device.verify', (event) => event.outcome === 'denied' && hashToken(device.device_code).startsWith(event.device_code_hash ?? '-'))).toBeDefined()
  })
})

describe('coming back from the provider', () => {
  // T087
  test('approves, says who is signed in, and leaves a trail from the device to the token', async () => {
    const device = (await (
      await fetch(`${world.gateway.url}/oauth/device_authorization`, {
        method: 'POST',
        body: new URLSearchParams({ surface: 'claude_code' }),
        headers: { 'x-forwarded-for': '198.51.100.7', 'user-agent': 'claude-code/2.1.330' },
      })
    ).json()) as Awaited<ReturnType<EvilWorld['begin']>>
    const away = await world.leave(device.user_code)
    const page = await world.comeBack(away, { headers: { 'x-forwarded-for': '203.0.113.9' } })
    expect(page.status).toBe(200)
    expect(textOf(await page.clone().text())).toContain('Signed in as alice@corp.example')
    expect(page.headers.getSetCookie()).toEqual([`${away.cookie.split('=')[0]}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`])
    const tokens = (await (await world.poll(device)).json()) as { access_token: string; email: string }
    expect(tokens.email).toBe('alice@corp.example')

    const grant = hashToken(device.device_code).slice(0, 12)
    const { saw } = world.gateway
    expect(await saw('device.authorize', (event) => event.device_code_hash === grant)).toMatchObject({ client_ip: '198.51.100.7', user_agent: 'claude-code/2.1.330', surface: 'claude_code' })
    expect(await saw('device.verify', (event) => event.device_code_hash === grant)).toMatchObject({ outcome: 'redirected', client_ip: '127.0.0.1' })
    expect(await saw('device.callback', (event) => event.device_code_hash === grant)).toMatchObject({
      outcome: 'approved',
      client_ip: '203.0.113.9',
      requester_ip: '198.51.100.7',
      other_address: true,
      issuer: world.idp.issuer,
      sub: 'alice',
      email: 'alice@corp.example',
    })
    const { sid } = JSON.parse(Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string }
    expect(await saw('session.mint', (event) => event.sid === sid)).toMatchObject({ sub: 'alice', expires_in: 3600 })
  })

  test('works for the browser that left, once, and not for another', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    const other = await world.leave(device.user_code)
    const renamed = `${away.cookie.split('=')[0]}=${other.cookie.split('=')[1]}`
    for (const cookie of ['', other.cookie, renamed, `${away.cookie}; ${away.cookie}`, `${away.cookie}x`, '%', `${away.cookie.split('=')[0]}=%`]) {
      expect((await world.comeBack(away, { cookie })).status).toBe(400)
    }
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'authorization_pending' })
    expect((await world.comeBack(away)).status).toBe(200)
    expect((await world.comeBack(away)).status).toBe(400)
    expect((await world.comeBack(other)).status).toBe(400)
    expect((await world.poll(device)).status).toBe(200)
    expect(await world.gateway.saw('device.callback', (event) => event.reason === 'grant_not_waiting')).toBeDefined()
  })

  test('is refused with a state of nobody, an empty one, or two', async () => {
    const { user_code } = await world.begin()
    const away = await world.leave(user_code)
    expect((await world.comeBack(away, { parameters: { state: 'x'.repeat(43) } })).status).toBe(400)
    expect((await world.comeBack(away, { parameters: { state: '' } })).status).toBe(400)
    const callback = world.idp.authorize(away.url)
    expect((await world.gateway.get(`${callback.pathname}${callback.search}&state=2`, undefined, { cookie: away.cookie })).status).toBe(400)
    expect((await world.gateway.get('/oauth/callback', undefined, { cookie: away.cookie })).status).toBe(400)
    expect((await world.comeBack(away)).status).toBe(200)
  })

  // T042
  test('works in five tabs of one browser, last one first', async () => {
    const devices = await Promise.all(Array.from({ length: 5 }, () => world.begin()))
    const tabs = await Promise.all(devices.map(({ user_code }) => world.leave(user_code)))
    const cookie = tabs.map((tab) => tab.cookie).join('; ')
    for (const tab of tabs.toReversed()) expect((await world.comeBack(tab, { cookie })).status).toBe(200)
    const answers = await Promise.all(devices.map((device) => world.poll(device)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  })

  // T047
  test('does nothing for a link scanner or a browser that fetches ahead', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    const before = world.idp.count('/token')
    expect((await world.comeBack(away, { method: 'HEAD' })).status).toBe(200)
    expect((await world.comeBack(away, { headers: { 'sec-purpose': 'prefetch;prerender' } })).status).toBe(503)
    expect((await world.comeBack(away, { headers: { purpose: 'prefetch' } })).status).toBe(503)
    expect(world.idp.count('/token')).toBe(before)
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'authorization_pending' })
    expect((await world.comeBack(away)).status).toBe(200)
  })

  test('tells the device at once that the person declined at the provider', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    const page = await world.comeBack(away, { parameters: { error: 'access_denied', error_description: '<b>no</b>' } })
    expect(page.status).toBe(403)
    expect(await page.text()).not.toContain('<b>no</b>')
    for (let n = 0; n < 2; n++) expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'access_denied' })
  })

  test('refuses a person who is not admitted with a general sentence, and gives the reason to the log alone', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    const page = await asPerson({ email: 'alice@elsewhere.example' }, () => world.comeBack(away))
    expect(page.status).toBe(403)
    expect(textOf(await page.text())).not.toMatch(/domain|e-?mail|corp\.example|elsewhere/i)
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'access_denied' })
    expect(await world.gateway.saw('device.callback', (event) => event.reason === 'email_domain')).toMatchObject({ outcome: 'refused' })
  })

  test('keeps the code good when the provider is in trouble', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    world.idp.faults = { tokenResponse: () => new Response('<html>', { status: 502 }) }
    const page = await world.comeBack(away)
    world.idp.faults = {}
    expect(page.status).toBe(503)
    expect(page.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'authorization_pending' })
    expect((await world.approve(device.user_code)).status).toBe(200)
    expect((await world.poll(device)).status).toBe(200)
  })

  // T074
  test('leaves the grant to the first who approved it', async () => {
    const device = await world.begin()
    const [first, second] = [await world.leave(device.user_code), await world.leave(device.user_code)]
    expect((await world.comeBack(first)).status).toBe(200)
    expect((await asPerson({ sub: 'mallory', email: 'mallory@corp.example' }, () => world.comeBack(second))).status).toBe(400)
    expect(await (await world.poll(device)).json()).toMatchObject({ email: 'alice@corp.example' })
  })

  test('comes too late when the code has expired on the way', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    await world.wait(device, 601)
    expect((await world.comeBack(away)).status).toBe(400)
    expect(await errorOf(await world.poll(device))).toEqual({ status: 400, error: 'expired_token' })
  })
})

describe('what is stored', () => {
  // T064, T116
  test('lets nobody redeem a code, finish a sign-in or act as the gateway at the provider', async () => {
    const device = await world.begin()
    const away = await world.leave(device.user_code)
    const open = await world.begin()
    const waiting = await world.leave(open.user_code)
    await world.comeBack(away)
    const approved = await dump()
    const tokens = (await (await world.poll(device)).json()) as { refresh_token: string; access_token: string }
    const stored = approved + (await dump())
    const state = waiting.url.searchParams.get('state') as string
    const secrets = [device.device_code, open.device_code, tokens.refresh_token, tokens.access_token, waiting.cookie.split('=')[1] as string, state, waiting.url.searchParams.get('nonce') as string]
    for (const secret of [...secrets, 'refresh-token-canary', 'access-token-canary']) expect(stored).not.toContain(secret)
    for (const value of new Set(stored.match(/[\w-]{43,}/g))) {
      expect((await world.gateway.form('/oauth/token', { grant_type: DEVICE_CODE, device_code: value })).status).toBe(400)
      expect((await world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: value })).status).toBe(401)
    }
  })

  // T069
  test('has one waiting grant per user code, also when replicas draw the same one at once', async () => {
    const replicas = Array.from({ length: 4 }, () => connect({ url: world.database.url, maxConnections: 2, observe: () => {} }))
    const draw = (db: (typeof replicas)[number], n: number) => insertGrant(db, { deviceCodeHash: `collision-${n}`, userCode: 'ZZZZZZZZ', requesterIp: '::1' })
    const drawn = await Promise.all(Array.from({ length: 20 }, (_, n) => draw(replicas[n % 4] as (typeof replicas)[number], n)))
    expect(drawn.filter(Boolean)).toHaveLength(1)
    expect(await world.database.sql`select from device_grant where user_code = 'ZZZZZZZZ'`).toHaveLength(1)
    for (const db of replicas) await db.close()
  })
})

/** What the provider says, changed for a while. */
async function asPerson(claims: { sub?: string; email?: string }, work: () => Promise<Response>): Promise<Response> {
  const { person, userinfo } = world.idp
  world.idp.person = { ...person, ...claims }
  world.idp.userinfo = { ...userinfo, sub: world.idp.person.sub }
  try {
    return await work()
  } finally {
    Object.assign(world.idp, { person, userinfo })
  }
}

async function dump(): Promise<string> {
  const { sql } = world.database
  const tables = [await sql`select * from device_grant`, await sql`select * from sign_in_attempt`, await sql`select * from session`, await sql`select * from refresh_token`]
  return JSON.stringify(tables)
}
