// The clouds that speak the Messages API itself: Bedrock mantle, Claude Platform on AWS, Google Cloud (Anthropic managed), Foundry.
import { randomUUID } from 'node:crypto'
import type { RecordedRequest } from '../upstream.ts'
import { anthropicError, bearerOf, betasOf, JSON_HEAD, parseObject, sseFrames, startCloud, type Cloud, type CloudRequest, type HttpError, type Judgement } from './cloud.ts'
import { BEDROCK_MODELS, factsOf, firstPartyId, generationOf } from './model-facts.ts'
import { verifySigV4, type AwsKey } from './sigv4.ts'
import { googleError } from './vertex.ts'

interface Common {
  /** `anthropic-beta` values; all are accepted when absent. */
  betas?: ReadonlySet<string>
  seed?: number
  now?: () => Date
}

interface Aws {
  keys?: ReadonlyMap<string, AwsKey>
  /** As bearer or `x-api-key`. */
  apiKeys?: readonly string[]
  region?: string
}

export type MessagesApiOptions = Common &
  (
    | ({ kind: 'mantle' } & Aws)
    | ({ kind: 'anthropicAws'; workspace: string } & Aws)
    | { kind: 'anthropicGoogleCloud'; bearer: readonly string[]; project: string; location: string; workspace: string }
    /** `deployments`: name to first-party id. */
    | { kind: 'foundry'; apiKeys?: readonly string[]; bearer?: readonly string[]; deployments: Readonly<Record<string, string>> }
  )

const VERSIONS = ['2023-06-01', '2026-10-21']
const FIRST_PARTY = new Set(Object.keys(BEDROCK_MODELS).flatMap((id) => [firstPartyId(id), firstPartyId(id).replace(/-\d{8}$/, '')]))

/** What these clouds do not take. Everything else is theirs to know: `anthropic-*` headers and body fields are open lists. */
const NEVER = ['anthropic_version', 'anthropic_beta', 'betas', 'tags']
const NOT_ON: Record<MessagesApiOptions['kind'], readonly string[]> = {
  mantle: ['container', 'mcp_servers', 'fallbacks', 'output_format'],
  anthropicAws: [],
  anthropicGoogleCloud: [],
  foundry: ['speed', 'inference_geo', 'fallbacks'],
}
/** Not a beta of Anthropic's: it is the gateway's to read. */
const GATEWAY_BETA = 'request-tags-2026-08-21'

export async function startMessagesApi(options: MessagesApiOptions): Promise<Cloud> {
  return startCloud({
    seed: options.seed ?? 1,
    messageIds: 'msg_01',
    judge: (request) => judge(request, options),
    streamHead: () => ({ 'content-type': 'text/event-stream; charset=utf-8', ...responseIds(options) }),
    frames: (events) => sseFrames(events),
    messageHead: () => ({ ...JSON_HEAD, ...responseIds(options) }),
    countAnswer: (tokens) => ({ headers: { ...JSON_HEAD, ...responseIds(options) }, body: JSON.stringify({ input_tokens: tokens }) }),
  })
}

const requestId = () => `req_01${randomUUID().replaceAll('-', '').slice(0, 22)}`

/** Headers that name the account or the call; none may reach a client. */
function responseIds({ kind }: MessagesApiOptions): Record<string, string> {
  const ids = { 'request-id': requestId(), 'set-cookie': '__cf_bm=upstream-cookie; path=/; HttpOnly' }
  if (kind === 'foundry') return { ...ids, 'apim-request-id': randomUUID(), 'x-ms-region': 'East US 2' }
  if (kind === 'mantle') return { ...ids, 'x-amzn-requestid': randomUUID() }
  return {
    ...ids,
    ...(kind === 'anthropicAws' && { 'x-amzn-requestid': randomUUID() }),
    'anthropic-organization-id': 'b2f0a8de-0000-4000-8000-00000000c10d',
    'anthropic-workspace-id': 'wrkspc_upstream',
    'anthropic-ratelimit-requests-limit': '4000',
    'anthropic-ratelimit-requests-remaining': '3999',
    'anthropic-ratelimit-requests-reset': '2026-11-22T10:00:00Z',
    'anthropic-ratelimit-input-tokens-remaining': '1990000',
  }
}

async function judge(request: RecordedRequest, options: MessagesApiOptions): Promise<Judgement> {
  const body = parseObject(request.body)
  const route = routeOf(request.path.split('?')[0] ?? '', options)
  const operation: CloudRequest['operation'] = route === 'messages' ? (body?.stream === true ? 'stream' : 'invoke') : route
  const model: string | undefined = typeof body?.model === 'string' ? body.model : undefined
  const answers = model === undefined ? undefined : modelOf(model, options)
  const judged = { operation, model, body, answers: answers ?? '' }

  if (operation === undefined || request.method !== 'POST') return { ...judged, principal: undefined, refusal: unknownPath(request, options) }
  const { principal, refusal } = await authenticate(request, options)
  if (refusal !== undefined) return { ...judged, principal, refusal }
  return { ...judged, principal, refusal: refusalOf(request, body, model, answers, operation, options) }
}

