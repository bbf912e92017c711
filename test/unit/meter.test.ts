import { describe, expect, test } from 'bun:test'
import { movesOn, mostTelling } from '../../src/relay/failover.ts'
import { createJsonMeter, createStreamMeter, type Meter } from '../../src/relay/meter.ts'
import { NO_USAGE, overwriteUsage } from '../../src/pricing/usage.ts'
import { messageEvents } from '../support/upstream.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
function metered(meter: Meter, text: string, size: number): Meter {
  const all = bytes(text)
  for (let at = 0; at < all.length; at += size) meter.watch(all.subarray(at, at + size))
  return meter
}

const TOTALS = { ...NO_USAGE, input: 1000, output: 500, cacheRead: 300, cacheWrite5m: 200, cacheWrite1h: undefined, model: 'claude-sonnet-5' }

describe('the stream meter', () => {
  const text = messageEvents().join('')

  // T192
  test('comes to the same totals wherever the stream is cut in two', () => {
    const all = bytes(text)
    for (let cut = 0; cut <= all.length; cut++) {
      const meter = createStreamMeter()
      meter.watch(all.subarray(0, cut))
      meter.watch(all.subarray(cut))
      expect(meter.usage()).toEqual(TOTALS)
    }
  })

  // T186
  test('calls a stream whole from its last event on, and not before', () => {
    const last = messageEvents().at(-1) as string
    const meter = metered(createStreamMeter(), text.slice(0, -last.length), 5)
    meter.watch(bytes('data: {"type":"content_block_delta","text":"message_stop"}\n\n'))
    expect(meter.isWhole()).toBe(false)
    meter.watch(bytes(last))
    expect(meter.isWhole()).toBe(true)
  })

  test.each([1, 2, 3, 7, 64])('comes to the same totals in pieces of %d bytes, with any line end', (size) => {
    for (const end of ['\n', '\r\n', '\r']) expect(metered(createStreamMeter(), text.replaceAll('\n', end), size).usage()).toEqual(TOTALS)
  })

  // T195
  test('counts only events of the stream, not their likeness inside content', () => {
    const fake = 'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":999999}}\n\n'
    expect(metered(createStreamMeter(), messageEvents('m', [fake]).join(''), 5).usage()).toEqual({ ...TOTALS, model: 'm' })
  })

  test('passes over a line that is too long to keep, and goes on after it', () => {
    const meter = createStreamMeter()
    const chunk = bytes('a'.repeat(300_000))
    meter.watch(bytes('data: '))
    for (let n = 0; n < 5; n++) meter.watch(chunk)
    meter.watch(bytes(`\n\n${text}`))
    expect(meter.usage()).toEqual(TOTALS)
  })

  // Joining what is there with each piece would move half a terabyte.
  test('takes a line of a megabyte byte by byte, and goes on after it', () => {
    const meter = metered(createStreamMeter(), `data: {"type":"ping","text":"${'a'.repeat(1_000_000)}"}\n\n`, 1)
    expect(metered(meter, text, 5).usage()).toEqual(TOTALS)
  })

  test('reads a long line that carries usage, in pieces', () => {
    const start = messageEvents()[0]?.replace('{"type":"message_start"', `{"pad":"${'a'.repeat(900_000)}","type":"message_start"`) as string
    expect(metered(createStreamMeter(), start, 1).usage()).toEqual(metered(createStreamMeter(), messageEvents()[0] as string, 100).usage())
    expect(metered(createStreamMeter(), start, 1).usage()).not.toEqual(NO_USAGE)
  })

  test.each([
    ['data: x\n\n', true],
    ['data: x\r\n\r\n', true],
    ['data: x\r\r', true],
    ['data: x\n', false],
    ['data: x\r\n', false],
    ['data: x', false],
    ['', true],
  ])('knows whether %j ends an event', (given, boundary) => {
    expect(metered(createStreamMeter(), given, 1).atBoundary()).toBe(boundary)
    expect(metered(createStreamMeter(), given, 100).atBoundary()).toBe(boundary)
  })
})

const line = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const started = (usage: object = { input_tokens: 40, output_tokens: 1 }) => `event: message_start\n${line({ type: 'message_start', message: { model: 'claude-opus-5', usage } })}`
const delta = (added: object) => `event: content_block_delta\n${line({ type: 'content_block_delta', index: 0, delta: added })}`
const text = (words: string) => delta({ type: 'text_delta', text: words })
const ENDED = line({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } })

