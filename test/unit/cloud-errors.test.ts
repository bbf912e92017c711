import { describe, expect, test } from 'bun:test'
import { movesOn } from '../../src/relay/failover.ts'
import { explainCloudError, generalError, readRefusal } from '../../src/upstream/cloud-errors.ts'
import type { ClientError, Refusal } from '../../src/upstream/upstream.ts'
import { RECORDED_ERRORS, type Provider, type RecordedError } from '../support/clouds/recorded-errors.ts'
import { offlineUpstream, upstreamRequest, type RequestOptions } from '../support/upstream-request.ts'

type CloudName = Exclude<Provider, 'anthropic'>

const refusal = ({ status, headers, body }: Pick<RecordedError, 'status' | 'headers' | 'body'>): Refusal => ({ status, headers: new Headers(headers), body: new TextEncoder().encode(body) })

function explained(provider: CloudName, row: Pick<RecordedError, 'status' | 'headers' | 'body'>, request: RequestOptions = {}): ClientError {
  const explain = offlineUpstream(provider).explain
  if (explain === undefined) throw new Error(`${provider} explains nothing`)
  return explain(refusal(row), upstreamRequest({ betas: ['fast-mode-2026-02-01'], ...request }))
}

/** `→` where another upstream is asked first. */
function shown(told: ClientError): string {
  return `${(told.movesOn ?? movesOn(told.status, new Set())) ? '→ ' : ''}${told.status} ${told.type} ${told.message}`
}

const REJECTED = '400 invalid_request_error upstream rejected the request'
const capability = (name: string) => `400 invalid_request_error capability_rejected: ${name}`
const NO_AUTH = '→ 401 authentication_error upstream authentication failed — check the gateway operator'
const DENIED = '→ 403 permission_error upstream denied the request — check the gateway operator'
const NOT_FOUND = '→ 404 not_found_error upstream resource not found'
const LIMITED = '→ 429 rate_limit_error upstream rate limit exceeded'
const FAILED = '→ 500 api_error upstream error'
const OVERLOADED = '→ 503 overloaded_error upstream overloaded'
const TOO_LARGE = '413 request_too_large request too large for this upstream'
const NO_MODEL = '→ 400 invalid_request_error model claude-opus-4-7 is not available on bedrock'

const BEDROCK: Record<string, string> = {
  'prompt too long': capability('prompt_too_long'),
  'input and max_tokens exceed the context': capability('max_tokens_context_overflow'),
  'thinking signature': capability('thinking_signature'),
  'thinking signature missing': capability('thinking_signature'),
  'thinking blocks modified': capability('thinking_signature'),
  'thinking field unknown': capability('thinking_type:adaptive'),
  'thinking enabled not supported': capability('thinking_type:enabled'),
  'mid-conversation system message': capability('mid_conv_system'),
  'tool field defer_loading': '400 invalid_request_error tools.0.custom.defer_loading: Extra inputs are not permitted',
  'tool field strict': '400 invalid_request_error tools.2.custom.strict: Extra inputs are not permitted',
  'tool field eager_input_streaming': '400 invalid_request_error tools.0.custom.eager_input_streaming: Extra inputs are not permitted',
  'server tool unknown': "400 invalid_request_error Input tag 'web_search_20250305'",
  'cache scope': '400 invalid_request_error system.1.cache_control.ephemeral.scope: Extra inputs are not permitted',
  context_management: '400 invalid_request_error context_management: Extra inputs are not permitted',
  output_config: capability('effort_unsupported'),
  'orphaned tool result': REJECTED,
  'image dimensions': capability('image_block'),
  'max_tokens too high': REJECTED,
  'model identifier invalid': NO_MODEL,
  'on-demand not supported': NO_MODEL,
  // B1
  'input too long': capability('prompt_too_long'),
  'input too long, short form': '400 invalid_request_error Input is too long.',
  'invalid beta flag': '400 invalid_request_error invalid beta flag',
  'invalid API version': REJECTED,
  'malformed input': REJECTED,
  'reserved billing header': REJECTED,
  'Anthropic envelope inside the message': capability('prompt_too_long'),
  'text that names an account': REJECTED,
  ServiceQuotaExceededException: LIMITED,
  ConflictException: REJECTED,
  AccessDeniedException: DENIED,
  'AccessDeniedException for the model': DENIED,
  UnrecognizedClientException: DENIED,
  ExpiredTokenException: DENIED,
  InvalidSignatureException: DENIED,
  ResourceNotFoundException: NOT_FOUND,
  'ResourceNotFoundException for a retired model': NOT_FOUND,
  ModelTimeoutException: '408 timeout_error upstream error',
  ModelErrorException: '424 api_error upstream error',
  ModelStreamErrorException: '424 api_error upstream error',
  ThrottlingException: LIMITED,
  'ThrottlingException for requests': LIMITED,
  ModelNotReadyException: LIMITED,
  InternalServerException: FAILED,
  ServiceUnavailableException: OVERLOADED,
  'unknown operation': NOT_FOUND,
  'class only in the body': REJECTED,
  'with a capital Message': DENIED,
  'without a body': OVERLOADED,
}

