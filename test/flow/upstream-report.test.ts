import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { freePort } from '../support/free-port.ts'
import { startWorld, type World } from '../support/gateway.ts'
import { answerError } from '../support/upstream.ts'

const [WRITE, READ] = ['write-key-canary-of-more-than-32-bytes', 'read-key-canary-of-more-than-32-bytes']
const MODEL = 'claude-sonnet-5'

let world: World
let token: string
let metricsPort: number
beforeAll(async () => {
  metricsPort = await freePort()
  world = await startWorld({
    config: {
      admin: { write_keys: [{ id: 'ops', key: WRITE }], read_keys: [{ id: 'watch', key: READ }], admin_groups: ['no-such-group'] },
    },
  })
  token = (await world.signIn()).access_token
})
afterAll(() => world.stop())

const ask = () => world.gateway.post('/v1/messages', { model: MODEL, max_tokens: 1, messages: [] }, token)
const verbose = (headers: Record<string, string>) => fetch(`${world.gateway.url}/readyz?verbose=1`, { headers })

describe('readiness with its reasons', () => {
  test.each([
    ['nobody', {}],
    ['a wrong key', { 'x-api-key': 'wrong-key-canary-of-more-than-32-bytes' }],
    ['half a key', { 'x-api-key': READ.slice(0, -1) }],
    ['a key as a bearer beside another', { 'x-api-key': READ, authorization: 'Bearer other' }],
  ])('is refused to %s, and that is in the audit log', async (_, headers) => {
    const response = await verbose(headers)
    const body = (await response.json()) as { error: { type: string; message: string } }
    expect([response.status, body.error]).toEqual([401, { type: 'authentication_error', message: 'missing or invalid admin credentials' }])
    const id = response.headers.get('x-request-id')
    expect(await world.gateway.saw('admin.denied', ({ request_id }) => request_id === id)).toMatchObject({ method: 'GET', path: '/readyz' })
  })

  test('is refused to somebody who is signed in and in no admin group', async () => {
    expect((await verbose({ authorization: `Bearer ${token}` })).status).toBe(401)
  })

  test.each([READ, WRITE])('tells the holder of a key which upstreams fail', async (key) => {
    world.upstream.enqueue(answerError(429, 'slow down', { 'retry-after': '60' }))
    expect((await ask()).status).toBe(429)
    const response = await verbose({ 'x-api-key': key })
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      ready: true,
      upstreams: [{ name: 'anthropic', provider: 'anthropic', priority: 0, weight: 1, in_flight: 0, breakers: [{ model: MODEL, state: 'open' }], left_out: [] }],
    })
    expect(JSON.stringify(await (await verbose({ 'x-api-key': key })).json())).not.toContain('canary')
  })

  test('says nothing more than ready to a load balancer', async () => {
    const response = await fetch(`${world.gateway.url}/readyz`)
    expect([response.status, await response.text()]).toEqual([200, 'ready'])
  })
})

describe('the metrics listener', () => {
  test('shows attempts and breakers on its own address, whether it is ready, and nothing else there', async () => {
    const other = await world.replica({ listen: { host: '127.0.0.1', port: 0, public_url: world.gateway.url, metrics: { port: metricsPort } } })
    world.upstream.enqueue(answerError(429, 'slow down', { 'retry-after': '60' }))
    await other.post('/v1/messages', { model: MODEL, max_tokens: 1, messages: [] }, token)
    const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
    const text = await response.text()
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(text.split('\n')).toContain(`gatehouse_upstream_breaker_state{upstream="anthropic",model="${MODEL}"} 2`)
    expect(text.split('\n')).toContain('gatehouse_upstream_attempts_total{upstream="anthropic",outcome="failed"} 1')
    expect(text.split('\n')).toContain('# TYPE gatehouse_upstream_attempts_total counter')
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/readyz?verbose=1`)).text()).toBe('ready')
    expect((await fetch(`http://127.0.0.1:${metricsPort}/status`)).status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${metricsPort}/v1/models`)).status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { method: 'POST' })).status).toBe(405)
    expect((await fetch(`${other.url}/metrics`)).status).toBe(401)
  })
})
