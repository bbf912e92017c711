// Errors of the OAuth surfaces, RFC 6749 §5.2 and RFC 8628 §3.5.

export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_grant'
  | 'unsupported_grant_type'
  | 'authorization_pending'
  | 'slow_down'
  | 'access_denied'
  | 'expired_token'
  | 'temporarily_unavailable'
  | 'server_error'

/** `{"error":…,"error_description":…}`; the description is for people and must say nothing a stranger should learn. */
export function oauthError(status: number, error: OAuthErrorCode, description?: string, headers: Record<string, string> = {}): Response {
  const body = description === undefined ? { error } : { error, error_description: description }
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } })
}