/** Of the model, in the Messages API's own envelope. Those of 400 and 413 are not here: they keep type and message. */
const ENVELOPED: Record<string, string> = {
  // 422 is not among the statuses whose text is told.
  'thinking signature as 422': '422 api_error upstream error',
  'unknown model': NOT_FOUND,
  'rate limit': LIMITED,
  internal: FAILED,
  overloaded: '→ 529 overloaded_error upstream overloaded',
  'wrong key': NO_AUTH,
  'web identity federation disabled': DENIED,
}

const OTHER_AWS: Record<string, string> = {
  AccessDeniedException: DENIED,
  UnrecognizedClientException: DENIED,
  ExpiredTokenException: DENIED,
  InvalidSignatureException: DENIED,
  ThrottlingException: LIMITED,
  ServiceUnavailableException: OVERLOADED,
}

const GOOGLE: Record<string, string> = {
  INVALID_ARGUMENT: REJECTED,
  UNAUTHENTICATED: NO_AUTH,
  PERMISSION_DENIED: DENIED,
  NOT_FOUND,
  RESOURCE_EXHAUSTED: LIMITED,
  INTERNAL: FAILED,
  UNAVAILABLE: OVERLOADED,
  DEADLINE_EXCEEDED: '→ 504 timeout_error upstream error',
  'payload too large': '400 invalid_request_error Input is too long.',
  'FAILED_PRECONDITION that names the project': REJECTED,
  'prompt too long in Google’s shape': '413 request_too_large capability_rejected: prompt_too_long',
}

const FOUNDRY: Record<string, string> = {
  'content filter': REJECTED,
  'bad request of the front door': REJECTED,
  PermissionDenied: NO_AUTH,
  firewall: DENIED,
  'deployment not found': NOT_FOUND,
  'deployment not found, short': NOT_FOUND,
  'resource not found': NOT_FOUND,
  timeout: '408 timeout_error upstream error',
  'from the front door': '→ 502 api_error upstream error',
}

/** Where rows share a name, by status too. */
const BY_STATUS: Record<string, string> = {
  '413 from the front end': TOO_LARGE,
  '502 from the front end': '→ 502 api_error upstream error',
  '401 front door': NO_AUTH,
  '401 gateway': NO_AUTH,
  '413 front door': TOO_LARGE,
  '429 front door': LIMITED,
  '429 gateway': LIMITED,
  '500 gateway': FAILED,
  '503 front door': OVERLOADED,
}

const TABLES: Record<CloudName, Record<string, string>> = { bedrock: BEDROCK, mantle: OTHER_AWS, anthropicAws: OTHER_AWS, vertex: GOOGLE, anthropicGoogleCloud: GOOGLE, foundry: FOUNDRY }

