// Exports on disk: what has been accepted outlives the process, and what the disk does to it harms nothing else.
import { afterEach, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { createCollector, type Collector, type Export } from '../../src/telemetry/collector.ts'
import { createTelemetryRelay } from '../../src/telemetry/relay.ts'
import { openSpool, whoseHash, type Spooled } from '../../src/telemetry/spool.ts'
import { until } from '../support/admin.ts'
import { startCollector, type TestCollector } from '../support/collector.ts'

const fetch = createGuardedFetch({ allowLoopback: true })
const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function directory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-spool-'))
  open.push(() => rm(dir, { recursive: true, force: true }))
  return dir
}

function server(): TestCollector {
  const started = startCollector()
  open.push(() => started.stop())
  return started
}

const DELAYS = { delaysMs: [5, 5, 5] }
interface Limits {
  maxBytes?: number
  maxHeldBytes?: number
  delaysMs?: number[]
  refillMs?: number
}

async function collectorAt(dir: string, url: string, { maxBytes = 1024 ** 2, ...limits }: Limits = {}): Promise<{ collector: Collector; warnings: string[] }> {
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  const collector = createCollector({ name: 'c', url, headers: {}, metrics: true, logs: true, traces: false }, { fetch, warn, spool: await openSpool(dir, maxBytes, warn), ...DELAYS, ...limits })
  open.push(() => collector.stop(0))
  return { collector, warnings }
}

