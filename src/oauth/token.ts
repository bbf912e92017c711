// The token endpoint: finds the grant by its name.
import { oauthError } from '../http/errors/oauth.ts'
import { contextOf } from '../http/request-context.ts'
import type { OAuthDeps } from './deps.ts'
import * as deviceCode from './grants/device-code.ts'
import * as refreshToken from './grants/refresh-token.ts'
import { readParameters } from './parameters.ts'
import type { Refresh } from './refresh.ts'

const MAX_FORM_BYTES = 64 * 1024

export async function issueToken(deps: OAuthDeps, refresh: Refresh, request: Request): Promise<Response> {
  const parameters = await readParameters(request, MAX_FORM_BYTES)
  const context = contextOf(request)
  const grantType = parameters.get('grant_type')
  if (grantType === undefined) return oauthError(400, 'invalid_request', 'grant_type is required')
  if (grantType === deviceCode.grantType) return deviceCode.handle(deps, parameters, context)
  if (grantType === refreshToken.grantType) return refreshToken.handle(deps, parameters, context, refresh)
  return oauthError(400, 'unsupported_grant_type')
}
