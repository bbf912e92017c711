// Who changes something for administrators: a key that may only read is told so before anything of the body is read.
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'
import type { AdminActor } from './admin-access.ts'
import { adminOf, contextOf } from './request-context.ts'

/** The caller, who may write; `permission` is what others lack, such as `write:spend_limits`. Throws `forbidden`, and `not_found` as `adminOf`. */
export function writerOf(request: Request, permission: string, observe: Observe): AdminActor {
  const actor = adminOf(request)
  if (actor.mayWrite) return actor
  const { requestId, clientIp } = contextOf(request)
  observe({ evt: 'admin.denied', request_id: requestId, client_ip: clientIp, method: request.method, path: new URL(request.url).pathname, actor: actor.name })
  throw new GatewayError('forbidden', `requires ${permission}`)
}
