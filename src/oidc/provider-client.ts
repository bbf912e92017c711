// openid-client does the OAuth half: client authentication, the token requests, the form of their answers, userinfo.
// The OpenID half, the id_token, is kept from it and judged by id-token.ts: the library neither verifies signatures in
// this flow by default nor accepts a second authorized party, and tells fewer faults apart.
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  Configuration,
  customFetch,
  fetchUserInfo,
  refreshTokenGrant,
  type ClientAuth,
  type CustomFetch,
  type TokenEndpointResponse,
} from 'openid-client'
import { parseJsonObject } from '../std/json-object.ts'
import type { Result } from '../std/result.ts'
import { judgeGrantFailure, type GrantFailure } from './grant-failure.ts'
import type { Claims } from './id-token.ts'
import type { ProviderFetch } from './provider-fetch.ts'
import type { ProviderMetadata } from './provider-metadata.ts'

export interface Tokens {
  accessToken: string
  /** Not judged yet. */
  idToken: string | undefined
  refreshToken: string | undefined
}

export interface ProviderClient {
  exchangeCode(grant: { code: string; codeVerifier: string | undefined }): Promise<Result<Tokens, GrantFailure>>
  refresh(refreshToken: string): Promise<Result<Tokens, GrantFailure>>
  /** Whether the provider has a userinfo endpoint. */
  readonly hasUserinfo: boolean
  /** Claims of exactly this subject. */
  userinfo(accessToken: string, sub: string): Promise<Result<Claims, 'idp_unavailable' | 'userinfo_failed' | 'userinfo_subject'>>
}

export interface ProviderClientOptions {
  metadata: ProviderMetadata
  clientId: string
  authentication: ClientAuth
  redirectUri: string
  fetch: ProviderFetch
}

/** Under this name the id_token passes through the library, which would otherwise judge it by its own rules. */
const ID_TOKEN = 'gatehouse_id_token'

export function createProviderClient({ metadata, clientId, authentication, redirectUri, fetch }: ProviderClientOptions): ProviderClient {
  const { userinfo_endpoint, token_endpoint_auth_methods_supported: _, ...server } = metadata
  const configuration = new Configuration({ ...server, ...(userinfo_endpoint !== undefined && { userinfo_endpoint }) }, clientId, undefined, authentication)
  configuration[customFetch] = transport(fetch)
  // Our fetch has a shorter one for head and body together; the library's is a timer that lives on after the answer.
  configuration.timeout = 0
  // Which schemes are acceptable was decided at discovery.
  allowInsecureRequests(configuration)

  return {
    exchangeCode({ code, codeVerifier }) {
      // Only what was judged reaches the library; the redirect URI is ours, not the one the request came in by.
      const callback = new URL(redirectUri)
      callback.searchParams.set('code', code)
      callback.searchParams.set('iss', metadata.issuer)
      return settle(authorizationCodeGrant(configuration, callback, codeVerifier === undefined ? {} : { pkceCodeVerifier: codeVerifier }))
    },
    refresh: (refreshToken) => settle(refreshTokenGrant(configuration, refreshToken)),
    hasUserinfo: userinfo_endpoint !== undefined,
    async userinfo(accessToken, sub) {
      try {
        return { ok: true, value: await fetchUserInfo(configuration, accessToken, sub) }
      } catch (error) {
        // OpenID Connect Core §5.3.2: "the UserInfo Response values MUST NOT be used".
        if ((error as { code?: unknown }).code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') return { ok: false, reason: 'userinfo_subject' }
        const { reason, detail } = judgeGrantFailure(error)
        return { ok: false, reason: reason === 'idp_unavailable' ? reason : 'userinfo_failed', detail: `userinfo: ${detail}` }
      }
    },
  }
}

async function settle(grant: Promise<TokenEndpointResponse>): Promise<Result<Tokens, GrantFailure>> {
  try {
    const answer = await grant
    // RFC 6750: the only token type we know how to present.
    if (answer.token_type !== 'bearer') return { ok: false, reason: 'token_response', detail: 'token_type' }
    const idToken: unknown = answer[ID_TOKEN]
    return { ok: true, value: { accessToken: answer.access_token, idToken: typeof idToken === 'string' ? idToken : undefined, refreshToken: answer.refresh_token } }
  } catch (error) {
    return judgeGrantFailure(error)
  }
}

function transport(send: ProviderFetch): CustomFetch {
  return async (url, { method, headers, body, signal }) => {
    const response = await send(url, {
      method,
      headers: new Headers(headers),
      body: body === null || body === undefined ? null : String(body),
      ...(signal instanceof AbortSignal && { signal }),
    })
    return concealIdToken(response)
  }
}

async function concealIdToken(response: Response): Promise<Response> {
  const headers = new Headers(response.headers)
  // The body says more than the challenge, and the library would stop at the challenge.
  headers.delete('www-authenticate')
  const bytes = await response.arrayBuffer()
  // A page is no answer, even one that parses: the library looks at the type only when parsing fails.
  if (/^text\/html\b/i.test(headers.get('content-type') ?? '')) return new Response(null, { status: response.status, headers })
  const document = parseJsonObject(new TextDecoder().decode(bytes))
  if (document !== undefined) {
    document[ID_TOKEN] = document.id_token
    delete document.id_token
  }
  const body = document === undefined ? bytes : JSON.stringify(document)
  return new Response(bytes.byteLength === 0 ? null : body, { status: response.status, headers })
}
