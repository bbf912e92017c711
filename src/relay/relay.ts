// The hot path. Each step can refuse; a request that reached an upstream is reported exactly once.
import { GatewayError } from '../errors.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { anthropicError } from '../http/errors/anthropic.ts'
import type { RequestContext } from '../http/request-context.ts'
import { DEFAULT_MODEL } from '../models/default-model.ts'
import type { ModelTable, ServedModel } from '../models/resolve.ts'
import { canonicalModelId } from '../models/spellings.ts'
import { usableModels } from '../models/usable-models.ts'
import type { Observe } from '../observe/events.ts'
import type { Debug } from '../observe/log-level.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import type { ModelVerdict } from '../models/model-rule.ts'
import type { Principal } from '../principal.ts'
import type { Quotas, QuotaTicket } from '../quota/quotas.ts'
import type { Surface, Upstream } from '../upstream/upstream.ts'
import { withoutDuplicates } from '../json/edit.ts'
import { attemptUpstreams, type Answered, type Attempted, type Failed, type FailedAttempt } from './attempt.ts'
import { openCharge, type Charge, type ChargeDeps } from './charge.ts'
import { clientHeaders, upstreamHeaders, upstreamQuery } from './headers.ts'
import { inferenceReport, type Report } from './inference-report.ts'
import { createJsonMeter, createStreamMeter } from './meter.ts'
import { createLane, orderFor, personOf, type Lane } from './lanes.ts'
import { nestedModels } from './nested-models.ts'
import { readMessagesRequest, type MessagesRequest } from './read-request.ts'
import { createRelayMetrics } from './relay-metrics.ts'
import { relayStream, type RelayedStream } from './stream.ts'
import { fillUsage, NO_USAGE, type Usage } from '../pricing/usage.ts'

export interface RelayDeps {
  models: ModelTable
  judgeModel: (principal: Principal, modelId: string) => ModelVerdict
  upstreams: readonly Upstream[]
  charge: ChargeDeps
  quotas?: Pick<Quotas, 'admit'> | undefined
  fetch: GuardedFetch
  maxRequestBytes: number
  observe: Observe
  debug: Debug
  /** Position of the policy that is somebody's, for the log. */
  policyIndex: (principal: Principal) => number | undefined
  version: string
  /** Monotonic, in milliseconds: for breakers and for silence in streams. */
  nowMs: () => number
}

export interface Relay {
  messages(request: Request, context: RequestContext): Promise<Response>
  countTokens(request: Request, context: RequestContext): Promise<Response>
  activeRequests(): number
  /** The upstreams with how they do, for the operator. */
  lanes(): readonly Lane[]
  metrics(): MetricFamily[]
  /** Ends every stream with an event that says why. */
  endAll(): void
  stop(): void
}

