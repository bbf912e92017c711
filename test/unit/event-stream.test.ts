import { describe, expect, test } from 'bun:test'
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { crc32 } from 'node:zlib'
import { createBedrockDecoder } from '../../src/upstream/aws/bedrock-stream.ts'
import { createFrameReader, FrameError } from '../../src/upstream/aws/event-stream.ts'
import type { Decoder } from '../../src/upstream/upstream.ts'
import { chunkFrame, corrupt, cutAt, cutAtRandom, errorFrame, everyCut, exceptionFrame, frame, join } from '../support/clouds/event-stream.ts'
import { RECORDED_STREAM_ERRORS } from '../support/clouds/recorded-errors.ts'
import { offlineUpstream, upstreamRequest } from '../support/upstream-request.ts'

const EVENT = { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' }
const sse = (type: string, json: string) => `event: ${type}\ndata: ${json}\n\n`
const told = (type: string, message: string) => sse('error', JSON.stringify({ type: 'error', error: { type, message } }))
const LOST = told('api_error', 'the upstream connection was lost')
const DAMAGED = told('api_error', 'the upstream sent a damaged event stream')

const START = { type: 'message_start', message: { id: 'msg_1', usage: { input_tokens: 3, output_tokens: 1 } } }
const TEXT = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Grüße, 世界 👋' } }
const STOP = { type: 'message_stop' }
const METRICS = { inputTokenCount: 3, outputTokenCount: 5, invocationLatency: 1234, firstByteLatency: 321, cacheReadInputTokenCount: 7, cacheWriteInputTokenCount: 11 }

/** An answer as Bedrock sends it, and what the client is to get of it. */
const EVENTS = [START, { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }, TEXT, { type: 'content_block_stop', index: 0 }, { type: 'message_delta', delta: {}, usage: { output_tokens: 5 } }, STOP]
const ANSWER = join(...EVENTS.slice(0, -1).map((event, at) => chunkFrame(event, { padding: 'p'.repeat(at * 7) })), chunkFrame({ ...STOP, 'amazon-bedrock-invocationMetrics': METRICS }, { padding: 'abc' }))
const EXPECTED = EVENTS.map((event) => sse(event.type, JSON.stringify(event))).join('')

interface Decoded {
  text: string
  isWhole: boolean
  usage: unknown
  notes: string[]
}

/** Through the upstream itself, so that its own words for exceptions are used. */
function decode(pieces: Iterable<Uint8Array>, betas: readonly string[] = []): Decoded {
  const notes: string[] = []
  const answer = new Response(null, { headers: { 'content-type': 'application/vnd.amazon.eventstream' } })
  const decoder = offlineUpstream('bedrock').receive?.(answer, upstreamRequest({ betas }), (text) => notes.push(text)) as Decoder
  let text = ''
  for (const piece of pieces) {
    // As a socket's memory is: it becomes something else as soon as the decoder has returned.
    const lent = Uint8Array.from(piece)
    text += Buffer.from(decoder.decode(lent)).toString()
    lent.fill(0xff)
  }
  const { bytes, isWhole } = decoder.end()
  return { text: text + Buffer.from(bytes).toString(), isWhole, usage: decoder.usage(), notes }
}

const whole = (...frames: Uint8Array[]) => decode([join(...frames)])
const USAGE = { input_tokens: 3, output_tokens: 5, cache_read_input_tokens: 7, cache_creation_input_tokens: 11 }

describe('an event stream of Bedrock', () => {
  test('comes to the same events wherever it is cut in two, with the metrics taken out and offered as usage', () => {
    expect(whole(ANSWER)).toEqual({ text: EXPECTED, isWhole: true, usage: USAGE, notes: [] })
    for (const cut of everyCut(ANSWER)) expect(decode(cut)).toEqual({ text: EXPECTED, isWhole: true, usage: USAGE, notes: [] })
  })

  test('comes to the same events byte by byte and in random pieces', () => {
    expect(decode(cutAt(ANSWER, [1])).text).toBe(EXPECTED)
    for (let seed = 0; seed < 200; seed++) expect(decode(cutAtRandom(ANSWER, seed, 1 + (seed % 400))).text).toBe(EXPECTED)
  })

  test('says that the answer broke off wherever it ends early, once', () => {
    for (let length = 0; length < ANSWER.length; length++) {
      const { text, isWhole } = decode([ANSWER.subarray(0, length)])
      expect([isWhole, text.endsWith(LOST), text.split('event: error').length]).toEqual([false, true, 2])
    }
  })

  test('says that the answer broke off when it ends at the end of a frame before message_stop', () => {
    expect(whole(chunkFrame(START), chunkFrame(TEXT))).toMatchObject({ text: sse('message_start', JSON.stringify(START)) + sse('content_block_delta', JSON.stringify(TEXT)) + LOST, isWhole: false })
  })

  test('says that the answer broke off when a piece of another frame follows message_stop', () => {
    expect(decode([join(ANSWER, chunkFrame(TEXT).subarray(0, 20))])).toMatchObject({ text: EXPECTED + LOST, isWhole: false })
  })
})

// upstreams.md §1.2: recorded frames, decoded by Smithy's codec too.
describe('the recorded frames', () => {
  const PING = '0000007b0000004b0a2e96af0b3a6576656e742d747970650700056368756e6b0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b226279746573223a2265794a306558426c496a6f6963476c755a794a39227da01f56c4'
  const THROTTLING = '00000090000000618e91a9b70f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f6e7b226d657373616765223a22546f6f206d616e79207265717565737473227de67f8005'

  test('are a ping and a throttling exception', () => {
    const { text, notes } = decode(cutAt(Buffer.from(PING + THROTTLING, 'hex'), [1]))
    expect(text).toBe(sse('ping', '{"type":"ping"}') + told('rate_limit_error', 'upstream rate limit exceeded'))
    expect(notes).toEqual(['throttlingException in mid-stream: Too many requests'])
  })

  test('are damaged by every single bit that is turned', () => {
    const bytes = Buffer.from(PING, 'hex')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const turned = Uint8Array.from(bytes)
      turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7))
      expect([() => [...createFrameReader().read(turned)], bit][0]).toThrow(FrameError)
    }
  })
})

