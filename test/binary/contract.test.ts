// The wire contract against the compiled file, sentence by sentence: what Claude Code and its operators rely on.
// Black box: HTTP, standard error and the token's own text; nothing of the source is used.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { approve, createBrowser } from '../support/browser.ts'
import { answerError, answerJson, answerStream, messageEvents } from '../support/upstream.ts'
import { createInstallation, listening, type Installation } from './installation.ts'
import type { Program } from './program.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const LIST = ['claude-sonnet-5', 'claude-haiku-4-5']
let installation: Installation
let program: Program
let token: string
let url: string

beforeAll(async () => {
  installation = await createInstallation()
  url = installation.url
  const cli = { availableModels: LIST, env: { A: '1' }, permissions: { deny: ['WebFetch'] } }
  await installation.configure({
    oidc: { allowed_email_domains: ['example.com'] },
    managed: { policies: [{ match: { groups: ['contractors'] }, cli: { env: { B: '2' }, permissions: { deny: ['Bash'] } } }, { match: {}, cli }] },
    rate_limits: { device_authorization: { max: 500 }, device_verify: { max: 500 } },
    limits: { max_request_bytes: 200_000 },
  } as never)
  program = installation.serve()
  await listening(program)
  token = await installation.signIn()
})
afterAll(() => installation.remove())
beforeEach(() => {
  installation.upstream.requests.length = 0
})

type Json = Record<string, any>
const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) => fetch(url + path, { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' })
const json = async (response: Response) => (await response.json()) as Json
const begin = async () => json(await form('/oauth/device_authorization', { surface: 'claude_code', scope: 'x', client_id: 'y' }))
const poll = (device_code: string) => form('/oauth/token', { grant_type: DEVICE, device_code })
const get = (path: string, bearer = token, headers: Record<string, string> = {}) => fetch(url + path, { headers: { authorization: `Bearer ${bearer}`, ...headers }, redirect: 'manual' })
const ask = { model: 'claude-sonnet-5', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }
const send = (body: unknown = ask, headers: Record<string, string> = {}, path = '/v1/messages?beta=true') =>
  fetch(url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers } })
const audit = (evt: string) => program.stderr().split('\n').filter((line) => line.startsWith('{') && line.includes(`"evt":"${evt}"`)).map((line) => JSON.parse(line) as Json)
async function signInAs(login: string): Promise<Json> {
  const grant = await begin()
  await approve(createBrowser(), grant.verification_uri, grant.user_code, login)
  return json(await poll(grant.device_code))
}

describe('1. every response', () => {
  test('has x-request-id, and error bodies repeat it as request_id', async () => {
    const response = await get('/nowhere')
    expect((await json(response)).request_id).toBe(response.headers.get('x-request-id'))
  })

  test('an unauthenticated call to an unknown path answers 401, an authenticated one 404', async () => {
    expect([(await fetch(`${url}/nowhere`)).status, (await get('/nowhere')).status]).toEqual([401, 404])
  })
})

describe('2. discovery', () => {
  test.each(['GET', 'POST'])('answers %s with the metadata, on the origin of public_url', async (method) => {
    const metadata = await json(await fetch(`${url}/.well-known/oauth-authorization-server`, { method }))
    expect(metadata).toMatchObject({
      issuer: url,
      device_authorization_endpoint: `${url}/oauth/device_authorization`,
      token_endpoint: `${url}/oauth/token`,
      revocation_endpoint: `${url}/oauth/revoke`,
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ['none'],
      gateway_protocol_version: 1,
    })
    expect(metadata.grant_types_supported).toEqual(expect.arrayContaining([DEVICE, 'refresh_token']))
    expect(metadata).not.toHaveProperty('authorization_endpoint')
    expect(metadata.scopes_supported).toBeArray()
  })
})

