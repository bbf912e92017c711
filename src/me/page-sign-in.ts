// Signing in to a page, and out of it. The way through the identity provider is the device's, bound to the browser in
// the same way; what it ends in is another thing, and neither can end in the other.
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
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
import type { Revocations } from '../session/revocations.ts'
import { createLeftHere, type LeftHere } from './left-here.ts'
import { asSignedInPage, awayPage, crossSitePage, pageAt, signedOutHerePage, signInPage, type SignedInPage } from './pages.ts'
import { createRememberedSessions, type RememberedSessions } from './remembered-sessions.ts'
import { endPageSession, findPageSession, insertPageSession, type PageSession } from './store.ts'

export interface PageSignInDeps extends Pick<OAuthDeps, 'publicUrl' | 'relyingParty' | 'sealer' | 'formActionOrigins' | 'rateLimits' | 'observe' | 'now'> {
  db: Database
  revocations: Pick<Revocations, 'isRevoked' | 'add'>
  /** Monotonic, in milliseconds. */
  nowMs: () => number
}

export interface PageSignIn {
  /** Who this browser is signed in as, or the page that offers it, or says why not now. Whoever is not allowed to see the page may not ask for ever. */
  require(request: Request, page: SignedInPage, isAllowed?: (session: PageSession) => boolean): Promise<PageSession | Response>
  /** `POST <page>/sign-in` */
  begin(request: Request, page: SignedInPage): Promise<Response>
  /** What the callback does for an attempt of the page at `path`. */
  finish(request: Request, outcome: SignInOutcome, path: string | undefined): Promise<Response>
  /** `POST <page>/sign-out` */
  end(request: Request, page: SignedInPage): Promise<Response>
}

/** An hour, as a bearer: longer, and who was removed at the identity provider would still see the page. */
export const SESSION_SECONDS = 3600
/** A cookie that opens nothing may be one that expired, so there is room for many, and an end to guessing. */
const LOOKS_PER_SIGN_IN = 10

interface Parts extends PageSignInDeps {
  own: Cookie
  /** Per address. */
  signIns: RateLimit
  looks: RateLimit
  remembered: RememberedSessions
  left: LeftHere
}

export function createPageSignIn(deps: PageSignInDeps): PageSignIn {
  const { max, window_seconds: windowSeconds } = deps.rateLimits.device_verify
  const parts: Parts = {
    ...deps,
    own: cookie('gatehouse-me', deps.publicUrl.startsWith('https:')),
    signIns: createRateLimit({ max, windowSeconds }),
    looks: createRateLimit({ max: max * LOOKS_PER_SIGN_IN, windowSeconds }),
    remembered: createRememberedSessions(deps.revocations.isRevoked, deps.nowMs),
    left: createLeftHere(SESSION_SECONDS, deps.nowMs),
  }
  return {
    require: (request, page, isAllowed = () => true) => requireSession(parts, request, page, isAllowed),
    begin: (request, page) => begin(parts, request, page),
    finish: (request, outcome, path) => asSignedInPage(pageAt(path), deps, request, () => finish(parts, request, outcome, pageAt(path))),
    end: (request, page) => end(parts, request, page),
  }
}

async function requireSession(parts: Parts, request: Request, page: SignedInPage, isAllowed: (session: PageSession) => boolean): Promise<PageSession | Response> {
  const formAction = [parts.relyingParty.authorizationOrigin, ...parts.formActionOrigins]
  const token = parts.own.read(request.headers.get('cookie'))
  if (token === undefined) return signInPage(page, formAction)
  const key = addressKey(contextOf(request).clientIp)
  const verdict = parts.looks(key, parts.now().getTime())
  if (!verdict.ok) return tooManyPage(verdict.retryAfterSeconds)
  const session = await findSession(parts, hashToken(token), page, isAllowed)
  if (session === undefined) return signInPage(page, formAction, { 'set-cookie': parts.own.clear() })
  if (isAllowed(session)) parts.looks.giveBack(key)
  return session
}

/**
 * Of a browser's token. Throws DatabaseError; where the page shows what is known without the store, only for a browser that
 * this replica has not seen with somebody who may see it: nobody else can drive those out of what is remembered.
 */
async function findSession({ db, remembered, left }: Parts, tokenHash: string, page: SignedInPage, isAllowed: (session: PageSession) => boolean): Promise<PageSession | undefined> {
  try {
    const found = await findPageSession(db, tokenHash)
    // Asked afterwards: it may have been left meanwhile.
    if (found === undefined || left.has(tokenHash)) {
      remembered.forget(tokenHash)
      return undefined
    }
    if (!page.needsStore && isAllowed(found.session)) remembered.found(tokenHash, found.session, found.secondsLeft)
    return found.session
  } catch (error) {
    const session = page.needsStore ? undefined : remembered.recall(tokenHash)
    if (session === undefined) throw error
    return session
  }
}

