// Telemetry through the whole gateway while collectors come and go.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ADMIN, READ_KEY, until } from '../support/admin.ts'
import { startCollector, type TestCollector } from '../support/collector.ts'
import { startWorld, type World } from '../support/gateway.ts'
import { decodeOtlp, encodeOtlp } from '../support/otlp.ts'
import { startListener, type RestartableListener } from '../support/restartable-listener.ts'

let world: World
let dir: string
let [stamped, verbatim, restarting]: TestCollector[] = []
let listener: RestartableListener
let token: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gatehouse-spool-'))
  ;[stamped, verbatim, restarting] = [startCollector(), startCollector(), startCollector()]
  listener = await startListener((restarting as TestCollector).url)
  world = await startWorld({
    config: {
      admin: ADMIN,
      telemetry: {
        spool: { dir },
        forward_to: [{ url: stamped?.url, logs: true, stamp_identity: true }, { url: verbatim?.url, logs: true }, { url: listener.url, metrics: false, traces: true }],
      },
    },
  })
  token = (await world.signIn()).access_token
})
afterAll(async () => {
  await world.stop()
  await Promise.all([stamped?.stop(), verbatim?.stop(), restarting?.stop(), rm(dir, { recursive: true })])
})

const send = (signal: string, body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string> = {}, at = world.gateway.url) =>
  fetch(`${at}/v1/${signal}`, { method: 'POST', body, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-protobuf', ...headers } })
const metrics = encodeOtlp('metrics', { resourceMetrics: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'claude-code' } }] } }] })
const texts = ({ received }: TestCollector) => received.map(({ body }) => Buffer.from(body).toString())

describe('stamp_identity', () => {
  test('says whose an export is at the collector that asks for it, and leaves every byte at the other', async () => {
    expect((await send('metrics', metrics)).status).toBe(200)
    await Promise.all([stamped?.arrived(1), verbatim?.arrived(1)])
    expect(Buffer.from(verbatim?.received[0]?.body as Uint8Array)).toEqual(Buffer.from(metrics))
    const { attributes } = decodeOtlp('metrics', stamped?.received[0]?.body as Uint8Array).resourceMetrics[0].resource
    expect(attributes.map(({ key }: { key: string }) => key)).toEqual(['service.name', 'user.id', 'user.email', 'user.groups'])
    expect(attributes.find(({ key }: { key: string }) => key === 'user.email').value.stringValue).toBe('alice@example.com')
  })

  test('lets an export through that is none, and the log says so', async () => {
    expect((await send('logs', 'no OTLP', { 'content-type': 'application/json' })).status).toBe(200)
    await stamped?.arrived(2)
    expect(texts(stamped as TestCollector)[1]).toBe('no OTLP')
    expect(world.gateway.observed.some((one) => 'op' in one && one.message.includes('goes on without an identity'))).toBeTrue()
  })
})

/** Sends until `work` is done, and returns what was accepted. */
async function underLoad(work: () => Promise<void>, at?: string): Promise<string[]> {
  const accepted: string[] = []
  let isOver = false
  const sender = async () => {
    while (!isOver) {
      const body = crypto.randomUUID()
      if ((await send('traces', body, {}, at)).status === 200) accepted.push(body)
    }
  }
  const senders = Promise.all([1, 2, 3].map(sender))
  await work()
  isOver = true
  await senders
  return accepted
}

test('a collector that restarts under load, twice, gets every export that was accepted', async () => {
  const there = restarting as TestCollector
  const accepted = await underLoad(async () => {
    for (const _ of [1, 2]) {
      const before = there.received.length
      await until(() => there.received.length > before + 20)
      await listener.kill()
      await Bun.sleep(200)
      await listener.restart()
    }
  })
  await until(() => new Set(texts(there)).size >= accepted.length)
  expect(accepted.length).toBeGreaterThan(50)
  const arrived = new Set(texts(there))
  expect(accepted.filter((body) => !arrived.has(body))).toEqual([])
}, 30_000)

test('an administrator reads how each collector does', async () => {
  await listener.kill()
  await send('traces', 'x')
  const collectors = async () => ((await (await fetch(`${world.gateway.url}/readyz?verbose=1`, { headers: { 'x-api-key': READ_KEY } })).json()) as { collectors: any[] }).collectors
  await until(async () => (await collectors())[2]?.trouble !== undefined)
  expect(await collectors()).toMatchObject([{ delivered: 2, lost: 0, held: 0, spooled_bytes: 0 }, { delivered: 2, lost: 0 }, { lost: 0, held: 1, trouble: expect.any(String) as never }])
  const text = await (await fetch(`${world.gateway.url}/metrics`, { headers: { 'x-api-key': READ_KEY } })).text()
  expect(text).toMatch(/gatehouse_telemetry_up\{collector="[^"]+"\} 0\n/)
  await listener.restart()
})

test('what waits when the gateway stops is delivered by the next one', async () => {
  const there = restarting as TestCollector
  const spool = join(dir, 'of-the-next')
  const config = { telemetry: { spool: { dir: spool }, forward_to: [{ url: listener.url, metrics: false, traces: true }] } }
  const first = await world.replica(config)
  await listener.kill()
  const accepted = await underLoad(() => Bun.sleep(100), first.url)
  await first.stop()
  await listener.restart()
  await world.replica(config)
  const arrived = () => new Set(texts(there))
  await until(() => accepted.every((body) => arrived().has(body)))
  expect(accepted.length).toBeGreaterThan(5)
}, 30_000)
