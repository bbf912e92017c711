// What happens to every request, as a list of named steps, each of which can refuse. Relayed requests leave the list
// before the router; everything else goes on to it with one canonical path.
import { GatewayError } from '../errors.ts'
import { describeError } from '../observe/describe-error.ts'
import type { Observe } from '../observe/events.ts'
import type { Debug } from '../observe/log-level.ts'
import type { Principal } from '../principal.ts'
import type { Result } from '../std/result.ts'
import type { AdminActor, RequireAdmin } from './admin-access.ts'
import { presentedToken } from './authenticate.ts'
import { readdressed } from './body.ts'
import { anthropicError } from './errors/anthropic.ts'
import { admit, isRefusal, type Admitted, type GateLimits, type GateRefusal } from './gate.ts'
import { adminRequestId, setContext, type IdleLimit, type RequestContext } from './request-context.ts'
import { withCommonHeaders } from './response-headers.ts'
import { isAdminPath, publicPath, shownPath, surfaceOf } from './surfaces.ts'

export type Route = (request: Request, context: RequestContext) => Promise<Response>

export interface PipelineDeps {
  limits: GateLimits
  hsts: boolean
  /** The caller's address, from the socket's peer and the forwarding headers of proxies that are trusted. */
  clientIp: (peer: string, headers: Headers) => string
  /** Why this address may not speak to us, or undefined when it may. */
  refuseAddress: (ip: string, exemptFromAllowList: boolean) => string | undefined
  verify: (token: string) => Promise<Result<Principal, string>>
  /** Undefined where there are no administrators: their paths are then nobody's. */
  requireAdmin: RequireAdmin | undefined
  /** Paths that bypass the router, by `METHOD path`. */
  direct: ReadonlyMap<string, Route>
  router: (request: Request) => Response | Promise<Response>
  isDraining: () => boolean
  /** Whoever asks is answered, and asks another instance the next time. */
  isLeaving: () => boolean
  /** What is done could not be written to the audit trail, and may not be done without. */
  isTrailBlocking: () => boolean
  observe: Observe
  debug: Debug
  /** Hears of every answer; `path` is empty where the gate refused, `ms` is the time to the answer's head. */
  answered: (path: string, status: number, ms: number) => void
}

/** Answers one request. Never throws: what is not a refusal of ours is `internal`, and its text stays in the log. */
export function createPipeline(deps: PipelineDeps): (request: Request, peer: string, idleLimit: IdleLimit) => Promise<Response> {
  return async (request, peer, idleLimit) => {
    const about: Arrival = { requestId: crypto.randomUUID(), clientIp: deps.clientIp(peer, request.headers), receivedMs: performance.now(), path: '' }
    const response = await answer(deps, request, about, idleLimit)
    const ms = performance.now() - about.receivedMs
    deps.answered(about.path, response.status, ms)
    deps.debug(about.requestId, () => `${request.method} ${about.path === '' ? '(refused at the gate)' : shownPath(about.path)}: ${response.status} after ${Math.round(ms)} ms, for ${about.clientIp}`)
    if (deps.isLeaving()) response.headers.set('connection', 'close')
    return withCommonHeaders(response, about.requestId, deps.hsts)
  }
}

interface Arrival {
  readonly requestId: string
  readonly clientIp: string
  readonly receivedMs: number
  /** The canonical one, once the gate has let the request in. */
  path: string
}

