// A stand-in for the Anthropic API, for the demonstration alone: it answers Messages from a script, on 127.0.0.1, to
// whoever has its key.
import { randomUUID } from 'node:crypto'
import { answerTo, newestText } from './answer.ts'
import { parseJsonObject } from '../std/json-object.ts'
import { messageDocument, streamMessage, type Message } from './message-stream.ts'

export interface ScriptedUpstream {
  readonly url: string
  stop(): Promise<void>
}

export interface UpstreamOptions {
  apiKey: string
  wordDelayMs: number
}

type Refusal = 'invalid_request_error' | 'authentication_error' | 'not_found_error'

const STATUS: Record<Refusal, number> = { invalid_request_error: 400, authentication_error: 401, not_found_error: 404 }
/** Roughly what a token is in English text. */
const BYTES_PER_TOKEN = 4

export function startUpstream(options: UpstreamOptions): ScriptedUpstream {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, idleTimeout: 0, fetch: (request) => answer(options, request) })
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}

async function answer({ apiKey, wordDelayMs }: UpstreamOptions, request: Request): Promise<Response> {
  if (request.headers.get('x-api-key') !== apiKey) return refuse('authentication_error', 'invalid x-api-key')
  const { pathname } = new URL(request.url)
  const isMessages = pathname === '/v1/messages'
  if (request.method !== 'POST' || !(isMessages || pathname === '/v1/messages/count_tokens')) return refuse('not_found_error', 'Not found')
  const text = await request.text()
  const body = parseJsonObject(text)
  if (body === undefined || !Array.isArray(body.messages) || body.messages.length === 0) return refuse('invalid_request_error', 'messages: Field required')
  if (typeof body.model !== 'string' || !body.model.startsWith('claude-')) return refuse('not_found_error', `model: ${String(body.model)}`)
  const inputTokens = Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN)
  if (!isMessages) return Response.json({ input_tokens: inputTokens }, { headers: replyHeaders() })
  const message = compose(body, body.model, inputTokens, request.headers.get('x-claude-gateway-user-email') ?? undefined)
  if (body.stream !== true) return Response.json(messageDocument(message), { headers: replyHeaders() })
  return new Response(streamMessage(message, wordDelayMs), { headers: { ...replyHeaders(), 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' } })
}

function compose(body: Record<string, unknown>, model: string, inputTokens: number, email: string | undefined): Message {
  const words = answerTo({ model, text: newestText(body.messages), email }).match(/\S+\s*/g) ?? []
  const limit = typeof body.max_tokens === 'number' && body.max_tokens > 0 ? body.max_tokens : words.length
  return { id: `msg_${randomUUID().replaceAll('-', '')}`, model, words: words.slice(0, limit), stopReason: words.length > limit ? 'max_tokens' : 'end_turn', inputTokens }
}

function refuse(type: Refusal, message: string): Response {
  const headers = replyHeaders()
  return Response.json({ type: 'error', error: { type, message }, request_id: headers['request-id'] }, { status: STATUS[type], headers })
}

function replyHeaders() {
  return { 'request-id': `req_demo_${randomUUID().replaceAll('-', '')}` }
}
