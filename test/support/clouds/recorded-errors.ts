// Errors of the providers in the exact shape they have on the wire, as data: what a gateway makes of each is for the tests
// that send them. Names are unique across the file.
import { chunkFrame, errorFrame, exceptionFrame } from './event-stream.ts'

export type Provider = 'anthropic' | 'bedrock' | 'mantle' | 'anthropicAws' | 'vertex' | 'anthropicGoogleCloud' | 'foundry'

export interface RecordedError {
  provider: Provider
  name: string
  status: number
  headers: Record<string, string>
  body: string
}

/** What ends a stream that began with status 200: bytes to be sent after some events. */
export interface RecordedStreamError {
  provider: Provider
  name: string
  bytes: Uint8Array | string
}

const JSON_TYPE = { 'content-type': 'application/json' }
const REQUEST_ID = 'req_01RecordedRecordedRecorded'

function envelope(provider: Provider, status: number, type: string, message: string, { name = `${type}: ${message.slice(0, 40)}`, headers = {} }: { name?: string; headers?: Record<string, string> } = {}): RecordedError {
  return { provider, name: `${provider} ${status} ${name}`, status, headers: { ...JSON_TYPE, 'request-id': REQUEST_ID, ...headers }, body: JSON.stringify({ type: 'error', error: { type, message }, request_id: REQUEST_ID }) }
}

/** Anthropic's own words, which every provider passes on from the model. */
const MODEL_WORDS: [name: string, message: string][] = [
  ['prompt too long', 'prompt is too long: 210000 tokens > 200000 maximum'],
  ['input and max_tokens exceed the context', 'input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or `max_tokens` and try again'],
  ['thinking signature', 'messages.1.content.0: Invalid `signature` in `thinking` block'],
  ['thinking signature missing', 'messages.1.content.0.thinking.signature: Field required'],
  ['thinking blocks modified', 'messages.3.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were in the original response.'],
  ['thinking field unknown', "thinking.type: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'"],
  ['thinking enabled not supported', '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'],
  ['mid-conversation system message', "messages.3.role: Input should be 'user' or 'assistant'"],
  ['tool field defer_loading', 'tools.0.custom.defer_loading: Extra inputs are not permitted'],
  ['tool field strict', 'tools.2.custom.strict: Extra inputs are not permitted'],
  ['tool field eager_input_streaming', 'tools.0.custom.eager_input_streaming: Extra inputs are not permitted'],
  ['server tool unknown', "tools.1: Input tag 'web_search_20250305' found using 'type' does not match any of the expected tags: 'bash_20250124', 'custom', 'text_editor_20250728'"],
  ['cache scope', 'system.1.cache_control.ephemeral.scope: Extra inputs are not permitted'],
  ['context_management', 'context_management: Extra inputs are not permitted'],
  ['output_config', 'output_config: Extra inputs are not permitted'],
  ['orphaned tool result', 'messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_01. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.'],
  ['image dimensions', 'messages.0.content.1.image.source.base64.data: At least one of the image dimensions exceed max allowed size: 8000 pixels'],
  ['max_tokens too high', 'max_tokens: 200000 > 128000, which is the maximum allowed number of output tokens for claude-opus-5-5'],
]

const ENVELOPE_PROVIDERS: readonly Provider[] = ['anthropic', 'mantle', 'anthropicAws', 'vertex', 'anthropicGoogleCloud', 'foundry']

const ENVELOPES = ENVELOPE_PROVIDERS.flatMap((provider): RecordedError[] => [
  ...MODEL_WORDS.map(([name, message]) => envelope(provider, 400, 'invalid_request_error', message, { name })),
  envelope(provider, 422, 'invalid_request_error', 'messages.1.content.0: Invalid `signature` in `thinking` block', { name: 'thinking signature as 422' }),
  envelope(provider, 400, 'invalid_request_error', 'Unexpected value(s) `fast-mode-2026-02-01` for the `anthropic-beta` header', { name: 'unknown beta' }),
  envelope(provider, 400, 'invalid_request_error', 'anthropic-version: "2030-01-01" is not a valid version', { name: 'unknown version' }),
  envelope(provider, 404, 'not_found_error', 'model: claude-opus-9', { name: 'unknown model' }),
  envelope(provider, 413, 'request_too_large', 'Request exceeds the maximum size', { name: 'too large' }),
  envelope(provider, 429, 'rate_limit_error', "This request would exceed your organization's rate limit of 400,000 input tokens per minute (org: b2f0a8de-0000-4000-8000-00000000c10d).", { name: 'rate limit', headers: { 'retry-after': '17' } }),
  envelope(provider, 500, 'api_error', 'Internal server error', { name: 'internal' }),
  envelope(provider, 529, 'overloaded_error', 'Overloaded', { name: 'overloaded', headers: { 'x-should-retry': 'true' } }),
])

