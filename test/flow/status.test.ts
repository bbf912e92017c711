// What an administrator is told of how the gateway does: verbose readiness, and the page of it. With neighbours that fail.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, READ_KEY, until, WRITE_KEY } from '../support/admin.ts'
import { createBrowser, signInAtProvider, type Browser } from '../support/browser.ts'
import { startCollector, type TestCollector } from '../support/collector.ts'
import { startWorld, type TestGateway, type World } from '../support/gateway.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { answerError } from '../support/upstream.ts'

let world: World
let collector: TestCollector
let proxy: TcpProxy
/** A replica whose neighbours fail. */
let troubled: TestGateway
let token: string
beforeAll(async () => {
  collector = startCollector()
  world = await startWorld({ config: { admin: { ...ADMIN, admin_groups: ['engineering'] }, audit: { store: true }, telemetry: { forward_to: [{ url: collector.url }] } } })
  token = (await world.signIn()).access_token
  const { hostname, port } = new URL(world.database.url)
  proxy = await createTcpProxy(hostname, Number(port))
  const through = new URL(world.database.url)
  through.port = String(proxy.port)
  troubled = await world.replica({
    store: { postgres_url: through.href, readiness_grace_seconds: 3600 },
    upstreams: [
      { name: 'first', provider: 'anthropic', base_url: world.upstream.url, auth: { api_key: 'sk-upstream-canary' } },
      { name: 'second', provider: 'vertex', region: 'europe-west1', project_id: 'acme', base_url: world.upstream.url, auth: { service_account_json: '/nowhere/key.json' } },
    ],
    telemetry: { forward_to: [{ url: 'http://127.0.0.1:9/a-tenant-canary/otlp' }] },
  })
}, 30_000)
afterAll(async () => {
  await world.stop()
  await collector.stop()
  proxy.stop()
}, 20_000)