function expectedOf(provider: CloudName, { name, status, body }: RecordedError): string {
  const short = name.slice(`${provider} ${status} `.length)
  const listed = BY_STATUS[`${status} ${short}`] ?? TABLES[provider][short.replace(', in an array', '')] ?? ENVELOPED[short]
  if (listed !== undefined) return listed
  const { error } = JSON.parse(body) as { error: { type: string; message: string } }
  if (status !== 400 && status !== 413) throw new Error(`the tables do not say what becomes of ${name}`)
  return `${status} ${error.type} ${error.message}`
}

describe('a recorded error', () => {
  test.each(RECORDED_ERRORS.filter(({ provider }) => provider !== 'anthropic').map((row) => [row.name, row] as const))('%s', (_, row) => {
    const provider = row.provider as CloudName
    expect(shown(explained(provider, row))).toBe(expectedOf(provider, row))
  })

  test('of the Anthropic API reaches the client as it is', () => {
    expect(offlineUpstream('anthropic').explain).toBeUndefined()
  })

  // contract.md §4.1: cloud errors name accounts, roles and projects.
  test.each(RECORDED_ERRORS.filter(({ provider }) => provider !== 'anthropic').map((row) => [row.name, row] as const))('tells nothing of account, role, project, region or address: %s', (_, row) => {
    const { message } = explained(row.provider as CloudName, row)
    const isModels = (row.status === 400 || row.status === 413) && row.body.startsWith('{"type":"error"')
    if (!isModels) expect(message).not.toMatch(/arn:|\d{12}|projects\/|acme|https?:|us-east|us-west|amazonaws|googleapis|azure|assumed-role|i-0abc|org:|[0-9a-f]{8}-[0-9a-f]{4}|quota/i)
  })

  test.each(RECORDED_ERRORS.filter(({ provider }) => provider === 'bedrock').map((row) => [row.name, row] as const))('in answer to a count is not supported, so that the client counts by other means: %s', (_, row) => {
    expect(explained('bedrock', row, { surface: 'count_tokens' })).toEqual({ status: 501, type: 'not_supported', message: 'upstream does not support this endpoint', headers: { 'x-should-retry': 'false' } })
  })
})

type Row = [refusal: string, reference: string, ours?: string, why?: string]

const JSON_TYPE = { 'content-type': 'application/json' }
const enveloped = (type: string, message: string) => JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_up' })