// B23
describe('an answer that broke off', () => {
  const output = (stream: string, size = 1000) => metered(createStreamMeter(), stream, size).usage().output

  test('is billed its input, and a token for every four characters that were sent', () => {
    // 11 characters of text, 6 of thinking, 7 of a tool's input: 24 are 6 tokens
    const stream = started() + text('hello world') + delta({ type: 'thinking_delta', thinking: 'hmm...' }) + delta({ type: 'input_json_delta', partial_json: '{"a":1}' })
    for (const size of [1, 7, 10_000]) {
      expect(metered(createStreamMeter(), stream, size).usage()).toEqual({ ...NO_USAGE, model: 'claude-opus-5', input: 40, output: 6, isEstimated: true })
    }
  })

  test.each([
    ['what the first event said, where that is more', started({ input_tokens: 4, output_tokens: 9 }) + text('hello'), 9],
    ['the last token begun', started() + text('abcde'), 2],
    ['characters as they are read, not as JSON writes them', started() + text('"\n\\\u0001é日本😀'), 3],
    ['what was sent of an event that broke off in its middle', started() + text('12345678').slice(0, -6), 2],
    ['nothing that no model wrote', started() + line({ type: 'content_block_start', index: 1, content_block: { type: 'web_fetch_tool_result', content: { text: 'x'.repeat(400) } } }), 1],
    ['nothing of a signature or a citation', started() + delta({ type: 'signature_delta', signature: 'x'.repeat(400) }) + delta({ type: 'citations_delta', citation: { text: 'x'.repeat(400) } }), 1],
    ['no likeness inside a text', started() + text('"delta":{"text":"' + 'x'.repeat(7)), 6],
    ['a text whose event is laid out in another way', `${started()}data:{ "type": "content_block_delta", "delta": { "text": "12345678", "type": "text_delta" } }\n\n`, 2],
  ])('counts %s', (_, stream, tokens) => {
    expect(output(stream)).toBe(tokens)
    expect(output(stream.replaceAll('\n', '\r\n'), 3)).toBe(tokens)
  })

  test('counts a long answer whole without keeping it', () => {
    const stream = started() + text('x'.repeat(1000)).repeat(1000)
    expect(output(stream, 50_000)).toBe(250_000)
    expect(output(stream, 1_000_000)).toBe(250_000)
  })

  test('counts a line that is too long to keep about by its bytes, unless no model wrote it', () => {
    const words = 'x'.repeat(2_000_000)
    const about = output(started() + text(words) + text('12345678'), 100_000) ?? 0
    expect([about >= 500_002, about < 500_100]).toEqual([true, true])
    expect(output(started() + line({ type: 'content_block_start', content_block: { type: 'x', text: words } }) + text('12345678'), 100_000)).toBe(2)
  })

  test('that never began is billed nothing, and says so', () => {
    for (const stream of ['', ':\n\n', line({ type: 'error', error: { type: 'overloaded_error' } })]) {
      expect(metered(createStreamMeter(), stream, 10).usage()).toEqual({ ...NO_USAGE, isEstimated: true })
    }
  })

  test('after its final count is billed that count', () => {
    expect(metered(createStreamMeter(), started() + text('x'.repeat(400)) + ENDED, 9).usage()).toEqual({ ...NO_USAGE, model: 'claude-opus-5', input: 40, output: 7 })
    expect(output(started() + ENDED + text('x'.repeat(400)))).toBe(7)
  })

  test('after a count in between is billed that, or what was sent where that is more', () => {
    const between = line({ type: 'message_delta', delta: { stop_reason: null }, usage: { output_tokens: 20 } })
    expect(metered(createStreamMeter(), started() + text('x'.repeat(40)) + between + text('x'.repeat(20)), 9).usage()).toMatchObject({ output: 20, isEstimated: true })
    expect(metered(createStreamMeter(), started() + text('x'.repeat(40)) + between + text('x'.repeat(80)), 9).usage()).toMatchObject({ output: 30, isEstimated: true })
    expect(metered(createStreamMeter(), started() + between + text('x'.repeat(80)) + ENDED, 9).usage()).toMatchObject({ output: 7, isEstimated: false })
  })

  test('is whole with its last event, although no reason to stop was given', () => {
    const counted = line({ type: 'message_delta', usage: { output_tokens: 7 } })
    expect(metered(createStreamMeter(), started() + text('x'.repeat(80)) + counted + line({ type: 'message_stop' }), 9).usage()).toMatchObject({ output: 7, isEstimated: false })
  })

  test('is still judged by what was sent when its last event has no count', () => {
    const uncounted = line({ type: 'message_delta', usage: { output_tokens: null } })
    expect(metered(createStreamMeter(), started() + text('12345678') + uncounted, 9).usage()).toMatchObject({ output: 2, isEstimated: true })
  })
})

