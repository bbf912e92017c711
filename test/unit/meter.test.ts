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

const TOTALS = { ...NO_USAGE, input: 1000, output: 500, cacheRead: 300, cacheWrite5m: 200, cacheWrite1h: undefined }

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
    expect(metered(createStreamMeter(), messageEvents('m', [fake]).join(''), 5).usage()).toEqual(TOTALS)
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
  expect(metered(createJsonMeter(), 'not json', 3).usage()).toEqual(NO_USAGE)
  // T186
  expect(metered(createJsonMeter(), answer, 3).isWhole()).toBe(true)
  expect(metered(createJsonMeter(), answer.slice(0, -1), 3).isWhole()).toBe(false)
})

test('the JSON meter reads a large answer byte by byte, and keeps none that is too large', () => {
  const answer = (length: number) => JSON.stringify({ text: 'a'.repeat(length), usage: { input_tokens: 1, output_tokens: 2 } })
  expect(metered(createJsonMeter(), answer(1_000_000), 1).usage()).toMatchObject({ ...NO_USAGE, input: 1, output: 2 })
  const large = metered(createJsonMeter(), answer(8 * 1024 * 1024), 100_000)
  expect([large.usage(), large.isWhole()]).toEqual([NO_USAGE, false])
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