const anExport = (body: string, more: Partial<Export> = {}): Export => ({ sub: 'alice', signal: 'metrics', contentType: 'application/json', contentEncoding: undefined, body: Buffer.from(body), ...more })
const bodies = ({ received }: TestCollector) => received.map(({ body }) => Buffer.from(body).toString())
/** Nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9'

describe('a spool', () => {
  test('is its owner\'s alone, holds each export in a file, and none once the collector has it', async () => {
    const dir = join(await directory(), 'own')
    await mkdir(dir, { mode: 0o755 })
    const { collector } = await collectorAt(dir, NOWHERE, { delaysMs: [60_000] })
    await collector.offer(anExport('one'))
    await collector.offer(anExport('two', { signal: 'logs' }))
    const files = await readdir(dir)
    expect(files.map((file) => file.split('-').at(-2)).toSorted()).toEqual(['logs', 'metrics'])
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
    for (const file of files) expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600)
    await collector.stop(0)

    const there = server()
    const { collector: next } = await collectorAt(dir, there.url)
    await until(() => next.report().outcomes.metrics.delivered + next.report().outcomes.logs.delivered === 2)
    expect(there.received.map(({ path }) => path).toSorted()).toEqual(['/v1/logs', '/v1/metrics'])
    await until(async () => (await readdir(dir)).length === 0)
    expect(next.report()).toMatchObject({ held: 0, heldBytes: 0, spooledBytes: 0 })
  })

  test('brings exports back as they were, in their order, and nothing of it is counted as lost', async () => {
    const dir = await directory()
    const { collector } = await collectorAt(dir, NOWHERE, { delaysMs: [60_000] })
    const binary = Bun.gzipSync(Buffer.from([10, 0, 13, 255]))
    await collector.offer(anExport('', { contentType: 'application/x-protobuf', contentEncoding: 'gzip', body: binary }))
    for (const n of [1, 2, 3]) await collector.offer(anExport(`export ${n}`))
    expect(await collector.stop(0)).toBe(0)
    expect(collector.report().outcomes.metrics).toEqual({ delivered: 0, rejected: 0, gave_up: 0, queue_full: 0, unreadable: 0 })

    const there = server()
    await collectorAt(dir, there.url)
    await there.arrived(4)
    const first = there.received.find(({ headers }) => headers.get('content-encoding') === 'gzip')
    expect([Buffer.from(first?.body as Uint8Array), first?.headers.get('content-type')]).toEqual([Buffer.from(binary), 'application/x-protobuf'])
    expect(bodies(there).filter((body) => body.startsWith('export')).toSorted()).toEqual(['export 1', 'export 2', 'export 3'])
  })

  test('that is full drops the oldest, and counts it', async () => {
    const dir = await directory()
    const { collector, warnings } = await collectorAt(dir, NOWHERE, { maxBytes: 8 * 5120, maxHeldBytes: 4096, delaysMs: [60_000] })
    const offer = (n: number) => collector.offer(anExport(`export ${n} ${'x'.repeat(500)}`, { sub: `person-${n}` }))
    for (let n = 0; n < 8; n++) await offer(n)
    // What is on its way is not dropped: all that memory takes has to have failed before there is too much.
    const failed = () => warnings.filter((warning) => !warning.includes('too much waits')).length
    const isFull = ({ held, heldBytes } = collector.report()) => heldBytes + heldBytes / held > 4096
    while (!isFull() || failed() < collector.report().held) await new Promise(setImmediate)
    for (let n = 8; n < 12; n++) await offer(n)
    const { queue_full } = collector.report().outcomes.metrics
    expect(queue_full).toBe(4)
    expect(collector.report().spooledBytes).toBe(8 * 5120)
    expect(warnings.some((warning) => warning.includes('too much waits for it'))).toBeTrue()
    await collector.stop(0)

    const there = server()
    await collectorAt(dir, there.url)
    await there.arrived(12 - queue_full)
    expect(bodies(there).map((body) => Number(body.split(' ')[1])).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 - queue_full }, (_, at) => queue_full + at))
  })

  test('gives one person a part of it, so that nobody else is kept out', async () => {
    const { collector } = await collectorAt(await directory(), NOWHERE, { maxBytes: 8 * 5120, delaysMs: [60_000] })
    for (let n = 0; n < 20; n++) await collector.offer(anExport('x'.repeat(500), { sub: 'mallory' }))
    const lost = collector.report().outcomes.metrics.queue_full
    await collector.offer(anExport('x'.repeat(500)))
    expect([lost === 18, collector.report().outcomes.metrics.queue_full]).toEqual([true, lost])
  })

  test('counts what its files take on the disk, and holds no more of them than a number', async () => {
    const dir = await directory()
    const few = await openSpool(dir, 1024 ** 3, () => {}, 8)
    const write = async (sub: string) => (await few.write(anExport('{}', { sub }))) as Spooled
    const entries = [await write('alice'), await write('alice')]
    expect([few.bytes, few.isFull(), few.hasShareFor(whoseHash('alice'), 2), few.hasShareFor(whoseHash('bob'), 2)]).toEqual([2 * 5120, false, false, true])
    for (let n = 0; n < 7; n++) entries.push(await write(`person-${n}`))
    expect([few.bytes, few.isFull()]).toEqual([9 * 5120, true])
    for (const entry of entries.slice(0, 1)) few.remove(entry)
    expect([few.bytes, few.isFull(), few.hasShareFor(whoseHash('alice'), 2)]).toEqual([8 * 5120, false, true])
  })

  test('knows what an earlier process left without looking into it, and lets go of the list', async () => {
    const dir = await directory()
    const before = await openSpool(dir, 1024 ** 2, () => {})
    await before.write(anExport('x'.repeat(10_000)))
    const [file = ''] = await readdir(dir)
    // Opening it must not depend on what the file is.
    await rm(join(dir, file))
    await symlink('/nowhere', join(dir, file))
    const after = await openSpool(dir, 1024 ** 2, () => {})
    expect([after.bytes, after.takeFound().length, after.takeFound().length]).toEqual([before.bytes, 1, 0])
    expect(before.bytes).toBe(3 * 4096 + 1024)
  })

  test('holds more than memory does, and brings the rest from disk as there is room', async () => {
    const there = server()
    let isAway = true
    there.enqueue(...Array.from({ length: 1000 }, () => () => new Response(null, { status: isAway ? 503 : 200 })))
    const { collector } = await collectorAt(await directory(), there.url, { maxHeldBytes: 4 * 1100 })
    for (let n = 0; n < 40; n++) await collector.offer(anExport(`export ${n}`, { sub: `person-${n}` }))
    expect(collector.report().held).toBeLessThanOrEqual(4)
    isAway = false
    await until(() => collector.report().outcomes.metrics.delivered === 40)
    expect(new Set(bodies(there)).size).toBe(40)
  })

  test.each([
    ['cut short', (content: Buffer) => content.subarray(0, -1)],
    ['empty', () => Buffer.alloc(0)],
    ['changed by one bit', (content: Buffer) => Buffer.from([...content.subarray(0, -1), (content.at(-1) as number) ^ 1])],
    ['something else', () => Buffer.from('hello')],
    ['null', () => Buffer.from('null\n')],
  ])('with a file that is %s leaves that one out, says so, and delivers the others', async (_, damage) => {
    const dir = await directory()
    const { collector } = await collectorAt(dir, NOWHERE, { delaysMs: [60_000] })
    for (const n of [1, 2, 3]) await collector.offer(anExport(`export ${n}`))
    await collector.stop(0)
    const file = join(dir, (await readdir(dir)).toSorted()[1] as string)
    await writeFile(file, damage(Buffer.from(await Bun.file(file).bytes())))
    await writeFile(join(dir, '1796000000000-000001-0123456789abcdef-metrics-9.otlp.part'), 'half')
    await writeFile(join(dir, 'README'), 'not ours')

    const there = server()
    const { collector: next, warnings } = await collectorAt(dir, there.url)
    await there.arrived(2)
    await until(() => next.report().outcomes.metrics.unreadable === 1)
    expect(bodies(there).toSorted()).toEqual(['export 1', 'export 3'])
    expect(warnings.filter((warning) => warning.includes('is not whole'))).toHaveLength(1)
    // For whoever wants to know what became of it.
    await until(async () => (await readdir(dir)).toSorted().join() === `${basename(file)}.bad,README`)
  })

  // EMFILE, EIO, EACCES say nothing of what has been accepted.
  test('that cannot be read for a while loses nothing, and says so', async () => {
    const dir = await directory()
    const { collector } = await collectorAt(dir, NOWHERE, { delaysMs: [60_000] })
    for (const n of [1, 2, 3]) await collector.offer(anExport(`export ${n}`))
    await collector.stop(0)
    const files = (await readdir(dir)).toSorted()
    // A directory in its place is an error that passes, and that also root gets.
    await rename(join(dir, files[0] as string), join(dir, 'aside'))
    await mkdir(join(dir, files[0] as string))

    const there = server()
    const { collector: next, warnings } = await collectorAt(dir, there.url, { refillMs: 20 })
    await there.arrived(2)
    expect(bodies(there).toSorted()).toEqual(['export 2', 'export 3'])
    expect(next.report().outcomes.metrics.unreadable).toBe(0)
    expect(warnings.some((warning) => /cannot be read now \(EISDIR\)/.test(warning))).toBeTrue()
    await rm(join(dir, files[0] as string), { recursive: true })
    await rename(join(dir, 'aside'), join(dir, files[0] as string))
    await there.arrived(3)
    await until(() => next.report().outcomes.metrics.delivered === 3)
    expect(await readdir(dir)).toEqual([])
  })

  test('keeps no more than a number of damaged files', async () => {
    const dir = await directory()
    for (let n = 0; n < 150; n++) await writeFile(join(dir, `1796000000${String(n).padStart(3, '0')}-000001-0123456789abcdef-metrics-5.otlp.bad`), '')
    await openSpool(dir, 1024 ** 2, () => {})
    const left = (await readdir(dir)).toSorted()
    expect([left.length, left[0]]).toEqual([100, '1796000000050-000001-0123456789abcdef-metrics-5.otlp.bad'])
  })

  test('that cannot be written leaves the export to memory, and says so', async () => {
    const there = server()
    const dir = join(await directory(), 'gone')
    const { collector, warnings } = await collectorAt(dir, there.url)
    await rm(dir, { recursive: true })
    await collector.offer(anExport('x'))
    await there.arrived(1)
    expect(warnings[0]).toMatch(/cannot write to .*ENOENT.*memory alone/)
    await until(() => collector.report().held === 0)
    expect(collector.report()).toMatchObject({ heldBytes: 0, spooledBytes: 0 })
  })

  test('that cannot be made, or that another gateway uses, ends the start with one sentence', async () => {
    const dir = await directory()
    const start = (dir: string) => createTelemetryRelay({ collectors: [{ url: NOWHERE, headers: {}, metrics: true, logs: false, traces: false, stamp_identity: false }], spool: { dir, max_bytes: 1024 }, fetch, observe: () => {} })
    const first = await start(join(dir, 'a'))
    await expect(start(join(dir, 'a'))).rejects.toThrow(`telemetry.spool: ${join(dir, 'a')} is in use by another gatehouse`)
    await writeFile(join(dir, 'file'), '')
    await expect(start(join(dir, 'file', 'b'))).rejects.toThrow(/^telemetry\.spool: .* cannot be made \(ENOTDIR\)$/)
    await first.stop()
    await (await start(join(dir, 'a'))).stop()
  })
})

test('a process that is killed while it accepts exports loses none that it has accepted', async () => {
  const dir = await directory()
  const child = Bun.spawn([process.execPath, new URL('../support/spooling-process.ts', import.meta.url).pathname, dir, NOWHERE], { stdout: 'pipe', stderr: 'inherit' })
  let said = ''
  for await (const chunk of child.stdout) {
    said += Buffer.from(chunk).toString()
    if (said.split('\n').length > 200) child.kill('SIGKILL')
  }
  await child.exited
  const accepted = said.slice(0, said.lastIndexOf('\n')).split('\n').map((n) => `export ${n}`)
  expect(accepted.length).toBeGreaterThanOrEqual(200)

  // The name of a collector, and so the place of its spool, is its address.
  const spool = join(dir, (await readdir(dir)).find((name) => /^[0-9a-f]{16}$/.test(name)) as string)
  const there = server()
  const { collector } = await collectorAt(spool, there.url, { maxBytes: 1024 ** 3 })
  await until(() => (collector.report().spooledBytes ?? 0) === 0)
  const arrived = new Set(bodies(there))
  expect(accepted.filter((one) => !arrived.has(one))).toEqual([])
})
