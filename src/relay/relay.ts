// The hot path. Each step can refuse; a request that reached an upstream is reported exactly once.
import { GatewayError } from '../errors.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { anthropicError } from '../http/errors/anthropic.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { ModelTable, ServedModel } from '../models/resolve.ts'
import type { Observe } from '../observe/events.ts'
import type { Principal } from '../principal.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { attemptUpstreams, type Attempted } from './attempt.ts'
import { mostTelling } from './failover.ts'
import { clientHeaders, upstreamHeaders, upstreamQuery } from './headers.ts'
import { inferenceReport, type Report } from './inference-report.ts'
import { createJsonMeter, createStreamMeter } from './meter.ts'
import { readMessagesRequest, type MessagesRequest } from './read-request.ts'
import { spliceBody } from './splice.ts'
import { relayStream, type RelayedStream } from './stream.ts'
import { NO_USAGE } from './usage.ts'

export interface RelayDeps {
  models: ModelTable
  allowsModel: (principal: Principal, modelId: string) => boolean
  upstreams: readonly Upstream[]
  fetch: GuardedFetch
  maxRequestBytes: number
  observe: Observe
  version: string
}

export interface Relay {
  messages(request: Request, context: RequestContext): Promise<Response>
  countTokens(request: Request, context: RequestContext): Promise<Response>
  activeRequests(): number
  /** Ends every stream with an event that says why. */
  endAll(): void
  stop(): void
}

type Surface = 'messages' | 'count_tokens'

const PATHS = { messages: '/v1/messages', count_tokens: '/v1/messages/count_tokens' }
const TICK_MS = 1000
/** A body field between a client and its own gateway. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['tags'])

export function createRelay(deps: RelayDeps): Relay {
  const streams = new Set<RelayedStream>()
  let running = 0
  // One clock for all streams: a timer each would be work per event.
  const clock = setInterval(() => {
    const now = performance.now()
    for (const stream of streams) stream.tick(now)
  }, TICK_MS)
  clock.unref()

  async function answer(surface: Surface, request: Request, context: RequestContext): Promise<Response> {
    const principal = requirePrincipal(context)
    const asked = await readMessagesRequest(request, deps.maxRequestBytes)
    const model = requireServedModel(deps, surface, asked, context)
    requireModelAccess(deps, surface, principal, model, asked, context)
    const client = clientAbort(request)
    const report = inferenceReport({ observe: deps.observe, context, principal, path: PATHS[surface], model: asked.model })
    // A model may think for minutes before it says a byte.
    context.idleLimit.lift()
    const attempted = await send(deps, surface, request, asked, model, principal, context, client.controller.signal).finally(context.idleLimit.restore)
    report.attempts(attempted.attempts)
    if (client.controller.signal.aborted) return clientGone(attempted, report)
    if (!attempted.ok) return allFailed(attempted, report, context)
    report.answered(attempted)
    return deliver(attempted, report, context, client)
  }

  function deliver(attempted: Extract<Attempted, { ok: true }>, report: Report, { requestId, idleLimit }: RequestContext, client: ClientAbort): Response {
    const { response } = attempted
    const headers = clientHeaders(response.headers, requestId)
    const isEventStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
    if (isEventStream) headers.set('cache-control', 'no-cache')
    if (response.body === null) {
      report.finish('completed', NO_USAGE)
      return new Response(null, { status: response.status, headers })
    }
    const stream = relayStream({
      upstream: response.body,
      meter: isEventStream ? createStreamMeter() : createJsonMeter(),
      isEventStream,
      nowMs: () => performance.now(),
      abortUpstream: () => client.controller.abort(),
      finished: (outcome, usage) => {
        streams.delete(stream)
        idleLimit.restore()
        report.finish(outcome, usage)
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
    endAll: () => {
      for (const stream of [...streams]) stream.end('drained')
    },
    stop: () => clearInterval(clock),
  }
}

function send(deps: RelayDeps, surface: Surface, request: Request, asked: MessagesRequest, model: ServedModel, principal: Principal, { requestId }: RequestContext, signal: AbortSignal): Promise<Attempted> {
  const headers = upstreamHeaders(request.headers, `gatehouse/${deps.version}`)
  const query = upstreamQuery(request.url)
  return attemptUpstreams({ ...deps, requestId, signal }, model, asked.model, (upstreamModel) => ({
    surface,
    body: spliceBody(asked.bytes, asked.members, upstreamModel, asked.model, OWN_FIELDS),
    model: upstreamModel,
    stream: asked.stream,
    headers,
    query,
    principal,
  }))
}

function requirePrincipal({ principal }: RequestContext): Principal {
  if (principal === undefined) throw new GatewayError('unauthenticated', 'invalid token')
  return principal
}

function requireServedModel(deps: RelayDeps, surface: Surface, { model }: MessagesRequest, context: RequestContext): ServedModel {
  const served = deps.models.resolve(model)
  if (served !== undefined) return served
  denied(deps, surface, context, model, 'not_served')
  throw new GatewayError('invalid_request', `model ${shown(model)} is not in the operator's model allowlist`)
}

function requireModelAccess(deps: RelayDeps, surface: Surface, principal: Principal, served: ServedModel, { model }: MessagesRequest, context: RequestContext): void {
  if (deps.allowsModel(principal, served.id)) return
  denied(deps, surface, context, model, 'not_in_policy')
  throw new GatewayError('invalid_request', `model ${shown(model)} is not in your role's availableModels allowlist`)
}

function denied({ observe }: RelayDeps, surface: Surface, { requestId, clientIp, principal }: RequestContext, model: string, reason: string): void {
  observe({ evt: 'inference.denied', request_id: requestId, client_ip: clientIp, sub: principal?.sub ?? '', email: principal?.email, path: PATHS[surface], model: shown(model), reason })
}

/** A name somebody sent us, short enough for a message and a log. */
function shown(model: string): string {
  return model.length > 128 ? `${model.slice(0, 128)}…` : model
}

interface ClientAbort {
  readonly controller: AbortController
  onGone(listener: () => void): void
}

/** A client that goes away takes its upstream call with it. */
function clientAbort(request: Request): ClientAbort {
  const controller = new AbortController()
  let listener = () => {}
  request.signal.addEventListener('abort', () => {
    listener()
    controller.abort()
  }, { once: true })
  return { controller, onGone: (given) => void (listener = given) }
}

function clientGone(attempted: Attempted, report: Report): Response {
  if (attempted.ok) void attempted.response.body?.cancel().catch(() => {})
  report.status(499)
  report.finish('client_gone', NO_USAGE)
  return new Response(null, { status: 499 })
}

/** The most telling failure, in the upstream's own words; else one sentence of ours. */
function allFailed({ failures, attempts }: Extract<Attempted, { ok: false }>, report: Report, { requestId }: RequestContext): Response {
  const telling = mostTelling(failures)
  const response =
    telling === undefined
      ? anthropicError(new GatewayError('upstream_failed', `all upstreams failed (${attempts} attempted)`), requestId)
      : new Response(telling.body, { status: telling.status, headers: clientHeaders(telling.headers, requestId) })
  if (telling !== undefined) report.failed(telling.upstream.name, telling.upstream.requestId(telling.headers))
  report.status(response.status)
  report.finish('failed', NO_USAGE)
  return response
}
