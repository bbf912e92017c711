import { describe, expect, test } from 'bun:test'
import type { Usage } from '../../src/pricing/usage.ts'
import { createStreamMeter } from '../../src/relay/meter.ts'
import { createSource } from '../../src/relay/source.ts'
import { createFlow, type Sink, type StreamOutcome } from '../../src/relay/stream.ts'

const DELTA = 'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"event: error"}}\n\n'
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
const PING = 'event: ping\ndata: {"type": "ping"}\n\n'

/** The client's side: it takes one piece each time it reads, and its connection holds one more. */
function createClient() {
  const pieces: string[] = []
  let end: 'whole' | 'broken' | undefined
  let room = Promise.withResolvers<number>()
  let came = Promise.withResolvers<void>()
  const sink: Sink = {
    write(bytes) {
      pieces.push(Buffer.from(bytes).toString())
      came.resolve()
      return room.promise
    },
    close(error) {
      end = error === undefined ? 'whole' : 'broken'
      came.resolve()
    },
  }
  async function read(): Promise<string | 'whole' | 'broken'> {
    room.resolve(0)
    room = Promise.withResolvers()
    while (pieces.length === 0 && end === undefined) {
      await came.promise
      came = Promise.withResolvers()
    }
    return pieces.shift() ?? (end as 'whole' | 'broken')
  }
  return { sink, read }
}

/** A stream whose upstream, client and clock are in the test's hands. */
function setup({ isEventStream = true, write }: { isEventStream?: boolean; write?: Sink['write'] } = {}) {
  let nowMs = 0
  const over = Promise.withResolvers<void>()
  let upstream!: ReadableStreamDefaultController<Uint8Array>
  const outcomes: StreamOutcome[] = []
  let counted: Usage | undefined
  let aborted = 0
  const stream = createFlow({
    upstream: createSource(new ReadableStream({ start: (controller) => void (upstream = controller) })),
    meter: createStreamMeter(),
    isEventStream,
    nowMs: () => nowMs,
    abortUpstream: () => aborted++,
    finished: (outcome, usage) => {
      outcomes.push(outcome)
      counted = usage
      over.resolve()
    },
  })
  const client = createClient()
  void stream.begin(write === undefined ? client.sink : { ...client.sink, write })
  return {
    stream,
    outcomes,
    counted: () => counted,
    over: over.promise,
    aborted: () => aborted,
    read: client.read,
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
    const { read, pass } = setup()
    const first = read()
    await pass(14_999)
    await pass(1)
    expect(await first).toBe(PING)
    const second = read()
    await pass(15_000)
    expect(await second).toBe(PING)
  })

  test('is never pinged in the middle of an event', async () => {
    const { read, say, pass } = setup()
    say('event: content_block_delta\ndata: {"half":')
    expect(await read()).toContain('half')
    const rest = read()
    await pass(60_000)
    say('1}\n\n')
    expect(await rest).toBe('1}\n\n')
    const ping = read()
    await pass(15_000)
    expect(await ping).toBe(PING)
  })

  test('is not pinged while the client itself is not reading', async () => {
    const { read, say, pass } = setup()
    say('data: 1\n\n')
    expect(await read()).toBe('data: 1\n\n')
    await pass(60_000)
    say('data: 2\n\n')
    expect(await read()).toBe('data: 2\n\n')
  })

  test('is given up when the upstream has said nothing for ten minutes', async () => {
    const { read, pass, outcomes, aborted } = setup()
    const first = read()
    await pass(600_001)
    expect(await first).toContain('event: error')
    expect([outcomes, aborted()]).toEqual([['upstream_broke'], 1])
  })
})

