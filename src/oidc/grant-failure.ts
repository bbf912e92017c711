// Why a call to the token or userinfo endpoint failed, told apart by whether it speaks against the grant, against this
// client, or against nobody. Pure: reads errors of openid-client.
import { ResponseBodyError, type ClientError } from 'openid-client'
import { EgressError } from '../egress/egress-error.ts'
import { errorCode } from './callback-parameters.ts'
import { isPassing, isUnusable } from './provider-fetch.ts'

export type GrantFailure = 'grant_refused' | 'client_refused' | 'idp_error' | 'idp_unavailable' | 'token_response'

/** RFC 6749 §5.2, and the codes of OpenID Connect Core §3.1.2.6 that providers send when only the person can help. */
const ABOUT_THE_GRANT = new Set(['invalid_grant', 'interaction_required', 'login_required', 'consent_required', 'account_selection_required', 'access_denied'])
const ABOUT_THE_CLIENT = new Set(['invalid_client', 'unauthorized_client', 'invalid_client_metadata', 'unsupported_grant_type'])
const ABOUT_NOW = new Set(['temporarily_unavailable', 'server_error', 'slow_down'])

export function judgeGrantFailure(error: unknown): { ok: false; reason: GrantFailure; detail: string } {
  const egress = egressErrorIn(error)
  if (egress !== undefined) return failure(isUnusable(egress) ? 'token_response' : 'idp_unavailable', egress.message)
  if (error instanceof ResponseBodyError) return judgeOauthError(error)
  const { code, cause } = error as Partial<ClientError>
  // The library hands the whole response over when its status is not the expected one.
  if (cause instanceof Response) return failure(isPassing(cause.status) ? 'idp_unavailable' : 'token_response', `it answered ${cause.status}`)
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return failure('idp_unavailable', 'no answer in time')
  if (isFileError(cause)) return failure('client_refused', 'oidc.federated_token_file could not be read')
  return failure('token_response', typeof code === 'string' ? code : 'not a token response')
}

function judgeOauthError({ status, error }: ResponseBodyError) {
  const detail = `${errorCode(error)} (${status})`
  if (isPassing(status) || ABOUT_NOW.has(error)) return failure('idp_unavailable', detail)
  if (ABOUT_THE_GRANT.has(error)) return failure('grant_refused', detail)
  return failure(ABOUT_THE_CLIENT.has(error) ? 'client_refused' : 'idp_error', detail)
}

/** The library wraps what our fetch throws. */
function egressErrorIn(error: unknown): EgressError | undefined {
  for (let found = error; found instanceof Error; found = found.cause) if (found instanceof EgressError) return found
  return undefined
}

function isFileError(cause: unknown): boolean {
  const code = (cause as { code?: unknown } | undefined)?.code
  return code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR'
}

function failure(reason: GrantFailure, detail: string) {
  return { ok: false, reason, detail } as const
}