describe('the stream meter reads beside the counts', () => {
  test('how the answer was made, which only the first event says', () => {
    const start = started({ input_tokens: 3, speed: 'fast', service_tier: 'priority', inference_geo: 'us', cache_creation_input_tokens: 30, cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 } })
    expect(metered(createStreamMeter(), start + ENDED, 9).usage()).toEqual({ ...NO_USAGE, model: 'claude-opus-5', input: 3, output: 7, cacheWrite5m: 10, cacheWrite1h: 20, speed: 'fast', serviceTier: 'priority', inferenceGeo: 'us' })
  })

  // A model that declines in the middle of its answer is named in message_start.
  test('which model went on where the first had declined', () => {
    const iterations = [{ type: 'message', model: 'claude-opus-5', input_tokens: 40, output_tokens: 5 }, { type: 'fallback_message', model: 'claude-opus-4-8', input_tokens: 50, output_tokens: 7 }]
    const usage = metered(createStreamMeter(), started() + line({ type: 'message_delta', usage: { input_tokens: 50, output_tokens: 7, iterations } }), 9).usage()
    expect(usage).toMatchObject({ model: 'claude-opus-4-8', fallbackModel: 'claude-opus-4-8', input: 50, output: 7, beside: [{ kind: 'declined_message', usage: { model: 'claude-opus-5', input: 40, output: 5 } }] })
  })
})

// B8
test('the stream meter leaves the bytes that it reads as they are', () => {
  const given = bytes(messageEvents().join(''))
  metered(createStreamMeter(), messageEvents().join(''), 7)
  const meter = createStreamMeter()
  meter.watch(given)
  meter.usage()
  expect(new TextDecoder().decode(given)).toBe(messageEvents().join(''))
})

describe('overwriteUsage', () => {
  test('replaces and never adds', () => {
    const first = overwriteUsage(NO_USAGE, { input_tokens: 10, output_tokens: 1, cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 }, cache_creation_input_tokens: 7 })
    expect(first).toEqual({ ...NO_USAGE, input: 10, output: 1, cacheRead: undefined, cacheWrite5m: 3, cacheWrite1h: 4 })
    expect(overwriteUsage(first, { input_tokens: null, output_tokens: 50, cache_creation_input_tokens: 9 })).toEqual({ ...first, output: 50, cacheWrite5m: 5 })
  })

  test.each([-1, 1.5, Number.POSITIVE_INFINITY, '7', null, 2 ** 60])('ignores %p as a count', (value) => {
    expect(overwriteUsage({ ...NO_USAGE, output: 3 }, { output_tokens: value }).output).toBe(3)
  })
})

test('the JSON meter reads the usage of the answer, not of what is inside it', () => {
  const answer = JSON.stringify({ content: [{ type: 'tool_use', input: { usage: { input_tokens: 7 } } }], usage: { input_tokens: 1, output_tokens: 2 } })
  expect(metered(createJsonMeter(), answer, 3).usage()).toMatchObject({ ...NO_USAGE, input: 1, output: 2 })
  expect(metered(createJsonMeter(), 'not json', 3).usage()).toEqual({ ...NO_USAGE, output: expect.any(Number), isEstimated: true })
  // T186
  expect(metered(createJsonMeter(), answer, 3).isWhole()).toBe(true)
  expect(metered(createJsonMeter(), answer.slice(0, -1), 3).isWhole()).toBe(false)
})

test('the JSON meter knows what answered and how, and that an answer was cut', () => {
  const answer = JSON.stringify({ model: 'claude-opus-5', usage: { input_tokens: 1, output_tokens: 2, speed: 'fast', service_tier: 'standard', inference_geo: 'us' } })
  expect(metered(createJsonMeter(), answer, 3).usage()).toEqual({ ...NO_USAGE, input: 1, output: 2, model: 'claude-opus-5', speed: 'fast', serviceTier: 'standard', inferenceGeo: 'us' })
  expect(metered(createJsonMeter(), answer.slice(0, -2), 3).usage()).toEqual({ ...NO_USAGE, output: expect.any(Number), isEstimated: true })
})

test('the JSON meter reads a large answer byte by byte, and keeps none that is too large', () => {
  const answer = (length: number) => JSON.stringify({ text: 'a'.repeat(length), usage: { input_tokens: 1, output_tokens: 2 } })
  expect(metered(createJsonMeter(), answer(1_000_000), 1).usage()).toMatchObject({ ...NO_USAGE, input: 1, output: 2 })
  const large = metered(createJsonMeter(), answer(8 * 1024 * 1024), 100_000)
  expect([large.usage(), large.isWhole()]).toEqual([{ ...NO_USAGE, output: 2_097_166, isEstimated: true }, false])
})

describe('failover', () => {
  test.each([429, 500, 502, 503, 504, 529, 501, 401, 402, 403, 404, 301, 307])('moves on after %d', (status) => {
    expect(movesOn(status, new Set())).toBe(true)
  })

  test.each([200, 400, 405, 408, 409, 413, 422])('stays with %d', (status) => {
    expect(movesOn(status, new Set())).toBe(false)
  })

  test('moves on after a status of the operator', () => {
    expect(movesOn(409, new Set([409]))).toBe(true)
  })

  test.each([
    [[500, 429, 401, 429, 404], 429],
    [[401, 403, 404], 403],
    [[404, 501, 500], 404],
    [[501, 529], 501],
    [[500, 529], 529],
    [[500, 503], undefined],
  ])('of %j the client hears %p', (statuses, status) => {
    expect(mostTelling(statuses.map((one) => ({ status: one })))?.status as unknown).toBe(status)
  })
})