/** `400 ValidationException: text` in the three shapes that the reference gateway was tried with; `ANTH` and `GOOG` say which. */
function refusalOf(row: string): Pick<RecordedError, 'status' | 'headers' | 'body'> {
  const [, code = '', kind = '', type = '', message = ''] = /^(\d+) (ANTH |GOOG |)(\w+): ([^]*)$/.exec(row) ?? []
  const status = Number(code)
  if (kind === 'ANTH ') return { status, headers: JSON_TYPE, body: enveloped(type, message) }
  if (kind === 'GOOG ') return { status, headers: JSON_TYPE, body: JSON.stringify({ error: { code: status, message, status: type } }) }
  return { status, headers: { ...JSON_TYPE, 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/` }, body: JSON.stringify({ message }) }
}

const BILLING = 'the type that the Messages API has for 402'
const TIMED_OUT = 'the type that upstreams.md §1.2 maps it to'
const LITERAL = 'there is no class for it; the client knows these very words'
const EXTRA = 'the path says what to leave out, and nothing of an account'
const AWS_ROWS: readonly Row[] = [
  ['400 ValidationException: Input is too long for requested model.', 'capability_rejected: prompt_too_long'],
  ['400 ValidationException: Input is too long.', 'Input is too long.'],
  ['400 ValidationException: input is too long', 'Input is too long.'],
  ['400 ValidationException: prompt is too long: 215000 tokens > 200000 maximum', 'capability_rejected: prompt_too_long'],
  ['400 ValidationException: invalid beta flag', 'upstream rejected the request', 'invalid beta flag', LITERAL],
  ['400 ValidationException: tools.11.custom.defer_loading: Extra inputs are not permitted', 'upstream rejected the request', 'tools.11.custom.defer_loading: Extra inputs are not permitted', EXTRA],
  ['400 ValidationException: messages.1.content.0: Invalid `signature` in `thinking` block', 'capability_rejected: thinking_signature'],
  ['400 ValidationException: thinking.type: enabled is not supported for this model. Use adaptive.', 'capability_rejected: thinking_type:enabled'],
  ['400 ValidationException: "thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.', 'capability_rejected: thinking_type:enabled'],
  ['400 ValidationException: context_management: Extra inputs are not permitted', 'upstream rejected the request', 'context_management: Extra inputs are not permitted', EXTRA],
  ['400 ValidationException: output_config: Extra inputs are not permitted', 'capability_rejected: effort_unsupported'],
  ['400 ValidationException: output_config.format: Extra inputs are not permitted', 'capability_rejected: structured_outputs_unsupported'],
  ['400 ValidationException: system.1.cache_control.ephemeral.scope: Extra inputs are not permitted', 'upstream rejected the request', 'system.1.cache_control.ephemeral.scope: Extra inputs are not permitted', EXTRA],
  ['400 ValidationException: messages.0.content.0.cache_control: Extra inputs are not permitted', 'capability_rejected: cache_control_field'],
  ['400 ValidationException: messages.1: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.', 'capability_rejected: mid_conv_system'],
  ["400 ValidationException: role 'system' is not supported on this model", 'capability_rejected: mid_conv_system'],
  ['400 ValidationException: input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000', 'capability_rejected: max_tokens_context_overflow'],
  ['400 ValidationException: messages.3.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size: 8000 pixels', 'capability_rejected: image_block'],
  ['400 ValidationException: Could not process PDF', 'capability_rejected: document_block'],
  ['400 ValidationException: Too much media: 0 document pages + 101 images > 100', 'capability_rejected: media_budget'],
  ['400 ValidationException: Unexpected value(s) `afk-mode-2026-01-31` for the `anthropic-beta` header', 'capability_rejected: beta_header:afk-mode-2026-01-31'],
  ['400 ValidationException: This model does not support the effort parameter.', 'capability_rejected: effort_unsupported'],
  ['400 ValidationException: safeguards: Extra inputs are not permitted', 'upstream rejected the request', 'safeguards: not supported by this upstream', 'the client runs the check itself when it is told the name'],
  ["400 ValidationException: thinking.adaptive.display: Input should be 'x'", 'upstream rejected the request', 'thinking.adaptive.display: Input should be ', LITERAL],
  ["400 ValidationException: context_management.edits.0: Input tag 'clear_thinking_20251015' found using 'type' does not match", 'upstream rejected the request', "Input tag 'clear_thinking_20251015'", LITERAL],
  ['400 ValidationException: speed: Extra inputs are not permitted', 'upstream rejected the request', 'speed: Extra inputs are not permitted', EXTRA],
  ['400 ValidationException: tags: Extra inputs are not permitted', 'upstream rejected the request', 'tags: Extra inputs are not permitted', EXTRA],
  ['400 ValidationException: The request exceeds the context window', 'upstream rejected the request', 'capability_rejected: prompt_too_long', 'the client compacts on these words'],
  ['400 ValidationException: The provided model identifier is invalid.', 'model claude-opus-4-7 is not available on bedrock'],
  [
    '400 ValidationException: Invocation of model ID anthropic.claude-opus-4-7 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.',
    'upstream rejected the request',
    'model claude-opus-4-7 is not available on bedrock',
    'it is our mapping, and another upstream may have the model',
  ],
  ['400 ValidationException: Malformed input request: #: extraneous key [foo] is not permitted, please reformat your input and try again.', 'upstream rejected the request'],
  [`400 ValidationException: ${enveloped('invalid_request_error', 'prompt is too long: 215000 tokens > 200000 maximum')}`, 'capability_rejected: prompt_too_long'],
  [`400 ValidationException: ${enveloped('invalid_request_error', 'messages.0: bad arn:aws:iam::123')}`, 'upstream rejected the request'],
  ['400 ValidationException: Operation not allowed', 'upstream rejected the request'],
  ["400 ValidationException: 1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less than or equal to 20971520", 'upstream rejected the request', 'Input is too long.', 'twenty megabytes are too many bytes, and the client recovers from that'],
  ['400 ServiceQuotaExceededException: quota arn:aws:iam::123456789012:role/x', '400 invalid_request_error upstream rejected the request', '429 rate_limit_error upstream rate limit exceeded', 'a quota, as upstreams.md §1.2 maps it'],
  ['400 ConflictException: conflict', 'upstream rejected the request'],
  ['400 ANTH invalid_request_error: messages.0: secret acct 123', 'messages.0: secret acct 123'],
  ['400 ANTH api_error: hmm', '400 invalid_request_error hmm', '400 api_error hmm', 'the type is the model’s own word as the message is'],
  ['400 ANTH weird_error: hmm', 'upstream rejected the request'],
  ['401 UnrecognizedClientException: token invalid', NO_AUTH.slice(2)],
  ['402 X: pay', '402 api_error upstream error', '402 billing_error upstream error', BILLING],
  ['403 AccessDeniedException: User: arn:aws:iam::1:user/x is not authorized', DENIED.slice(2)],
  ['403 ExpiredTokenException: exp', DENIED.slice(2)],
  ['404 ResourceNotFoundException: Could not resolve the foundation model', NOT_FOUND.slice(2)],
  ['405 X: x', '405 api_error upstream error'],
  ['408 ModelTimeoutException: timeout', '408 api_error upstream error', '408 timeout_error upstream error', TIMED_OUT],
  ['409 ConflictException: c', '409 api_error upstream error'],
  ['413 X: too big', '413 request_too_large request too large for this upstream'],
  ['413 X: exceeds the context window', '413 request_too_large capability_rejected: prompt_too_long'],
  ['413 ANTH request_too_large: Request exceeds the maximum size', '413 request_too_large Request exceeds the maximum size'],
  ['413 ANTH request_too_large: prompt is too long: 3 > 2', '413 request_too_large prompt is too long: 3 > 2'],
  ['422 X: unproc', '422 api_error upstream error'],
  ['424 ModelErrorException: model err', '424 api_error upstream error'],
  ['424 ModelStreamErrorException: m', '424 api_error upstream error'],
  ['429 ThrottlingException: Too many tokens, please wait', LIMITED.slice(2)],
  ['429 ModelNotReadyException: nr', LIMITED.slice(2)],
  ['501 X: ni', '501 not_supported upstream does not support this endpoint'],
]

/** Tried with Vertex and with Foundry, which were answered alike. */
const OTHER_ROWS: readonly Row[] = [
  ...AWS_ROWS.flatMap(([row]): Row[] => {
    const message = /^400 ValidationException: ([^{]*)$/.exec(row)?.[1]
    return message === undefined ? [] : [[`400 ANTH invalid_request_error: ${message}`, message]]
  }),
  ['400 ANTH weird_error: hmm', 'upstream rejected the request'],
  ['401 ANTH authentication_error: key sk', NO_AUTH.slice(2)],
  ['402 ANTH billing_error: pay', '402 api_error upstream error', '402 billing_error upstream error', BILLING],
  ['403 ANTH permission_error: p', DENIED.slice(2)],
  ['404 ANTH not_found_error: model: x', NOT_FOUND.slice(2)],
  ['408 ANTH timeout_error: t', '408 api_error upstream error', '408 timeout_error upstream error', TIMED_OUT],
  ['409 ANTH conflict_error: c', '409 api_error upstream error'],
  ['413 ANTH request_too_large: Request exceeds the maximum size', '413 request_too_large Request exceeds the maximum size'],
  ['413 ANTH request_too_large: prompt is too long: 3 > 2', '413 request_too_large prompt is too long: 3 > 2'],
  ['422 ANTH invalid_request_error: unprocessable', '422 api_error upstream error'],
  ['429 ANTH rate_limit_error: This org rate limit', LIMITED.slice(2)],
  ['400 GOOG FAILED_PRECONDITION: The request size (30037042 bytes) exceeds 30.000MB limit.', 'Input is too long.'],
  ['400 GOOG FAILED_PRECONDITION: The message size (30037042 bytes) exceeds 30.000MB limit.', 'Input is too long.'],
  ['400 GOOG INVALID_ARGUMENT: Input is too long.', 'Input is too long.'],
  ['400 GOOG INVALID_ARGUMENT: prompt is too long: 215000 tokens > 200000 maximum', 'capability_rejected: prompt_too_long'],
  ['400 GOOG INVALID_ARGUMENT: invalid beta flag', 'upstream rejected the request', 'invalid beta flag', LITERAL],
  ['400 GOOG INVALID_ARGUMENT: messages.1.content.0: Invalid `signature` in `thinking` block', 'capability_rejected: thinking_signature'],
  ['400 GOOG INVALID_ARGUMENT: Request contains an invalid argument.', 'upstream rejected the request'],
  ['400 GOOG INVALID_ARGUMENT: Publisher Model `projects/p/locations/global/publishers/anthropic/models/x` is not servable in region us-east5.', 'upstream rejected the request'],
  [`400 GOOG INVALID_ARGUMENT: ${enveloped('invalid_request_error', 'prompt is too long: 215000 tokens > 200000 maximum')}`, 'capability_rejected: prompt_too_long'],
  ['401 GOOG UNAUTHENTICATED: Request had invalid authentication credentials', NO_AUTH.slice(2)],
  ['403 GOOG PERMISSION_DENIED: Permission denied on resource project proj', DENIED.slice(2)],
  ['404 GOOG NOT_FOUND: Publisher Model x was not found', NOT_FOUND.slice(2)],
  ['413 GOOG X: too large', '413 request_too_large request too large for this upstream'],
  ['429 GOOG RESOURCE_EXHAUSTED: Quota exceeded for aiplatform.googleapis.com', LIMITED.slice(2)],
]

/** Statuses that move on whatever is said, as the reference does. */
const FATAL_ROWS = ['500 InternalServerException: ise', '502 X: bad gw', '503 ServiceUnavailableException: Bedrock is unable', '504 X: t/o', '529 X: over', '529 ANTH overloaded_error: Overloaded', '500 GOOG INTERNAL: i', '503 GOOG UNAVAILABLE: u', '504 GOOG DEADLINE_EXCEEDED: d']

// What the reference gateway answered on the wire; a third and fourth column where ours deliberately differs, and why.
describe('beside the reference', () => {
  const whole = (text: string) => (/^\d{3} /.test(text) ? text : `400 invalid_request_error ${text}`)
  const told = (provider: CloudName, row: string) => shown(explained(provider, refusalOf(row), { betas: ['claude-code-20250219', 'afk-mode-2026-01-31'] })).replace('→ ', '')

  test.each(AWS_ROWS.map(([row, reference, ours]) => [row, ours ?? reference] as const))('Bedrock’s %s', (row, expected) => {
    expect(told('bedrock', row)).toBe(whole(expected))
  })

  test.each(OTHER_ROWS.map(([row, reference, ours]) => [row, ours ?? reference] as const))('Vertex’s and Foundry’s %s', (row, expected) => {
    for (const provider of ['vertex', 'foundry'] as const) expect(told(provider, row)).toBe(whole(expected))
  })

  test.each(FATAL_ROWS)('%s moves on', (row) => {
    for (const provider of ['bedrock', 'vertex', 'foundry'] as const) expect(shown(explained(provider, refusalOf(row)))).toStartWith('→ ')
  })

  test.each([
    [400, 'application/json', '', REJECTED],
    [403, 'text/html', '<html>403</html>', DENIED],
    [413, 'text/html', '<html>413 Request Entity Too Large</html>', TOO_LARGE],
    [400, 'application/json', JSON.stringify([{ error: { code: 400, message: 'The request size (30037042 bytes) exceeds 30.000MB limit.', status: 'FAILED_PRECONDITION' } }]), '400 invalid_request_error Input is too long.'],
    [401, 'application/json', '{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}', NO_AUTH],
    [401, 'application/json', '{"statusCode":401,"message":"Unauthorized. Access token is missing"}', NO_AUTH],
    [404, 'application/json', '{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}', NOT_FOUND],
    [429, 'application/json', '{"error":{"code":"RateLimitReached","message":"Your requests to x have exceeded"}}', LIMITED],
    [400, 'application/json', '{"error":{"code":"content_filter","message":"filtered"}}', REJECTED],
    [400, 'application/json', '{"error":{"code":"BadRequest","message":"prompt is too long: 215000 tokens > 200000 maximum"}}', capability('prompt_too_long')],
  ])('%i with %s %p', (status, type, body, expected) => {
    for (const provider of ['bedrock', 'vertex', 'foundry'] as const) expect(shown(explained(provider, { status, headers: { 'content-type': type }, body }))).toBe(expected)
  })
})

describe('readRefusal', () => {
  const read = (body: string) => readRefusal(new TextEncoder().encode(body))

  test.each([
    ['{"message":"a"}', 'a'],
    ['{"Message":"a"}', 'a'],
    ['{"error":{"message":"a"}}', 'a'],
    ['[{"error":{"message":"a"}}]', 'a'],
    ['{"error":"a"}', 'a'],
    ['{"error":{"message":""},"message":"b"}', 'b'],
    ['plain', 'plain'],
    ['"text"', '"text"'],
    ['null', 'null'],
    ['[]', '[]'],
    ['{"error":7}', '{"error":7}'],
    ['', ''],
  ])('finds the text of %p', (body, text) => {
    expect(read(body)).toMatchObject({ text, envelope: undefined })
  })

  test.each([
    '{"type":"error","error":{"type":"invalid_request_error"}}',
    '{"type":"error","error":{"type":"invalid_request_error","message":""}}',
    '{"type":"error","error":{"type":7,"message":"a"}}',
    '{"type":"error","error":{"type":"strange_error","message":"a"}}',
    '{"type":"other","error":{"type":"api_error","message":"a"}}',
    '{"error":{"type":"api_error","message":"a"}}',
  ])('takes %s for no error of the Messages API', (body) => {
    expect(read(body).envelope).toBeUndefined()
  })

  test('reads a part of a larger buffer alone', () => {
    const bytes = new TextEncoder().encode('xx{"message":"a"}yy')
    expect(readRefusal(bytes.subarray(2, -2)).text).toBe('a')
  })
})

describe('what the client is told', () => {
  test('is never longer than a screen', () => {
    const body = new TextEncoder().encode(enveloped('invalid_request_error', 'x'.repeat(5000)))
    expect(explainCloudError({ status: 400, headers: new Headers(), body }, upstreamRequest()).message).toHaveLength(1000)
  })

  test('is a path of the request and nothing beside it', () => {
    const body = new TextEncoder().encode('{"message":"In account 123456789012 (arn:aws:iam::123456789012:role/x): tools.0.custom.y: Extra inputs are not permitted; see https://internal"}')
    expect(explainCloudError({ status: 400, headers: new Headers(), body }, upstreamRequest()).message).toBe('tools.0.custom.y: Extra inputs are not permitted')
  })

  test('is of the status that the refusal means', () => {
    expect(explainCloudError({ status: 200, headers: new Headers(), body: new Uint8Array() }, upstreamRequest(), 429)).toEqual(generalError(429))
  })
})