const verbose = async (gateway = world.gateway, headers: Record<string, string> = { 'x-api-key': READ_KEY }) => {
  const response = await gateway.get('/readyz?verbose=1', undefined, headers)
  return { status: response.status, facts: (await response.json()) as Record<string, any> }
}
const textOf = (page: string) => page.replace(/<(title|style)>[\s\S]*?<\/\1>|<[^>]+>/g, ' ').replace(/&#39;/g, "'").replace(/\u00a0/g, ' ').replace(/\s+/g, ' ')
const statusUrl = () => `${world.gateway.url}/status`
const cookieOf = (browser: Browser) => `gatehouse-me=${browser.cookies(new URL(world.gateway.url).host).get('gatehouse-me')}`

async function signIn(login: string, path = '/status') {
  const browser = createBrowser()
  const page = await signInAtProvider(browser, await browser.submit(`${world.gateway.url}${path}/sign-in`, {}), login)
  return { browser, page, cookie: cookieOf(browser) }
}

describe('verbose readiness', () => {
  test('says of everything how it does, and that all is well', async () => {
    await until(async () => (await verbose()).facts.store.latency_ms !== undefined)
    const { status, facts } = await verbose()
    expect(status).toBe(200)
    expect(facts).toMatchObject({
      ready: true,
      version: expect.any(String),
      verdict: 'Ready. Everything works.',
      troubles: [],
      draining: false,
      requests_in_flight: 0,
      store: { reachable: true, grace_seconds: expect.any(Number), schema: expect.stringMatching(/^\d{4}_\w+$/), pools: [{ name: 'main', max_connections: 5 }, { name: 'reports' }, { name: 'ledger' }] },
      idp: { issuer: world.idp.issuer, answers: true, discovery_read_seconds_ago: expect.any(Number), keys_read_seconds_ago: expect.any(Number), answered_seconds_ago: expect.any(Number) },
      upstreams: [{ name: 'anthropic', in_flight: 0, requests: { succeeded: 0, failed: 0, undecided: 0 }, breakers: [], left_out: [], credential: { kind: 'static' } }],
      ledger: { requests_held: 0, settlements_waiting: 0, lag_seconds: 0, set_aside: 0 },
      audit: { lost: 0, blocking: false },
      collectors: [{ name: new URL(collector.url).host, delivered: 0, lost: 0 }],
      log_level: { level: 'info', level_at_start: 'info' },
      config: { file: 'test.yaml', sha256: expect.stringMatching(/^[0-9a-f]{64}$/), loaded_at: expect.stringMatching(/Z$/) },
    })
    expect(facts.uptime_seconds).toBeWithin(0, 120)
    expect(facts.revocations.age_seconds).toBeLessThan(10)
    expect(Math.abs(Date.parse(facts.taken_at) - Date.now())).toBeLessThan(5000)
    expect(facts.idp.trouble).toBeUndefined()
  })

  test('names the replica that answers: its machine and process, and its process as the database knows it', async () => {
    const other = await world.replica()
    const [{ facts: one }, { facts: two }] = [await verbose(), await verbose(other)]
    expect([one.replica, two.replica]).toEqual([one, two].map(() => ({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), host: 'replica.test', pid: 7 })))
    expect(one.replica.id).not.toBe(two.replica.id)
    const known = (await world.database.sql`select id::text from gateway_process`).map(({ id }) => id)
    expect(known).toEqual(expect.arrayContaining([one.replica.id, two.replica.id]))
    await other.stop()
  })

  test('asks neither the provider, nor an upstream, nor the store', async () => {
    const [asked, { facts: before }] = [world.upstream.requests.length, await verbose()]
    const answers = await Promise.all(Array.from({ length: 50 }, () => verbose()))
    expect(world.upstream.requests.length).toBe(asked)
    expect(Math.max(...answers.map(({ facts }) => facts.idp.keys_read_seconds_ago))).toBeGreaterThanOrEqual(before.idp.keys_read_seconds_ago)
    expect(answers.every(({ facts }) => facts.store.pools.every((pool: { statements_in_flight: number }) => pool.statements_in_flight <= 2))).toBe(true)
  })

  test('says which upstream fails and why, and whose credential cannot be had, without a word of one', async () => {
    for (let n = 0; n < 3; n++) {
      world.upstream.enqueue(answerError(429, 'slow down', { 'retry-after': '60' }))
      await troubled.post('/v1/messages', { model: 'claude-sonnet-5', max_tokens: 1, messages: [] }, token)
    }
    const { facts } = await verbose(troubled)
    expect(facts.upstreams).toMatchObject([
      { name: 'first', breakers: [{ model: 'claude-sonnet-5', state: 'open' }], last_failure: { words: 'it answered 429', seconds_ago: expect.any(Number) }, credential: { kind: 'static' } },
      { name: 'second', region: 'europe-west1', last_failure: { words: 'no credential could be had' }, credential: { kind: 'google_key_file', failure: { words: 'cannot read /nowhere/key.json (ENOENT)', seconds_ago: expect.any(Number) } } },
    ])
    expect(facts.troubles).toContain('Upstream second: no credential can be had: cannot read /nowhere/key.json (ENOENT)')
    expect(facts.troubles.some((words: string) => /^Upstream first is left alone for claude-sonnet-5: it answered 429, \d+ s ago$/.test(words))).toBe(true)
    expect(JSON.stringify(facts)).not.toContain('canary')
  })

  test('says for how long a collector has taken nothing', async () => {
    await troubled.post('/v1/metrics', { resourceMetrics: [{}] }, token)
    await until(async () => (await verbose(troubled)).facts.collectors[0].trouble !== undefined)
    const { facts } = await verbose(troubled)
    expect(facts.collectors).toMatchObject([{ name: '127.0.0.1:9', delivered: 0, held: 1, trouble: expect.stringContaining('ECONNREFUSED'), trouble_seconds: expect.any(Number) }])
    expect(facts.verdict).toMatch(/^Ready, but \d+ things need attention\.$/)
    // With some vendors the path is the secret.
    const page = await (await troubled.get('/status', undefined, { 'x-api-key': READ_KEY })).text()
    expect([page.includes('127.0.0.1:9'), page.includes('canary'), JSON.stringify(facts).includes('canary')]).toEqual([true, false, false])
  })

  test('says of exports that a collector did not get that they are lost, and since when', async () => {
    collector.enqueue(() => new Response('no', { status: 400 }))
    const replica = await world.replica()
    await replica.post('/v1/metrics', { resourceMetrics: [{}] }, token)
    await until(async () => (await verbose(replica)).facts.collectors[0].lost === 1)
    // What comes later does not take it back.
    await replica.post('/v1/metrics', { resourceMetrics: [{}] }, token)
    await until(async () => (await verbose(replica)).facts.collectors[0].delivered === 1)
    const { facts } = await verbose(replica)
    expect(facts.collectors).toMatchObject([{ delivered: 1, lost: 1, lost_seconds_ago: expect.any(Number) }])
    expect(facts.troubles).toEqual([expect.stringMatching(/^Collector \S+ has lost one export since the start, the last one \d+ s ago$/)])
  })

  test('says that the store is away, for how long, and how long the gateway bears it, and then that it is back', async () => {
    const seen = await signIn('alice')
    expect((await troubled.get('/status', undefined, { cookie: seen.cookie })).status).toBe(200)
    const leaver = await signIn('alice')
    expect((await troubled.get('/status', undefined, { cookie: leaver.cookie })).status).toBe(200)
    const unseen = await signIn('alice')
    proxy.set('refuse')
    await until(async () => (await verbose(troubled)).facts.store.reachable === false)
    const { status, facts } = await verbose(troubled)
    expect([status, facts.ready, facts.store.grace_seconds, facts.store.away_seconds]).toEqual([200, true, 3600, expect.any(Number)])
    expect(facts.troubles[0]).toMatch(/^Store: PostgreSQL has not answered for \d+ s; nobody can sign in, and in \d+ min the gateway is not ready$/)

    // The page is needed most now: a browser that this replica has seen still sees it.
    const page = await troubled.get('/status', undefined, { cookie: seen.cookie })
    expect([page.status, textOf(await page.text())]).toEqual([200, expect.stringContaining('PostgreSQL has not answered for')])
    const other = await troubled.get('/status', undefined, { cookie: unseen.cookie })
    expect([other.status, textOf(await other.text())]).toEqual([503, expect.stringContaining('Gateway status cannot be shown now')])
    expect((await troubled.get('/me', undefined, { cookie: seen.cookie })).status).toBe(503)

    // Whoever signs out meanwhile is signed out here.
    const leaving = await fetch(`${troubled.url}/status/sign-out`, { method: 'POST', redirect: 'manual', headers: { cookie: leaver.cookie, origin: world.gateway.url, 'sec-fetch-site': 'same-origin' } })
    expect([leaving.status, leaving.headers.get('set-cookie'), textOf(await leaving.text())]).toEqual([503, expect.stringMatching(/^gatehouse-me=;.*Max-Age=0/i), expect.stringContaining('Signed out in this browser')])
    expect(await troubled.saw('page.sign_out')).toMatchObject({ outcome: 'signed_out_here', sid: expect.any(String), sub: expect.any(String), request_id: leaving.headers.get('x-request-id') })
    expect((await troubled.get('/status', undefined, { cookie: leaver.cookie })).status).toBe(503)

    proxy.set('pass')
    await until(async () => (await verbose(troubled)).facts.store.reachable === true)
    // The store never heard of it, and the cookie opens nothing here all the same.
    expect(textOf(await (await troubled.get('/status', undefined, { cookie: leaver.cookie })).text())).toContain('Sign in with your organisation')
    // Signed out elsewhere, it is over here, too.
    await seen.browser.submit(`${statusUrl()}/sign-out`, {})
    expect(textOf(await (await troubled.get('/status', undefined, { cookie: seen.cookie })).text())).toContain('Sign in with your organisation')
  }, 30_000)
})

