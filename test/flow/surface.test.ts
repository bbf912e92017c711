import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { PUBLIC_PATHS } from '../../src/http/surfaces.ts'
import { startWorld, type World } from '../support/gateway.ts'

let world: World
let token: string
beforeAll(async () => {
  world = await startWorld()
  token = (await world.signIn()).access_token
})
afterAll(() => world.stop())

/** What a raw request gets: the status, or 0 when the connection is closed without one. */
function raw(text: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(world.gateway.url).port), '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1')
      if (answer.includes('\r\n\r\n')) socket.end()
    })
    const done = () => resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0), text: answer })
    socket.on('close', done)
    socket.on('error', done)
  })
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const GUESSES = [
  '/v1/messages', '/v1/messages/count_tokens', '/v1/models', '/v1/models/claude-sonnet-5', '/managed/settings', '/user/bootstrap', '/api/oauth/usage', '/v1/metrics',
  '/v1/organizations/spend_limits', '/admin', '/swagger', '/openapi', '/debug', '/metrics', '/healthz/', '/device/', '/oauth', '/.well-known/openid-configuration', '/favicon.ico', '/v1/files',
]

describe('without a bearer', () => {
  // T147
  test('every path and method that is not listed as public answers 401 and nothing else', async () => {
    const isPublic = (method: string, path: string) => PUBLIC_PATHS.some((entry) => entry.path === path && entry.methods.includes(method))
    for (const path of [...GUESSES, ...PUBLIC_PATHS.map((entry) => entry.path)]) {
      for (const method of METHODS) {
        if (isPublic(method, path)) continue
        const response = await fetch(world.gateway.url + path, { method })
        expect([method, path, response.status]).toEqual([method, path, 401])
        expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'authentication_error', message: 'invalid token' } })
      }
    }
  })

  test('every listed path answers', async () => {
    for (const { path, methods } of PUBLIC_PATHS) {
      const response = await fetch(world.gateway.url + path, { method: methods[0] as string, redirect: 'manual' })
      expect([path, response.status === 401 || response.status === 404]).toEqual([path, false])
    }
  })

  // T144, T145, T146
  test.each([
    ['a public path in the query', '/v1/models?x=/healthz', {}],
    ['a rewritten URL', '/v1/models', { 'x-original-url': '/healthz', 'x-rewrite-url': '/healthz', 'x-forwarded-uri': '/healthz' }],
    ['another method by header', '/v1/models', { 'x-http-method-override': 'HEAD' }],
    ["a health checker's name", '/v1/models', { 'user-agent': 'GoogleHC/1.0' }],
    ['a token in the query', `/v1/models?access_token=TOKEN`, {}],
    ['a token in a cookie', '/v1/models', { cookie: 'authorization=TOKEN' }],
  ])('%s opens nothing', async (_, path, headers) => {
    const fill = (text: string) => text.replace('TOKEN', token)
    const filled = Object.fromEntries(Object.entries(headers as Record<string, string>).map(([name, value]) => [name, fill(value)]))
    expect((await fetch(world.gateway.url + fill(path), { headers: filled })).status).toBe(401)
  })
})

describe('a bearer', () => {
  test('is accepted in either header, in any case, and refused where the two differ', async () => {
    const status = async (headers: Record<string, string>) => (await fetch(`${world.gateway.url}/v1/models`, { headers })).status
    expect(await status({ authorization: `bearer ${token}` })).toBe(200)
    expect(await status({ 'x-api-key': token })).toBe(200)
    expect(await status({ authorization: `Bearer ${token}`, 'x-api-key': token })).toBe(200)
    expect(await status({ authorization: `Bearer ${token}`, 'x-api-key': 'other' })).toBe(401)
  })

  // T102
  test('is refused when a second line contradicts it', async () => {
    expect((await raw(`GET /v1/models HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer bad\r\n\r\n`)).status).toBe(401)
  })

  test('finds 404 at an unknown path, in the envelope', async () => {
    const response = await world.gateway.get('/v1/files', token)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: 'error', request_id: response.headers.get('x-request-id'), error: { type: 'not_found_error' } })
  })

  test('is never in the log', () => {
    expect(JSON.stringify(world.gateway.observed)).not.toContain(token)
  })
})

