// The device code grant, RFC 8628 §3.4 and §3.5.
import { oauthError } from '../../http/errors/oauth.ts'
import type { RequestContext } from '../../http/request-context.ts'
import { createOpaqueToken, hashToken } from '../codes.ts'
import type { OAuthDeps } from '../deps.ts'
import { judgePoll } from '../device-grant.ts'
import type { Parameters } from '../parameters.ts'
import { pollGrant } from '../store.ts'
import { tokenAnswer } from '../token-answer.ts'

export const grantType = 'urn:ietf:params:oauth:grant-type:device_code'

export async function handle(deps: OAuthDeps, parameters: Parameters, context: RequestContext): Promise<Response> {
  const deviceCode = parameters.get('device_code')
  if (deviceCode === undefined) return oauthError(400, 'invalid_request', 'device_code is required')
  const sid = crypto.randomUUID()
  const refreshToken = createOpaqueToken('ghr_')
  const grant = await pollGrant(deps.db, hashToken(deviceCode), sid, hashToken(refreshToken))
  const verdict = judgePoll(grant)
  switch (verdict) {
    case 'authorization_pending':
    case 'access_denied':
    case 'expired_token':
      return oauthError(400, verdict)
    case 'slow_down':
      return oauthError(429, verdict)
    case 'issue':
      break
  }
  if (grant?.redeemed === undefined) return oauthError(400, 'expired_token')
  const { identity, refreshable } = grant.redeemed
  return tokenAnswer(deps, context, { identity, sid, refreshToken: refreshable ? refreshToken : undefined })
}
