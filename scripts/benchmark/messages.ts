// What is asked and answered in the bench, made once.
import { chunkFrame } from '../../test/support/clouds/event-stream.ts'
import { CLAUDE_CODE_HEADERS, claudeCodeBody } from '../../test/support/claude-code-request.ts'
import { chunk, requestBytes } from './http-framing.ts'

/** What Claude Code sends at the start of a conversation is so large. */
const USUAL_BYTES = 96 * 1024
const LARGE_BYTES = 1024 * 1024
const DELTAS = 200
/** The answer comes in so many pieces, as over a network. */
const PIECES = 8
export const MODEL = 'claude-sonnet-5'

export type Body = 'usual' | 'large' | 'small'

export function request(token: string, { body, stream }: { body: Body; stream: boolean }): Buffer {
  const words = { usual: USUAL_BYTES, large: LARGE_BYTES, small: 0 }[body]
  const json = body === 'small' ? JSON.stringify({ model: MODEL, max_tokens: 1000, stream, messages: [{ role: 'user', content: 'hello '.repeat(300) }] }) : padded(words, stream)
  return requestBytes('/v1/messages?beta=true', { host: 'gateway.bench', authorization: `Bearer ${token}`, ...CLAUDE_CODE_HEADERS }, json)
}

function padded(bytes: number, stream: boolean): string {
  const bare = claudeCodeBody({ model: MODEL, stream, words: '' })
  return claudeCodeBody({ model: MODEL, stream, words: 'all the words of a long file '.repeat(bytes / 20).slice(0, Math.max(0, bytes - bare.length)) })
}

interface Event {
  readonly type: string
  readonly [field: string]: unknown
}

const usage = { input_tokens: 12, cache_creation_input_tokens: 400, cache_read_input_tokens: 21_000, output_tokens: 1 }

/** 203 events, 29 KB. */
export const EVENTS: readonly Event[] = [
  { type: 'message_start', message: { id: 'msg_01BenchBenchBenchBench', type: 'message', role: 'assistant', model: MODEL, content: [], stop_reason: null, stop_sequence: null, usage } },
  ...Array.from({ length: DELTAS }, (_, at) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: `word ${String(at).padStart(3, '0')} of an ans` } })),
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 612 } },
  { type: 'message_stop' },
]

const head = (type: string, more = '') => Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\nrequest-id: req_011BenchBenchBench\r\n${more}\r\n`)

function inPieces(start: Buffer, events: readonly Buffer[]): Buffer[] {
  const perPiece = Math.ceil(events.length / PIECES)
  const pieces = Array.from({ length: PIECES }, (_, at) => Buffer.concat(events.slice(at * perPiece, (at + 1) * perPiece)))
  return [Buffer.concat([start, pieces[0] as Buffer]), ...pieces.slice(1, -1), Buffer.concat([pieces.at(-1) as Buffer, Buffer.from('0\r\n\r\n')])]
}

export function streamAnswer(): Buffer[] {
  return inPieces(head('text/event-stream; charset=utf-8', 'transfer-encoding: chunked\r\n'), EVENTS.map((event) => chunk(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)))
}

export function bedrockAnswer(): Buffer[] {
  return inPieces(head('application/vnd.amazon.eventstream', 'transfer-encoding: chunked\r\n'), EVENTS.map((event) => chunk(chunkFrame(event, { padding: 'abcdefghijklm' }))))
}

export function jsonAnswer(): Buffer[] {
  const body = JSON.stringify({ id: 'msg_01BenchBenchBenchBench', type: 'message', role: 'assistant', model: MODEL, content: [{ type: 'text', text: 'a few words '.repeat(100) }], stop_reason: 'end_turn', stop_sequence: null, usage: { ...usage, output_tokens: 612 } })
  return [Buffer.concat([head('application/json', `content-length: ${Buffer.byteLength(body)}\r\n`), Buffer.from(body)])]
}
