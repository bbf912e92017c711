// The refresh grant, RFC 6749 §6.
import { oauthError } from '../../http/errors/oauth.ts'
import type { RequestContext } from '../../http/request-context.ts'
import type { OAuthDeps } from '../deps.ts'
import type { Parameters } from '../parameters.ts'
import type { Refresh, Refreshed } from '../refresh.ts'
import { tokenAnswer } from '../token-answer.ts'

export const grantType = 'refresh_token'

const RETRY_AFTER_SECONDS = '5'

/** 401 `invalid_grant` ends the client's credential, so it is said of the person alone; trouble of ours or the provider's is 503. */
export async function handle(deps: OAuthDeps, parameters: Parameters, context: RequestContext, refresh: Refresh): Promise<Response> {
  const refreshToken = parameters.get('refresh_token')
  if (refreshToken === undefined) return oauthError(400, 'invalid_request', 'refresh_token is required')
  const refreshed = await refresh(refreshToken, context)
  observeRefresh(deps, context, refreshed)
  if (refreshed.ok) return tokenAnswer(deps, context, refreshed)
  if (refreshed.unavailable) return oauthError(503, 'temporarily_unavailable', 'the identity provider does not answer; try again', { 'retry-after': RETRY_AFTER_SECONDS })
  return oauthError(401, 'invalid_grant', 'sign in again')
}

function observeRefresh(deps: OAuthDeps, { requestId, clientIp }: RequestContext, refreshed: Refreshed): void {
  const { sid, identity } = refreshed
  deps.observe({
    evt: 'session.refresh',
    request_id: requestId,
    client_ip: clientIp,
    outcome: refreshed.ok ? refreshed.how : refreshed.unavailable ? 'unavailable' : 'refused',
    ...(refreshed.ok ? {} : { reason: refreshed.reason, ...(refreshed.detail === undefined ? {} : { detail: refreshed.detail }) }),
    ...(sid === undefined ? {} : { sid }),
    ...(identity === undefined ? {} : { issuer: identity.issuer, sub: identity.sub, email: identity.email }),
  })
}
