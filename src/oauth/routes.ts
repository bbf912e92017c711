import { Elysia } from 'elysia'
import { createRateLimit } from '../http/rate-limit.ts'
import { finishVerification } from './callback.ts'
import type { Limits, OAuthDeps } from './deps.ts'
import { authorizeDevice } from './device-authorization.ts'
import { authorizationServerMetadata } from './metadata.ts'
import { createRefresher } from './refresh.ts'
import { revokeToken } from './revocation.ts'
import { issueToken } from './token.ts'
import { asOAuth, asPage } from './trouble.ts'
import { beginVerification, denyVerification, showVerification } from './verification.ts'

const RAW = { parse: 'none' } as const
/** People reload the page, and an office shares an address. */
const LOOKS_PER_ENTRY = 10

/** Everything a client and a browser need to sign in. */
export function oauthRoutes(deps: OAuthDeps) {
  const limits = createLimits(deps)
  const refresh = createRefresher(deps)
  const metadata = () => Response.json(authorizationServerMetadata(deps.publicUrl))
  return new Elysia({ name: 'oauth' })
    .get('/.well-known/oauth-authorization-server', metadata)
    .post('/.well-known/oauth-authorization-server', metadata, RAW)
    .post('/oauth/device_authorization', ({ request }) => asOAuth(deps, request, () => authorizeDevice(deps, limits, request)), RAW)
    .post('/oauth/token', ({ request }) => asOAuth(deps, request, () => issueToken(deps, refresh, request)), RAW)
    .post('/oauth/revoke', ({ request }) => asOAuth(deps, request, () => revokeToken(deps, request)), RAW)
    .get('/device', ({ request }) => asPage(deps, request, () => showVerification(deps, limits, request)))
    .post('/device', ({ request }) => asPage(deps, request, () => beginVerification(deps, limits, request)), RAW)
    .post('/device/deny', ({ request }) => asPage(deps, request, () => denyVerification(deps, limits, request)), RAW)
    .get('/oauth/callback', ({ request }) => asPage(deps, request, () => finishVerification(deps, limits, request)))
}

function createLimits({ rateLimits: { device_authorization, device_verify } }: OAuthDeps): Limits {
  return {
    authorization: createRateLimit({ max: device_authorization.max, windowSeconds: device_authorization.window_seconds }),
    verify: createRateLimit({ max: device_verify.max, windowSeconds: device_verify.window_seconds }),
    look: createRateLimit({ max: device_verify.max * LOOKS_PER_ENTRY, windowSeconds: device_verify.window_seconds }),
  }
}
