// Bedrock's event stream as the Messages API's server-sent events. Each chunk frame holds one event, base64 in JSON.
import { editObject } from '../../json/edit.ts'
import { memberOf, scanObject } from '../../json/scan.ts'
import { parseJsonObject } from '../../std/json-object.ts'
import { OWN_MEMBERS } from './bedrock-body.ts'
import { createFrameReader, FrameError, type Frame } from './event-stream.ts'
import { exceptionWords } from '../upstream-words.ts'
import type { ClientError, Decoder } from '../upstream.ts'

/** What an exception in mid-stream means to the client; `type` is the frame's `:exception-type` or `:error-code`. */
export type ExplainException = (type: string, payload: Buffer) => Pick<ClientError, 'type' | 'message'>

const [LF, CR, SPACE, QUOTE, BACKSLASH] = [0x0a, 0x0d, 0x20, 0x22, 0x5c]
const START = Buffer.from('{"bytes":"')
const TYPE_START = Buffer.from('{"type":"')
/** A search for bytes takes a tenth of the time of a search for a string. */
const OWN_MEMBERS_BYTES = Buffer.from(OWN_MEMBERS)
const METRICS = 'amazon-bedrock-invocationMetrics'
const encoder = new TextEncoder()
const EVENT_END = encoder.encode('\n\n')
const NOTHING = new Uint8Array()

/** `note` hears what the client is not told: what may be logged of an exception, what is wrong with a frame. */
export function createBedrockDecoder(explain: ExplainException, note: (text: string) => void): Decoder {
  const reader = createFrameReader()
  const heads = new Map<string, Uint8Array>()
  let isStopped = false
  /** The answer broke off and the client has been told. */
  let isBroken = false
  let metrics: Record<string, unknown> | undefined

  function headOf(type: string): Uint8Array {
    const known = heads.get(type)
    if (known !== undefined) return known
    const head = encoder.encode(`event: ${type}\ndata: `)
    // The types of a protocol are few; an upstream that makes them up is not remembered for it.
    if (heads.size < 64) heads.set(type, head)
    return head
  }

  function breakOff(type: string, message: string): Uint8Array {
    isBroken = true
    return encoder.encode(`event: error\ndata: ${JSON.stringify({ type: 'error', error: { type, message } })}\n\n`)
  }

  function translate({ headers, payload }: Frame, parts: Uint8Array[]): void {
    const name = exceptionOf({ headers, payload })
    if (name !== undefined) {
      note(exceptionWords(name, payload, headers.get(':error-message') ?? ''))
      const { type, message } = explain(name, payload)
      parts.push(breakOff(type, message))
      return
    }
    const event = eventOf(payload)
    const type = event && typeOf(event)
    // Without a type it is a keep-alive of something on the way.
    if (event === undefined || type === undefined) return
    isStopped ||= type === 'message_stop'
    isBroken ||= type === 'error'
    parts.push(headOf(type), oneLine(event.includes(OWN_MEMBERS_BYTES) ? withoutMetrics(event) : event), EVENT_END)
  }

  function withoutMetrics(event: Buffer): Uint8Array {
    const scan = scanObject(event)
    if (!scan.ok) return event
    const own = scan.members.filter(({ name }) => name.startsWith(OWN_MEMBERS))
    const reported = memberOf(own, METRICS)
    if (reported !== undefined) metrics = parseJsonObject(event.toString('utf8', reported.valueStart, reported.end)) ?? metrics
    return editObject({ bytes: event, members: scan.members }, { drop: new Set(own.map(({ name }) => name)) })
  }

  return {
    decode(chunk) {
      if (isBroken) return NOTHING
      const parts: Uint8Array[] = []
      try {
        for (const frame of reader.read(chunk)) {
          translate(frame, parts)
          if (isBroken) break
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error
        note(error.message)
        parts.push(breakOff('api_error', 'the upstream sent a damaged event stream'))
      }
      return parts.length === 0 ? NOTHING : Buffer.concat(parts)
    },
    end() {
      if (isBroken) return { bytes: NOTHING, isWhole: false }
      if (isStopped && reader.pending() === 0) return { bytes: NOTHING, isWhole: true }
      return { bytes: breakOff('api_error', 'the upstream connection was lost'), isWhole: false }
    },
    usage: () => metrics && usageOf(metrics),
  }
}

export interface OpeningException {
  readonly exception: string
  readonly payload: Uint8Array
}

/**
 * Reads chunk after chunk for the exception that an answer begins with, though its head said 200; `begun` when it begins
 * with an event, undefined while the first frame is not complete.
 */
export function createOpeningReader(): (chunk: Uint8Array) => OpeningException | 'begun' | undefined {
  const reader = createFrameReader()
  return (chunk) => {
    try {
      const [first] = reader.read(chunk)
      if (first === undefined) return undefined
      const exception = exceptionOf(first)
      return exception === undefined ? 'begun' : { exception, payload: Uint8Array.from(first.payload) }
    } catch {
      // What is no event stream is told by the decoder.
      return 'begun'
    }
  }
}

function exceptionOf({ headers }: Frame): string | undefined {
  if (headers.get(':message-type') === 'event') return undefined
  return headers.get(':exception-type') ?? headers.get(':error-code') ?? 'unknown'
}

/** The event of a chunk `{"bytes":"<base64>","p":"<padding>"}`. */
function eventOf(payload: Buffer): Buffer | undefined {
  if (startsWith(payload, START)) {
    const end = payload.indexOf(QUOTE, START.length)
    if (end < 0) return undefined
    // JSON may escape a slash.
    if (!payload.includes(BACKSLASH)) return Buffer.from(payload.toString('latin1', START.length, end), 'base64')
  }
  const bytes = parseJsonObject(payload.toString('utf8'))?.bytes
  return typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : undefined
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let at = 0; at < start.length; at++) if (bytes[at] !== start[at]) return false
  return true
}

function typeOf(event: Buffer): string | undefined {
  const end = startsWith(event, TYPE_START) ? event.indexOf(QUOTE, TYPE_START.length) : -1
  const type = end > 0 ? event.toString('latin1', TYPE_START.length, end) : parseJsonObject(event.toString('utf8'))?.type
  // It becomes a line of the stream: nothing that could begin another one.
  return typeof type === 'string' && /^[\w.-]+$/.test(type) ? type : undefined
}

/** A line end inside an event would cut it in two. In JSON it can only stand between tokens, where a space says the same. */
function oneLine(event: Uint8Array): Uint8Array {
  if (!event.includes(LF) && !event.includes(CR)) return event
  return event.map((byte) => (byte === LF || byte === CR ? SPACE : byte))
}

/** `inputTokenCount` and its kin in the names of the Messages API. */
function usageOf({ inputTokenCount, outputTokenCount, cacheReadInputTokenCount, cacheWriteInputTokenCount }: Record<string, unknown>): unknown {
  return {
    input_tokens: inputTokenCount,
    output_tokens: outputTokenCount,
    cache_read_input_tokens: cacheReadInputTokenCount,
    cache_creation_input_tokens: cacheWriteInputTokenCount,
  }
}
