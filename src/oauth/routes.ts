import { Elysia } from 'elysia'
import { GatewayError } from '../errors.ts'
import { oauthError } from '../http/errors/oauth.ts'
import { createRateLimit } from '../http/rate-limit.ts'
import { contextOf } from '../http/request-context.ts'
import { DatabaseError } from '../db/database-error.ts'
import { finishVerification } from './callback.ts'
import type { OAuthDeps } from './deps.ts'
import { authorizeDevice } from './device-authorization.ts'
import { authorizationServerMetadata } from './metadata.ts'
import { awayPage, brokenPage } from './pages.ts'
import { createRefresher } from './refresh.ts'
import { revokeToken } from './revocation.ts'
import { issueToken } from './token.ts'
import { beginVerification, denyVerification, showVerification } from './verification.ts'

const RAW = { parse: 'none' } as const

/** Everything a client and a browser need to sign in. */
export function oauthRoutes(deps: OAuthDeps) {
  const limits = {
    authorization: createRateLimit({ max: deps.rateLimits.device_authorization.max, windowSeconds: deps.rateLimits.device_authorization.window_seconds }),
    verify: createRateLimit({ max: deps.rateLimits.device_verify.max, windowSeconds: deps.rateLimits.device_verify.window_seconds }),
  }
  const refresh = createRefresher(deps)
  const metadata = () => Response.json(authorizationServerMetadata(deps.publicUrl))
  return new Elysia({ name: 'oauth' })
    .get('/.well-known/oauth-authorization-server', metadata)
    .post('/.well-known/oauth-authorization-server', metadata, RAW)
    .post('/oauth/device_authorization', ({ request }) => asOAuth(deps, request, () => authorizeDevice(deps, limits, request)), RAW)
    .post('/oauth/token', ({ request }) => asOAuth(deps, request, () => issueToken(deps, refresh, request)), RAW)
    .post('/oauth/revoke', ({ request }) => asOAuth(deps, request, () => revokeToken(deps, request)), RAW)
    .get('/device', ({ request }) => showVerification(deps, request))
    .post('/device', ({ request }) => asPage(deps, request, () => beginVerification(deps, limits, request)), RAW)
    .post('/device/deny', ({ request }) => asPage(deps, request, () => denyVerification(deps, limits, request)), RAW)
    .get('/oauth/callback', ({ request }) => asPage(deps, request, () => finishVerification(deps, request)))
}

/** Renders what goes wrong for a client. */
async function asOAuth(deps: OAuthDeps, request: Request, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof GatewayError) return oauthError(error.kind === 'too_large' ? 413 : 400, 'invalid_request', error.message)
    if (!(error instanceof DatabaseError)) throw error
    observeTrouble(deps, request, error)
    return oauthError(503, 'temporarily_unavailable', 'the gateway cannot reach its store; try again', { 'retry-after': '5' })
  }
}

/** Renders what goes wrong for a person. */
async function asPage(deps: OAuthDeps, request: Request, work: () => Promise<Response>): Promise<Response> {
  // A link scanner's HEAD must not use up the code a person is about to bring.
  if (request.method === 'HEAD') return new Response(null, { status: 200 })
  try {
    return await work()
  } catch (error) {
    if (error instanceof GatewayError) return brokenPage()
    if (!(error instanceof DatabaseError)) throw error
    observeTrouble(deps, request, error)
    return awayPage()
  }
}

function observeTrouble(deps: OAuthDeps, request: Request, error: DatabaseError): void {
  deps.observe({ op: 'error', message: `sign-in: ${error.message}`, request_id: contextOf(request).requestId, repeat: 'oauth.store' })
}