async function begin(parts: Parts, request: Request, page: SignedInPage): Promise<Response> {
  if (!isSameOrigin(request.headers, parts.publicUrl)) {
    observe(parts, request, { outcome: 'cross_site' })
    return crossSitePage(page)
  }
  const verdict = parts.signIns(addressKey(contextOf(request).clientIp), parts.now().getTime())
  if (!verdict.ok) {
    observe(parts, request, { outcome: 'rate_limited' })
    return tooManyPage(verdict.retryAfterSeconds)
  }
  const { attempt, redirect } = await prepareAttempt(parts, 'page', page.path)
  await insertPageAttempt(parts.db, attempt)
  observe(parts, request, { outcome: 'redirected' })
  return redirect
}

/** The provider's refresh token is not kept: nothing here outlives the hour. */
async function finish(parts: Parts, request: Request, outcome: SignInOutcome, page: SignedInPage): Promise<Response> {
  if (!outcome.ok) {
    observe(parts, request, { outcome: 'refused', reason: outcome.reason, ...(outcome.detail !== undefined && { detail: outcome.detail }) })
    return isProviderTrouble(outcome.reason) ? awayPage(page) : refusedPage()
  }
  const { identity } = outcome
  const [sid, token, previous] = [crypto.randomUUID(), createOpaqueToken(), parts.own.read(request.headers.get('cookie'))]
  await insertPageSession(parts.db, { sid, identity, tokenHash: hashToken(token), seconds: SESSION_SECONDS, previousHash: previous && hashToken(previous) })
  observe(parts, request, { outcome: 'signed_in', sid, issuer: identity.issuer, sub: identity.sub, email: identity.email })
  parts.signIns.giveBack(addressKey(contextOf(request).clientIp))
  return toPage(parts, page, parts.own.set(token, SESSION_SECONDS))
}

async function end(parts: Parts, request: Request, page: SignedInPage): Promise<Response> {
  const about = aboutRequest(request)
  if (!isSameOrigin(request.headers, parts.publicUrl)) {
    parts.observe({ evt: 'page.sign_out', ...about, outcome: 'cross_site' })
    return crossSitePage(page)
  }
  const token = parts.own.read(request.headers.get('cookie'))
  if (token === undefined) return toPage(parts, page, parts.own.clear())
  const tokenHash = hashToken(token)
  const known = parts.remembered.recall(tokenHash)
  const key = addressKey(contextOf(request).clientIp)
  // A cookie may be invented, each time another one: it costs a statement, and a place among those that were left while the store is away.
  const verdict = known === undefined ? parts.looks(key, parts.now().getTime()) : undefined
  if (verdict?.ok === false) return tooManyPage(verdict.retryAfterSeconds)
  const { who, isHereOnly } = await leave(parts, tokenHash, known)
  if (verdict !== undefined && who !== undefined) parts.looks.giveBack(key)
  if (who !== undefined) parts.observe({ evt: 'page.sign_out', ...about, outcome: isHereOnly ? 'signed_out_here' : 'signed_out', sid: who.sid, issuer: who.issuer, sub: who.sub, email: who.email })
  return isHereOnly ? signedOutHerePage({ 'set-cookie': parts.own.clear() }) : toPage(parts, page, parts.own.clear())
}

/** Before the store is asked the cookie is dead here: whoever signs out while it is away is signed out at this replica. */
async function leave({ db, remembered, left, revocations }: Parts, tokenHash: string, known: PageSession | undefined): Promise<{ who?: Awaited<ReturnType<typeof endPageSession>>; isHereOnly?: boolean }> {
  remembered.forget(tokenHash)
  left.add(tokenHash, known !== undefined)
  const who = await endPageSession(db, tokenHash).catch(notAnswered)
  if (who === 'away') {
    if (known !== undefined) revocations.add(known.sid)
    return { who: known, isHereOnly: true }
  }
  left.delete(tokenHash)
  return { who }
}

function notAnswered(error: unknown): 'away' {
  if (error instanceof DatabaseError) return 'away'
  throw error
}

/** To the page where it was begun, whatever was asked: there is no parameter that could lead elsewhere. */
function toPage({ publicUrl }: Parts, { path }: SignedInPage, setCookie: string): Response {
  return new Response(null, { status: 303, headers: { location: `${publicUrl}${path}`, 'set-cookie': setCookie, 'cache-control': 'no-store' } })
}

type SignInFacts = Omit<Extract<Parameters<PageSignInDeps['observe']>[0], { evt: 'page.sign_in' }>, 'evt' | 'request_id' | 'client_ip'>

function observe(parts: Parts, request: Request, facts: SignInFacts): void {
  parts.observe({ evt: 'page.sign_in', ...aboutRequest(request), ...facts })
}

function aboutRequest(request: Request) {
  const { requestId, clientIp } = contextOf(request)
  return { request_id: requestId, client_ip: clientIp }
}