// The list of revoked sessions must reach back as far as a page's session lives, however short a bearer's life is.
test('a session that was signed out elsewhere before the store went away stays so, where bearers live for minutes', async () => {
  const through = new URL(world.database.url)
  through.port = String(proxy.port)
  const brief = await world.replica({ session: { jwt_secret: 'a-test-secret-of-more-than-thirty-two-bytes', ttl_hours: 0.1 }, store: { postgres_url: through.href, readiness_grace_seconds: 3600 } })
  const { cookie } = await signIn('alice')
  expect((await brief.get('/status', undefined, { cookie })).status).toBe(200)
  await world.database.sql`update session set revoked_at = now() - interval '20 minutes' where revoked_at is null`
  const lag = async () => Number(/^gatehouse_revocation_lag_seconds (\S+)$/m.exec(await (await brief.get('/metrics', undefined, { 'x-api-key': READ_KEY })).text())?.[1])
  // It has read the list since.
  for (let before = Number.NEGATIVE_INFINITY, now = await lag(); now >= before; ) [before, now] = [now, await lag()]
  proxy.set('refuse')
  await until(async () => (await verbose(brief)).facts.store.reachable === false)
  expect((await brief.get('/status', undefined, { cookie })).status).toBe(503)
  proxy.set('pass')
  await brief.stop()
  token = (await world.signIn()).access_token
}, 30_000)

