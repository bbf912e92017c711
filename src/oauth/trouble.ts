// What is answered when a step of the sign-in throws: to a client as OAuth says, to a person as a page.
import { DatabaseError } from '../db/database-error.ts'
import { GatewayError } from '../errors.ts'
import { oauthError } from '../http/errors/oauth.ts'
import { contextOf } from '../http/request-context.ts'
import { describeError } from '../observe/describe-error.ts'
import type { OAuthDeps } from './deps.ts'
import { awayPage, brokenPage, unreadablePage } from './pages.ts'

const RETRY_AFTER_SECONDS = '5'

/** For clients, RFC 6749 §5.2. */
export async function asOAuth(deps: OAuthDeps, request: Request, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof GatewayError) return oauthError(error.kind === 'too_large' ? 413 : 400, 'invalid_request', error.message)
    observeTrouble(deps, request, error)
    if (!(error instanceof DatabaseError)) return oauthError(500, 'server_error')
    return oauthError(503, 'temporarily_unavailable', 'the gateway cannot reach its store; try again', { 'retry-after': RETRY_AFTER_SECONDS })
  }
}

export interface TroublePages {
  away: () => Response
  unreadable: () => Response
  broken: (requestId: string) => Response
}

const DEVICE_PAGES: TroublePages = { away: awayPage, unreadable: unreadablePage, broken: brokenPage }

/** For people. */
export async function asPage(deps: Pick<OAuthDeps, 'observe'>, request: Request, work: () => Promise<Response>, pages = DEVICE_PAGES): Promise<Response> {
  // A link scanner's HEAD must not use up the code a person is about to bring.
  if (request.method === 'HEAD') return new Response(null, { status: 200 })
  try {
    return await work()
  } catch (error) {
    if (error instanceof GatewayError) return pages.unreadable()
    observeTrouble(deps, request, error)
    return error instanceof DatabaseError ? pages.away() : pages.broken(contextOf(request).requestId)
  }
}

function observeTrouble(deps: Pick<OAuthDeps, 'observe'>, request: Request, error: unknown): void {
  const { requestId } = contextOf(request)
  if (error instanceof DatabaseError) deps.observe({ op: 'error', message: `sign-in: ${error.message}`, request_id: requestId, repeat: 'oauth.store' })
  else deps.observe({ op: 'error', message: `sign-in: unexpected failure: ${describeError(error)}`, request_id: requestId })
}