describe('3. sign-in', () => {
  test('the device authorization answers the codes, never cached', async () => {
    const response = await form('/oauth/device_authorization', { surface: 'claude_code' })
    const grant = await json(response)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(grant).toMatchObject({ verification_uri: `${url}/device`, verification_uri_complete: `${url}/device?user_code=${grant.user_code}`, expires_in: 600, interval: 5 })
    expect(grant.user_code).toMatch(/^[BCDFGHJKMNPQRSTVWXYZ]{4}-[BCDFGHJKMNPQRSTVWXYZ]{4}$/)
    expect(grant.device_code.length).toBeGreaterThanOrEqual(43)
  })

  test('a poll before approval is pending, a second one at once is told to slow down', async () => {
    const { device_code } = await begin()
    const [first, second] = [await poll(device_code), await poll(device_code)]
    expect([first.status, await json(first)]).toEqual([400, expect.objectContaining({ error: 'authorization_pending' })])
    expect([second.status, await json(second)]).toEqual([429, expect.objectContaining({ error: 'slow_down' })])
  })

  test.each([
    ['an unknown code', { grant_type: DEVICE, device_code: 'nope' }, 400, 'expired_token'],
    ['no code', { grant_type: DEVICE }, 400, 'invalid_request'],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'nope' }, 401, 'invalid_grant'],
  ])('%s answers as the table says', async (_, fields, status, error) => {
    const response = await form('/oauth/token', fields as unknown as Record<string, string>)
    expect([response.status, (await json(response)).error]).toEqual([status, error])
  })

  test('a JSON body is invalid_request', async () => {
    const response = await fetch(`${url}/oauth/token`, { method: 'POST', body: JSON.stringify({ grant_type: DEVICE }), headers: { 'content-type': 'application/json' } })
    expect([response.status, (await json(response)).error]).toEqual([400, 'invalid_request'])
  })

  test('an approved grant is given out once, with the e-mail, and the code is used up', async () => {
    const grant = await begin()
    await approve(createBrowser(), grant.verification_uri, grant.user_code.toLowerCase().replace('-', ''), 'alice')
    const answer = await poll(grant.device_code)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await json(answer)).toMatchObject({ token_type: 'Bearer', expires_in: 3600, email: 'alice@example.com', refresh_token: expect.any(String) })
    expect((await json(await poll(grant.device_code))).error).toBe('expired_token')
  })

  test('the access token is HS256 with a key id and the claims', () => {
    const [head = '', payload = ''] = token.split('.')
    const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json
    expect(decode(head)).toMatchObject({ alg: 'HS256', kid: expect.any(String) })
    const claims = decode(payload)
    expect(claims).toMatchObject({ iss: url, aud: 'claude-gateway', sub: 'alice', email: 'alice@example.com', name: 'Alice A', groups: ['engineering'], sid: expect.any(String), jti: expect.any(String) })
    expect(claims.exp - claims.iat).toBe(3600)
  })

  test('the page shows the code, submits nothing by itself, and its policy allows nothing else', async () => {
    const { user_code, device_code } = await begin()
    const page = await fetch(`${url}/device?user_code=${user_code}`)
    const policy = page.headers.get('content-security-policy') ?? ''
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", `form-action 'self' ${installation.idp.issuer}`]) expect(policy).toContain(part)
    const text = await page.text()
    expect(text).toContain(user_code)
    expect(text).not.toContain('<script')
    expect((await json(await poll(device_code))).error).toBe('authorization_pending')
  })

  test('Deny is final for the poller', async () => {
    const { user_code, device_code } = await begin()
    expect((await form('/device/deny', { user_code }, { 'sec-fetch-site': 'same-origin' })).status).toBe(200)
    for (let n = 0; n < 2; n++) expect((await json(await poll(device_code))).error).toBe('access_denied')
    expect((await form('/device', { user_code }, { 'sec-fetch-site': 'same-origin' })).status).toBeGreaterThanOrEqual(400)
  })

  test.each([
    ['cross-site', { 'sec-fetch-site': 'cross-site' }, false],
    ['same-site', { 'sec-fetch-site': 'same-site' }, false],
    ['same-origin, whatever Origin says', { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, true],
    ['none', { 'sec-fetch-site': 'none' }, true],
    ['a foreign Origin alone', { origin: 'https://evil.example' }, false],
    ['a Referer alone', { referer: 'URL' }, false],
  ])('POST /device from %s', async (_, headers, passes) => {
    const { user_code } = await begin()
    const filled = Object.fromEntries(Object.entries(headers as Record<string, string>).map(([name, value]) => [name, value.replace('URL', url)]))
    const response = await form('/device', { user_code }, filled)
    expect([302, 303].includes(response.status)).toBe(passes)
    if (!passes) expect(response.status).toBeGreaterThanOrEqual(400)
  })

  test('the way to the provider is the code flow with PKCE, state, nonce and exactly our redirect', async () => {
    const { user_code } = await begin()
    const response = await form('/device', { user_code }, { 'sec-fetch-site': 'same-origin' })
    const query = Object.fromEntries(new URL(response.headers.get('location') as string).searchParams)
    expect(query).toMatchObject({ response_type: 'code', code_challenge_method: 'S256', response_mode: 'query', redirect_uri: `${url}/oauth/callback`, client_id: installation.idp.clientId })
    for (const name of ['state', 'nonce', 'code_challenge']) expect(query[name]?.length).toBeGreaterThanOrEqual(22)
    expect(response.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Lax/)
  })

  test('a person whom the rules do not admit hears a general sentence, the poller access_denied, the log the reason', async () => {
    installation.idp.setClaims('mallory', { email: 'mallory@evil.example', email_verified: true })
    const grant = await begin()
    const page = await approve(createBrowser(), grant.verification_uri, grant.user_code, 'mallory')
    expect(page.status).toBe(403)
    expect(page.text).not.toContain('email_domain')
    expect((await json(await poll(grant.device_code))).error).toBe('access_denied')
    await program.printed(/"evt":"device\.callback".*"outcome":"refused"/)
    expect(audit('device.callback').at(-1)).toMatchObject({ outcome: 'refused', reason: 'email_domain' })
  })

  test('refresh gives a fresh set; a provider that refuses is 401 invalid_grant', async () => {
    const bob = await signInAs('bob')
    const fresh = await json(await form('/oauth/token', { grant_type: 'refresh_token', refresh_token: bob.refresh_token }))
    expect(fresh.access_token).not.toBe(bob.access_token)
    installation.idp.disable('bob')
    const refused = await form('/oauth/token', { grant_type: 'refresh_token', refresh_token: fresh.refresh_token })
    expect([refused.status, (await json(refused)).error]).toEqual([401, 'invalid_grant'])
    installation.idp.enable('bob')
  })

  test('revocation is always 200, and the next request of the bearer 401 with x-should-retry: false', async () => {
    expect((await form('/oauth/revoke', { token: 'unknown' })).status).toBe(200)
    const bob = await signInAs('bob')
    expect((await form('/oauth/revoke', { token: bob.refresh_token, token_type_hint: 'refresh_token' })).status).toBe(200)
    const refused = await get('/v1/models', bob.access_token)
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([401, 'false'])
  })
})