const LIMITS = { 'anthropic-ratelimit-requests-limit': '50', 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': '2026-11-22T10:00:30Z' }
const html = (status: number, text: string) => ({ status, headers: { 'content-type': 'text/html' }, body: `<html><head><title>${status} ${text}</title></head><body><center><h1>${status} ${text}</h1></center></body></html>` })

const ANTHROPIC: RecordedError[] = [
  envelope('anthropic', 400, 'invalid_request_error', 'You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.', { name: 'spend limit set by the user' }),
  envelope('anthropic', 400, 'invalid_request_error', 'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.', { name: 'credit balance' }),
  envelope('anthropic', 401, 'authentication_error', 'invalid x-api-key', { name: 'wrong key' }),
  envelope('anthropic', 402, 'billing_error', 'There is an issue with your billing or payment information.', { name: 'billing' }),
  envelope('anthropic', 403, 'permission_error', 'Your API key does not have permission to use the specified resource.', { name: 'permission' }),
  envelope('anthropic', 409, 'conflict_error', 'The request conflicts with the current state of the resource.', { name: 'conflict' }),
  envelope('anthropic', 429, 'rate_limit_error', 'Number of requests has exceeded your rate limit', { name: 'rate limit with headers', headers: { ...LIMITS, 'retry-after': '30' } }),
  envelope('anthropic', 429, 'rate_limit_error', 'You have reached the monthly spend cap of your usage tier.', { name: 'tier spend cap without retry-after' }),
  envelope('anthropic', 504, 'timeout_error', 'Your request timed out while processing.', { name: 'timeout' }),
  { provider: 'anthropic', name: 'anthropic 413 from the edge', ...html(413, 'Request Entity Too Large') },
  { provider: 'anthropic', name: 'anthropic 502 from the edge', ...html(502, 'Bad Gateway') },
  { provider: 'anthropic', name: 'anthropic 529 without a body', status: 529, headers: {}, body: '' },
]

function aws(provider: Provider, status: number, type: string, message: string, name = type, extra: object = {}): RecordedError {
  return {
    provider,
    name: `${provider} ${status} ${name}`,
    status,
    headers: { ...JSON_TYPE, 'x-amzn-requestid': '8c3c1d6a-0000-4000-8000-0000000000aa', 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` },
    body: JSON.stringify({ message, ...extra }),
  }
}

const ROLE = 'arn:aws:sts::123456789012:assumed-role/gateway-prod/i-0abc'
const PROFILE = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234'

const BEDROCK: RecordedError[] = [
  ...MODEL_WORDS.map(([name, message]) => aws('bedrock', 400, 'ValidationException', message, name)),
  aws('bedrock', 400, 'ValidationException', 'The provided model identifier is invalid.', 'model identifier invalid'),
  aws('bedrock', 400, 'ValidationException', "Invocation of model ID anthropic.claude-opus-5-5 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.", 'on-demand not supported'),
  aws('bedrock', 400, 'ValidationException', 'Input is too long for requested model.', 'input too long'),
  aws('bedrock', 400, 'ValidationException', 'Input is too long.', 'input too long, short form'),
  aws('bedrock', 400, 'ValidationException', 'invalid beta flag', 'invalid beta flag'),
  aws('bedrock', 400, 'ValidationException', 'Invalid API version: 2026-10-21', 'invalid API version'),
  aws('bedrock', 400, 'ValidationException', 'Malformed input request: #: extraneous key [stream] is not permitted, please reformat your input and try again.', 'malformed input'),
  aws('bedrock', 400, 'ValidationException', 'x-anthropic-billing-header is a reserved keyword and may not be used in the system prompt.', 'reserved billing header'),
  aws('bedrock', 400, 'ValidationException', JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' } }), 'Anthropic envelope inside the message'),
  aws('bedrock', 400, 'ValidationException', `Access to the inference profile ${PROFILE} requires account 123456789012 to accept the agreement.`, 'text that names an account'),
  aws('bedrock', 400, 'ServiceQuotaExceededException', 'Your request exceeds the service quota for your account 123456789012.'),
  aws('bedrock', 400, 'ConflictException', 'Error occurred because of a conflict while performing an operation.'),
  aws('bedrock', 403, 'AccessDeniedException', `User: ${ROLE} is not authorized to perform: bedrock:InvokeModelWithResponseStream on resource: ${PROFILE} because no identity-based policy allows the bedrock:InvokeModelWithResponseStream action`),
  aws('bedrock', 403, 'AccessDeniedException', "You don't have access to the model with the specified model ID.", 'AccessDeniedException for the model'),
  aws('bedrock', 403, 'UnrecognizedClientException', 'The security token included in the request is invalid.'),
  aws('bedrock', 403, 'ExpiredTokenException', 'The security token included in the request is expired'),
  aws('bedrock', 403, 'InvalidSignatureException', 'Signature expired: 20261122T100000Z is now earlier than 20261122T100500Z (20261122T101000Z - 5 min.)'),
  aws('bedrock', 404, 'ResourceNotFoundException', 'Could not resolve the foundation model from the provided model identifier.'),
  aws('bedrock', 404, 'ResourceNotFoundException', 'This model version has reached the end of its life. Please refer to the AWS documentation for more details.', 'ResourceNotFoundException for a retired model'),
  aws('bedrock', 408, 'ModelTimeoutException', 'The model took too long to process the request.'),
  aws('bedrock', 424, 'ModelErrorException', 'The model returned an error.', 'ModelErrorException', { originalStatusCode: 500, resourceName: PROFILE }),
  aws('bedrock', 424, 'ModelStreamErrorException', 'The model stream failed.', 'ModelStreamErrorException', { originalStatusCode: 500, originalMessage: 'internal' }),
  aws('bedrock', 429, 'ThrottlingException', 'Too many tokens, please wait before trying again.'),
  aws('bedrock', 429, 'ThrottlingException', 'Too many requests, please wait before trying again.', 'ThrottlingException for requests'),
  aws('bedrock', 429, 'ModelNotReadyException', 'The model is not ready to serve inference requests.'),
  aws('bedrock', 500, 'InternalServerException', 'The system encountered an unexpected error during processing. Try your request again.'),
  aws('bedrock', 503, 'ServiceUnavailableException', 'Bedrock is unable to process your request.'),
  { provider: 'bedrock', name: 'bedrock 404 unknown operation', status: 404, headers: JSON_TYPE, body: '{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}' },
  { provider: 'bedrock', name: 'bedrock 400 class only in the body', status: 400, headers: JSON_TYPE, body: '{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error detected"}' },
  { provider: 'bedrock', name: 'bedrock 403 with a capital Message', status: 403, headers: { ...JSON_TYPE, 'x-amzn-errortype': 'AccessDeniedException' }, body: JSON.stringify({ Message: `User: ${ROLE} is not authorized` }) },
  { provider: 'bedrock', name: 'bedrock 503 without a body', status: 503, headers: {}, body: '' },
]

const OTHER_AWS: RecordedError[] = [
  ...(['mantle', 'anthropicAws'] as const).flatMap((provider) => [
    aws(provider, 403, 'AccessDeniedException', `User: ${ROLE} is not authorized to perform: ${provider === 'mantle' ? 'bedrock-mantle' : 'aws-external-anthropic'}:CreateInference`),
    aws(provider, 403, 'UnrecognizedClientException', 'The security token included in the request is invalid.'),
    aws(provider, 403, 'ExpiredTokenException', 'The security token included in the request is expired'),
    aws(provider, 403, 'InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.'),
    aws(provider, 429, 'ThrottlingException', 'Rate exceeded'),
    aws(provider, 503, 'ServiceUnavailableException', 'Service Unavailable'),
    envelope(provider, 401, 'authentication_error', 'invalid x-api-key', { name: 'wrong key' }),
  ]),
  envelope('anthropicAws', 403, 'permission_error', 'Outbound web identity federation is disabled for your account 123456789012', { name: 'web identity federation disabled' }),
  envelope('anthropicAws', 400, 'invalid_request_error', 'anthropic-workspace-id: header is required', { name: 'no workspace' }),
]

function google(provider: Provider, status: number, code: string, message: string, { name = code, details, inArray = false }: { name?: string; details?: object[]; inArray?: boolean } = {}): RecordedError {
  const error = { error: { code: status, message, status: code, ...(details !== undefined && { details }) } }
  return { provider, name: `${provider} ${status} ${name}${inArray ? ', in an array' : ''}`, status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: JSON.stringify(inArray ? [error] : error, null, 2) }
}

const RESOURCE = 'projects/acme-prod/locations/global/publishers/anthropic/models/claude-opus-5-5'

const GOOGLE: RecordedError[] = (['vertex', 'anthropicGoogleCloud'] as const).flatMap((provider) => [
  ...[false, true].flatMap((inArray) => [
    google(provider, 400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.', { inArray }),
    google(provider, 401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.', {
      inArray,
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'ACCESS_TOKEN_EXPIRED', domain: 'googleapis.com', metadata: { service: 'aiplatform.googleapis.com' } }],
    }),
    google(provider, 403, 'PERMISSION_DENIED', `Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/${RESOURCE}' (or it may not exist).`, { inArray }),
    google(provider, 404, 'NOT_FOUND', `Publisher Model \`${RESOURCE}\` was not found or your project does not have access to it.`, { inArray }),
    google(provider, 429, 'RESOURCE_EXHAUSTED', 'Quota exceeded for aiplatform.googleapis.com/online_prediction_input_tokens_per_minute_per_base_model with base model: anthropic-claude-opus-5-5.', { inArray }),
    google(provider, 500, 'INTERNAL', 'Internal error encountered.', { inArray }),
    google(provider, 503, 'UNAVAILABLE', 'The service is currently unavailable.', { inArray }),
    google(provider, 504, 'DEADLINE_EXCEEDED', 'Deadline expired before operation could complete.', { inArray }),
  ]),
  google(provider, 400, 'INVALID_ARGUMENT', 'Request payload size exceeds the limit: 31457280 bytes.', { name: 'payload too large' }),
  google(provider, 400, 'FAILED_PRECONDITION', `Project \`acme-prod\` is not allowed to use Publisher Model \`${RESOURCE}\``, { name: 'FAILED_PRECONDITION that names the project' }),
  google(provider, 413, 'INVALID_ARGUMENT', 'Prompt is too long', { name: 'prompt too long in Google’s shape' }),
  { provider, name: `${provider} 413 from the front end`, ...html(413, 'Request Entity Too Large') },
  { provider, name: `${provider} 502 from the front end`, ...html(502, 'Server Error') },
])

