// We are the client of the identity provider: sign-in by authorization code, and refresh. The thin shell around the
// judging files of this folder; one per issuer.
import { calculatePKCECodeChallenge, randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { Observe } from '../observe/events.ts'
import type { Identity } from '../principal.ts'
import { authorizationUrl } from './authorization-request.ts'
import { judgeCallback } from './callback-parameters.ts'
import type { OidcConfig } from './config.ts'
import { createPersonReader } from './person.ts'
import { connectProvider, type ProviderState } from './provider.ts'
import { isProviderTrouble, type RefreshRefusal, type SignInRefusal } from './refusal.ts'

export interface RelyingParty {
  readonly issuer: string
  /** How the provider does, as far as requests to it have shown. */
  state(): ProviderState
  /** Where the browser is sent to, for `form-action`. */
  readonly authorizationOrigin: string
  /** A fresh authorization request; everything but the URL stays on the server until the callback. `codeVerifier` is empty without PKCE. */
  startSignIn(): Promise<{ url: URL; state: string; nonce: string; codeVerifier: string }>
  /** The browser's callback: only the query of `url` counts. */
  finishSignIn(callback: { url: URL; state: string; nonce: string; codeVerifier: string }): Promise<SignInOutcome>
  /** `previous` is who this session belongs to; its `sub` cannot change. */
  refresh(idpRefreshToken: string, expected: { sub: string; previous: Identity }): Promise<RefreshOutcome>
}

export type SignInOutcome =
  | { ok: true; identity: Identity; idpRefreshToken: string | undefined }
  | { ok: false; reason: SignInRefusal; detail?: string }

/** `unavailable`: nothing was said against the person, so the session is kept and the client asked to come back. */
export type RefreshOutcome =
  | { ok: true; identity: Identity; idpRefreshToken: string | undefined }
  /** `idpRefreshToken`: the provider had already replaced the one it was asked with. */
  | { ok: false; reason: RefreshRefusal; unavailable: boolean; detail?: string; idpRefreshToken?: string }

export interface RelyingPartyOptions {
  config: OidcConfig
  /** Origin of this gateway; the redirect URI is `<publicUrl>/oauth/callback`, never derived from a request. */
  publicUrl: string
  fetch: GuardedFetch
  observe: Observe
  now?: () => Date
  /** The forward proxy of `oidc.use_proxy: true`. */
  proxyUrl?: string
  /** For all of one request to the provider. */
  timeoutMs?: number
  /** The directories' own addresses, unless a test has servers of its own. */
  directories?: { graphOrigin?: string; google?: { token: string; directory: string } }
}

/** Runs discovery. Throws BootError with one sentence that names the issuer. */
export async function createRelyingParty(options: RelyingPartyOptions): Promise<RelyingParty> {
  const { config, publicUrl, now = () => new Date() } = options
  const redirectUri = new URL('/oauth/callback', publicUrl).href
  const { metadata, client, verifyIdToken, lookups, state } = await connectProvider({ ...options, now }, redirectUri)
  const person = createPersonReader({ config, client, lookups, observe: options.observe })
  const nowSeconds = () => Math.floor(now().getTime() / 1000)

  return {
    issuer: config.issuer,
    state,
    authorizationOrigin: new URL(metadata.authorization_endpoint).origin,

    async startSignIn() {
      const state = randomState()
      const nonce = randomNonce()
      const codeVerifier = config.use_pkce ? randomPKCECodeVerifier() : ''
      const url = authorizationUrl({
        authorizationEndpoint: metadata.authorization_endpoint,
        clientId: config.client_id,
        redirectUri,
        scopes: config.scopes,
        state,
        nonce,
        codeChallenge: config.use_pkce ? await calculatePKCECodeChallenge(codeVerifier) : undefined,
        extraParameters: config.extra_auth_params,
      })
      return { url, state, nonce, codeVerifier }
    },

    async finishSignIn({ url, state, nonce, codeVerifier }) {
      const issParameter = metadata.authorization_response_iss_parameter_supported
      const callback = judgeCallback(url.searchParams, { state, issuer: config.issuer, issParameter })
      if (!callback.ok) return callback
      // An empty nonce would match a token without one that says "".
      if (nonce === '') return { ok: false, reason: 'id_token_nonce' }
      const tokens = await client.exchangeCode({ code: callback.value.code, codeVerifier: codeVerifier === '' ? undefined : codeVerifier })
      if (!tokens.ok) return tokens
      const { accessToken, idToken, refreshToken } = tokens.value
      const verified = await verifyIdToken({ token: idToken, accessToken, nonce, nowSeconds: nowSeconds() })
      if (!verified.ok) return verified
      const identity = await person.atSignIn(verified.value, accessToken)
      return identity.ok ? { ok: true, identity: identity.value, idpRefreshToken: refreshToken } : identity
    },

    async refresh(idpRefreshToken, { sub, previous }) {
      const tokens = await client.refresh(idpRefreshToken)
      if (!tokens.ok) return refused(tokens)
      const { accessToken, idToken, refreshToken } = tokens.value
      // OpenID Connect Core §12.1: a refresh need not bring an id_token; one that comes is judged in full.
      const verified = idToken === undefined ? undefined : await verifyIdToken({ token: idToken, accessToken, nonce: undefined, nowSeconds: nowSeconds() })
      if (verified !== undefined && !verified.ok) return refused(verified, refreshToken)
      // OpenID Connect Core §12.2: "its sub Claim Value MUST be the same".
      if (verified !== undefined && verified.value.sub !== sub) return refused({ reason: 'id_token_subject', detail: 'another person' }, refreshToken)
      const identity = await person.atRefresh(verified?.value.claims, accessToken, { ...previous, issuer: config.issuer, sub })
      // RFC 6749 §6: without a new refresh token the old one stays in use.
      return identity.ok ? { ok: true, identity: identity.value, idpRefreshToken: refreshToken ?? idpRefreshToken } : refused(identity, refreshToken)
    },
  }
}

function refused({ reason, detail }: { reason: RefreshRefusal; detail?: string }, idpRefreshToken?: string): RefreshOutcome {
  return { ok: false, reason, unavailable: isProviderTrouble(reason), ...(detail !== undefined && { detail }), ...(idpRefreshToken !== undefined && { idpRefreshToken }) }
}
