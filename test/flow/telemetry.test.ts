// Telemetry of clients on its way to the organisation's collectors.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startCollector, type TestCollector } from '../support/collector.ts'
import { startWorld, type World } from '../support/gateway.ts'

let world: World
let metrics: TestCollector
let everything: TestCollector
let token: string
beforeAll(async () => {
  metrics = startCollector()
  everything = startCollector()
  world = await startWorld({
    config: {
      telemetry: {
        forward_to: [{ url: metrics.url, headers: { 'x-collector-key': 'collector-canary' } }, { url: everything.url, logs: true, traces: true }],
        resource_attributes: { department: 'eng' },
      },
      managed: { policies: [{ match: {}, cli: { env: { OTEL_TRACES_EXPORTER: 'none' } }, desktop: {} }] },
    },
  })
  token = (await world.signIn()).access_token
})
afterAll(async () => {
  await world.stop()
  await Promise.all([metrics.stop(), everything.stop()])
})

const send = (signal: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>) =>
  fetch(`${world.gateway.url}/v1/${signal}`, { method: 'POST', body, headers: { authorization: `Bearer ${token}`, ...headers } })

describe('an export', () => {
  test('reaches each collector that wants it byte for byte, and the client is answered in its own encoding', async () => {
    const body = Bun.gzipSync(Buffer.from([10, 200, 0, 255]))
    const response = await send('metrics', body, { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' })
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([200, 'application/x-protobuf', ''])
    await Promise.all([metrics.arrived(1), everything.arrived(1)])
    for (const { received } of [metrics, everything]) {
      expect([received[0]?.path, Buffer.from(received[0]?.body as Uint8Array)]).toEqual(['/v1/metrics', Buffer.from(body)])
      expect(received[0]?.headers.get('authorization')).toBeNull()
    }
    expect([metrics, everything].map(({ received }) => received[0]?.headers.get('x-collector-key'))).toEqual(['collector-canary', null])
  })

  test('of another signal reaches those that opted into it alone', async () => {
    const response = await send('logs', '{"resourceLogs":[]}', { 'content-type': 'application/json; charset=utf-8' })
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([200, 'application/json', '{}'])
    await everything.arrived(2)
    expect(everything.received[1]?.path).toBe('/v1/logs')
    expect(metrics.received.map(({ path }) => path)).not.toContain('/v1/logs')
  })

  test.each([
    ['of another kind', { 'content-type': 'text/plain' }],
    ['in another coding', { 'content-type': 'application/json', 'content-encoding': 'br' }],
  ])('%s is refused', async (_, headers) => {
    expect((await send('metrics', '{}', headers as never)).status).toBe(415)
  })

  test('that is too large is refused', async () => {
    expect((await send('metrics', Buffer.alloc(9 * 1024 * 1024), { 'content-type': 'application/json' })).status).toBe(413)
  })

  // B14: such a client's telemetry is lost, and that is to be seen.
  test('without a bearer is refused, and that is in the audit log', async () => {
    const response = await fetch(`${world.gateway.url}/v1/metrics`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([401, 'false'])
    expect(await world.gateway.saw('auth.denied', ({ path }) => path === '/v1/metrics')).toMatchObject({ reason: expect.any(String) as never })
  })
})

describe('clients', () => {
  test('are told to send what a collector takes, under what their policy says', async () => {
    const { settings } = (await (await world.gateway.get('/managed/settings', token)).json()) as { settings: object }
    expect(settings).toEqual({
      env: {
        CLAUDE_CODE_ENABLE_TELEMETRY: '1',
        OTEL_METRICS_EXPORTER: 'otlp',
        OTEL_LOGS_EXPORTER: 'otlp',
        OTEL_TRACES_EXPORTER: 'none',
        OTEL_EXPORTER_OTLP_ENDPOINT: world.gateway.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_RESOURCE_ATTRIBUTES: 'department=eng',
      },
    })
    expect(await (await world.gateway.get('/user/bootstrap', token)).json()).toMatchObject({ otlpEndpoint: world.gateway.url, otlpResourceAttributes: { department: 'eng', 'enduser.id': 'alice@example.com', 'user.groups': 'engineering' } })
  })
})

test('a gateway without collectors takes telemetry and discards it', async () => {
  const other = await world.replica({ telemetry: undefined })
  const response = await fetch(`${other.url}/v1/traces`, { method: 'POST', body: '{}', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } })
  expect([response.status, await response.text()]).toEqual([200, '{}'])
})
