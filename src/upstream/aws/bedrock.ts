// Amazon Bedrock's InvokeModel, InvokeModelWithResponseStream and CountTokens.
import { catalogModel } from '../../models/spellings.ts'
import { awsErrorType, createAwsAuthentication } from './authentication.ts'
import { bedrockBody, bedrockCountBody, countAnswer, foundationModel, modelSegment, withoutOwnMembers, type BedrockContext } from './bedrock-body.ts'
import { createBedrockDecoder, createOpeningReader, type ExplainException } from './bedrock-stream.ts'
import { sentBetas } from '../betas.ts'
import { explainCloudError, explainText, generalError, readRefusal } from '../cloud-errors.ts'
import type { UpstreamConfig } from '../config.ts'
import { commonOf, credentialDeps, setStaticHeaders, type UpstreamDeps } from '../deps.ts'
import { generationOf } from '../../models/generation.ts'
import { createLearned, leaveOut } from '../learned.ts'
import { wholeAnswerDecoder } from '../whole-answer.ts'
import type { ClientError, Refusal, Upstream, UpstreamRequest } from '../upstream.ts'

type BedrockConfig = Extract<UpstreamConfig, { provider: 'bedrock' }>

/** Of a client's betas the ones that CountTokens takes. */
const COUNT_BETAS = ['claude-code-20250219']
/** A whole answer is a few hundred kilobytes at most. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024
const MAX_COUNT_BYTES = 64 * 1024
const IS_FOUNDATION_MODEL = /^anthropic\.[\w.:-]+$/

export function createBedrock(config: BedrockConfig, position: number, deps: UpstreamDeps): Upstream {
  const baseUrl = config.base_url ?? `https://bedrock-runtime.${config.region}.amazonaws.com`
  const authentication = createAwsAuthentication('bedrock', config, credentialDeps(config, deps))
  const learned = createLearned(deps.now)

  function contextOf(request: UpstreamRequest): BedrockContext {
    const taken = sentBetas('bedrock', request, config.betas ?? {}, learned.betas(request))
    const betas = request.surface === 'messages' ? taken : taken.filter((beta) => COUNT_BETAS.includes(beta))
    return { version: request.headers.get('anthropic-version'), betas, generation: generationOf(request.servedModel), learned: learned.paths(request, betas) }
  }

  return {
    ...commonOf(config, position, deps),
    region: config.region,
    async prepare(request) {
      const { operation, model, body } = invocationOf(request, contextOf(request))
      const url = `${baseUrl}/model/${modelSegment(model)}/${operation}`
      const headers = bedrockHeaders(request.headers, config)
      await authentication.authorize({ url, headers, body }, request)
      return { url, headers: withProduct(headers, request.headers), body }
    },
    impossible: (request) => (request.surface === 'count_tokens' && countedModel(request) === undefined ? CANNOT_COUNT : undefined),
    amend(refusal, request) {
      if (authentication.renewIfOver(refusal, request)) return 'its credential was over'
      return leaveOut(learned, refusal, request, contextOf(request).betas)
    },
    explain: explainBedrock,
    opening({ headers }) {
      const read = createOpeningReader()
      return (chunk) => {
        const found = read(chunk)
        if (found === undefined || found === 'begun') return found
        const named = new Headers(headers)
        named.set('x-amzn-errortype', found.exception.charAt(0).toUpperCase() + found.exception.slice(1))
        return { status: statusOf(found.exception), headers: named, body: found.payload }
      }
    },
    receive(answer, request, note) {
      learned.accepted(request, contextOf(request).betas)
      if (request.surface === 'count_tokens') return wholeAnswerDecoder(MAX_COUNT_BYTES, countAnswer)
      if (!request.stream || answer.headers.get('content-type')?.startsWith('application/json') === true) return wholeAnswerDecoder(MAX_ANSWER_BYTES, withoutOwnMembers)
      return createBedrockDecoder(explainException(request), note)
    },
    requestId: (headers) => headers.get('x-amzn-requestid') ?? undefined,
    credential: () => authentication.state(),
    leftOut: () => learned.list(),
  }
}

function invocationOf(request: UpstreamRequest, context: BedrockContext) {
  if (request.surface === 'count_tokens') return { operation: 'count-tokens', model: countedModel(request) ?? request.model, body: bedrockCountBody(request.body, context) }
  return { operation: request.stream ? 'invoke-with-response-stream' : 'invoke', model: request.model, body: bedrockBody(request.body, context) }
}

/** CountTokens knows foundation models alone: behind a profile's ARN stands the model it is mapped from. */
function countedModel({ model, servedModel }: UpstreamRequest): string | undefined {
  const id = foundationModel(model)
  return IS_FOUNDATION_MODEL.test(id) ? id : catalogModel(servedModel)?.bedrock
}

function bedrockHeaders(client: Headers, config: BedrockConfig): Headers {
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json' })
  const version = client.get('anthropic-version')
  // Signed: nothing that a proxy or the signature's rules for white space might read otherwise.
  if (version !== null && /^[\w.-]+$/.test(version)) headers.set('anthropic-version', version)
  if (config.guardrail !== undefined) {
    headers.set('x-amzn-bedrock-guardrailidentifier', config.guardrail.identifier)
    headers.set('x-amzn-bedrock-guardrailversion', config.guardrail.version)
    if (config.guardrail.trace) headers.set('x-amzn-bedrock-trace', 'ENABLED')
  }
  setStaticHeaders(headers, config)
  return headers
}

/** After the signature, which must not cover what a proxy on the way may change. */
function withProduct(headers: Headers, client: Headers): Headers {
  for (const name of ['user-agent', 'accept-encoding']) headers.set(name, client.get(name) ?? 'identity')
  return headers
}

const CANNOT_COUNT: ClientError = { ...generalError(501), headers: { 'x-should-retry': 'false' } }
/** Of the account, the region or our mapping, not of the request. */
const NO_SUCH_MODEL = /model identifier is invalid|on-demand throughput isn.t supported|reached the end of its life/i

/** Clients count by other means when they are told that it is not supported. */
function explainBedrock(refusal: Refusal, request: UpstreamRequest): ClientError {
  if (request.surface === 'count_tokens') return CANNOT_COUNT
  const type = awsErrorType(refusal.headers)
  if (type === 'ThrottlingException' || type === 'ServiceQuotaExceededException') return generalError(429)
  if (refusal.status === 400 && NO_SUCH_MODEL.test(readRefusal(refusal.body).text)) return { ...generalError(400), message: `model ${request.servedModel} is not available on bedrock`, movesOn: true }
  return explainCloudError(refusal, request)
}

/** An exception in mid-stream and what it would have been as an answer. */
const EXCEPTIONS: Readonly<Record<string, number>> = {
  throttlingException: 429,
  validationException: 400,
  modelTimeoutException: 504,
  serviceUnavailableException: 503,
  internalServerException: 500,
  modelStreamErrorException: 500,
}

/** An `:error-code` begins with a capital. */
function statusOf(exception: string): number {
  return EXCEPTIONS[exception.charAt(0).toLowerCase() + exception.slice(1)] ?? 500
}

function explainException(request: UpstreamRequest): ExplainException {
  return (exception, payload) => {
    const status = statusOf(exception)
    const { type, message } = generalError(status)
    const said = status === 400 ? readRefusal(payload) : undefined
    if (said?.envelope !== undefined) return said.envelope
    return { type, message: (said && explainText(status, said.text, request)) ?? message }
  }
}