const azure = (status: number, name: string, body: object, headers: Record<string, string> = {}): RecordedError => ({
  provider: 'foundry',
  name: `foundry ${status} ${name}`,
  status,
  headers: { ...JSON_TYPE, 'apim-request-id': '2b0e9d5e-0000-4000-8000-0000000000bb', ...headers },
  body: JSON.stringify(body),
})

const FOUNDRY: RecordedError[] = [
  azure(400, 'content filter', { error: { code: 'content_filter', message: 'The response was filtered due to the prompt triggering the content management policy.', status: 400 } }),
  azure(400, 'bad request of the front door', { error: { code: '400', message: 'Unsupported api-version for resource acme-foundry-prod.' } }),
  azure(401, 'front door', { error: { code: '401', message: 'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.' } }),
  azure(401, 'gateway', { statusCode: 401, message: 'Unauthorized. Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have expired.' }, { 'www-authenticate': 'Bearer' }),
  azure(401, 'PermissionDenied', { error: { code: 'PermissionDenied', message: 'The principal `6f1e0c7a-0000-4000-8000-0000000000cc` lacks the required data action `Microsoft.CognitiveServices/accounts/AIServices/anthropic/messages/action`.' } }),
  azure(403, 'firewall', { error: { code: '403', message: 'Access denied due to Virtual Network/Firewall rules.' } }),
  azure(404, 'deployment not found', { error: { code: 'DeploymentNotFound', message: 'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.' } }),
  azure(404, 'deployment not found, short', { error: { code: '404', message: 'Deployment not found' } }),
  azure(404, 'resource not found', { statusCode: 404, message: 'Resource not found' }),
  azure(408, 'timeout', { error: { code: 'Timeout', message: 'The operation was timeout.' } }),
  azure(413, 'front door', { error: { code: '413', message: 'Request body too large.' } }),
  azure(429, 'front door', { error: { code: '429', message: 'Requests to the claude-opus-5-5 deployment have exceeded the token rate limit of your current pricing tier. Please retry after 12 seconds.' } }, { 'retry-after': '12' }),
  azure(429, 'gateway', { statusCode: 429, message: 'Rate limit is exceeded. Try again in 12 seconds.' }, { 'retry-after': '12' }),
  azure(500, 'gateway', { statusCode: 500, message: 'Internal server error', activityId: '0d9c0000-0000-4000-8000-0000000000dd' }),
  azure(503, 'front door', { error: { code: 'ServiceUnavailable', message: 'The service is temporarily unable to process your request. Please try again later.' } }),
  { provider: 'foundry', name: 'foundry 502 from the front door', ...html(502, 'Bad Gateway') },
]