const PATHS = { messages: '/v1/messages', count_tokens: '/v1/messages/count_tokens' }
const EVENT_STREAM = 'text/event-stream'
const TICK_MS = 1000
const MOST_SUGGESTED = 4
/** A body field between a client and its own gateway. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['tags'])

export function createRelay(deps: RelayDeps): Relay {
  const lanes = deps.upstreams.map(createLane)
  const streams = new Set<RelayedStream>()
  const metrics = createRelayMetrics()
  let running = 0
  // One clock for all streams: a timer each would be work per event.
  const clock = setInterval(() => {
    const now = deps.nowMs()
    for (const stream of streams) stream.tick(now)
  }, TICK_MS)
  clock.unref()

  async function answer(surface: Surface, request: Request, context: RequestContext): Promise<Response> {
    const principal = requirePrincipal(context)
    const askedMs = performance.now()
    let arrivedMs = askedMs
    const asked = await readMessagesRequest(request, deps.maxRequestBytes, () => void (arrivedMs = performance.now()))
    const model = requireModel(deps, surface, principal, asked.model, context)
    for (const { place, name, isRun } of nestedModels(asked)) {
      if (isRun) requireModel(deps, surface, principal, name, context, `${place}: `)
      else requireAllowed(deps, surface, principal, name, deps.models.resolve(name)?.id ?? name, context, `${place}: `)
    }
    const ticket = surface === 'messages' ? admit(deps, principal, asked.model, context) : undefined
    const client = clientAbort(request)
    const ordered = orderFor(personOf(principal), lanes)
    let charge: Charge | undefined
    try {
      // Counting tokens costs nothing.
      charge = surface === 'count_tokens' ? undefined : await openCharge(deps.charge, { context, principal, headers: request.headers, asked, model, upstreams: ordered.map(({ upstream }) => upstream) })
      explain(deps, context.requestId, { principal, model, ordered, charge })
      return await answerCharged(surface, request, context, { principal, asked, model, ordered, client, charge, ticket, startMs: context.receivedMs + arrivedMs - askedMs })
    } catch (error) {
      charge?.end('failed', NO_USAGE)
      ticket?.done()
      throw error
    }
  }

  async function answerCharged(surface: Surface, request: Request, context: RequestContext, { principal, asked, model, ordered, client, charge, ticket, startMs }: Ready): Promise<Response> {
    const report = inferenceReport({ observe: deps.observe, context, principal, path: PATHS[surface], model: asked.model, charge, finished: settlerOf(ticket) })
    let isSent = false
    const sending = () => {
      if (!isSent) metrics.beforeSend(surface, performance.now() - startMs)
      isSent = true
    }
    // A model may think for minutes before it says a byte.
    context.idleLimit.lift()
    const attempted = await send(deps, ordered, surface, request, asked, model, principal, context, client.controller.signal, charge, sending).finally(context.idleLimit.restore)
    const answeredMs = performance.now()
    report.attempts(attempted.attempts)
    if (attempted.ok) report.answered(attempted)
    if (client.controller.signal.aborted) return clientGone(attempted, report)
    if (!attempted.ok) return allFailed(attempted, asked, report, context)
    const response = deliver(attempted, report, context, client, charge)
    metrics.afterAnswer(surface, performance.now() - answeredMs)
    return response
  }

  function deliver(answered: Answered, report: Report, { requestId, idleLimit }: RequestContext, client: ClientAbort, charge: Charge | undefined): Response {
    const { response, source, upstream, request, done } = answered
    const note = (text: string) => deps.observe({ op: 'warn', message: `upstream ${upstream.name}: ${text}`, request_id: requestId })
    const decoder = upstream.receive?.(response, request, note)
    const headers = clientHeaders(response.headers, requestId)
    if (response.status === 200) for (const [name, value] of Object.entries(charge?.headers ?? {})) headers.set(name, value)
    const isEventStream = isStream(answered)
    if (isEventStream) {
      if (headers.get('content-type')?.startsWith(EVENT_STREAM) !== true) headers.set('content-type', EVENT_STREAM)
      headers.set('cache-control', 'no-cache')
    }
    if (source === undefined) {
      done()
      report.finish('completed', NO_USAGE)
      return new Response(null, { status: response.status, headers })
    }
    const stream = relayStream({
      upstream: source,
      decoder,
      meter: isEventStream ? createStreamMeter() : createJsonMeter(),
      isEventStream,
      nowMs: deps.nowMs,
      abortUpstream: () => client.controller.abort(),
      finished: (outcome, usage) => {
        streams.delete(stream)
        done()
        idleLimit.restore()
        report.finish(outcome, fillUsage(usage, decoder?.usage()))
      },
    })
    streams.add(stream)
    idleLimit.lift()
    client.onGone(() => stream.end('client_gone'))
    return new Response(stream.body, { status: response.status, headers })
  }

  const counted = (surface: Surface) => async (request: Request, context: RequestContext) => {
    running++
    try {
      return await answer(surface, request, context)
    } finally {
      running--
    }
  }
  return {
    messages: counted('messages'),
    countTokens: counted('count_tokens'),
    activeRequests: () => running + streams.size,
    lanes: () => lanes,
    metrics: () => metrics.families({ requests: running + streams.size, streams: streams.size }),
    endAll: () => {
      for (const stream of [...streams]) stream.end('drained')
    },
    stop: () => clearInterval(clock),
  }
}

function send(deps: RelayDeps, lanes: readonly Lane[], surface: Surface, request: Request, asked: MessagesRequest, model: ServedModel, principal: Principal, { requestId }: RequestContext, signal: AbortSignal, charge: Charge | undefined, sending: () => void): Promise<Attempted> {
  const headers = upstreamHeaders(request.headers, `gatehouse/${deps.version}`)
  const query = upstreamQuery(request.url)
  const body = withoutDuplicates(asked, OWN_FIELDS)
  return attemptUpstreams({ ...deps, lanes, requestId, signal, tried: (attempt) => charge?.tried(attempt), sending }, model, asked.model, (upstreamModel) => ({
    surface,
    body,
    modelAsked: asked.model,
    model: upstreamModel,
    servedModel: canonicalModelId(model.id) ?? model.id,
    stream: asked.stream,
    headers,
    query,
    principal,
  }))
}

/** For whoever debugs: by which policy, with what standing, and whom it may go to. */
function explain({ debug, policyIndex }: RelayDeps, requestId: string, { principal, model, ordered, charge }: Pick<Ready, 'principal' | 'model' | 'ordered' | 'charge'>): void {
  debug(requestId, () => {
    const standing = Object.entries(charge?.headers ?? {}).map(([name, value]) => `${name.replace('anthropic-ratelimit-unified-', '')} ${value}`)
    const index = policyIndex(principal)
    return `${model.id} for ${principal.sub}: ${index === undefined ? 'no policy' : `policy ${index}`}; spend: ${standing.length === 0 ? 'no limit' : standing.join(', ')}; upstreams in order: ${ordered.map(({ upstream }) => upstream.name).join(', ')}`
  })
}

