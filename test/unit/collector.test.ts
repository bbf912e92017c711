import { afterEach, describe, expect, test } from 'bun:test'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { Secret } from '../../src/std/secret.ts'
import { createCollector, type Collector, type CollectorConfig, type Export } from '../../src/telemetry/collector.ts'
import { waitMs } from '../../src/telemetry/send-export.ts'
import { until } from '../support/admin.ts'
import { startCollector, type TestCollector } from '../support/collector.ts'

const fetch = createGuardedFetch({ allowLoopback: true })
const open: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})

function setUp(config: Partial<CollectorConfig> = {}, limits: { delaysMs?: number[]; maxHeldBytes?: number } = {}): { server: TestCollector; collector: Collector; warnings: string[] } {
  const server = startCollector()
  const warnings: string[] = []
  const collector = createCollector({ name: new URL(server.url).host, url: server.url, headers: {}, metrics: true, logs: false, traces: false, ...config }, { fetch, warn: (message) => warnings.push(message), delaysMs: [5, 5, 5], ...limits })
  open.push({ stop: () => server.stop() }, { stop: () => collector.stop(0) })
  return { server, collector, warnings }
}

const metrics = (body: string, more: Partial<Export> = {}): Export => ({ sub: 'alice', signal: 'metrics', contentType: 'application/json', contentEncoding: undefined, body: Buffer.from(body), ...more })
const bodies = ({ received }: TestCollector) => received.map(({ body }) => Buffer.from(body).toString())
const settled = async (collector: Collector) => {
  while (collector.report().held > 0) await Bun.sleep(5)
  return collector.report().outcomes.metrics
}

