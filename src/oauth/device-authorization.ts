// RFC 8628 §3.1 and §3.2: a device asks for a code.
import { oauthError } from '../http/errors/oauth.ts'
import { addressKey } from '../http/rate-limit.ts'
import { contextOf } from '../http/request-context.ts'
import { createOpaqueToken, createUserCode, hashToken, showUserCode } from './codes.ts'
import type { Limits, OAuthDeps } from './deps.ts'
import { FIRST_INTERVAL_SECONDS, GRANT_LIFETIME_SECONDS } from './device-grant.ts'
import { readParameters } from './parameters.ts'
import { insertGrant } from './store.ts'

const MAX_FORM_BYTES = 8 * 1024
/** Characters of what a stranger says of itself. */
const MAX_LOGGED = 200
/** A thousand waiting grants collide once in 25 million; so many collisions in a row mean that something is broken. */
const MAX_TRIES = 5

/** Answers `{device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval}`. Unknown parameters are ignored. */
export async function authorizeDevice(deps: OAuthDeps, limits: Limits, request: Request): Promise<Response> {
  const { requestId, clientIp } = contextOf(request)
  const verdict = limits.authorization(addressKey(clientIp), deps.now().getTime())
  if (!verdict.ok) return oauthError(429, 'slow_down', 'too many sign-ins from this address', { 'retry-after': String(verdict.retryAfterSeconds) })
  const surface = (await readParameters(request, MAX_FORM_BYTES)).get('surface')
  const deviceCode = createOpaqueToken()
  const deviceCodeHash = hashToken(deviceCode)
  const userCode = await storeGrant(deps, deviceCodeHash, clientIp)
  const userAgent = request.headers.get('user-agent')
  deps.observe({
    evt: 'device.authorize',
    request_id: requestId,
    client_ip: clientIp,
    device_code_hash: deviceCodeHash.slice(0, 12),
    ...(surface !== undefined && { surface: surface.slice(0, MAX_LOGGED) }),
    ...(userAgent !== null && { user_agent: userAgent.slice(0, MAX_LOGGED) }),
  })
  const verificationUri = `${deps.publicUrl}/device`
  return Response.json(
    {
      device_code: deviceCode,
      user_code: showUserCode(userCode),
      verification_uri: verificationUri,
      verification_uri_complete: `${verificationUri}?user_code=${showUserCode(userCode)}`,
      expires_in: GRANT_LIFETIME_SECONDS,
      interval: FIRST_INTERVAL_SECONDS,
    },
    { headers: { 'cache-control': 'no-store' } },
  )
}

async function storeGrant(deps: OAuthDeps, deviceCodeHash: string, requesterIp: string): Promise<string> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const userCode = createUserCode()
    if (await insertGrant(deps.db, { deviceCodeHash, userCode, requesterIp })) return userCode
  }
  throw new Error('no free user code was found')
}
