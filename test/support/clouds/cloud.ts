// What every fake cloud has in common: it judges a request, records it, and answers by script or with a generated message,
// keeping book of the tokens it told.
import { startUpstream, type Answer, type RecordedRequest, type Script } from '../upstream.ts'
import { createGenerator, type GeneratedEvent, type GeneratedMessage, type Tokens } from './generate-message.ts'
import { createRandom } from './random.ts'

/** A whole HTTP answer. */
export interface HttpError {
  status: number
  headers: Record<string, string>
  body: string
}

export interface CloudRequest {
  operation: 'invoke' | 'stream' | 'count' | undefined
  /** As the wire named it, decoded. */
  model: string | undefined
  method: string
  /** The request target as it stood on the wire. */
  path: string
  headers: Record<string, string>
  /** The Messages body (of count-tokens on Bedrock: the inner one); undefined when it is none. */
  body: any
  bytes: Buffer
  /** The access key id, `bearer`, or the header that held the key. Undefined when nobody was recognised. */
  principal: string | undefined
  /** Set when the cloud itself refused; scripts are for the requests it accepted. */
  refusal: HttpError | undefined
  /** Resolves when the connection it came on has ended. */
  closed: Promise<void>
}

/** What one answer told about tokens. */
export interface Served extends Tokens {
  model: string
  /** False when a script broke the stream off: then these are the tokens told until there. */
  complete: boolean
}

export interface Turn {
  answer: Answer
  request: CloudRequest
  message: GeneratedMessage
  /** The head of a stream and its first `count` events (all when absent), framed as this cloud frames them; they count as served. */
  stream(count?: number): Promise<void>
  /** The whole answer the cloud would give without a script. */
  whole(): Promise<void>
}

export type CloudScript = (turn: Turn) => unknown

export interface Cloud {
  url: string
  requests: CloudRequest[]
  /** What it had to say to each accepted request, whether or not it came to say it. */
  messages: GeneratedMessage[]
  served: Served[]
  /** The answers to count requests, in tokens. */
  counted: number[]
  /** For the next accepted requests, in order; afterwards generated answers. */
  script(...next: CloudScript[]): void
  connections(): number
  stop(): Promise<void>
}

/** How one cloud differs from the next. */
export interface CloudManners {
  seed: number
  messageIds: string
  judge(request: RecordedRequest): Promise<Judgement>
  streamHead(): Record<string, string>
  /** The bytes of these events on the wire, in the pieces they are sent. */
  frames(events: readonly GeneratedEvent[], message: GeneratedMessage): (string | Uint8Array)[]
  messageHead(message: GeneratedMessage): Record<string, string>
  countAnswer(tokens: number): { headers: Record<string, string>; body: string }
}

export interface Judgement extends Pick<CloudRequest, 'operation' | 'model' | 'body' | 'principal' | 'refusal'> {
  /** The model the answer names. */
  answers: string
}

export async function startCloud(manners: CloudManners): Promise<Cloud> {
  const requests: CloudRequest[] = []
  const messages: GeneratedMessage[] = []
  const served: Served[] = []
  const counted: number[] = []
  const scripts: CloudScript[] = []
  const generator = createGenerator(manners.seed, manners.messageIds)
  const counts = createRandom(manners.seed + 1)

  const serve: Script = async (answer, recorded) => {
    const { answers, ...judged } = await manners.judge(recorded)
    const { method, path, headers, body: bytes, closed } = recorded
    const request: CloudRequest = { ...judged, method, path, headers, bytes, closed }
    requests.push(request)
    if (request.refusal !== undefined) return answer.send(request.refusal.status, request.refusal.headers, request.refusal.body)

    const message = generator(answers)
    messages.push(message)
    const book = (said: Tokens, complete: boolean) => void served.push({ model: answers, ...said, complete })
    const stream = async (count = message.events.length) => {
      const events = message.events.slice(0, count)
      answer.head(200, manners.streamHead())
      const last = events.at(-1)
      if (last !== undefined) book(last.said, last.type === 'message_stop')
      for (const piece of manners.frames(events, message)) await answer.chunk(piece)
    }
    const whole = async () => {
      if (request.operation === 'stream') {
        await stream()
        return answer.end()
      }
      if (request.operation === 'count') {
        const tokens = counts.between(1, 200_000)
        counted.push(tokens)
        const { headers, body } = manners.countAnswer(tokens)
        return answer.send(200, headers, body)
      }
      book(message.tokens, true)
      answer.send(200, manners.messageHead(message), message.json)
    }
    const script = scripts.shift()
    return script === undefined ? whole() : script({ answer, request, message, stream, whole })
  }

  const upstream = await startUpstream(serve)
  return {
    url: upstream.url,
    requests,
    messages,
    served,
    counted,
    script: (...next) => void scripts.push(...next),
    connections: upstream.connections,
    stop: upstream.stop,
  }
}

/** An HTTP error instead of an answer; rows of recorded-errors.ts fit. */
export const fail = ({ status, headers, body }: HttpError): CloudScript => ({ answer }) => answer.send(status, headers, body)

/** The first `count` events, then these bytes as they are, then a proper end of the body. */
export const breakOff = (count: number, ...tail: (string | Uint8Array)[]): CloudScript => async ({ answer, stream }) => {
  await stream(count)
  for (const piece of tail) await answer.chunk(piece)
  answer.end()
}

export const resetAfter = (count: number): CloudScript => async ({ answer, stream }) => {
  await stream(count)
  answer.reset()
}

/** Says nothing more until the other side goes. */
export const stallAfter = (count: number): CloudScript => async ({ request, stream }) => {
  await stream(count)
  await request.closed
}

/** Never begins to answer. */
export const neverAnswer: CloudScript = ({ request }) => request.closed

export function parseObject(bytes: Buffer): Record<string, any> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The token of `Authorization: Bearer …`. */
export const bearerOf = ({ authorization }: Record<string, string>): string | undefined => /^Bearer (.+)$/.exec(authorization ?? '')?.[1]

/** The `anthropic-beta` header, as a list. */
export const betasOf = (headers: Record<string, string>): string[] => (headers['anthropic-beta'] ?? '').split(',').map((each) => each.trim()).filter((each) => each !== '')

export const JSON_HEAD = { 'content-type': 'application/json' }

/** Server-sent events, one piece each. */
export const sseFrames = (events: readonly GeneratedEvent[]): string[] => events.map(({ type, json }) => `event: ${type}\ndata: ${json}\n\n`)

/** An error in Anthropic's envelope. */
export function anthropicError(status: number, type: string, message: string, requestId: string, headers: Record<string, string> = {}): HttpError {
  return { status, headers: { ...JSON_HEAD, 'request-id': requestId, ...headers }, body: JSON.stringify({ type: 'error', error: { type, message }, request_id: requestId }) }
}
