import { describe, expect, test } from 'bun:test'
import { createStreamMeter } from '../../src/relay/meter.ts'
import { createSource } from '../../src/relay/source.ts'
import { relayStream, type StreamOutcome } from '../../src/relay/stream.ts'

const DELTA = 'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"event: error"}}\n\n'
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
const PING = 'event: ping\ndata: {"type": "ping"}\n\n'

/** A relayed stream whose upstream and clock are in the test's hands. */
function setup({ isEventStream = true } = {}) {
  let nowMs = 0
  let upstream!: ReadableStreamDefaultController<Uint8Array>
  const outcomes: StreamOutcome[] = []
  let aborted = 0
  const stream = relayStream({
    upstream: createSource(new ReadableStream({ start: (controller) => void (upstream = controller) })),
    meter: createStreamMeter(),
    isEventStream,
    nowMs: () => nowMs,
    abortUpstream: () => aborted++,
    finished: (outcome) => outcomes.push(outcome),
  })
  const reader = stream.body.getReader()
  const text = async () => Buffer.from((await reader.read()).value ?? []).toString()
  return {
    stream,
    reader,
    outcomes,
    aborted: () => aborted,
    text,
    say: (bytes: string) => upstream.enqueue(new TextEncoder().encode(bytes)),
    end: () => upstream.close(),
    pass: async (ms: number) => {
      // The read before it has to reach the stream first.
      await new Promise(setImmediate)
      nowMs += ms
      stream.tick(nowMs)
    },
  }
}

describe('a silent stream', () => {
  // B7
  test('is pinged after fifteen seconds, and every fifteen more, before the first byte too', async () => {
    const { text, pass } = setup()
    const first = text()
    await pass(14_999)
    await pass(1)
    expect(await first).toBe(PING)
    const second = text()
    await pass(15_000)
    expect(await second).toBe(PING)
  })

  test('is never pinged in the middle of an event', async () => {
    const { text, say, pass } = setup()
    say('event: content_block_delta\ndata: {"half":')
    expect(await text()).toContain('half')
    const rest = text()
    await pass(60_000)
    say('1}\n\n')
    expect(await rest).toBe('1}\n\n')
    const ping = text()
    await pass(15_000)
    expect(await ping).toBe(PING)
  })

  test('is not pinged while the client itself is not reading', async () => {
    const { text, say, pass } = setup()
    say('data: 1\n\n')
    expect(await text()).toBe('data: 1\n\n')
    await pass(60_000)
    say('data: 2\n\n')
    expect(await text()).toBe('data: 2\n\n')
  })

  test('is given up when the upstream has said nothing for ten minutes', async () => {
    const { reader, pass, outcomes, aborted } = setup()
    const read = reader.read()
    await pass(600_001)
    expect(Buffer.from((await read).value ?? []).toString()).toContain('event: error')
    expect([outcomes, aborted()]).toEqual([['upstream_broke'], 1])
  })
})

describe('a stream ends once', () => {
  // T186
  test('and is complete when the client leaves after the last event, before the upstream has ended', async () => {
    const { reader, say, text, outcomes, aborted } = setup()
    say('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    expect(await text()).toContain('message_stop')
    await reader.cancel()
    expect([outcomes, aborted()]).toEqual([['completed'], 1])
  })

  // T197
  test('when the client has taken nothing for five minutes', async () => {
    const { reader, say, text, pass, outcomes, aborted } = setup()
    say('data: 1\n\n')
    expect(await text()).toBe('data: 1\n\n')
    await pass(300_000)
    expect(outcomes).toEqual([])
    await pass(1)
    expect([outcomes, aborted()]).toEqual([['client_gone'], 1])
    expect(await reader.read().then(() => 'whole', () => 'broken')).toBe('broken')
  })

  // One chunk every 290 s is not reading.
  test('when the client takes next to nothing of what waits for it', async () => {
    const { reader, say, text, pass, outcomes, aborted } = setup()
    for (let n = 0; n < 40; n++) say(`data: ${'x'.repeat(150)}\n\n`)
    await text()
    await pass(290_000)
    expect([outcomes, (await text()).length]).toEqual([[], 158])
    await pass(10_000)
    expect(outcomes).toEqual([])
    await pass(1)
    expect([outcomes, aborted()]).toEqual([['client_gone'], 1])
    expect(await reader.read().then(() => 'whole', () => 'broken')).toBe('broken')
  })

  test('and lives while the client takes four kilobytes in five minutes', async () => {
    const { say, text, pass, outcomes } = setup()
    for (let n = 0; n < 20; n++) {
      say(`data: ${'x'.repeat(4096)}\n\n`)
      await text()
      await pass(290_000)
    }
    expect(outcomes).toEqual([])
  })

  test('and lives however little comes, while the client waits for more', async () => {
    const { say, text, pass, outcomes } = setup()
    for (let n = 0; n < 20; n++) {
      say(DELTA)
      await text()
      // It reads again late, and has then taken all there was: ours is the first ping.
      await pass(200_000)
      const more = Promise.all([text(), text()])
      await pass(1)
      say(PING)
      await more
      await pass(90_000)
    }
    expect(outcomes).toEqual([])
  })

  test('although the upstream ends, the client goes and the gateway stops', async () => {
    const { stream, reader, say, text, end, outcomes, aborted } = setup()
    say(STOP)
    expect(await text()).toBe(STOP)
    end()
    expect((await reader.read()).done).toBe(true)
    stream.end('client_gone')
    stream.end('drained')
    expect([outcomes, aborted()]).toEqual([['completed'], 0])
  })

  // T187
  test('with an error event, when the upstream ends it cleanly in the middle', async () => {
    const { reader, say, text, end, outcomes } = setup()
    say(DELTA)
    expect(await text()).toBe(DELTA)
    end()
    expect(await text()).toBe('event: error\ndata: {"type":"error","error":{"type":"api_error","message":"the upstream connection was lost"}}\n\n')
    expect([outcomes, (await reader.read()).done]).toEqual([['upstream_broke'], true])
  })

  test('with the upstream’s own error event and no second one', async () => {
    const { reader, say, text, end, outcomes } = setup()
    const error = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    say(DELTA + error)
    expect(await text()).toBe(DELTA + error)
    end()
    expect([(await reader.read()).done, outcomes]).toEqual([true, ['upstream_broke']])
  })

  test('with an event that says why, when the gateway stops', async () => {
    const { stream, reader, outcomes, aborted } = setup()
    const read = reader.read()
    stream.end('drained')
    expect(Buffer.from((await read).value ?? []).toString()).toBe('event: error\ndata: {"type":"error","error":{"type":"api_error","message":"the gateway is restarting"}}\n\n')
    expect([outcomes, aborted(), (await reader.read()).done]).toEqual([['drained'], 1, true])
  })

  test('by breaking, where there are no events', async () => {
    const { stream, reader } = setup({ isEventStream: false })
    const read = reader.read().then(() => 'whole', () => 'broken')
    stream.end('drained')
    expect(await read).toBe('broken')
  })
})