describe('4.1 messages', () => {
  test('the body goes upstream unchanged, what nobody recognises with it', async () => {
    const body = '{"model":"claude-sonnet-5","max_tokens":1.0,"new_field":{"a":[1,2.50]},"safeguards":true,"messages":[]}'
    await (await send(body, { 'anthropic-beta': 'brand-new-2027-01-01', 'anthropic-brand-new': 'x' })).text()
    const [request] = installation.upstream.requests
    expect(request?.body.toString()).toBe(body)
    expect(request?.headers).toMatchObject({ 'anthropic-beta': 'brand-new-2027-01-01', 'anthropic-brand-new': 'x', 'x-api-key': 'sk-upstream' })
  })

  test.each([
    [{ messages: [] }, 'model is required'],
    [{ model: '' }, 'model is required'],
    [{ model: 5 }, 'model must be a string'],
    [{ model: 'gpt' }, "model gpt is not in the operator's model allowlist"],
    [{ model: 'claude-opus-5' }, "model claude-opus-5 is not in your role's availableModels allowlist"],
    ['nonsense', 'invalid JSON'],
    ['[1]', 'request body must be a JSON object'],
  ])('%j is 400: %s', async (body, message) => {
    const response = await send(body)
    expect([response.status, (await json(response)).error.message]).toEqual([400, message])
  })

  test.each(['claude-haiku-4-5', 'claude-haiku-4-5-20251001', 'claude-haiku-4-5@20251001', 'us.anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5[1m]'])('%s is the same model', async (model) => {
    expect((await send({ ...ask, model })).status).toBe(200)
    expect(installation.upstream.requests[0]?.json().model).toBe('claude-haiku-4-5-20251001')
  })

  test('with a duplicate key the last one counts, and the upstream is told the same', async () => {
    expect((await send('{"model":"claude-opus-5","model":"claude-sonnet-5","messages":[]}')).status).toBe(200)
    expect(installation.upstream.requests[0]?.body.toString().match(/"model"/g)).toHaveLength(1)
    expect((await send('{"model":"claude-sonnet-5","model":"claude-opus-5","messages":[]}')).status).toBe(400)
  })

  test('a body over the limit is 413 in the envelope', async () => {
    const response = await send({ ...ask, system: 'x'.repeat(300_000) })
    expect([response.status, (await json(response)).error.type]).toEqual([413, 'request_too_large'])
  })

  test('tags and their beta stay here', async () => {
    await (await send({ ...ask, tags: ['t'] }, { 'anthropic-beta': 'request-tags-2026-08-21,other' })).text()
    const [request] = installation.upstream.requests
    expect(request?.json()).toEqual(ask)
    expect(request?.headers['anthropic-beta']).toBe('other')
  })

  test('the stream arrives byte for byte, with our request-id and none of the account', async () => {
    installation.upstream.enqueue(answerStream())
    const response = await send({ ...ask, stream: true })
    expect(await response.text()).toBe(messageEvents().join(''))
    expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'))
    installation.upstream.enqueue(answerJson(200, {}, { 'anthropic-ratelimit-tokens-limit': '1', 'anthropic-organization-id': 'o', 'set-cookie': 'a=b', via: 'v', 'cf-ray': 'c' }))
    const headers = [...(await send()).headers].map(([name]) => name)
    for (const name of ['anthropic-ratelimit-tokens-limit', 'anthropic-organization-id', 'set-cookie', 'via', 'cf-ray']) expect(headers).not.toContain(name)
  })

  test('an error body of the upstream reaches the client unchanged, with its retry-after', async () => {
    installation.upstream.enqueue(answerError(429, 'slow', { 'retry-after': '9' }))
    const limited = await send()
    expect([limited.status, limited.headers.get('retry-after'), (await json(limited)).error.message]).toEqual([429, '9', 'slow'])
    installation.upstream.enqueue(answerError(529, 'overloaded'))
    expect((await send()).status).toBe(529)
    installation.upstream.enqueue(answerError(503, 'down'))
    const failed = await send()
    expect([failed.status, (await json(failed)).error]).toEqual([502, { type: 'api_error', message: 'all upstreams failed (1 attempted)' }])
  })

  test('count_tokens is relayed', async () => {
    expect(await json(await send(ask, {}, '/v1/messages/count_tokens?beta=true'))).toEqual({ input_tokens: 42 })
  })
})

