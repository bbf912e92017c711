// Bedrock's event stream through the whole gateway: what only it does.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { accessOf, linesOf, reportOf, startCloudWorld, type CloudWorld, type Place } from '../support/cloud-world.ts'
import type { CloudScript } from '../support/clouds/cloud.ts'
import { chunkFrame, corrupt, join } from '../support/clouds/event-stream.ts'
import type { TestGateway } from '../support/gateway.ts'
import { readMessageEvents } from '../support/message-events.ts'

let clockMs = 0
let clouds: CloudWorld
let place: Place
let gateway: TestGateway
beforeAll(async () => {
  clouds = await startCloudWorld({ nowMs: () => performance.now() + clockMs })
  place = await clouds.place(accessOf('bedrock with keys'), { seed: 909 })
  gateway = await clouds.gateway([place.upstream])
})
afterAll(() => clouds.stop())

const ask = { model: 'claude-opus-5-5', max_tokens: 8, stream: true, messages: [{ role: 'user', content: 'ping' }] }
const send = () => gateway.post('/v1/messages?beta=true', ask, clouds.alice)
const EVENT_STREAM = { 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-requestid': 'amzn-1' }

/** The events of the generated message as whole frames, changed by `change`; undefined leaves one out. */
const framed = (change: (event: any) => object | string | undefined, then: (frames: Uint8Array[]) => Uint8Array[] = (frames) => frames): CloudScript => async ({ answer, message }) => {
  answer.head(200, EVENT_STREAM)
  const frames = message.events.filter(({ type }) => type !== 'ping').flatMap(({ json }) => {
    const changed = change(JSON.parse(json))
    return changed === undefined ? [] : [chunkFrame(changed, { padding: 'abcdef' })]
  })
  await answer.chunk(join(...then(frames)))
  answer.end()
}

describe('usage', () => {
  // B9: some regions give the cache's counts beside the last event alone.
  test('that the events lack is taken from the invocation’s metrics, which the client never sees', async () => {
    const metrics = { inputTokenCount: 11, outputTokenCount: 22, invocationLatency: 5, firstByteLatency: 3, cacheReadInputTokenCount: 333, cacheWriteInputTokenCount: 44 }
    place.cloud.script(
      framed((event) => {
        if (event.type === 'message_start') event.message.usage = { input_tokens: 11, output_tokens: 1 }
        if (event.type === 'message_delta') event.usage = { output_tokens: 22 }
        return event.type === 'message_stop' ? { ...event, 'amazon-bedrock-invocationMetrics': metrics, 'amazon-bedrock-guardrailAction': 'NONE' } : event
      }),
    )
    const response = await send()
    const text = await response.text()
    expect(readMessageEvents(text).events.at(-1)).toBe('{"type":"message_stop"}')
    expect(text).not.toContain('amazon')
    expect(await reportOf(gateway, response)).toMatchObject({ outcome: 'completed', upstream_request_id: 'amzn-1', input_tokens: 11, output_tokens: 22, cache_read_tokens: 333, cache_write_5m_tokens: 44 })
  })

  test('that the events give is never replaced by the metrics', async () => {
    place.cloud.script(framed((event) => (event.type === 'message_stop' ? { ...event, 'amazon-bedrock-invocationMetrics': { inputTokenCount: 1, outputTokenCount: 1, cacheReadInputTokenCount: 1, cacheWriteInputTokenCount: 1 } } : event)))
    const response = await send()
    readMessageEvents(await response.text())
    const { tokens } = place.cloud.messages.at(-1) ?? { tokens: undefined }
    expect(await reportOf(gateway, response)).toMatchObject({ input_tokens: tokens?.input as number, output_tokens: tokens?.output as number, cache_read_tokens: tokens?.cacheRead as number, cache_write_5m_tokens: tokens?.cacheWrite5m as number })
  })
})

describe('a stream', () => {
  test.each([
    ['with a damaged frame', (frames: Uint8Array[]) => frames.with(4, corrupt(frames[4] as Uint8Array)), 'the upstream sent a damaged event stream'],
    ['that ends within a frame', (frames: Uint8Array[]) => [...frames.slice(0, 4), (frames[4] as Uint8Array).subarray(0, 20)], 'the upstream connection was lost'],
    ['that ends before its last event', (frames: Uint8Array[]) => frames.slice(0, -1), 'the upstream connection was lost'],
  ])('%s ends in an error, after what was whole', async (_, damage, message) => {
    place.cloud.script(framed((event) => event, damage))
    const response = await send()
    const read = readMessageEvents(await response.text())
    expect(read.error).toEqual({ type: 'api_error', message })
    expect(await reportOf(gateway, response)).toMatchObject({ outcome: 'upstream_broke', input_tokens: place.cloud.messages.at(-1)?.events[0]?.said.input as number })
  })

  test('has its keep-alives without a type taken out, and events of a new type passed on', async () => {
    place.cloud.script(framed((event) => event, (frames) => [chunkFrame({ p: 'x' }), ...frames.slice(0, -1), chunkFrame({ completion: '' }), chunkFrame('{"type":"of_the_future","n":1.0}'), frames.at(-1) as Uint8Array]))
    const text = await (await send()).text()
    expect(text).toStartWith('event: message_start\n')
    expect(text).toContain('event: of_the_future\ndata: {"type":"of_the_future","n":1.0}\n\nevent: message_stop\n')
    expect(text).not.toContain('completion')
  })

  // B7
  test('that pauses gets pings, also before its first frame and while half a frame is there, and never inside an event', async () => {
    const resume = Array.from({ length: 3 }, () => Promise.withResolvers<void>())
    place.cloud.script(async ({ answer, message }) => {
      answer.head(200, EVENT_STREAM)
      const frames = message.events.filter(({ type }) => type !== 'ping').map(({ json }) => chunkFrame(json))
      const whole = join(...frames)
      const beforeLast = whole.length - (frames.at(-1)?.length ?? 0)
      for (const [at, [from, to]] of [[0, 700], [700, beforeLast], [beforeLast, whole.length]].entries()) {
        await resume[at]?.promise
        await answer.chunk(whole.subarray(from, to))
      }
      answer.end()
    })
    const response = await send()
    let text = ''
    // What the silence ends with: nothing yet, the first event, the last but one.
    const awaited = ['', 'event: message_start', '"stop_reason":"tool_use"']
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString()
      const pings = text.split('event: ping').length - 1
      if (pings > 0) resume[pings - 1]?.resolve()
      if (pings < 3 && text.includes(awaited[pings] as string)) clockMs += 16_000
    }
    const read = readMessageEvents(text)
    expect(read.pings).toBe(3)
    expect(read.text).toBe(place.cloud.messages.at(-1)?.text as string)
    expect(text.indexOf('event: ping')).toBeLessThan(text.indexOf('event: message_start'))
    expect(linesOf(gateway, response)).toEqual([])
  }, 20_000)

  test('that does not end after its last event is ended for it, without a ping', async () => {
    let closed: Promise<void> | undefined
    place.cloud.script(async ({ request, stream }) => {
      closed = request.closed
      await stream()
    })
    const response = await send()
    let text = ''
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString()
      if (text.includes('message_stop"}')) clockMs += 16_000
    }
    expect(readMessageEvents(text)).toMatchObject({ pings: 0, error: undefined })
    expect(await reportOf(gateway, response)).toMatchObject({ outcome: 'completed' })
    await closed
  }, 20_000)
})