export const RECORDED_ERRORS: readonly RecordedError[] = [...ANTHROPIC, ...ENVELOPES, ...BEDROCK, ...OTHER_AWS, ...GOOGLE, ...FOUNDRY]

export const errorsOf = (provider: Provider): RecordedError[] => RECORDED_ERRORS.filter((row) => row.provider === provider)

/** The row of this name; throws when there is none. */
export function recorded(name: string): RecordedError {
  const row = RECORDED_ERRORS.find((each) => each.name === name)
  if (row === undefined) throw new Error(`no recorded error is named ${name}`)
  return row
}

const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
const sse = (data: object) => `event: error\ndata: ${JSON.stringify(data)}\n\n`

export const RECORDED_STREAM_ERRORS: readonly RecordedStreamError[] = [
  { provider: 'bedrock', name: 'bedrock stream throttling', bytes: exceptionFrame('throttlingException', { message: 'Too many requests, please wait before trying again.' }) },
  { provider: 'bedrock', name: 'bedrock stream validation', bytes: exceptionFrame('validationException', { message: 'Input is too long for requested model.' }) },
  { provider: 'bedrock', name: 'bedrock stream model error', bytes: exceptionFrame('modelStreamErrorException', { message: 'The model stream failed.', originalMessage: 'internal', originalStatusCode: 500 }) },
  { provider: 'bedrock', name: 'bedrock stream model timeout', bytes: exceptionFrame('modelTimeoutException', { message: 'Model has timed out in processing the request. Try your request again.' }) },
  { provider: 'bedrock', name: 'bedrock stream internal', bytes: exceptionFrame('internalServerException', { message: 'The system encountered an unexpected error during processing.' }) },
  { provider: 'bedrock', name: 'bedrock stream unavailable', bytes: exceptionFrame('serviceUnavailableException', { message: 'Bedrock is unable to process your request.' }) },
  { provider: 'bedrock', name: 'bedrock stream exception of an unknown type', bytes: exceptionFrame('somethingNewException', { message: `failed in account 123456789012` }) },
  { provider: 'bedrock', name: 'bedrock stream error frame', bytes: errorFrame('InternalServerException', 'An internal server error occurred') },
  { provider: 'bedrock', name: 'bedrock stream Anthropic error in a chunk', bytes: chunkFrame(overloaded) },
  ...ENVELOPE_PROVIDERS.flatMap((provider): RecordedStreamError[] => [
    { provider, name: `${provider} stream overloaded`, bytes: sse(overloaded) },
    { provider, name: `${provider} stream internal`, bytes: sse({ type: 'error', error: { type: 'api_error', message: 'Internal server error' } }) },
  ]),
]
