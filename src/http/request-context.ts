// What the outer gate learned about a request, for every step after it.
import { GatewayError } from '../errors.ts'
import type { Principal } from '../principal.ts'
import type { AdminActor } from './admin-access.ts'

export interface RequestContext {
  readonly requestId: string
  readonly clientIp: string
  /** Present on every path that is not public: the gate has checked the bearer before anything else runs. */
  readonly principal: Principal | undefined
  /** Present on every path of administrators, and there alone. */
  readonly admin?: AdminActor | undefined
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  /** Monotonic, in milliseconds: when the head of the request was there. */
  readonly receivedMs: number
  readonly idleLimit: IdleLimit
}

/**
 * The listener closes a connection on which nothing moves for a minute: a body that trickles in, a kept connection.
 * Whoever waits for an upstream lifts that, and restores it afterwards, or the connection stays open for ever.
 */
export interface IdleLimit {
  lift(): void
  restore(): void
}

const contexts = new WeakMap<Request, RequestContext>()

export function setContext(request: Request, context: RequestContext): void {
  contexts.set(request, context)
}

/** Throws when the request did not come through the gate: a route must never run without it. */
export function contextOf(request: Request): RequestContext {
  const context = contexts.get(request)
  if (context === undefined) throw new Error('a request reached a route without passing the gate')
  return context
}

/** The caller of an administrator's route. Throws `not_found` where the gate found none: then there are no administrators. */
export function adminOf(request: Request): AdminActor {
  const { admin } = contextOf(request)
  if (admin === undefined) throw new GatewayError('not_found', 'not found')
  return admin
}

/** The id of a request as the admin API spells it (contract §6), in the header `request-id` and in errors. */
export function adminRequestId(requestId: string): string {
  return `req_${requestId.replaceAll('-', '')}`
}

/** The caller of a bearer route. Throws `unauthenticated` where the gate found none. */
export function principalOf(request: Request): Principal {
  const { principal } = contextOf(request)
  if (principal === undefined) throw new GatewayError('unauthenticated', 'invalid token')
  return principal
}