describe('4.2 models', () => {
  test('are the policy’s, in the shape of the list and one by one', async () => {
    const list = await json(await get('/v1/models?limit=1000'))
    expect(list).toMatchObject({ has_more: false, first_id: null, last_id: null })
    expect(list.data.map(({ id }: Json) => id).sort()).toEqual([...LIST, 'claude-sonnet-5-5'].sort())
    for (const model of list.data) expect(model).toMatchObject({ type: 'model', display_name: expect.any(String) })
    expect((await json(await get('/v1/models/claude-haiku-4-5-20251001'))).id).toBe('claude-haiku-4-5')
    expect((await get('/v1/models/claude-opus-5')).status).toBe(404)
  })
})

describe('4.3 managed settings', () => {
  test('have a checksum over the sorted document, which is the ETag and answers 304', async () => {
    const response = await get('/managed/settings')
    const { uuid, checksum, settings } = await json(response)
    const sorted = (value: any): any => (Array.isArray(value) ? value.map(sorted) : value && typeof value === 'object' ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])) : value)
    expect(checksum).toBe(`sha256:${new Bun.CryptoHasher('sha256').update(JSON.stringify(sorted(settings))).digest('hex')}`)
    expect(uuid).toMatch(/^[0-9a-f-]{36}$/)
    expect(response.headers.get('etag')).toBe(`"${checksum}"`)
    expect(response.headers.get('x-cc-gateway-version')).toBeTruthy()
    expect((await get('/managed/settings', token, { 'if-none-match': `"${checksum}"` })).status).toBe(304)
    expect((await get('/managed/settings', token, { 'if-none-match': '*' })).status).toBe(200)
  })

  test('are the first match merged on the catch-all', async () => {
    const bob = await signInAs('bob')
    expect((await json(await get('/managed/settings', bob.access_token))).settings).toEqual({ availableModels: LIST, env: { A: '1', B: '2' }, permissions: { deny: ['WebFetch', 'Bash'] } })
  })
})

describe('4.7 and 7', () => {
  test('the small surfaces answer', async () => {
    expect((await fetch(`${url}/api/hello`, { method: 'HEAD' })).status).toBe(200)
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok')
    expect(await (await fetch(`${url}/readyz`)).text()).toBe('ready')
    expect((await fetch(`${url}/protocol`)).headers.get('content-type')).toContain('text/markdown')
    expect((await fetch(url)).headers.get('content-type')).toContain('text/html')
  })

  test('the audit lines are JSON with ts, evt and request_id, and hold no token, secret or prompt', async () => {
    await (await send({ ...ask, messages: [{ role: 'user', content: 'canary-of-the-prompt' }] })).text()
    for (const evt of ['config.load', 'device.authorize', 'device.verify', 'device.callback', 'session.mint', 'session.refresh', 'session.revoke', 'auth.denied', 'managed.serve', 'inference']) {
      const [line] = audit(evt)
      expect([evt, line?.ts]).toEqual([evt, expect.stringMatching(/^\d{4}-\d\d-\d\dT/)])
      if (evt !== 'config.load') expect(line?.request_id).toMatch(/^[0-9a-f-]{36}$/)
    }
    expect(audit('inference')[0]).toMatchObject({ sub: 'alice', email: 'alice@example.com', path: '/v1/messages', upstream: 'anthropic', status: 200, ms: expect.any(Number), ttfb_ms: expect.any(Number), input_tokens: 1000 })
    for (const secret of [token, 'canary-of-the-prompt', 'sk-upstream', installation.idp.clientSecret, 'ghr_']) expect(program.stderr()).not.toContain(secret)
  })
})
