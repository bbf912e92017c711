// The page of one's own spend, with a real OpenID provider and two replicas.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, adminCalls } from '../support/admin.ts'
import { createBrowser, signInAtProvider, type Browser } from '../support/browser.ts'
import { startWorld, type TestGateway, type World } from '../support/gateway.ts'

let world: World
let other: TestGateway
beforeAll(async () => {
  world = await startWorld({ config: { admin: { ...ADMIN, blocked_message: 'Ask #claude-budget.' } } })
  other = await world.replica()
  await world.database.sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select '2026-11-18 13:45:00Z'::timestamptz $$`)
}, 30_000)
afterAll(() => world.stop(), 20_000)

const textOf = (page: string) => page.replace(/<(title|style)>[\s\S]*?<\/\1>|<[^>]+>/g, ' ').replace(/&#39;/g, "'").replace(/&#60;/g, '<').replace(/&#62;/g, '>').replace(/\s+/g, ' ').replace(/ \./g, '.')
const cookieOf = (browser: Browser) => browser.cookies(new URL(world.gateway.url).host).get('gatehouse-me')
const me = () => `${world.gateway.url}/me`

async function signIn(login = 'alice', browser = createBrowser()) {
  const page = await signInAtProvider(browser, await browser.submit(`${me()}/sign-in`, {}), login)
  return { browser, page, cookie: `gatehouse-me=${cookieOf(browser)}` }
}

const at = (gateway: TestGateway, cookie: string) => gateway.get('/me', undefined, { cookie })

describe('before anybody is signed in', () => {
  test('the page offers it, and lets its form lead to the provider alone', async () => {
    const page = await world.gateway.get('/me')
    expect([page.status, page.headers.get('cache-control'), page.headers.getSetCookie()]).toEqual([200, 'no-store', []])
    expect(await page.clone().text()).toContain('<form method="post" action="/me/sign-in">')
    const policy = page.headers.get('content-security-policy') ?? ''
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", `form-action 'self' ${world.idp.issuer};`]) expect(policy).toContain(part)
    expect(page.headers.get('x-frame-options')).toBe('DENY')
  })

  test('a HEAD says that it is there', async () => {
    const response = await fetch(me(), { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })
})

describe('somebody who signs in', () => {
  test('sees what they spent and may spend, and nobody else’s', async () => {
    const admin = adminCalls(world.gateway)
    const group = { type: 'rbac_group', rbac_group_id: 'engineering' }
    for (const [scope, amount, period, more] of [
      [{ type: 'user', user_id: 'alice' }, '1000', 'daily', {}],
      [group, '4000', 'weekly', {}],
      [{ type: 'organization' }, '100000000', 'monthly', {}],
      [group, '500000', 'monthly', { shared: true }],
    ] as const) expect((await admin('POST', '', { scope, amount, period, ...more })).status).toBe(200)
    for (const [scope, id, day, spent] of [
      ['user', `${world.idp.issuer} alice`, '2026-11-18', 7_907_560_000n],
      ['user', `${world.idp.issuer} alice`, '2026-11-02', 1_226_660_000_000n],
      ['user', `${world.idp.issuer} bob`, '2026-11-18', 666_000_000_000n],
      ['rbac_group', 'engineering', '2026-11-18', 2_103_030_000_000n],
    ] as const) await world.database.sql`insert into spend_day (scope, scope_id, day, spent) values (${scope}, ${id}, ${day}, ${String(spent)}::bigint)`
    for (const [sub, hour, model, cost] of [
      ['alice', '2026-11-18T10:00:00Z', 'claude-sonnet-5', 7_907_560_000n],
      ['alice', '2026-11-02T10:00:00Z', 'claude-opus-5-5', 1_226_660_000_000n],
      ['alice', '2026-11-02T10:00:00Z', '<b>mine</b>', 5_000_000n],
      ['bob', '2026-11-18T10:00:00Z', 'bobs-model', 666_000_000_000n],
    ] as const) await world.database.sql`insert into usage_day values (date_trunc('day', ${hour}::timestamptz, 'UTC'), ${world.idp.issuer}, ${sub}, gen_random_uuid(), ${model}, 'one', 'claude-cli', 'standard', 'na', 'standard', 1234, 0, 1000, 200, 9120000, 40, 4, 0, ${String(cost)}::bigint, 0)`

    const { page } = await signIn()
    expect([page.status, page.url, page.headers.get('cache-control')]).toEqual([200, me(), 'no-store'])
    const text = textOf(page.text)
    for (const part of [
      'Alice A · alice@example.com',
      'Today $7.90 This week $7.90 November $1,234.56',
      'Daily limit $7.90 of $10.00 79 % used, $2.09 left resets in 10 h, Thu 19 Nov 00:00 UTC Set for you',
      'Weekly limit $7.90 of $40.00 19 % used, $32.09 left resets in 4 days, Mon 23 Nov 00:00 UTC For each member of engineering',
      'Monthly limit $1,234.56 of $1,000,000.00 0 % used, $998,765.43 left resets in 12 days, Tue 1 Dec 00:00 UTC For each person in the organisation',
      'Shared monthly limit $2,103.03 of $5,000.00 42 % used, $2,896.97 left resets in 12 days, Tue 1 Dec 00:00 UTC Shared by the members of engineering',
      'November by model Model Requests Tokens in Cached Tokens out Spent claude-opus-5-5 1,234 1.00k 9.12M 200 $1,226.66 claude-sonnet-5 1,234 1.00k 9.12M 200 $7.90 <b>mine</b> 1,234 1.00k 9.12M 200 < $0.01',
      'November by day Day Requests Spent Wed 18 Nov 1,234 $7.90 Mon 2 Nov 2,468 $1,226.66',
      'As of Wed 18 Nov, 13:45 UTC.',
    ]) expect(text).toContain(part)
    for (const part of ['bob', '666', 'used up', '#claude-budget']) expect(text).not.toContain(part)
  })

  test('finds tables with captions and headers, bars that are decoration, and neither script nor style of its own', async () => {
    const { text } = (await signIn()).page
    expect(text.match(/<table><caption>[^<]+<\/caption>\n<thead><tr>(<th scope="col"[^>]*>[^<]+<\/th>)+<\/tr><\/thead>/g)).toHaveLength(2)
    expect(text.match(/<th scope="row">/g)).toHaveLength(5)
    expect((text.match(/<svg/g) ?? []).length).toBe((text.match(/<svg[^>]* aria-hidden="true"/g) ?? []).length)
    expect(text).not.toMatch(/<script|<img|url\(|@import|\bon[a-z]+=|style="|https?:/i)
  })

  test('is told first when a limit is used up, and whom to ask', async () => {
    await world.database.sql`update spend_day set spent = 20000000000 where day = '2026-11-18' and scope = 'user'`
    const text = textOf((await signIn()).page.text)
    expect(text).toContain('Your daily limit is used up. Claude Code goes on when it resets: in 10 h, Thu 19 Nov 00:00 UTC. Ask #claude-budget. Today')
    expect(text).toContain('Daily limit $20.00 of $10.00 Used up resets')
  })

  test('sees a page without limits and without use, too', async () => {
    const plain = await world.replica({ admin: undefined })
    await world.database.sql`delete from usage_day where sub = 'bob'`
    const { cookie } = await signIn('bob')
    const text = textOf(await (await at(plain, cookie)).text())
    for (const part of ['Bob B · bob@example.com', 'No limit holds for you.', 'Nothing was used in November yet.']) expect(text).toContain(part)
  })

  test('gets one cookie for this host alone, for an hour, and a trail in the audit log', async () => {
    const browser = createBrowser()
    const away = await browser.once(`${me()}/sign-in`, { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } })
    expect(away.status).toBe(303)
    const back = await signInAtProvider(browser, await browser.get(away.headers.get('location') ?? ''), 'alice')
    expect(back.url).toBe(me())
    const { sid } = await world.gateway.saw('page.sign_in', (event) => event.outcome === 'signed_in')
    expect(await world.gateway.saw('page.sign_in', (event) => event.outcome === 'signed_in')).toMatchObject({ issuer: world.idp.issuer, sub: 'alice', email: 'alice@example.com', client_ip: '127.0.0.1' })
    const [session] = await world.database.sql`select idp_refresh_token from session where sid = ${sid ?? ''}`
    expect(session?.idp_refresh_token).toBeNull()
    expect([...(await world.database.sql`select from refresh_token where sid = ${sid ?? ''}`)]).toEqual([])
    expect(JSON.stringify(world.gateway.observed)).not.toContain(cookieOf(browser) as string)
  })

  test('has a cookie that opens the page on every replica, and nothing else in any place', async () => {
    const { cookie } = await signIn()
    const token = cookie.split('=')[1] as string
    for (const gateway of [world.gateway, other]) expect(textOf(await (await at(gateway, cookie)).text())).toContain('alice@example.com')
    for (const path of ['/me/usage', '/api/oauth/usage', '/v1/models', '/managed/settings', '/v1/organizations/spend_limits']) {
      const headers: Record<string, string>[] = [{ cookie }, { authorization: `Bearer ${token}` }, { 'x-api-key': token }]
      for (const one of headers) expect([path, (await world.gateway.get(path, undefined, one)).status]).toEqual([path, 401])
    }
    expect((await fetch(`${world.gateway.url}/v1/messages`, { method: 'POST', headers: { cookie }, body: '{}' })).status).toBe(401)
    // Nor does a bearer open the page.
    const bearer = (await world.signIn()).access_token
    for (const headers of [{ authorization: `Bearer ${bearer}` }, { cookie: `gatehouse-me=${bearer}` }] as Record<string, string>[]) {
      expect(textOf(await (await world.gateway.get('/me', undefined, headers)).text())).toContain('Sign in with your organisation')
    }
  })

  test('is signed out by the button, everywhere at once', async () => {
    const { browser, cookie } = await signIn()
    const page = await browser.submit(`${me()}/sign-out`, {})
    expect([page.url, textOf(page.text).includes('Sign in with your organisation'), cookieOf(browser)]).toEqual([me(), true, undefined])
    for (const gateway of [world.gateway, other]) {
      const after = await at(gateway, cookie)
      expect(textOf(await after.text())).toContain('Sign in with your organisation')
      expect(after.headers.getSetCookie()).toEqual(['gatehouse-me=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax'])
    }
    expect(await world.gateway.saw('page.sign_out')).toMatchObject({ outcome: 'signed_out', sub: 'alice', email: 'alice@example.com', sid: expect.any(String) })
  })

  test('who was removed at the provider does not come in', async () => {
    world.idp.disable('bob')
    const { page, cookie } = await signIn('bob')
    expect([page.status === 200 && page.url === me(), cookie]).toEqual([false, 'gatehouse-me=undefined'])
    world.idp.enable('bob')
  })
})