describe('a collector', () => {
  test('gets an export byte for byte, with its kind, its coding and its own headers', async () => {
    const { server, collector } = setUp({ headers: { authorization: new Secret('Bearer canary') } })
    const body = Bun.gzipSync(Buffer.from([10, 0, 255, 200]))
    collector.offer(metrics('', { contentType: 'application/x-protobuf', contentEncoding: 'gzip', body }))
    expect(await settled(collector)).toMatchObject({ delivered: 1 })
    const [got] = server.received
    expect([got?.path, Buffer.from(got?.body as Uint8Array)]).toEqual(['/v1/metrics', Buffer.from(body)])
    expect(['content-type', 'content-encoding', 'authorization'].map((name) => got?.headers.get(name))).toEqual(['application/x-protobuf', 'gzip', 'Bearer canary'])
  })

  // B20: a URL with the path of one signal was doubled, and everything was lost without a word.
  test.each(['', '/v1/metrics', '/v1/logs'])('is reached by a URL that ends in %p', async (path) => {
    const server = startCollector()
    const collector = createCollector({ name: 'otlp', url: `${server.url}/otlp${path}`, headers: {}, metrics: true, logs: false, traces: false }, { fetch, warn: () => {} })
    open.push(server)
    collector.offer(metrics('{}'))
    await settled(collector)
    expect(server.received.map((one) => one.path)).toEqual(['/otlp/v1/metrics'])
  })

  test('gets the signals it wants alone', async () => {
    const { server, collector } = setUp({ metrics: false, traces: true })
    for (const signal of ['metrics', 'logs', 'traces'] as const) collector.offer(metrics(signal, { signal }))
    await settled(collector)
    expect(bodies(server)).toEqual(['traces'])
  })

  // B21
  test('that refuses an export for good loses that one alone, and no other waits for it', async () => {
    const { server, collector, warnings } = setUp()
    server.enqueue(() => new Response('bad', { status: 400 }))
    collector.offer(metrics('poison'))
    await server.arrived(1)
    collector.offer(metrics('good'))
    expect(await settled(collector)).toEqual({ delivered: 1, rejected: 1, gave_up: 0, queue_full: 0, unreadable: 0 })
    expect(bodies(server)).toEqual(['poison', 'good'])
    expect(warnings[0]).toMatch(/^telemetry: collector 127\.0\.0\.1:\d+: answered 400 to metrics$/)
  })

  test.each([429, 502, 503, 504])('that cannot take an export now (%d) is offered it again', async (status) => {
    const { server, collector } = setUp()
    server.enqueue(() => new Response(null, { status }), () => new Response(null, { status }))
    collector.offer(metrics('x'))
    expect(await settled(collector)).toMatchObject({ delivered: 1 })
    expect(bodies(server)).toEqual(['x', 'x', 'x'])
    expect(collector.report().trouble).toBeUndefined()
  })

  test.each([
    [null, 500],
    ['0', 500],
    ['7', 7000],
    [' 7 ', 7000],
    ['86400', 120_000],
    ['-1', 500],
    ['soon', 500],
    ['Fri, 27 Nov 2026 07:00:00 GMT', 500],
  ])('that asks for %p is left alone for %d ms', (retryAfter, expected) => {
    expect(waitMs(500, retryAfter)).toBe(expected)
  })

  test.each([
    [429, {}],
    [429, { 'retry-after': '1' }],
    [503, { 'retry-after': '1' }],
  ] as [number, Record<string, string>][])('that asks one to wait (%d %p) is left alone by all, and then gets everything', async (status, headers) => {
    const { server, collector } = setUp({}, { delaysMs: [300, 300] })
    server.enqueue(() => new Response(null, { status, headers }))
    collector.offer(metrics('first'))
    await server.arrived(1)
    while (collector.report().pausedMs === 0) await Bun.sleep(1)
    const pausedAt = performance.now()
    for (let n = 0; n < 5; n++) collector.offer(metrics(`later ${n}`))
    await server.arrived(2)
    expect(performance.now() - pausedAt).toBeGreaterThan(headers['retry-after'] === undefined ? 250 : 900)
    expect(await settled(collector)).toMatchObject({ delivered: 6 })
    expect(collector.report().pausedMs).toBe(0)
  })

  // Some payloads draw 429 whenever they come.
  test.each([{}, { 'retry-after': '1' }])('that asks for time whenever one export comes (%p) keeps the others waiting for moments, not for as long as that one', async (headers: Record<string, string>) => {
    const { server, collector } = setUp({}, { delaysMs: [20, 60_000, 60_000, 60_000] })
    const answer = () => new Response(null, { status: 429, headers })
    server.answerAs((body) => (body === 'poison' ? answer() : undefined))
    collector.offer(metrics('poison'))
    await server.arrived(1)
    const begun = performance.now()
    for (let n = 0; n < 5; n++) {
      collector.offer(metrics(`good ${n}`))
      await until(() => bodies(server).includes(`good ${n}`))
    }
    expect(performance.now() - begun).toBeLessThan(headers['retry-after'] === undefined ? 500 : 4000)
    expect(bodies(server).filter((body) => body !== 'poison')).toEqual([0, 1, 2, 3, 4].map((n) => `good ${n}`))
  })

  test('that asks for time whenever one export comes, with a header even, is believed of that one alone from the fourth time on', async () => {
    const { server, collector } = setUp({}, { delaysMs: Array(20).fill(5) })
    server.answerAs((body) => (body === 'poison' ? new Response(null, { status: 429, headers: { 'retry-after': '1' } }) : undefined))
    collector.offer(metrics('poison'))
    const times = () => bodies(server).filter((body) => body === 'poison').length
    for (let seen = 1; seen <= 3; seen++) {
      while (times() < seen) await Bun.sleep(5)
      collector.offer(metrics(`good ${seen}`))
    }
    while (times() < 4) await Bun.sleep(5)
    while (collector.report().trouble === undefined) await Bun.sleep(1)
    await until(() => collector.report().pausedMs === 0)
    const begun = performance.now()
    collector.offer(metrics('last'))
    while (!bodies(server).includes('last')) await Bun.sleep(1)
    expect(performance.now() - begun).toBeLessThan(500)
  }, 15_000)

  test('that asks one export after the other for time is asked less and less often', async () => {
    const { server, collector } = setUp({}, { delaysMs: [20, 40, 80, 160, 320] })
    server.answerAs(() => new Response(null, { status: 429 }))
    for (let n = 0; n < 40; n++) collector.offer(metrics(`${n}`))
    await until(() => collector.report().pausedMs > 160)
    expect(server.received.length).toBeLessThan(60)
  })

  test('that fails with one export, again and again, gets the others meanwhile', async () => {
    const { server, collector } = setUp({}, { delaysMs: [30, 30, 30] })
    const poison = () => new Response(null, { status: 502 })
    server.enqueue(poison)
    collector.offer(metrics('poison'))
    await server.arrived(1)
    for (let n = 0; n < 5; n++) collector.offer(metrics(`good ${n}`))
    await server.arrived(6)
    expect(bodies(server).slice(1).every((body) => body.startsWith('good'))).toBeTrue()
  })

  test('that is away loses what was tried often enough, and says why', async () => {
    const { server, collector } = setUp()
    await server.stop()
    collector.offer(metrics('x'))
    expect(await settled(collector)).toEqual({ delivered: 0, rejected: 0, gave_up: 1, queue_full: 0, unreadable: 0 })
    expect(collector.report().trouble).toContain('failed')
  })

  test('that is too slow loses what is more than may wait, and holds no more', async () => {
    const { server, collector, warnings } = setUp({}, { maxHeldBytes: 4 * 2048 })
    const { promise, resolve } = Promise.withResolvers<void>()
    const late = () => promise.then(() => new Response('{}'))
    server.enqueue(late, late, late, late)
    for (let n = 0; n < 5; n++) collector.offer(metrics('0'.repeat(1024), { sub: `person-${n}` }))
    expect(collector.report()).toMatchObject({ held: 4, heldBytes: 4 * 2048 })
    resolve()
    expect(await settled(collector)).toEqual({ delivered: 4, rejected: 0, gave_up: 0, queue_full: 1, unreadable: 0 })
    expect(collector.report().heldBytes).toBe(0)
    expect(warnings.at(-1)).toContain('too much waits for it')
  })

  test('holds no more than a part of it for one person, who keeps nobody else out', async () => {
    const { server, collector } = setUp({}, { maxHeldBytes: 4 * 2048 })
    const { promise, resolve } = Promise.withResolvers<void>()
    const late = () => promise.then(() => new Response('{}'))
    server.enqueue(late, late)
    for (const sub of ['mallory', 'mallory', 'alice']) collector.offer(metrics('0'.repeat(1024), { sub }))
    expect(collector.report()).toMatchObject({ held: 2, outcomes: { metrics: { queue_full: 1 } } })
    resolve()
    expect(await settled(collector)).toMatchObject({ delivered: 2 })
  })

  test('counts what an export costs besides its body, and takes no empty one', () => {
    const { collector } = setUp({}, { maxHeldBytes: 100 * 1024, delaysMs: [] })
    for (let n = 0; n < 1000; n++) collector.offer(metrics('', { sub: `${n}` }))
    expect(collector.report().held).toBe(0)
    for (let n = 0; n < 1000; n++) collector.offer(metrics('{}', { sub: `${n}` }))
    expect(collector.report().held).toBeLessThan(100)
  })

  test.each([
    ['never ends its answer', () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('{')) }))],
    ['answers at length', () => new Response('x'.repeat(100_000))],
  ])('that %s has got the export, once', async (_, answer) => {
    const { server, collector } = setUp()
    server.enqueue(answer)
    collector.offer(metrics('x'))
    expect(await settled(collector)).toMatchObject({ delivered: 1 })
    expect(bodies(server)).toEqual(['x'])
  })

  test('is sent an export as what it is, whatever headers the operator adds', async () => {
    const { server, collector } = setUp({ headers: { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' } })
    collector.offer(metrics('x'))
    await settled(collector)
    expect(['content-type', 'content-encoding'].map((name) => server.received[0]?.headers.get(name))).toEqual(['application/json', null])
  })

  test('gets nothing more once the gateway has given up on it', async () => {
    const { server, collector } = setUp()
    server.enqueue(...Array.from({ length: 8 }, () => () => new Promise<Response>(() => {})))
    for (let n = 0; n < 20; n++) collector.offer(metrics('x'))
    await server.arrived(8)
    expect(await collector.stop(0)).toBe(20)
    await Bun.sleep(20)
    expect([server.received.length, collector.report()]).toEqual([8, expect.objectContaining({ held: 0, heldBytes: 0, outcomes: expect.objectContaining({ metrics: { delivered: 0, rejected: 0, gave_up: 20, queue_full: 0, unreadable: 0 } }) })])
  })

  test('gets what waits for it once more when the gateway ends, and nothing is left behind', async () => {
    const { server, collector } = setUp({}, { delaysMs: [60_000] })
    server.enqueue(() => new Response(null, { status: 503 }))
    collector.offer(metrics('x'))
    await server.arrived(1)
    while (collector.report().trouble === undefined) await Bun.sleep(1)
    await collector.stop(2000)
    expect(collector.report()).toMatchObject({ held: 0, outcomes: { metrics: { delivered: 1 } } })
    collector.offer(metrics('late'))
    expect(bodies(server)).toEqual(['x', 'x'])
  })
})
