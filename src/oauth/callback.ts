// The way back from the identity provider: the only place where our two OAuth roles meet.
import { addressKey } from '../http/rate-limit.ts'
import { contextOf } from '../http/request-context.ts'
import type { SignInOutcome } from '../oidc/relying-party.ts'
import { isProviderTrouble } from '../oidc/refusal.ts'
import { readBinding, unbindCookie } from './browser-binding.ts'
import { hashToken } from './codes.ts'
import { SEALED, type Limits, type OAuthDeps } from './deps.ts'
import { approvedPage, awayPage, lostAttemptPage, refusedPage, unknownCodePage } from './pages.ts'
import { approveGrant, denyGrant, takeAttempt, type DeviceAttempt } from './store.ts'

/** `GET /oauth/callback`: judges who came back, and does what the sign-in was begun for: a grant is decided before the page says so. */
export async function finishVerification(deps: OAuthDeps, limits: Limits, request: Request): Promise<Response> {
  if (isPrefetch(request.headers)) return new Response(null, { status: 503, headers: { 'cache-control': 'no-store' } })
  const { searchParams, search } = new URL(request.url)
  const [state, ...more] = searchParams.getAll('state')
  const secure = deps.publicUrl.startsWith('https:')
  const stateHash = hashToken(state ?? '')
  const browserSecret = readBinding(request.headers.get('cookie'), stateHash, secure)
  if (state === undefined || more.length > 0 || browserSecret === undefined) return lost(deps, request, 'state_mismatch')
  const attempt = await takeAttempt(deps.db, stateHash, hashToken(browserSecret))
  const opened = attempt && deps.sealer.open(attempt.sealed, SEALED[attempt.purpose])
  if (attempt === undefined || opened === undefined) return lost(deps, request, 'attempt_unknown')
  const { nonce, codeVerifier, page: begun } = JSON.parse(opened) as { nonce: string; codeVerifier: string; page?: string }
  const url = new URL(`${deps.publicUrl}/oauth/callback${search}`)
  const askedMs = performance.now()
  const outcome = await deps.relyingParty.finishSignIn({ url, state, nonce, codeVerifier })
  deps.debug(contextOf(request).requestId, () => `sign-in: the identity provider took ${Math.round(performance.now() - askedMs)} ms: ${outcome.ok ? `it is ${outcome.identity.sub}, in ${outcome.identity.groups.length} groups` : `${outcome.reason} ${outcome.detail ?? ''}`}`)
  const page = attempt.purpose === 'page' ? await deps.finishPage(request, outcome, begun) : await decide(deps, limits, request, attempt, outcome)
  page.headers.append('set-cookie', unbindCookie(stateHash, secure))
  return page
}

/** A browser that fetches ahead must not use the code up; after a failure it asks again when the person really goes there. */
function isPrefetch(headers: Headers): boolean {
  return ['sec-purpose', 'purpose', 'x-moz'].some((name) => headers.get(name)?.includes('prefetch'))
}

async function decide(deps: OAuthDeps, limits: Limits, request: Request, attempt: DeviceAttempt, outcome: SignInOutcome): Promise<Response> {
  if (!outcome.ok) {
    observeCallback(deps, request, attempt, outcome)
    // The provider's trouble says nothing of the person: the code stays good and the button can be pressed again.
    if (isProviderTrouble(outcome.reason)) return awayPage()
    await denyGrant(deps.db, attempt.device_code_hash)
    return refusedPage()
  }
  const { identity, idpRefreshToken } = outcome
  const sealed = idpRefreshToken === undefined ? undefined : deps.sealer.seal(idpRefreshToken, SEALED.idpToken)
  const approved = await approveGrant(deps.db, attempt.device_code_hash, identity, sealed)
  observeCallback(deps, request, attempt, approved ? outcome : { ok: false, reason: 'grant_not_waiting' })
  if (!approved) return unknownCodePage()
  // A client that keeps no refresh token begins a sign-in every hour: an office of them, behind one address, are no guessers.
  limits.authorization.giveBack(addressKey(attempt.requester_ip))
  limits.verify.giveBack(addressKey(contextOf(request).clientIp))
  return approvedPage(identity.email ?? identity.name)
}

function lost(deps: OAuthDeps, request: Request, reason: string): Response {
  observeCallback(deps, request, undefined, { ok: false, reason })
  return lostAttemptPage()
}

function observeCallback(deps: OAuthDeps, request: Request, attempt: DeviceAttempt | undefined, outcome: SignInOutcome | { ok: false; reason: string; detail?: string }): void {
  const { requestId, clientIp } = contextOf(request)
  deps.observe({
    evt: 'device.callback',
    request_id: requestId,
    client_ip: clientIp,
    ...(attempt === undefined ? {} : ofGrant(attempt, clientIp)),
    ...(outcome.ok
      ? { outcome: 'approved', issuer: outcome.identity.issuer, sub: outcome.identity.sub, email: outcome.identity.email }
      : { outcome: 'refused', reason: outcome.reason, ...(outcome.detail === undefined ? {} : { detail: outcome.detail }) }),
  })
}

/** Whoever talks a person into approving a code asked for it from somewhere else. */
function ofGrant({ device_code_hash, requester_ip }: DeviceAttempt, clientIp: string) {
  return { device_code_hash: device_code_hash.slice(0, 12), requester_ip, other_address: requester_ip !== clientIp }
}