describe('every answer', () => {
  test.each(['/', '/healthz', '/v1/models', '/device', '/oauth/callback', '/.well-known/oauth-authorization-server', '/protocol'])('of %s has an id and the security headers', async (path) => {
    const { headers } = await world.gateway.get(path)
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(Object.fromEntries(['x-content-type-options', 'x-frame-options', 'referrer-policy', 'cross-origin-opener-policy'].map((name) => [name, headers.get(name)]))).toEqual({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    })
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('on the wire', () => {
  const request = (line: string, host = 'gw', more = '') => raw(`${line} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`)

  // T137, T138, T126
  test.each(['a', 'ab', 'a:1'])('a short Host (%s) moves no route', async (host) => {
    expect((await request('GET /xxxxxxxxx/healthz', host)).status).toBe(401)
    expect((await request('GET /zzzzzzzzzzz/v1/models', host)).status).toBe(401)
  })

  test.each(['x/y', 'a?b', 'a#b', 'user@gw', '[', 'a b'])('the Host %p is refused', async (host) => {
    expect((await request('GET /healthz', host)).status).toBeGreaterThanOrEqual(400)
    expect((await request('GET /zzzzzzzzzzz/v1/models', host)).status).not.toBe(200)
  })

  test('two Hosts, none, or an empty one are refused', async () => {
    for (const hosts of ['Host: a\r\nHost: b\r\n', '', 'Host: \r\n']) expect((await raw(`GET /healthz HTTP/1.1\r\n${hosts}\r\n`)).status).toBe(400)
  })

  // T132, T140, T141, T143
  test.each(['TRACE /', 'CONNECT gw:443', 'PROPFIND /', 'GET /healthz#/../v1/models', 'GET /v1/models/..%2f..%2fhealthz', 'GET //healthz'])('%s is refused', async (line) => {
    const { status, text } = await request(line)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).not.toBe(404)
    expect(text).not.toContain('TRACE')
  })

  test('dot segments are resolved once, for the check and the route alike', async () => {
    expect((await request('GET /healthz/../v1/models')).status).toBe(401)
    expect((await request('GET /v1/models/../../healthz')).status).toBe(200)
    expect((await request('GET /healthz\\..\\v1\\models')).status).toBe(401)
  })

  test('an absolute target decides nothing', async () => {
    expect((await request('GET http://evil.example/v1/models')).status).toBe(401)
  })

  test('a caller who leaves in the middle of a body is no fault of ours', async () => {
    const before = world.gateway.observed.length
    const socket = connect(Number(new URL(world.gateway.url).port), '127.0.0.1')
    socket.write(`POST /v1/messages HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000\r\n\r\n{"model":`)
    // The headers have to be there first, or there was no request.
    await Bun.sleep(20)
    socket.destroy()
    const operations = () => world.gateway.observed.slice(before).filter((one) => 'op' in one)
    while (operations().length === 0) await Bun.sleep(5)
    expect(operations()).toEqual([{ op: 'debug', message: 'the caller left before the request was read', request_id: expect.any(String) }])
  })

  // T312, T313
  test('a large body of a stranger is refused without being read', async () => {
    const { status } = await raw(`POST /v1/messages HTTP/1.1\r\nHost: gw\r\nContent-Length: 200000000\r\n\r\n`)
    expect(status).toBe(401)
  })
})

describe('the small surfaces', () => {
  test('answer as the contract says', async () => {
    const text = async (path: string) => (await world.gateway.get(path)).text()
    expect(await text('/healthz')).toBe('ok')
    // B38: a target whose health check asked there was never healthy.
    expect(await text('/health')).toBe('ok')
    expect(await text('/readyz')).toBe('ready')
    expect((await fetch(`${world.gateway.url}/api/hello`, { method: 'HEAD' })).status).toBe(200)
    expect(await text('/protocol')).toContain('gatehouse 0.1.0, protocol version 1')
    expect(await text('/')).toContain('<h1>This gateway is up</h1>')
  })

  test('the protocol names every public path', async () => {
    const protocol = await (await world.gateway.get('/protocol')).text()
    for (const { path } of PUBLIC_PATHS) expect(protocol).toContain(path)
  })
})

describe('addresses', () => {
  test('outside the allow list reach health alone, and a spoofed header changes nothing', async () => {
    const narrow = await startWorld({ config: { access_control: { allow_cidrs: ['10.0.0.0/8'], deny_cidrs: [] } } })
    try {
      expect((await narrow.gateway.get('/healthz')).status).toBe(200)
      const refused = await narrow.gateway.get('/device', undefined, { 'x-forwarded-for': '10.0.0.1' })
      expect(refused.status).toBe(403)
      expect(await narrow.gateway.saw('access.denied')).toMatchObject({ reason: 'ip_not_allowlisted', client_ip: '127.0.0.1', path: '/device' })
      // Facts for administrators are no health endpoint.
      expect((await narrow.gateway.get('/readyz?verbose=1')).status).toBe(403)
    } finally {
      await narrow.stop()
    }
  })

  test('behind a trusted proxy are the ones it saw', async () => {
    const behind = await startWorld({
      config: {
        access_control: { allow_cidrs: ['10.0.0.0/8', '127.0.0.0/8'] },
        listen: { host: '127.0.0.1', port: 0, public_url: 'http://127.0.0.1:1', trusted_proxies: ['127.0.0.1'], drain_seconds: 0 },
      },
    })
    try {
      expect((await behind.gateway.get('/device', undefined, { 'x-forwarded-for': '10.0.0.9:5678' })).status).toBe(200)
      expect((await behind.gateway.get('/device', undefined, { 'x-forwarded-for': '10.0.0.9, 192.0.2.1' })).status).toBe(403)
    } finally {
      await behind.stop()
    }
  })
})