/** A frame with these lengths in its prelude, whose checksums hold. */
function framed(length: number, headersLength: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(length, 0)
  prelude.writeUInt32BE(headersLength, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(Buffer.concat([prelude, rest])))
  return join(prelude, rest, crc)
}

const withHeaders = (block: number[], payload = new Uint8Array()) => framed(16 + block.length + payload.length, block.length, join(Uint8Array.from(block), payload))
const readAll = (bytes: Uint8Array) => [...createFrameReader().read(bytes)]

describe('the frame reader', () => {
  test('reads headers of every type, and keeps those that are text', () => {
    const headers = {
      yes: { type: 'boolean' as const, value: true },
      no: { type: 'boolean' as const, value: false },
      byte: { type: 'byte' as const, value: -1 },
      short: { type: 'short' as const, value: -300 },
      integer: { type: 'integer' as const, value: 70_000 },
      binary: { type: 'binary' as const, value: new Uint8Array([1, 2, 3]) },
      text: { type: 'string' as const, value: 'grüße' },
      empty: { type: 'string' as const, value: '' },
      time: { type: 'timestamp' as const, value: new Date(1_700_000_000_000) },
      uuid: { type: 'uuid' as const, value: '01234567-89ab-4def-8123-456789abcdef' },
      last: { type: 'string' as const, value: 'end' },
    }
    const codec = new EventStreamCodec((bytes) => Buffer.from(bytes as Uint8Array).toString(), (text) => new TextEncoder().encode(text))
    const [read] = readAll(codec.encode({ headers, body: new TextEncoder().encode('body') }))
    expect([...(read?.headers ?? [])]).toEqual([['text', 'grüße'], ['empty', ''], ['last', 'end']])
    expect(read?.payload.toString()).toBe('body')
    // Type 5, which Smithy's codec writes from a class of its own.
    expect([...(readAll(withHeaders([1, 0x61, 5, 0, 0, 0, 0, 0, 0, 0, 9, 1, 0x62, 7, 0, 1, 0x63]))[0]?.headers ?? [])]).toEqual([['b', 'c']])
  })

  test('reads frames without headers and without payload', () => {
    expect(readAll(framed(16, 0)).map(({ headers, payload }) => [headers.size, payload.length])).toEqual([[0, 0]])
  })

  test('does not take the headers of one frame for those of the next', () => {
    const types = readAll(join(chunkFrame(START), exceptionFrame('throttlingException', {}), chunkFrame(STOP))).map(({ headers }) => headers.get(':message-type'))
    expect(types).toEqual(['event', 'exception', 'event'])
    const alike = ['one', 'two', 'one'].map((type) => frame({ ':event-type': type }, ''))
    expect(readAll(join(...alike)).map(({ headers }) => headers.get(':event-type'))).toEqual(['one', 'two', 'one'])
  })

  test.each([
    ['its prelude is damaged', corrupt(chunkFrame(START), 9)],
    ['its length is damaged', corrupt(chunkFrame(START), 3)],
    ['its checksum is damaged', corrupt(chunkFrame(START))],
    ['its payload is damaged', corrupt(chunkFrame(START), 100)],
    ['it claims four gigabytes', framed(0xffff_ffff, 0).subarray(0, 12)],
    ['it claims four gigabytes of headers', framed(64, 0xffff_ffff).subarray(0, 12)],
    ['it claims more than any stream may make us keep', framed(2 * 1024 * 1024 + 1, 0).subarray(0, 12)],
    ['it is shorter than a frame can be', framed(15, 0).subarray(0, 12)],
    ['it claims more headers than the protocol has', framed(1_000_000, 128 * 1024 + 1).subarray(0, 12)],
    ['its headers end beyond it', framed(32, 17).subarray(0, 12)],
    ['it has a header of type 10', withHeaders([1, 0x61, 10])],
    ['the name of a header ends beyond the headers', withHeaders([9, 0x61, 7, 0, 0])],
    ['a header has no type', withHeaders([1, 0x61])],
    ['the length of a text is cut off', withHeaders([1, 0x61, 7, 0])],
    ['a text ends beyond the headers', withHeaders([1, 0x61, 7, 0xff, 0xff, 0x62])],
    ['a number ends beyond the headers', withHeaders([1, 0x61, 5, 0, 0])],
    ['a uuid ends beyond the headers', withHeaders([1, 0x61, 9, 0])],
  ])('refuses a frame when %s', (_, bytes) => {
    expect(() => readAll(bytes)).toThrow(FrameError)
  })

  test('waits for a frame of the largest size without believing in more', () => {
    const reader = createFrameReader()
    expect([...reader.read(framed(2 * 1024 * 1024, 0).subarray(0, 12))]).toEqual([])
    expect(reader.pending()).toBe(12)
  })

  // Copying what is there with each piece would move terabytes.
  test('reads a frame of the largest size byte by byte, and what follows it', () => {
    const payload = Uint8Array.from({ length: 2 * 1024 * 1024 - 16 }, (_, at) => at % 251)
    const reader = createFrameReader()
    const read = [...cutAt(join(framed(2 * 1024 * 1024, 0, payload), chunkFrame(STOP)), [1])].flatMap((piece) => [...reader.read(piece)])
    expect(read.map(({ payload }) => payload.length)).toEqual([payload.length, expect.any(Number)])
    expect(read[0]?.payload.equals(payload)).toBe(true)
    expect(reader.pending()).toBe(0)
  })

  test('gives frames that stay as they are while it reads on', () => {
    const reader = createFrameReader()
    const pieces = cutAt(join(ANSWER, ANSWER, ANSWER), [50, 700])
    const expected = readAll(join(ANSWER, ANSWER, ANSWER)).map(({ payload }) => payload.toString())
    expect(pieces.flatMap((piece) => [...reader.read(piece)]).map(({ payload }) => payload.toString())).toEqual(expected)
  })
})