function routeOf(path: string, options: MessagesApiOptions): 'messages' | 'count' | undefined {
  const base =
    options.kind === 'anthropicAws' ? ''
    : options.kind === 'anthropicGoogleCloud' ? `/v1/projects/${options.project}/locations/${options.location}/workspaces/${options.workspace}/invoke`
    : '/anthropic'
  if (path === `${base}/v1/messages`) return 'messages'
  return path === `${base}/v1/messages/count_tokens` ? 'count' : undefined
}

function unknownPath({ path }: RecordedRequest, { kind }: MessagesApiOptions): HttpError {
  if (kind === 'anthropicGoogleCloud') return googleError(403, 'PERMISSION_DENIED', `Permission denied on resource '${path}' (or it may not exist).`)
  if (kind === 'foundry') return azureError(404, '404', 'Resource not found')
  return anthropicError(404, 'not_found_error', 'Not Found', requestId())
}

/** The shape of the Azure front door. */
export function azureError(status: number, code: string, message: string): HttpError {
  return { status, headers: { ...JSON_HEAD, 'apim-request-id': randomUUID() }, body: JSON.stringify({ error: { code, message } }) }
}

async function authenticate(request: RecordedRequest, options: MessagesApiOptions): Promise<Pick<Judgement, 'principal' | 'refusal'>> {
  const { headers } = request
  const bearer = bearerOf(headers)
  const key = headers['x-api-key']
  switch (options.kind) {
    case 'anthropicGoogleCloud':
      if (bearer !== undefined && options.bearer.includes(bearer)) return known('bearer')
      return unknown(googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.'))
    case 'foundry':
      if (bearer !== undefined && options.bearer?.includes(bearer) === true) return known('bearer')
      for (const name of ['api-key', 'x-api-key']) if (options.apiKeys?.includes(headers[name] ?? '') === true) return known(name)
      return unknown(azureError(401, '401', 'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.'))
    default: {
      const { keys = new Map(), apiKeys = [], region = 'us-east-1', now = () => new Date() } = options
      if (bearer !== undefined && apiKeys.includes(bearer)) return known('bearer')
      if (key !== undefined && apiKeys.includes(key)) return known('x-api-key')
      if (bearer !== undefined || key !== undefined) return unknown(anthropicError(401, 'authentication_error', bearer === undefined ? 'invalid x-api-key' : 'Invalid bearer token', requestId()))
      const error = await verifySigV4(request, { secrets: keys, service: options.kind === 'mantle' ? 'bedrock-mantle' : 'aws-external-anthropic', region, now: now() })
      if (error !== undefined) return unknown({ status: error.status, headers: { ...JSON_HEAD, 'x-amzn-requestid': randomUUID(), 'x-amzn-errortype': error.type }, body: JSON.stringify({ message: error.message }) })
      return known(/Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1])
    }
  }
}

const known = (principal: string | undefined) => ({ principal, refusal: undefined })
const unknown = (refusal: HttpError) => ({ principal: undefined, refusal })

function modelOf(model: string, options: MessagesApiOptions): string | undefined {
  if (options.kind === 'foundry') return options.deployments[model]
  if (options.kind !== 'mantle') return FIRST_PARTY.has(model) ? model : undefined
  const id = /^anthropic\.(claude-.+)$/.exec(model)?.[1]
  return id !== undefined && FIRST_PARTY.has(id) && (generationOf(id) >= 4.7 || id === 'claude-haiku-4-5') ? id : undefined
}

function refusalOf({ headers }: RecordedRequest, body: Record<string, any> | undefined, model: string | undefined, answers: string | undefined, operation: CloudRequest['operation'], options: MessagesApiOptions): HttpError | undefined {
  const invalid = (message: string) => anthropicError(400, 'invalid_request_error', message, requestId())
  const version = headers['anthropic-version']
  if (version === undefined) return invalid('anthropic-version: header is required')
  if (!VERSIONS.includes(version)) return invalid(`anthropic-version: "${version}" is not a valid version`)
  if (options.kind === 'anthropicAws' && headers['anthropic-workspace-id'] !== options.workspace) return invalid('anthropic-workspace-id: header is required')
  const unexpected = betasOf(headers).find((beta) => beta === GATEWAY_BETA || options.betas?.has(beta) === false)
  if (unexpected !== undefined) return invalid(`Unexpected value(s) \`${unexpected}\` for the \`anthropic-beta\` header`)
  if (body === undefined) return invalid('The request body is not valid JSON')

  const extra = [...NEVER, ...NOT_ON[options.kind], ...(operation === 'count' ? ['max_tokens', 'stream'] : [])].find((name) => name in body)
  if (extra !== undefined) return invalid(`${extra}: Extra inputs are not permitted`)
  const missing = [...(operation === 'count' ? [] : ['max_tokens']), 'messages', 'model'].find((name) => !(name in body))
  if (missing !== undefined) return invalid(`${missing}: Field required`)
  if ('context_management' in body && !betasOf(headers).some((beta) => /^(context-management|compact)-/.test(beta))) return invalid('context_management: Extra inputs are not permitted')
  if (answers !== undefined && body.output_config?.effort !== undefined && !factsOf(answers).effort) return invalid('This model does not support the effort parameter.')
  if (answers !== undefined) return undefined
  return options.kind === 'foundry' ? azureError(404, 'DeploymentNotFound', 'Deployment not found') : anthropicError(404, 'not_found_error', `model: ${model}`, requestId())
}