describe('a stream ends once', () => {
  // T186
  test('and is complete when the client leaves after the last event, before the upstream has ended', async () => {
    const { stream, say, read, over, outcomes, aborted } = setup()
    say('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    expect(await read()).toContain('message_stop')
    stream.cancel()
    await over
    expect([outcomes, aborted()]).toEqual([['completed'], 1])
  })

  // T197
  test('when the client has taken nothing for five minutes', async () => {
    const { say, read, pass, over, outcomes, aborted } = setup()
    say('data: 1\n\n')
    expect(await read()).toBe('data: 1\n\n')
    await pass(300_000)
    expect(outcomes).toEqual([])
    await pass(1)
    await over
    expect([outcomes, aborted()]).toEqual([['client_gone'], 1])
    expect(await read()).toBe('broken')
  })

  // One chunk every 290 s is not reading.
  test('when the client takes next to nothing of what waits for it', async () => {
    const { say, read, pass, over, outcomes, aborted } = setup()
    for (let n = 0; n < 40; n++) say(`data: ${'x'.repeat(150)}\n\n`)
    await read()
    await pass(290_000)
    expect([outcomes, (await read()).length]).toEqual([[], 158])
    await pass(10_000)
    expect(outcomes).toEqual([])
    await pass(1)
    await over
    expect([outcomes, aborted()]).toEqual([['client_gone'], 1])
    expect(await read()).toBe('broken')
  })

  test('and lives while the client takes four kilobytes in five minutes', async () => {
    const { say, read, pass, outcomes } = setup()
    for (let n = 0; n < 20; n++) {
      say(`data: ${'x'.repeat(4096)}\n\n`)
      await read()
      await pass(290_000)
    }
    expect(outcomes).toEqual([])
  })

  test('and lives however little comes, while the client waits for more', async () => {
    const { say, read, pass, outcomes } = setup()
    for (let n = 0; n < 20; n++) {
      say(DELTA)
      await read()
      // It reads again late, and has then taken all there was: ours is the first ping.
      await pass(200_000)
      const more = Promise.all([read(), read()])
      await pass(1)
      say(PING)
      await more
      await pass(90_000)
    }
    expect(outcomes).toEqual([])
  })

  test('although the upstream ends, the client goes and the gateway stops', async () => {
    const { stream, say, read, end, outcomes, aborted } = setup()
    say(STOP)
    expect(await read()).toBe(STOP)
    end()
    expect(await read()).toBe('whole')
    stream.end('client_gone')
    stream.end('drained')
    expect([outcomes, aborted()]).toEqual([['completed'], 0])
  })

  // T187
  test('with an error event, when the upstream ends it cleanly in the middle', async () => {
    const { say, read, end, outcomes } = setup()
    say(DELTA)
    expect(await read()).toBe(DELTA)
    end()
    expect(await read()).toBe('event: error\ndata: {"type":"error","error":{"type":"api_error","message":"the upstream connection was lost"}}\n\n')
    expect([outcomes, await read()]).toEqual([['upstream_broke'], 'whole'])
  })

  test('with the upstream’s own error event and no second one', async () => {
    const { say, read, end, outcomes } = setup()
    const error = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    say(DELTA + error)
    expect(await read()).toBe(DELTA + error)
    end()
    expect([await read(), outcomes]).toEqual(['whole', ['upstream_broke']])
  })

  test.each([1, 7, 12, 15, 90])('with the upstream’s own error event and no second one, when it comes in pieces (%i)', async (at) => {
    const { say, read, end, outcomes } = setup()
    const error = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    for (const piece of [DELTA, error.slice(0, at), error.slice(at)]) {
      say(piece)
      expect(await read()).toBe(piece)
    }
    end()
    expect([await read(), outcomes]).toEqual(['whole', ['upstream_broke']])
  })

  test('with an event that says why, when the gateway stops', async () => {
    const { stream, read, outcomes, aborted } = setup()
    stream.end('drained')
    expect(await read()).toBe('event: error\ndata: {"type":"error","error":{"type":"api_error","message":"the gateway is restarting"}}\n\n')
    expect([outcomes, aborted(), await read()]).toEqual([['drained'], 1, 'whole'])
  })

  test('by breaking, where there are no events', async () => {
    const { stream, read } = setup({ isEventStream: false })
    stream.end('drained')
    expect(await read()).toBe('broken')
  })

  test('as the client’s doing, when what it was given cannot reach it any more', async () => {
    const { stream, say, outcomes, aborted } = setup({ write: () => Promise.reject(new Error('closed')) })
    say(DELTA)
    await new Promise(setImmediate)
    stream.end('drained')
    expect([outcomes, aborted()]).toEqual([['client_gone'], 1])
  })

  test('by breaking, when it was over before the client was there to be told', async () => {
    const { stream } = setup()
    stream.end('drained')
    const client = createClient()
    await stream.begin(client.sink)
    expect(await client.read()).toBe('broken')
  })
})

describe('what has come in, and the client has not taken', () => {
  const BEGIN = 'event: message_start\ndata: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":7,"output_tokens":1}}}\n\n'
  const COUNT = 'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":60000}}\n\n'

  /** A client that takes nothing, of an answer that comes in `pieces`. */
  async function behind(...pieces: string[]) {
    const stream = setup()
    for (const piece of pieces) stream.say(piece)
    await new Promise(setImmediate)
    return stream
  }

  test('is counted when the client goes', async () => {
    const { stream, over, outcomes, counted, aborted } = await behind(BEGIN, DELTA, COUNT, STOP)
    stream.cancel()
    await over
    expect([outcomes, counted(), aborted()]).toMatchObject([['completed'], { input: 7, output: 60_000, isEstimated: false }, 1])
  })

  test('is counted when it comes in the half second after, and nothing beyond', async () => {
    const { stream, say, over, outcomes, counted } = await behind(BEGIN, DELTA)
    stream.cancel()
    say(DELTA)
    say(COUNT)
    await over
    say(STOP)
    expect([outcomes, counted()]).toMatchObject([['client_gone'], { input: 7, output: 60_000 }])
  })

  test('is counted when the gateway stops', async () => {
    const { stream, read, over, outcomes, counted, aborted } = await behind(BEGIN, DELTA, COUNT)
    stream.end('drained')
    expect([await read(), await read(), await read()]).toEqual([BEGIN, expect.stringContaining('the gateway is restarting'), 'whole'])
    await over
    expect([outcomes, counted(), aborted()]).toMatchObject([['drained'], { output: 60_000 }, 1])
  })

  test('is counted when the client is given up for taking nothing', async () => {
    const { read, pass, over, outcomes, counted } = await behind(BEGIN, DELTA, COUNT, STOP)
    await pass(300_001)
    await over
    expect([outcomes, counted()]).toMatchObject([['completed'], { output: 60_000 }])
    expect([await read(), await read()]).toEqual([BEGIN, 'broken'])
  })

  test('is counted once, whatever else ends the stream meanwhile', async () => {
    const { stream, end, over, outcomes, aborted } = await behind(BEGIN, DELTA)
    stream.cancel()
    stream.cancel()
    stream.end('drained')
    end()
    await over
    expect([outcomes, aborted()]).toEqual([['client_gone'], 1])
  })

  test('is nothing when the client waited for more: it ends at once', async () => {
    const { stream, say, read, outcomes, aborted } = setup()
    say(BEGIN)
    expect(await read()).toBe(BEGIN)
    void read()
    await new Promise(setImmediate)
    stream.cancel()
    expect([outcomes, aborted()]).toEqual([['client_gone'], 1])
  })
})
