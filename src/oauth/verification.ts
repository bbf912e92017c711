// The page at /device: a person compares the code, then goes to the identity provider or declines.
import { addressKey } from '../http/rate-limit.ts'
import { contextOf } from '../http/request-context.ts'
import { prepareAttempt } from './attempt.ts'
import { readUserCode } from './codes.ts'
import type { Limits, OAuthDeps } from './deps.ts'
import { readParameters } from './parameters.ts'
import { codeEntryPage, confirmPage, crossSitePage, deniedPage, tooManyPage, unknownCodePage } from './pages.ts'
import { isSameOrigin } from './same-origin.ts'
import { denyGrantByCode, findWaitingGrant, insertAttempt } from './store.ts'

const MAX_FORM_BYTES = 4 * 1024

/** `GET /device`: shows; never acts, so that a link, a preview or an image of it approves nothing. */
export async function showVerification(deps: OAuthDeps, limits: Limits, request: Request): Promise<Response> {
  const { clientIp } = contextOf(request)
  const typed = new URL(request.url).searchParams.get('user_code') ?? ''
  if (typed.trim() === '') return codeEntryPage(formAction(deps))
  // What the page shows tells a guesser which codes exist (RFC 8628 §5.1).
  const verdict = limits.look(addressKey(clientIp), deps.now().getTime())
  if (!verdict.ok) return rateLimited(deps, request, verdict.retryAfterSeconds)
  const userCode = readUserCode(typed)
  const grant = userCode === undefined ? undefined : await findWaitingGrant(deps.db, userCode)
  if (userCode === undefined || grant === undefined) return unknownCode(deps, request)
  return confirmPage({ userCode, ...grant, isSameAddress: grant.requesterIp === clientIp }, formAction(deps))
}

/** `POST /device`: binds the browser and sends it to the identity provider. */
export async function beginVerification(deps: OAuthDeps, limits: Limits, request: Request): Promise<Response> {
  const entered = await enter(deps, limits, request)
  if (entered instanceof Response) return entered
  const { attempt, redirect } = await prepareAttempt(deps, 'device')
  const deviceCodeHash = await insertAttempt(deps.db, { userCode: entered.userCode, ...attempt })
  if (deviceCodeHash === undefined) return unknownCode(deps, request)
  observeVerify(deps, request, 'redirected', deviceCodeHash)
  return redirect
}

/** `POST /device/deny`: final. */
export async function denyVerification(deps: OAuthDeps, limits: Limits, request: Request): Promise<Response> {
  const entered = await enter(deps, limits, request)
  if (entered instanceof Response) return entered
  const deviceCodeHash = await denyGrantByCode(deps.db, entered.userCode)
  if (deviceCodeHash === undefined) return unknownCode(deps, request)
  observeVerify(deps, request, 'denied', deviceCodeHash)
  return deniedPage()
}

/** The code of a form that may be acted on, or the page that says why not. */
async function enter(deps: OAuthDeps, limits: Limits, request: Request): Promise<{ userCode: string } | Response> {
  if (!isSameOrigin(request.headers, deps.publicUrl)) {
    observeVerify(deps, request, 'cross_site')
    return crossSitePage()
  }
  const verdict = limits.verify(addressKey(contextOf(request).clientIp), deps.now().getTime())
  if (!verdict.ok) return rateLimited(deps, request, verdict.retryAfterSeconds)
  const userCode = readUserCode((await readParameters(request, MAX_FORM_BYTES)).get('user_code'))
  return userCode === undefined ? unknownCode(deps, request) : { userCode }
}

function rateLimited(deps: OAuthDeps, request: Request, retryAfterSeconds: number): Response {
  observeVerify(deps, request, 'rate_limited')
  return tooManyPage(retryAfterSeconds)
}

function unknownCode(deps: OAuthDeps, request: Request): Response {
  observeVerify(deps, request, 'unknown_code')
  return unknownCodePage()
}

function formAction(deps: OAuthDeps): string[] {
  return [deps.relyingParty.authorizationOrigin, ...deps.formActionOrigins]
}

function observeVerify(deps: OAuthDeps, request: Request, outcome: 'redirected' | 'denied' | 'unknown_code' | 'cross_site' | 'rate_limited', deviceCodeHash?: string): void {
  const { requestId, clientIp } = contextOf(request)
  const grant = deviceCodeHash === undefined ? {} : { device_code_hash: deviceCodeHash.slice(0, 12) }
  deps.observe({ evt: 'device.verify', request_id: requestId, client_ip: clientIp, outcome, ...grant })
}