describe('the opening of an answer', () => {
  const opening = (betas: readonly string[] = []) => offlineUpstream('bedrock').opening?.(new Response(null), upstreamRequest({ betas })) as (chunk: Uint8Array) => unknown

  test('is judged by its first frame, which may come in pieces', () => {
    const judge = opening()
    const pieces = cutAt(exceptionFrame('throttlingException', { message: 'Too many' }), [1])
    expect(pieces.slice(0, -1).map((piece) => judge(piece)).filter((verdict) => verdict !== undefined)).toEqual([])
    expect(judge(pieces.at(-1) as Uint8Array)).toMatchObject({ status: 429, body: new TextEncoder().encode('{"message":"Too many"}') })
  })

  test('is no refusal when it is an event, or nothing that could be read', () => {
    expect(opening()(chunkFrame(START))).toBe('begun')
    expect(opening()(new TextEncoder().encode('<html><body>502 Bad Gateway</body></html>'))).toBe('begun')
  })

  test('of one answer is not that of another', () => {
    const upstream = offlineUpstream('bedrock')
    const [one, other] = [upstream.opening?.(new Response(null), upstreamRequest()), upstream.opening?.(new Response(null), upstreamRequest())]
    const frames = chunkFrame(START)
    expect([one?.(frames.subarray(0, 20)), other?.(frames), one?.(frames.subarray(20))]).toEqual([undefined, 'begun', 'begun'])
  })
})

