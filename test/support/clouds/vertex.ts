// Google's Agent Platform (Vertex AI) for Claude: rawPredict, streamRawPredict and the count-tokens model.
import { randomUUID } from 'node:crypto'
import type { RecordedRequest } from '../upstream.ts'
import { anthropicError, bearerOf, betasOf, JSON_HEAD, parseObject, sseFrames, startCloud, type Cloud, type CloudRequest, type HttpError, type Judgement } from './cloud.ts'
import { BEDROCK_MODELS, factsOf, firstPartyId, generationOf, type ModelFacts } from './model-facts.ts'
import { complaint, MESSAGE_FIELDS } from './validate-body.ts'

export interface VertexOptions {
  /** Access tokens that hold. */
  bearer: readonly string[]
  project: string
  location: string
  /** `anthropic-beta` values. */
  betas?: ReadonlySet<string>
  facts?: (model: string) => Partial<ModelFacts>
  /** Bytes of a request body. */
  maxBytes?: number
  seed?: number
}

/** What litellm passes on to Google. */
export const VERTEX_BETAS: ReadonlySet<string> = new Set([
  'claude-code-20250219',
  'compact-2026-01-12',
  'compact-2026-09-04',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dangerous-tool-use-2026-09-03',
  'interleaved-thinking-2025-05-14',
  'per-turn-control-2026-07-01',
  'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18',
  'tool-search-tool-2025-10-19',
  'web-search-2025-03-05',
])

const PATH = /^\/v1\/projects\/([^/?]+)\/locations\/([^/?]+)\/publishers\/anthropic\/models\/([^/?]+):(rawPredict|streamRawPredict)$/
const COUNT = 'count-tokens'
const VERSIONS = ['vertex-2023-10-16', '2026-10-21']
const FIELDS = [...MESSAGE_FIELDS, 'anthropic_version']

/** Ids of generation 4.6 and later are bare, older ones `name@date`. */
const VERTEX_MODELS = new Map(
  Object.keys(BEDROCK_MODELS).map((id) => {
    const model = firstPartyId(id)
    return [generationOf(model) >= 4.6 ? model : model.replace(/-(\d{8})$/, '@$1'), model] as const
  }),
)

export async function startVertex(options: VertexOptions): Promise<Cloud> {
  return startCloud({
    seed: options.seed ?? 1,
    messageIds: 'msg_vrtx_',
    judge: async (request) => judge(request, options),
    streamHead: () => ({ 'content-type': 'text/event-stream; charset=utf-8', 'request-id': requestId(), vary: 'Origin, X-Origin, Referer' }),
    frames: (events) => sseFrames(events),
    messageHead: () => ({ ...JSON_HEAD, 'request-id': requestId() }),
    countAnswer: (tokens) => ({ headers: { ...JSON_HEAD, 'request-id': requestId() }, body: JSON.stringify({ input_tokens: tokens }) }),
  })
}

/** The shape of Google's front; `inArray` as streaming routes wrap it now and then. */
export function googleError(status: number, name: string, message: string, { details, inArray = false }: { details?: object[]; inArray?: boolean } = {}): HttpError {
  const error = { error: { code: status, message, status: name, ...(details !== undefined && { details }) } }
  return { status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: JSON.stringify(inArray ? [error] : error, null, 2) }
}

const requestId = () => `req_vrtx_01${randomUUID().replaceAll('-', '').slice(0, 20)}`

function judge(request: RecordedRequest, options: VertexOptions): Judgement {
  const [, project, location, segment = '', verb] = PATH.exec(request.path) ?? []
  const body = parseObject(request.body)
  const named = decodeURIComponent(segment)
  const operation: CloudRequest['operation'] = verb === undefined ? undefined : named === COUNT ? 'count' : verb === 'rawPredict' ? 'invoke' : 'stream'
  const model: string = operation === 'count' ? String(body?.model ?? '') : named
  const answers = VERTEX_MODELS.get(model)
  const judged = { operation, model, body, answers: answers ?? '' }

  if (operation === undefined || request.method !== 'POST') return { ...judged, principal: undefined, refusal: googleError(404, 'NOT_FOUND', 'The requested URL was not found on this server.') }
  const token = bearerOf(request.headers)
  if (token === undefined || !options.bearer.includes(token)) {
    return { ...judged, principal: undefined, refusal: googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.') }
  }
  const accept = (refusal: HttpError | undefined): Judgement => ({ ...judged, principal: 'bearer', refusal })
  if (project !== options.project || location !== options.location) {
    return accept(googleError(403, 'PERMISSION_DENIED', `Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/${project}/locations/${location}/publishers/anthropic/models/${model}' (or it may not exist).`))
  }
  if (answers === undefined) {
    return accept(googleError(404, 'NOT_FOUND', `Publisher Model \`projects/${project}/locations/${location}/publishers/anthropic/models/${model}\` was not found or your project does not have access to it. Please ensure you are using a valid model version.`))
  }
  return accept(refusalOf(request, body, answers, operation, options))
}

function refusalOf(request: RecordedRequest, body: Record<string, any> | undefined, model: string, operation: CloudRequest['operation'], options: VertexOptions): HttpError | undefined {
  const invalid = (message: string) => anthropicError(400, 'invalid_request_error', message, requestId())
  const { betas: accepted = VERTEX_BETAS, maxBytes = 30 * 1024 * 1024 } = options
  const { headers } = request
  if (request.body.length > maxBytes) return googleError(400, 'INVALID_ARGUMENT', `Request payload size exceeds the limit: ${maxBytes} bytes.`)
  if (body === undefined) return googleError(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received. Unexpected token.')
  if ('anthropic-version' in headers) return invalid('anthropic-version: header is not supported, use anthropic_version in the body')
  const betas = betasOf(headers)
  if (operation === 'count' && 'anthropic-beta' in headers) return invalid(`Unexpected value(s) \`${betas.join('`, `')}\` for the \`anthropic-beta\` header`)
  const unexpected = betas.find((beta) => !accepted.has(beta))
  if (unexpected !== undefined) return invalid(`Unexpected value(s) \`${unexpected}\` for the \`anthropic-beta\` header`)
  if (body.anthropic_version === undefined) return invalid('anthropic_version: Field required')
  if (!VERSIONS.includes(body.anthropic_version)) return invalid(`anthropic_version: "${body.anthropic_version}" is not a valid version`)
  if (operation !== 'count' && (body.stream === true) !== (operation === 'stream')) return googleError(400, 'INVALID_ARGUMENT', 'The stream field does not match the method.')

  // Whether structured outputs reach Google is not established.
  const facts = { ...factsOf(model), format: false, ...options.facts?.(model) }
  const fields = operation === 'count' ? [...FIELDS.filter((name) => name !== 'max_tokens'), 'model'] : [...FIELDS, 'stream', ...(facts.speed ? ['speed'] : [])]
  const words = complaint(body, {
    ...facts,
    fields: new Set(fields),
    required: operation === 'count' ? ['model', 'messages'] : ['max_tokens', 'messages'],
    betas: new Set(betas),
    serverTools: /^web_search_20250305$/,
    strict: false,
  })
  return words === undefined ? undefined : invalid(words)
}