/** A request that was checked and is written down. */
interface Ready {
  readonly principal: Principal
  readonly asked: MessagesRequest
  readonly model: ServedModel
  readonly ordered: readonly Lane[]
  readonly client: ClientAbort
  /** Absent for what costs nothing. */
  readonly charge: Charge | undefined
  readonly ticket: QuotaTicket | undefined
  /** When it was there, as if its body had taken no time. */
  readonly startMs: number
}

/** Something on the way may have dropped or changed the content type of a stream that was asked for. */
function isStream({ response, request }: Answered): boolean {
  const type = response.headers.get('content-type') ?? ''
  if (type.startsWith(EVENT_STREAM)) return true
  return request.surface === 'messages' && request.stream && response.status === 200 && !type.startsWith('application/json')
}

function requirePrincipal({ principal }: RequestContext): Principal {
  if (principal === undefined) throw new GatewayError('unauthenticated', 'invalid token')
  return principal
}

/** A model that is served here and that the person may use; else 400 with the sentence of the contract, behind `place`. */
function requireModel(deps: RelayDeps, surface: Surface, principal: Principal, model: string, context: RequestContext, place = ''): ServedModel {
  const served = deps.models.resolve(model)
  if (served === undefined) {
    denied(deps, surface, context, model, 'not_served')
    throw new GatewayError('invalid_request', `${place}model ${shown(model)} is not in the operator's model allowlist`)
  }
  requireAllowed(deps, surface, principal, model, served.id, context, place)
  return served
}

/** Refuses what a list of the person's policy keeps from them; `model` is how they spelled it. */
function requireAllowed(deps: RelayDeps, surface: Surface, principal: Principal, model: string, id: string, context: RequestContext, place: string): void {
  const verdict = deps.judgeModel(principal, id)
  if (verdict === undefined) return
  denied(deps, surface, context, model, verdict === 'deniedModels' ? 'denied_by_policy' : 'not_in_policy')
  throw new GatewayError('invalid_request', `${place}model ${shown(model)} ${verdict === 'deniedModels' ? "is blocked by your role's deniedModels denylist" : "is not in your role's availableModels allowlist"}${howToBegin(deps, principal, id)}`)
}

/** Nobody chose the model that Claude Code starts with: whom it is refused is told what to do. */
function howToBegin({ models, judgeModel }: RelayDeps, principal: Principal, id: string): string {
  if (id !== DEFAULT_MODEL) return ''
  const usable = usableModels(models, (other) => judgeModel(principal, other)).slice(0, MOST_SUGGESTED).map((model) => model.id)
  return usable.length === 0 ? '' : `. Claude Code starts with it unless told otherwise: choose another with /model, such as ${usable.join(', ')}`
}