describe('damage in the middle of a stream', () => {
  const stream = join(chunkFrame(START), chunkFrame(TEXT), corrupt(chunkFrame(TEXT), 50), ANSWER)
  const expected = sse('message_start', JSON.stringify(START)) + sse('content_block_delta', JSON.stringify(TEXT)) + DAMAGED

  test('is told after all that came before it, wherever the stream is cut, and ends the answer', () => {
    expect(decode([stream])).toMatchObject({ text: expected, isWhole: false, notes: ['a frame does not match its checksum'] })
    for (const cut of everyCut(stream)) expect(decode(cut)).toMatchObject({ text: expected, isWhole: false })
  })

  test('is told of an answer that is no event stream at all', () => {
    expect(decode([new TextEncoder().encode('<html><body>502 Bad Gateway</body></html>')])).toMatchObject({ text: DAMAGED, isWhole: false, notes: ['a prelude does not match its checksum'] })
  })
})

// contract.md §4.1 and §10: the type and the wording the client recovers on, and nothing that names an account.
describe('an exception in mid-stream', () => {
  const SECRET = 'User: arn:aws:sts::123456789012:assumed-role/gateway-prod/i-0abc, profile abcd1234 in us-east-1'

  test.each([
    ['throttlingException', 'rate_limit_error', 'upstream rate limit exceeded'],
    ['validationException', 'invalid_request_error', 'upstream rejected the request'],
    ['modelTimeoutException', 'timeout_error', 'upstream error'],
    ['serviceUnavailableException', 'overloaded_error', 'upstream overloaded'],
    ['internalServerException', 'api_error', 'upstream error'],
    ['modelStreamErrorException', 'api_error', 'upstream error'],
    ['somethingNewException', 'api_error', 'upstream error'],
    ['constructor', 'api_error', 'upstream error'],
  ])('%s is a %s in general words, and what may be logged of its text is for the operator', (type, expected, message) => {
    const { text, isWhole, notes } = whole(chunkFrame(START), exceptionFrame(type, { message: SECRET }), chunkFrame(TEXT), chunkFrame(STOP))
    expect(text).toBe(sse('message_start', JSON.stringify(START)) + told(expected, message))
    expect(isWhole).toBe(false)
    expect(notes).toEqual([`${type === 'constructor' ? 'an exception' : type} in mid-stream: User: arn:aws:sts::123456789012:assumed-role/gateway-prod/i-0abc, profile […]`])
  })

  test.each([
    ['Input is too long for requested model.', 'capability_rejected: prompt_too_long'],
    ['Input is too long.', 'Input is too long.'],
    ['messages.1.content.0: Invalid `signature` in `thinking` block', 'capability_rejected: thinking_signature'],
    ['tools.0.custom.x: Extra inputs are not permitted', 'tools.0.custom.x: Extra inputs are not permitted'],
    ['Unexpected value(s) `b-1` for the `anthropic-beta` header', 'capability_rejected: beta_header:b-1'],
    [JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 3 tokens > 2 maximum' } }), 'capability_rejected: prompt_too_long'],
  ])('validation that says %j tells the client %j', (message, expected) => {
    expect(decode([exceptionFrame('validationException', { message })], ['b-1']).text).toBe(told('invalid_request_error', expected))
  })

  test.each([
    ['ThrottlingException', 'rate_limit_error', 'upstream rate limit exceeded'],
    ['InternalServerException', 'api_error', 'upstream error'],
    ['ServiceUnavailableException', 'overloaded_error', 'upstream overloaded'],
    ['', 'api_error', 'upstream error'],
  ])('as an error message with the code %j is a %s', (code, type, message) => {
    const { text, notes } = whole(errorFrame(code, SECRET))
    expect(text).toBe(told(type, message))
    expect(notes).toEqual([`${code || 'an exception'} in mid-stream: User: arn:aws:sts::123456789012:assumed-role/gateway-prod/i-0abc, profile […]`])
  })

  test('without any name is an error too, and so is a message of no known kind', () => {
    expect(whole(frame({ ':message-type': 'exception' }, 'not json')).text).toBe(told('api_error', 'upstream error'))
    expect(whole(frame({}, '{}')).text).toBe(told('api_error', 'upstream error'))
  })

  test('is the last thing said, whatever follows in the same piece or the next', () => {
    const exception = exceptionFrame('throttlingException', {})
    const only = told('rate_limit_error', 'upstream rate limit exceeded')
    for (const after of [exception, ANSWER, corrupt(chunkFrame(TEXT)), new Uint8Array(50), chunkFrame(STOP).subarray(0, 30)]) {
      for (const cut of everyCut(join(exception, after))) expect(decode(cut)).toMatchObject({ text: only, isWhole: false })
      expect(decode([join(exception, after)])).toMatchObject({ text: only, isWhole: false })
    }
  })

  test.each(RECORDED_STREAM_ERRORS.filter(({ provider }) => provider === 'bedrock').map(({ name, bytes }) => [name, bytes] as const))('%s is told once and names no account', (_, bytes) => {
    const { text, isWhole } = decode([chunkFrame(START), bytes as Uint8Array])
    expect(text.split('event: error').length).toBe(2)
    expect(text).not.toMatch(/arn:|\d{12}|us-east-1/)
    expect(isWhole).toBe(false)
  })
})

describe('an event inside a chunk', () => {
  const one = (json: string) => decode([chunkFrame(json), chunkFrame(STOP)]).text.replace(sse('message_stop', '{"type":"message_stop"}'), '')

  test.each([
    ['without a type', '{"keep":"alive"}'],
    ['whose type is no text', '{"type":7}'],
    ['whose type has a line feed', '{"type":"ping\\nevent: message_stop"}'],
    ['whose type has a raw line feed', '{"type":"ping\nevent: message_stop"}'],
    ['whose type is empty', '{"type":""}'],
    ['whose type has a space', '{"type":"a b"}'],
    ['that is no object', '"message_stop"'],
    ['that is null', 'null'],
    ['that is no JSON', 'nonsense'],
    ['that is empty', ''],
  ])('%s is dropped', (_, json) => {
    expect(one(json)).toBe('')
  })

  test.each([
    ['a payload without bytes', '{"p":"abc"}'],
    ['bytes that are no text', '{"bytes":7}'],
    ['a payload that is no JSON', '{"bytes":"abc'],
    ['an empty payload', ''],
  ])('in %s is nothing to say', (_, payload) => {
    expect(whole(frame(EVENT, payload), chunkFrame(STOP)).text).toBe(sse('message_stop', '{"type":"message_stop"}'))
  })

  test('is found wherever the payload says it, with any spacing and escaping', () => {
    const base64 = Buffer.from(JSON.stringify({ type: 'ping', text: '???>>>~~~' })).toString('base64')
    expect(base64).toContain('/')
    const expected = sse('ping', '{"type":"ping","text":"???>>>~~~"}')
    for (const payload of [`{"p":"x","bytes":"${base64}"}`, `{ "bytes" : "${base64}" }`, `{"bytes":"${base64.replaceAll('/', '\\/')}"}`, `{"bytes":"${base64.replaceAll('/', '\\u002f').replaceAll('=', '\\u003d')}","p":""}`]) {
      expect(whole(frame(EVENT, payload), chunkFrame(STOP)).text).toBe(expected + sse('message_stop', '{"type":"message_stop"}'))
    }
  })

  test('whose type is not first has the same head', () => {
    expect(one('{"index":1,"type":"content_block_stop"}')).toBe(sse('content_block_stop', '{"index":1,"type":"content_block_stop"}'))
    expect(one('{ "type" : "ping" }')).toBe(sse('ping', '{ "type" : "ping" }'))
  })

  test('of a type that nobody knows yet passes', () => {
    expect(one('{"type":"content_block.v2-new"}')).toBe(sse('content_block.v2-new', '{"type":"content_block.v2-new"}'))
  })

  test.each(['\n', '\r\n', '\r'])('that is printed over lines that end with %j becomes one, with its numbers as they were', (end) => {
    const printed = ['{', '  "type": "message_delta",', '  "big": 9007199254740993, "one": 1.0,', '  "text": "a\\nb"', '}'].join(end)
    const text = one(printed)
    expect(text.split('\n')).toEqual(['event: message_delta', expect.stringContaining('"big": 9007199254740993, "one": 1.0'), '', ''])
    expect(text).not.toContain('\r')
    expect(JSON.parse(text.split('\n')[1]?.slice('data: '.length) ?? '')).toMatchObject({ type: 'message_delta', text: 'a\nb' })
  })

  test('goes byte for byte: integers beyond 2^53, 1.0, escapes', () => {
    const json = '{"type":"content_block_delta","n":12345678901234567890,"x":1.0,"e":1e400,"s":"\\u00e9\\/"}'
    expect(one(json)).toBe(sse('content_block_delta', json))
  })

  test('with text that imitates events or the keys of Bedrock stays untouched', () => {
    const json = JSON.stringify({ type: 'content_block_delta', delta: { text: 'x\n\nevent: message_stop\ndata: {}\n\n "amazon-bedrock-invocationMetrics":{"inputTokenCount":9}', 'amazon-bedrock-trace': { inside: true } } })
    const { text, usage } = whole(chunkFrame(json), chunkFrame(STOP))
    expect(text).toBe(sse('content_block_delta', json) + sse('message_stop', '{"type":"message_stop"}'))
    expect(usage).toBeUndefined()
  })

  test('loses every member that is about the invocation, and nothing else of it', () => {
    const json = '{"amazon-bedrock-guardrailAction":"NONE","type":"message_stop","n":12345678901234567890,"amazon-bedrock-invocationMetrics":{"inputTokenCount":1},"amazon-bedrock-trace":{"a":[1]}}'
    expect(whole(chunkFrame(json))).toMatchObject({ text: sse('message_stop', '{"type":"message_stop","n":12345678901234567890}'), isWhole: true, usage: { input_tokens: 1 } })
  })

  test('may be an error of the Messages API: it passes as it is and ends the answer', () => {
    const overloaded = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    expect(whole(chunkFrame(START), chunkFrame(overloaded), chunkFrame(TEXT))).toMatchObject({ text: sse('message_start', JSON.stringify(START)) + sse('error', overloaded), isWhole: false })
  })

  test('has no usage beside it when nothing reported any', () => {
    expect(whole(chunkFrame(STOP)).usage).toBeUndefined()
    expect(whole(chunkFrame('{"type":"message_stop","amazon-bedrock-invocationMetrics":null}')).usage).toBeUndefined()
  })
})

test('the two hundredth type of event is translated as the first one is', () => {
  const decoder = createBedrockDecoder(() => ({ type: 'api_error', message: '' }), () => {})
  for (let n = 0; n < 200; n++) expect(Buffer.from(decoder.decode(chunkFrame({ type: `t${n}` }))).toString()).toBe(sse(`t${n}`, `{"type":"t${n}"}`))
})
