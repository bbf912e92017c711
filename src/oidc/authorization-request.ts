// The authorization request (OpenID Connect Core §3.1.2.1, RFC 7636 §4.3). Pure.

export interface AuthorizationRequest {
  authorizationEndpoint: string
  clientId: string
  redirectUri: string
  scopes: readonly string[]
  state: string
  nonce: string
  /** S256 of the code verifier; undefined where the operator switched PKCE off. */
  codeChallenge: string | undefined
  /** The operator's own; they cannot stand in for a parameter of the protocol. */
  extraParameters: Readonly<Record<string, string>>
}

/** Parameters that change whom the answer goes to or what it is, beside those that are always set. */
const NEVER_EXTRA = ['code_challenge', 'code_challenge_method', 'request', 'request_uri', 'registration', 'client_secret', 'client_assertion', 'id_token_hint']

/** Everything is set and nothing appended, so that neither the endpoint's own query nor an extra parameter can repeat one. */
export function authorizationUrl(request: AuthorizationRequest): URL {
  const url = new URL(request.authorizationEndpoint)
  for (const [name, value] of Object.entries(request.extraParameters)) url.searchParams.set(name, value)
  for (const name of NEVER_EXTRA) url.searchParams.delete(name)
  const parameters = {
    response_type: 'code',
    response_mode: 'query',
    client_id: request.clientId,
    redirect_uri: request.redirectUri,
    scope: request.scopes.join(' '),
    state: request.state,
    nonce: request.nonce,
    ...(request.codeChallenge !== undefined && { code_challenge: request.codeChallenge, code_challenge_method: 'S256' }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}