async function answer(deps: PipelineDeps, request: Request, arrival: Arrival, idleLimit: IdleLimit): Promise<Response> {
  const { requestId, clientIp, receivedMs } = arrival
  let shownId = requestId
  try {
    const target = admit(request, deps.limits)
    if (isRefusal(target)) return refuseTarget(target, requestId)
    arrival.path = target.path
    const open = publicPath(target.path)
    checkAddress(deps, clientIp, target, open?.exemptFromAllowList === true && !asksForFacts(target), requestId)
    checkDraining(deps, target)
    const isOpen = open !== undefined && open.methods.includes(request.method)
    const about = { requestId, clientIp, method: request.method, path: told(target.path) }
    const requireAdmin = isAdminPath(target.path) ? deps.requireAdmin : undefined
    if (requireAdmin !== undefined) shownId = adminRequestId(requestId)
    const admin: AdminActor | undefined = await requireAdmin?.(request.headers, about)
    const principal = isOpen || admin !== undefined ? undefined : await authenticate(deps, request, target, requestId, clientIp)
    const context: RequestContext = { requestId, clientIp, principal, admin, receivedAt: Date.now(), receivedMs, idleLimit }
    const direct = deps.direct.get(`${request.method} ${target.path}`)
    const response = direct ? await direct(request, context) : await route(deps, request, target, context)
    if (requireAdmin !== undefined) response.headers.set('request-id', shownId)
    return response
  } catch (error) {
    return request.signal.aborted ? callerLeft(deps, requestId) : failure(deps, error, requestId, shownId)
  }
}

const MOST_OF_PATH = 256

/** Of a path of anybody's making, for an event. */
function told(path: string): string {
  return path.length > MOST_OF_PATH ? `${path.slice(0, MOST_OF_PATH)}…` : path
}

/** Facts are for administrators: who asks for them comes from where administrators may. */
function asksForFacts({ query }: Admitted): boolean {
  return new URLSearchParams(query).has('verbose')
}

function refuseTarget(refusal: GateRefusal, requestId: string): Response {
  const headers = { connection: 'close', ...(refusal.allow === undefined ? {} : { allow: refusal.allow }) }
  return anthropicError(new GatewayError('invalid_request', refusal.message, { status: refusal.status, headers }), requestId)
}

function checkAddress(deps: PipelineDeps, clientIp: string, target: Admitted, exempt: boolean, requestId: string): void {
  const reason = deps.refuseAddress(clientIp, exempt)
  if (reason === undefined) return
  deps.observe({ evt: 'access.denied', request_id: requestId, client_ip: clientIp, reason, path: told(target.path) })
  throw new GatewayError('forbidden', 'access denied from this address')
}

/** While draining, health is still answered and everything new is sent elsewhere. */
function checkDraining(deps: PipelineDeps, target: Admitted): void {
  if (!deps.isDraining() || surfaceOf(target.path) === 'health') return
  throw new GatewayError('unavailable', 'the gateway is restarting; try again', { headers: { 'retry-after': '1', connection: 'close' } })
}

async function authenticate(deps: PipelineDeps, request: Request, target: Admitted, requestId: string, clientIp: string): Promise<Principal> {
  const presented = presentedToken(request.headers)
  const result = presented.ok ? await deps.verify(presented.value) : presented
  if (result.ok) {
    if (deps.isTrailBlocking()) throw new GatewayError('unavailable', 'audit trail unavailable; try again', { headers: { 'retry-after': '5' } })
    return result.value
  }
  deps.observe({ evt: 'auth.denied', request_id: requestId, client_ip: clientIp, reason: result.reason, method: request.method, path: told(target.path) })
  throw new GatewayError('unauthenticated', 'invalid token')
}

/** The router sees a host and a path of ours, never the client's Host: it finds the path by position. */
async function route(deps: PipelineDeps, request: Request, target: Admitted, context: RequestContext): Promise<Response> {
  const inner = readdressed(request, `http://gatehouse.internal${target.path}${target.query}`)
  setContext(inner, context)
  return deps.router(inner)
}

/** Nobody hears this answer: what was thrown is only that the body ended early. */
function callerLeft({ observe }: PipelineDeps, requestId: string): Response {
  observe({ op: 'debug', message: 'the caller left before the request was read', request_id: requestId })
  return new Response(null, { status: 499 })
}

/** `shownId`: the request's id as this surface spells it. */
function failure(deps: PipelineDeps, error: unknown, requestId: string, shownId: string): Response {
  if (error instanceof GatewayError) {
    if (error.reason !== undefined) deps.observe({ op: 'warn', message: error.reason, request_id: requestId })
    return anthropicError(error, shownId)
  }
  deps.observe({ op: 'error', message: `unexpected failure: ${describeError(error)}`, request_id: requestId })
  return anthropicError(new GatewayError('internal', 'internal error'), shownId)
}
