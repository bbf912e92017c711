// Amazon Bedrock runtime for Claude: InvokeModel, its stream and CountTokens, with AWS's own signatures, frames and refusals.
import { randomUUID } from 'node:crypto'
import type { RecordedRequest } from '../upstream.ts'
import { bearerOf, JSON_HEAD, parseObject, startCloud, type Cloud, type CloudRequest, type HttpError, type Judgement } from './cloud.ts'
import { chunkFrame, join } from './event-stream.ts'
import type { GeneratedEvent, GeneratedMessage } from './generate-message.ts'
import { BEDROCK_MODELS, factsOf, firstPartyId, type ModelFacts } from './model-facts.ts'
import { createRandom } from './random.ts'
import { verifySigV4, type AwsKey } from './sigv4.ts'
import { complaint, MESSAGE_FIELDS } from './validate-body.ts'

export interface BedrockOptions {
  keys?: ReadonlyMap<string, AwsKey>
  /** Bedrock API keys. */
  bearer?: string | readonly string[]
  region?: string
  /** `anthropic_beta` values; one that is not among them fails the request. */
  betas?: ReadonlySet<string>
  /** Application inference profiles: ARN to first-party model id. */
  arns?: Readonly<Record<string, string>>
  /** Foundation ids that need an inference profile. */
  profileOnly?: ReadonlySet<string>
  /** Foundation ids CountTokens knows; all when absent. */
  countable?: ReadonlySet<string>
  /** Where sources disagree about a model. */
  facts?: (model: string) => Partial<ModelFacts>
  /** Cuts the frames of an answer into the pieces to be written; without it, a frame is a piece. */
  split?: (bytes: Uint8Array) => Uint8Array[]
  /** Bytes of a request body. */
  maxBytes?: number
  seed?: number
  now?: () => Date
}

/** What probes found accepted; those they found rejected are missing. */
export const BEDROCK_BETAS: ReadonlySet<string> = new Set([
  'claude-code-20250219',
  'compact-2026-01-12',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dangerous-tool-use-2026-09-03',
  'effort-2025-11-24',
  'fine-grained-tool-streaming-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'mid-conversation-output-config-2026-07-01',
  'mid-conversation-tool-changes-2026-07-01',
  'output-128k-2025-02-19',
  'structured-outputs-2025-12-15',
  'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18',
  'token-efficient-tools-2025-02-19',
  'tool-search-tool-2025-10-19',
])

const PATH = /^\/model\/([^/?]+)\/(invoke|invoke-with-response-stream|count-tokens)$/
const OPERATIONS = { invoke: 'invoke', 'invoke-with-response-stream': 'stream', 'count-tokens': 'count' } as const
const FIELDS = new Set([...MESSAGE_FIELDS, 'anthropic_version', 'anthropic_beta'])
const NO_SERVER_TOOLS = /^$/
/** Removed by anthropic_version 2026-10-21. */
const SAMPLING = ['temperature', 'top_p', 'top_k']