describe('the page', () => {
  test('offers a sign-in to strangers, and says nothing else', async () => {
    const page = await world.gateway.get('/status')
    const text = await page.text()
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(text).toContain('<form method="post" action="/status/sign-in">')
    for (const word of ['0.1.0', world.idp.issuer, 'anthropic', '0008', 'test.yaml', collector.url]) expect(text.replace(/<style>[\s\S]*<\/style>/, '')).not.toContain(word)
  })

  test('shows a member of an admin group the facts of verbose readiness, verdict first', async () => {
    const { page } = await signIn('alice')
    expect([page.status, page.url, page.headers.get('cache-control')]).toEqual([200, statusUrl(), 'no-store'])
    const { facts } = await verbose()
    const text = textOf(page.text)
    expect(text.indexOf(facts.verdict)).toBeLessThan(text.indexOf('Store'))
    for (const part of [
      `gatehouse ${facts.version}`, facts.verdict, `Schema ${facts.store.schema}`, 'of 5 · reports 0 of 2', `Issuer ${world.idp.issuer}`, 'anthropic', 'from the configuration', facts.collectors[0].name, 'Usage ledger', 'Audit trail',
      `File test.yaml SHA-256 ${facts.config.sha256}`, 'Log level info', `Replica ${facts.replica.id}`, 'on replica.test, process 7', 'Look again', '/readyz?verbose=1',
    ]) expect(text).toContain(part)
  })

  test('has headings, tables with captions and headers, and neither script nor style of its own nor a reload', async () => {
    const { text } = (await signIn('alice')).page
    expect(text.match(/<h1>/g)).toHaveLength(1)
    expect(text.match(/<h2 id="(store|idp|configuration)">/g)).toHaveLength(3)
    expect(text.match(/<table class="facts"><caption>[^<]+<\/caption>\n<thead><tr>(<th scope="col"[^>]*>[^<]+<\/th>)+<\/tr><\/thead>/g)).toHaveLength(2)
    expect(text).not.toMatch(/<script|<img|url\(|@import|\bon[a-z]+=|style="|http-equiv/i)
  })

  test('is refused to somebody who is signed in and no administrator: nothing is shown, and that is in the audit log', async () => {
    const { page, cookie } = await signIn('bob')
    expect(page.status).toBe(403)
    for (const word of ['0.1.0', world.idp.issuer, 'anthropic', 'engineering', 'test.yaml', 'replica.test']) expect(page.text.replace(/<style>[\s\S]*<\/style>/, '')).not.toContain(word)
    expect(await world.gateway.saw('admin.denied', ({ path }) => path === '/status')).toMatchObject({ actor: 'oidc:bob', method: 'GET', client_ip: '127.0.0.1', request_id: expect.any(String) })
    // What they may see they see without another sign-in.
    expect(textOf(await (await world.gateway.get('/me', undefined, { cookie })).text())).toContain('bob@example.com')
  })

  test('is nobody’s where no groups are named, and where there are no administrators', async () => {
    const { cookie } = await signIn('alice')
    for (const admin of [ADMIN, undefined]) {
      const replica = await world.replica({ admin })
      expect((await replica.get('/status', undefined, { cookie })).status).toBe(403)
      if (admin === undefined) expect((await replica.get('/status', undefined, { 'x-api-key': WRITE_KEY })).status).toBe(401)
    }
  })

  test.each<[string, (cookie: string) => Record<string, string>, number]>([
    ['an admin key', () => ({ 'x-api-key': READ_KEY }), 200],
    ['the bearer of an administrator', () => ({ authorization: `Bearer ${token}` }), 200],
    ['a wrong key', () => ({ 'x-api-key': 'wrong-key-canary-of-more-than-32-bytes' }), 401],
    ['a wrong key beside the cookie of an administrator', (cookie) => ({ 'x-api-key': 'wrong-key-canary-of-more-than-32-bytes', cookie }), 401],
  ])('with %s', async (_, headers, status) => {
    const { cookie } = await signIn('alice')
    const response = await world.gateway.get('/status', undefined, headers(cookie))
    expect([response.status, (await response.text()).includes('Upstreams and credentials')]).toEqual([status, status === 200])
  })

  test('takes no user and password: a proxy’s own are nobody’s sign-in, and keep nobody out', async () => {
    const { cookie } = await signIn('alice')
    const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` })
    for (const text of ['alice:secret', `ops:${WRITE_KEY}`, `${READ_KEY}:`, `:${token}`]) {
      const page = await world.gateway.get('/status', undefined, basic(text))
      expect([page.status, textOf(await page.text())]).toEqual([200, expect.stringContaining('Sign in with your organisation')])
      expect((await world.gateway.get('/readyz?verbose=1', undefined, basic(text))).status).toBe(401)
    }
    const page = await world.gateway.get('/status', undefined, { ...basic('proxy:secret'), cookie })
    expect([page.status, textOf(await page.text())]).toEqual([200, expect.stringContaining('Upstreams and credentials')])
  })

  test('has a cookie that opens no API: neither verbose readiness nor the log', async () => {
    const { cookie } = await signIn('alice')
    for (const path of ['/readyz?verbose=1', '/v1/organizations/log_level', '/metrics']) expect([path, (await world.gateway.get(path, undefined, { cookie })).status]).toEqual([path, 401])
    const put = await fetch(`${world.gateway.url}/v1/organizations/log_level`, { method: 'PUT', headers: { cookie, 'sec-fetch-site': 'same-origin' }, body: '{"level":"debug"}' })
    expect(put.status).toBe(401)
  })

  // T230
  test.each(['/status/sign-in', '/status/sign-out'])('does nothing at %s for another site', async (path) => {
    const { cookie } = await signIn('alice')
    const response = await fetch(world.gateway.url + path, { method: 'POST', headers: { 'sec-fetch-site': 'cross-site', cookie }, redirect: 'manual' })
    expect([response.status, response.headers.getSetCookie()]).toEqual([403, []])
    expect((await world.gateway.get('/status', undefined, { cookie })).status).toBe(200)
  })

  test('is where a sign-in ends that was begun there, and one’s own spend where it was begun there', async () => {
    for (const path of ['/status', '/me']) expect(new URL((await signIn('alice', path)).page.url).pathname).toBe(path)
  })

  test('is for whoever may connect: other addresses do not see that it is there', async () => {
    const narrow = await world.replica({ access_control: { allow_cidrs: ['10.0.0.0/8'] } })
    expect((await narrow.get('/status')).status).toBe(403)
  })
})

describe('to anybody', () => {
  test('the page at / says that it is up, where one’s pages are, and nothing of the gateway', async () => {
    const text = await (await world.gateway.get('/')).text()
    expect(textOf(text)).toContain('This gateway is up')
    for (const link of ['/me', '/status', '/protocol']) expect(text).toContain(`<a href="${link}">`)
    for (const word of ['0.1.0', world.idp.issuer, 'anthropic', 'test.yaml', '0008']) expect(text.replace(/<style>[\s\S]*<\/style>/, '')).not.toContain(word)
  })
})

// Last: there is no provider after it.
test('verbose readiness says that the identity provider did not answer when it was asked last', async () => {
  const { refresh_token } = await world.signIn('alice')
  await world.idp.stop()
  expect((await world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token })).status).toBe(503)
  const { facts } = await verbose()
  expect(facts.idp).toMatchObject({ answers: false, trouble: { words: expect.stringContaining('ECONNREFUSED'), seconds_ago: expect.any(Number) } })
  expect([facts.ready, facts.verdict, facts.troubles]).toEqual([true, 'Ready, but one thing needs attention.', [expect.stringMatching(/^Identity provider: .*ECONNREFUSED.*, \d+ s ago; nobody may be able to sign in$/)]])
})
