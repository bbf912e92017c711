// A scripted upstream on raw TCP: it records what arrived byte by byte and answers with whatever bytes a test wants.
import { createServer, type Socket } from 'node:net'

export interface RecordedRequest {
  method: string
  path: string
  /** Names in lower case; a repeated name has its values joined. */
  headers: Record<string, string>
  body: Buffer
  json(): any
  /** Resolves when the connection it came on has ended. */
  closed: Promise<void>
}

/** Writes an answer; `request` is complete. */
export type Script = (answer: Answer, request: RecordedRequest) => unknown

export interface Answer {
  head(status: number, headers?: Record<string, string>): void
  /** One chunk of a chunked body. */
  chunk(text: string | Uint8Array): Promise<void>
  end(): void
  /** A whole answer with Content-Length. */
  send(status: number, headers: Record<string, string>, body: string): void
  /** Bytes as they are. */
  raw(text: string | Uint8Array): void
  reset(): void
  close(): void
}

export interface TestUpstream {
  url: string
  requests: RecordedRequest[]
  /** Scripts for the next requests, in order; afterwards the default answer. */
  enqueue(...scripts: Script[]): void
  /** Scripts that nobody came for. */
  forget(): void
  connections(): number
  stop(): Promise<void>
}

export const USAGE = { input_tokens: 1000, cache_creation_input_tokens: 200, cache_read_input_tokens: 300, output_tokens: 1 }

/** The events of a short answer. */
export function messageEvents(model = 'claude-sonnet-5', words = ['pong ', 'from ', 'upstream']): string[] {
  const event = (type: string, data: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
  return [
    event('message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', model, content: [], stop_reason: null, usage: USAGE } }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    event('ping'),
    ...words.map((text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })),
    event('content_block_stop', { index: 0 }),
    event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 500 } }),
    event('message_stop'),
  ]
}

const EVENT_STREAM = { 'content-type': 'text/event-stream', 'request-id': 'req_upstream' }

export const answerStream = (events = messageEvents()): Script => async (answer) => {
  answer.head(200, EVENT_STREAM)
  for (const event of events) await answer.chunk(event)
  answer.end()
}

export const answerJson = (status: number, body: object, headers: Record<string, string> = {}): Script => (answer) =>
  answer.send(status, { 'content-type': 'application/json', 'request-id': 'req_upstream', ...headers }, JSON.stringify(body))

export const answerError = (status: number, message: string, headers: Record<string, string> = {}): Script =>
  answerJson(status, { type: 'error', error: { type: 'api_error', message } }, headers)

const byDefault: Script = (answer, request) => {
  if (request.path.startsWith('/v1/messages/count_tokens')) return answerJson(200, { input_tokens: 42 })(answer, request)
  const { stream, model } = request.json()
  if (stream === true) return answerStream(messageEvents(model))(answer, request)
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model, content: [{ type: 'text', text: 'pong' }], stop_reason: 'end_turn', usage: { ...USAGE, output_tokens: 500 } }
  return answerJson(200, message)(answer, request)
}

/** `otherwise` answers whatever no script was enqueued for. */
export async function startUpstream(otherwise: Script = byDefault): Promise<TestUpstream> {
  const requests: RecordedRequest[] = []
  const scripts: Script[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const closed = Promise.withResolvers<void>()
    socket.on('close', () => {
      sockets.delete(socket)
      closed.resolve()
    })
    socket.on('error', () => {})
    readRequests(socket, closed.promise, (request) => {
      requests.push(request)
      return (scripts.shift() ?? otherwise)(createAnswer(socket), request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    enqueue: (...more) => void scripts.push(...more),
    forget: () => void scripts.splice(0),
    connections: () => sockets.size,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

/** Splits a connection into requests with Content-Length or chunked bodies; one is answered before the next is read. */
function readRequests(socket: Socket, closed: Promise<void>, answer: (request: RecordedRequest) => unknown): void {
  let buffered = Buffer.alloc(0)
  let busy = false
  const next = async () => {
    if (busy) return
    const parsed = parseRequest(buffered)
    if (parsed === undefined) return
    buffered = buffered.subarray(parsed.length)
    busy = true
    await answer({ ...parsed.request, closed, json: () => JSON.parse(parsed.request.body.toString('utf8')) })
    busy = false
    void next()
  }
  socket.on('data', (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes])
    void next()
  })
}

function parseRequest(bytes: Buffer): { request: Pick<RecordedRequest, 'method' | 'path' | 'headers' | 'body'>; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const [method = '', path = ''] = first.split(' ')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  const body = readBody(bytes.subarray(end + 4), headers)
  return body && { request: { method, path, headers, body: body.bytes }, length: end + 4 + body.length }
}

function readBody(bytes: Buffer, headers: Record<string, string>): { bytes: Buffer; length: number } | undefined {
  if (headers['transfer-encoding'] !== 'chunked') {
    const length = Number(headers['content-length'] ?? 0)
    return bytes.length < length ? undefined : { bytes: Buffer.from(bytes.subarray(0, length)), length }
  }
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    if (bytes.length < line + 4 + size) return undefined
    if (size === 0) return { bytes: Buffer.concat(parts), length: line + 4 }
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 4 + size
  }
}

function createAnswer(socket: Socket): Answer {
  const write = (bytes: string | Uint8Array) =>
    new Promise<void>((resolve) => {
      if (socket.destroyed || socket.write(bytes)) return resolve()
      const go = () => {
        socket.off('drain', go)
        socket.off('close', go)
        resolve()
      }
      socket.on('drain', go)
      socket.on('close', go)
    })
  const head = (status: number, headers: Record<string, string>) => `HTTP/1.1 ${status} X\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  return {
    head: (status, headers = {}) => void write(head(status, { ...headers, 'transfer-encoding': 'chunked' })),
    chunk(text) {
      const bytes = Buffer.from(text as string)
      return write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]))
    },
    end: () => void write('0\r\n\r\n'),
    send: (status, headers, body) => void write(`${head(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) })}${body}`),
    raw: (text) => void write(text),
    reset: () => void socket.resetAndDestroy(),
    close: () => void socket.end(),
  }
}