export async function startBedrock(options: BedrockOptions): Promise<Cloud> {
  const { region = 'us-east-1', seed = 1, split } = options
  const padding = createRandom(seed + 2)
  return startCloud({
    seed,
    messageIds: 'msg_bdrk_',
    judge: (request) => judge(request, { ...options, region }),
    streamHead: () => ({ 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-requestid': randomUUID(), 'X-Amzn-Bedrock-Content-Type': 'application/json' }),
    frames(events, message) {
      const frames = events.filter(({ type }) => type !== 'ping').map((event) => chunkFrame(withMetrics(event, message), { padding: padding.letters(padding.between(1, 60)) }))
      return split === undefined ? frames : split(join(...frames))
    },
    messageHead: ({ tokens }) => ({
      ...JSON_HEAD,
      'x-amzn-requestid': randomUUID(),
      'x-amzn-bedrock-invocation-latency': '1234',
      'x-amzn-bedrock-input-token-count': String(tokens.input),
      'x-amzn-bedrock-output-token-count': String(tokens.output),
      'x-amzn-bedrock-cache-read-input-token-count': String(tokens.cacheRead),
      'x-amzn-bedrock-cache-write-input-token-count': String(tokens.cacheWrite5m + tokens.cacheWrite1h),
    }),
    countAnswer: (tokens) => ({ headers: { ...JSON_HEAD, 'x-amzn-requestid': randomUUID() }, body: JSON.stringify({ inputTokens: tokens }) }),
  })
}

/** The last event carries the service's own count. */
function withMetrics({ type, json }: GeneratedEvent, { tokens }: GeneratedMessage): string {
  if (type !== 'message_stop') return json
  const metrics = {
    inputTokenCount: tokens.input,
    outputTokenCount: tokens.output,
    invocationLatency: 1234,
    firstByteLatency: 321,
    cacheReadInputTokenCount: tokens.cacheRead,
    cacheWriteInputTokenCount: tokens.cacheWrite5m + tokens.cacheWrite1h,
  }
  return `${json.slice(0, -1)},"amazon-bedrock-invocationMetrics":${JSON.stringify(metrics)}}`
}

/** An error as the runtime words it; AWS appends a URI to the type now and then. */
export function bedrockError(status: number, type: string, message: string): HttpError {
  return { status, headers: { ...JSON_HEAD, 'x-amzn-requestid': randomUUID(), 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` }, body: JSON.stringify({ message }) }
}

const invalid = (message: string) => bedrockError(400, 'ValidationException', message)

async function judge(request: RecordedRequest, options: BedrockOptions & { region: string }): Promise<Judgement> {
  const [, segment = '', verb = ''] = PATH.exec(request.path) ?? []
  const operation: CloudRequest['operation'] = OPERATIONS[verb as keyof typeof OPERATIONS]
  const modelId = decodeSegment(segment)
  const outer = parseObject(request.body)
  const body = operation === 'count' ? countedBody(outer) : outer
  const model = modelId === undefined ? undefined : modelOf(modelId, options)
  const judged = { operation, model: modelId, body, answers: model ?? '' }

  // A raw slash of an ARN makes other segments of it, which no operation has.
  if (operation === undefined || request.method !== 'POST') {
    return { ...judged, principal: undefined, refusal: { status: 404, headers: JSON_HEAD, body: '{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}' } }
  }
  const { principal, refusal } = await authenticate(request, options)
  if (refusal !== undefined) return { ...judged, principal, refusal }
  return { ...judged, principal, refusal: bodyRefusal(request, body, modelId ?? '', model, operation, options) }
}

async function authenticate(request: RecordedRequest, { keys = new Map(), bearer = [], region, now = () => new Date() }: BedrockOptions & { region: string }): Promise<Pick<Judgement, 'principal' | 'refusal'>> {
  const token = bearerOf(request.headers)
  if (token !== undefined) {
    if ([bearer].flat().includes(token)) return { principal: 'bearer', refusal: undefined }
    return { principal: undefined, refusal: bedrockError(403, 'AccessDeniedException', 'Authentication failed: Please make sure your API Key is valid.') }
  }
  const error = await verifySigV4(request, { secrets: keys, service: 'bedrock', region, now: now() })
  if (error !== undefined) return { principal: undefined, refusal: bedrockError(error.status, error.type, error.message) }
  return { principal: /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1], refusal: undefined }
}

function bodyRefusal(request: RecordedRequest, body: any, modelId: string, model: string | undefined, operation: CloudRequest['operation'], options: BedrockOptions): HttpError | undefined {
  const { betas: accepted = BEDROCK_BETAS, maxBytes = 20 * 1024 * 1024, profileOnly, countable } = options
  if (request.body.length > maxBytes) return invalid(`1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less than or equal to ${maxBytes}`)
  if (model === undefined || (operation === 'count' && !(modelId in BEDROCK_MODELS))) return invalid('The provided model identifier is invalid.')
  if (operation === 'count' && countable !== undefined && !countable.has(modelId)) return invalid("The provided model doesn't support counting tokens.")
  if (profileOnly?.has(modelId) === true && operation !== 'count') {
    return invalid(`Invocation of model ID ${modelId} with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.`)
  }
  if (body === undefined) return invalid('Malformed input request, please reformat your input and try again.')

  const facts = { ...factsOf(model), ...options.facts?.(model) }
  const version = body.anthropic_version
  if (version === undefined) return invalid('anthropic_version: Field required')
  if (version !== 'bedrock-2023-05-31' && !(version === '2026-10-21' && facts.newVersion)) return invalid(`Invalid API version: ${version}`)
  const betas: unknown = body.anthropic_beta ?? null
  if ('anthropic_beta' in body && !(Array.isArray(betas) && betas.length > 0 && betas.every((beta) => accepted.has(beta)))) return invalid('invalid beta flag')
  const sampling = version === '2026-10-21' && SAMPLING.find((name) => name in body)
  if (sampling) return invalid(`${sampling}: Extra inputs are not permitted`)
  const words = complaint(body, {
    ...facts,
    fields: FIELDS,
    required: ['max_tokens', 'messages'],
    betas: new Set(Array.isArray(betas) ? betas : []),
    serverTools: NO_SERVER_TOOLS,
    strict: facts.format,
    bareTools: operation === 'count',
  })
  return words === undefined ? undefined : invalid(words)
}

/** `{"input":{"invokeModel":{"body":"<base64>"}}}`. */
function countedBody(outer: any): Record<string, any> | undefined {
  const encoded: unknown = outer?.input?.invokeModel?.body
  return typeof encoded === 'string' ? parseObject(Buffer.from(encoded, 'base64')) : undefined
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** The first-party id behind a foundation id, an inference profile or an ARN of either. */
function modelOf(modelId: string, { arns = {} }: BedrockOptions): string | undefined {
  if (arns[modelId] !== undefined) return arns[modelId]
  const id = /^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)\/(.+)$/.exec(modelId)?.[1] ?? modelId
  const [, prefix, foundation = id] = /^([a-z-]+)\.(anthropic\..+)$/.exec(id) ?? []
  const prefixes = BEDROCK_MODELS[foundation]
  if (prefixes === undefined || (prefix !== undefined && !prefixes.includes(prefix))) return undefined
  return firstPartyId(foundation)
}
