// The token endpoint: finds the grant by its name.
import { readForm } from '../http/body.ts'
import { oauthError } from '../http/errors/oauth.ts'
import { contextOf } from '../http/request-context.ts'
import type { OAuthDeps } from './deps.ts'
import * as deviceCode from './grants/device-code.ts'
import * as refreshToken from './grants/refresh-token.ts'
import type { Refreshed } from './refresh.ts'

const MAX_FORM_BYTES = 64 * 1024

export async function issueToken(deps: OAuthDeps, refresh: (token: string) => Promise<Refreshed>, request: Request): Promise<Response> {
  const form = await readForm(request, MAX_FORM_BYTES)
  const context = contextOf(request)
  const [grantType, ...more] = form.getAll('grant_type')
  if (grantType === undefined || more.length > 0) return oauthError(400, 'invalid_request', 'one grant_type is required')
  if (grantType === deviceCode.grantType) return deviceCode.handle(deps, form, context)
  if (grantType === refreshToken.grantType) return refreshToken.handle(deps, form, context, refresh)
  return oauthError(400, 'unsupported_grant_type')
}
