// Signing in to the page, and out of it. The way through the identity provider is the device's, bound to the browser in
// the same way; what it ends in is another thing, and neither can end in the other.
import type { Database } from '../db/connect.ts'
import { cookie, type Cookie } from '../http/cookie.ts'
import { addressKey, createRateLimit, type RateLimit } from '../http/rate-limit.ts'
import { contextOf } from '../http/request-context.ts'
import { prepareAttempt } from '../oauth/attempt.ts'
import { createOpaqueToken, hashToken } from '../oauth/codes.ts'
import type { OAuthDeps } from '../oauth/deps.ts'
import { refusedPage, tooManyPage } from '../oauth/pages.ts'
import { isSameOrigin } from '../oauth/same-origin.ts'
import { insertPageAttempt } from '../oauth/store.ts'
import { isProviderTrouble } from '../oidc/refusal.ts'
import type { SignInOutcome } from '../oidc/relying-party.ts'
import { asMyPage, awayPage, crossSitePage, signInPage } from './pages.ts'
import { endPageSession, findPageSession, insertPageSession, type PageSession } from './store.ts'

export interface PageSignInDeps extends Pick<OAuthDeps, 'publicUrl' | 'relyingParty' | 'sealer' | 'formActionOrigins' | 'rateLimits' | 'observe' | 'now'> {
  db: Database
}

export interface PageSignIn {
  /** Who this browser is signed in as, or the page that offers it, or says why not now. */
  require(request: Request): Promise<PageSession | Response>
  /** `POST /me/sign-in` */
  begin(request: Request): Promise<Response>
  /** What the callback does for an attempt of the page. */
  finish(request: Request, outcome: SignInOutcome): Promise<Response>
  /** `POST /me/sign-out` */
  end(request: Request): Promise<Response>
}

/** An hour, as a bearer: longer, and who was removed at the identity provider would still see the page. */
const SESSION_SECONDS = 3600
/** A cookie that opens nothing may be one that expired, so there is room for many, and an end to guessing. */
const LOOKS_PER_SIGN_IN = 10

interface Parts extends PageSignInDeps {
  own: Cookie
  /** Per address. */
  signIns: RateLimit
  looks: RateLimit
}

export function createPageSignIn(deps: PageSignInDeps): PageSignIn {
  const { max, window_seconds: windowSeconds } = deps.rateLimits.device_verify
  const parts: Parts = {
    ...deps,
    own: cookie('gatehouse-me', deps.publicUrl.startsWith('https:')),
    signIns: createRateLimit({ max, windowSeconds }),
    looks: createRateLimit({ max: max * LOOKS_PER_SIGN_IN, windowSeconds }),
  }
  return {
    require: (request) => requireSession(parts, request),
    begin: (request) => begin(parts, request),
    finish: (request, outcome) => asMyPage(deps, request, () => finish(parts, request, outcome)),
    end: (request) => end(parts, request),
  }
}

async function requireSession(parts: Parts, request: Request): Promise<PageSession | Response> {
  const formAction = [parts.relyingParty.authorizationOrigin, ...parts.formActionOrigins]
  const token = parts.own.read(request.headers.get('cookie'))
  if (token === undefined) return signInPage(formAction)
  const key = addressKey(contextOf(request).clientIp)
  const verdict = parts.looks(key, parts.now().getTime())
  if (!verdict.ok) return tooManyPage(verdict.retryAfterSeconds)
  const session = await findPageSession(parts.db, hashToken(token))
  if (session === undefined) return signInPage(formAction, { 'set-cookie': parts.own.clear() })
  parts.looks.giveBack(key)
  return session
}

async function begin(parts: Parts, request: Request): Promise<Response> {
  if (!isSameOrigin(request.headers, parts.publicUrl)) {
    observe(parts, request, { outcome: 'cross_site' })
    return crossSitePage()
  }
  const verdict = parts.signIns(addressKey(contextOf(request).clientIp), parts.now().getTime())
  if (!verdict.ok) {
    observe(parts, request, { outcome: 'rate_limited' })
    return tooManyPage(verdict.retryAfterSeconds)
  }
  const { attempt, redirect } = await prepareAttempt(parts, 'page')
  await insertPageAttempt(parts.db, attempt)
  observe(parts, request, { outcome: 'redirected' })
  return redirect
}

/** The provider's refresh token is not kept: nothing here outlives the hour. */
async function finish(parts: Parts, request: Request, outcome: SignInOutcome): Promise<Response> {
  if (!outcome.ok) {
    observe(parts, request, { outcome: 'refused', reason: outcome.reason, ...(outcome.detail !== undefined && { detail: outcome.detail }) })
    return isProviderTrouble(outcome.reason) ? awayPage() : refusedPage()
  }
  const { identity } = outcome
  const [sid, token, previous] = [crypto.randomUUID(), createOpaqueToken(), parts.own.read(request.headers.get('cookie'))]
  await insertPageSession(parts.db, { sid, identity, tokenHash: hashToken(token), seconds: SESSION_SECONDS, previousHash: previous && hashToken(previous) })
  observe(parts, request, { outcome: 'signed_in', sid, issuer: identity.issuer, sub: identity.sub, email: identity.email })
  parts.signIns.giveBack(addressKey(contextOf(request).clientIp))
  return toPage(parts, parts.own.set(token, SESSION_SECONDS))
}

async function end(parts: Parts, request: Request): Promise<Response> {
  const about = aboutRequest(request)
  if (!isSameOrigin(request.headers, parts.publicUrl)) {
    parts.observe({ evt: 'page.sign_out', ...about, outcome: 'cross_site' })
    return crossSitePage()
  }
  const token = parts.own.read(request.headers.get('cookie'))
  const ended = token === undefined ? undefined : await endPageSession(parts.db, hashToken(token))
  if (ended !== undefined) parts.observe({ evt: 'page.sign_out', ...about, outcome: 'signed_out', ...ended })
  return toPage(parts, parts.own.clear())
}

/** To one place, whatever was asked: there is no parameter that could lead elsewhere. */
function toPage({ publicUrl }: Parts, setCookie: string): Response {
  return new Response(null, { status: 303, headers: { location: `${publicUrl}/me`, 'set-cookie': setCookie, 'cache-control': 'no-store' } })
}

type SignInFacts = Omit<Extract<Parameters<PageSignInDeps['observe']>[0], { evt: 'page.sign_in' }>, 'evt' | 'request_id' | 'client_ip'>

function observe(parts: Parts, request: Request, facts: SignInFacts): void {
  parts.observe({ evt: 'page.sign_in', ...aboutRequest(request), ...facts })
}

function aboutRequest(request: Request) {
  const { requestId, clientIp } = contextOf(request)
  return { request_id: requestId, client_ip: clientIp }
}