/** A place among the person's quotas, or 429. */
function admit(deps: RelayDeps, principal: Principal, model: string, context: RequestContext): QuotaTicket | undefined {
  const admission = deps.quotas?.admit(principal, deps.nowMs())
  if (admission?.ok !== false) return admission
  denied(deps, 'messages', context, model, `quota_${admission.kind}`)
  throw admission.error
}

/** Input as Anthropic's own limits per minute count it: without what was read from the cache. Made out here, where it keeps nothing of the request: `createCharge` says why. */
function settlerOf(ticket: QuotaTicket | undefined): (usage: Usage) => void {
  return (usage) => {
    const all = [usage, ...usage.beside.map((one) => one.usage)]
    const sum = (count: (one: Usage) => number) => all.reduce((total, one) => total + count(one), 0)
    ticket?.answered(sum(({ input = 0, cacheWrite5m = 0, cacheWrite1h = 0 }) => input + cacheWrite5m + cacheWrite1h), sum(({ output = 0 }) => output))
    ticket?.done()
  }
}

function denied({ observe }: RelayDeps, surface: Surface, { requestId, clientIp, principal }: RequestContext, model: string, reason: string): void {
  observe({ evt: 'inference.denied', request_id: requestId, client_ip: clientIp, issuer: principal?.issuer ?? '', sub: principal?.sub ?? '', email: principal?.email, path: PATHS[surface], model: shown(model), reason })
}

/** A name somebody sent us, short enough for a message and a log. */
function shown(model: string): string {
  return model.length > 128 ? `${model.slice(0, 128)}…` : model
}

interface ClientAbort {
  readonly controller: AbortController
  onGone(listener: () => void): void
}

/** A client that goes away takes its upstream call with it, at once until there is a stream, which sees to it itself. */
function clientAbort(request: Request): ClientAbort {
  const controller = new AbortController()
  let listener = () => controller.abort()
  const gone = () => listener()
  // Nobody is told any more of who left while the body was read.
  if (request.signal.aborted) gone()
  else request.signal.addEventListener('abort', gone, { once: true })
  return { controller, onGone: (given) => void (listener = given) }
}

function clientGone(attempted: Attempted, report: Report): Response {
  if (attempted.ok) {
    attempted.done()
    void attempted.source?.cancel().catch(() => {})
  }
  report.status(499)
  report.finish('client_gone', NO_USAGE)
  return new Response(null, { status: 499 })
}

/** The most telling failure, in the upstream's own words or in what may be told of them; else one sentence of ours. */
function allFailed(failed: Failed, { model }: MessagesRequest, report: Report, { requestId }: RequestContext): Response {
  const { telling } = failed
  const response = telling === undefined ? anthropicError(generalFailure(failed, model), requestId) : toldFailure(telling, requestId)
  if (telling !== undefined) report.failed(telling.upstream.name, telling.upstream.requestId(telling.headers))
  report.status(response.status)
  report.finish('failed', NO_USAGE)
  return response
}

function generalFailure({ attempts, isBusy, without }: Failed, model: string): GatewayError {
  if (without.length > 0) return new GatewayError('invalid_request', without.map((provider) => `model ${shown(model)} is not available on ${provider}`).join('; '))
  // The client tries again by itself on this one.
  if (isBusy) return new GatewayError('overloaded', 'all upstreams are busy; try again in a moment', { headers: { 'retry-after': '1' } })
  return new GatewayError('upstream_failed', `all upstreams failed (${attempts} attempted)`)
}

function toldFailure({ told, status, headers, body }: FailedAttempt, requestId: string): Response {
  const kept = clientHeaders(headers, requestId)
  if (told === undefined) return new Response(body, { status, headers: kept })
  for (const [name, value] of Object.entries(told.headers ?? {})) kept.set(name, value)
  kept.set('content-type', 'application/json')
  return new Response(JSON.stringify({ type: 'error', request_id: requestId, error: { type: told.type, message: told.message } }), { status: told.status, headers: kept })
}
