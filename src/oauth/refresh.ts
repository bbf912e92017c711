// Refreshing a sign-in: the identity provider is asked again each time, by one process at a time.
import type { RequestContext } from '../http/request-context.ts'
import type { Identity } from '../principal.ts'
import type { RefreshRefusal } from '../oidc/refusal.ts'
import { endSession } from '../session/end-session.ts'
import { presentRefreshToken, releaseClaim, rotateRefreshToken, type PresentedRefreshToken } from '../session/store.ts'
import { createOpaqueToken, hashToken } from './codes.ts'
import { SEALED, type OAuthDeps } from './deps.ts'

/** Processes that refresh together present the same token; this long they all get the same successor. */
export const OVERLAP_SECONDS = 120
/** How long a process that died while it asked keeps others from asking. Longer than a provider usually takes. */
const CLAIM_SECONDS = 30
/** How long a client waits for whoever asks; a later try finds the outcome. */
const WAIT_MS = 10_000
const WAIT_STEP_MS = 100

export type RefreshFault = RefreshRefusal | 'unknown' | 'revoked' | 'too_old' | 'reused' | 'unreadable' | 'busy' | 'overtaken'

export type Refreshed =
  | { ok: true; how: 'refreshed' | 'replayed'; sid: string; identity: Identity; refreshToken: string }
  | { ok: false; unavailable: boolean; reason: RefreshFault; detail?: string | undefined; sid?: string; identity?: Identity }

export type Refresh = (refreshToken: string, context: RequestContext) => Promise<Refreshed>

type Presentation = 'unknown' | 'revoked' | 'too_old' | 'reused' | 'replay' | 'refresh' | 'wait'

/** What a presented token is good for. Pure. */
export function judgePresented(token: PresentedRefreshToken | undefined): Presentation {
  if (token === undefined) return 'unknown'
  if (token.revoked) return 'revoked'
  if (token.tooOld) return 'too_old'
  if (token.used) return token.obsolete || token.successor === undefined ? 'reused' : 'replay'
  return token.claimed ? 'refresh' : 'wait'
}

export type RefreshDeps = Pick<OAuthDeps, 'db' | 'relyingParty' | 'debug' | 'sealer' | 'revocations' | 'tell' | 'now' | 'session'>

/** A refresher for one process: simultaneous presentations of one token share one outcome. Throws DatabaseError. */
export function createRefresher(deps: RefreshDeps, waitMs = WAIT_MS): Refresh {
  const running = new Map<string, Promise<Refreshed>>()
  return (refreshToken, context) => {
    const tokenHash = hashToken(refreshToken)
    let work = running.get(tokenHash)
    if (work === undefined) {
      work = refresh(deps, tokenHash, context, waitMs).finally(() => running.delete(tokenHash))
      // Nobody may be waiting any more when it fails.
      work.catch(() => {})
      running.set(tokenHash, work)
    }
    return orBusy(work, waitMs)
  }
}

/** The work goes on: what a slow provider says at last must not be lost, for it may have replaced its refresh token. */
async function orBusy(work: Promise<Refreshed>, waitMs: number): Promise<Refreshed> {
  let timer: Timer | undefined
  const busy = new Promise<Refreshed>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, unavailable: true, reason: 'busy' }), waitMs)
  })
  return Promise.race([work, busy]).finally(() => clearTimeout(timer))
}

async function refresh(deps: RefreshDeps, tokenHash: string, context: RequestContext, waitMs: number): Promise<Refreshed> {
  const rules = { overlapSeconds: OVERLAP_SECONDS, claimSeconds: CLAIM_SECONDS, maxHours: deps.session.max_hours }
  for (const giveUpAt = performance.now() + waitMs; ; await Bun.sleep(WAIT_STEP_MS)) {
    const token = await presentRefreshToken(deps.db, tokenHash, rules)
    const verdict = judgePresented(token)
    if (token === undefined || verdict === 'unknown') return { ok: false, unavailable: false, reason: 'unknown' }
    if (verdict !== 'wait') return act(deps, tokenHash, token, verdict, context)
    if (performance.now() > giveUpAt) return { ok: false, unavailable: true, reason: 'busy', sid: token.sid, identity: token.identity }
  }
}

async function act(deps: RefreshDeps, tokenHash: string, token: PresentedRefreshToken, verdict: Exclude<Presentation, 'unknown' | 'wait'>, context: RequestContext): Promise<Refreshed> {
  switch (verdict) {
    case 'revoked':
    case 'too_old':
      return { ok: false, unavailable: false, reason: verdict, sid: token.sid, identity: token.identity }
    case 'reused':
      return endReused(deps, token, context)
    case 'replay':
      return replay(deps, token)
    case 'refresh':
      return askProvider(deps, tokenHash, token, context)
  }
}

/** RFC 9700 §4.14.2: a token used again after the overlap means that two parties hold it; neither keeps the sign-in. */
async function endReused(deps: RefreshDeps, { sid, identity }: PresentedRefreshToken, { requestId, clientIp }: RequestContext): Promise<Refreshed> {
  const { issuer, sub, email } = identity
  await endSession(deps, { request_id: requestId, client_ip: clientIp, sid, by: 'reuse', issuer, sub, email })
  return { ok: false, unavailable: false, reason: 'reused', sid, identity }
}

function replay(deps: RefreshDeps, { sid, identity, successor }: PresentedRefreshToken): Refreshed {
  const refreshToken = successor === undefined ? undefined : deps.sealer.open(successor, SEALED.successor)
  if (refreshToken === undefined) return { ok: false, unavailable: false, reason: 'unreadable', sid, identity }
  return { ok: true, how: 'replayed', sid, identity, refreshToken }
}

/** The provider's word decides. Its refusal consumes nothing, so that a person who is let in again can go on. */
async function askProvider(deps: RefreshDeps, tokenHash: string, token: PresentedRefreshToken, { requestId }: RequestContext): Promise<Refreshed> {
  const { sid, identity: previous } = token
  try {
    const idpToken = token.idpRefreshToken === undefined ? undefined : deps.sealer.open(token.idpRefreshToken, SEALED.idpToken)
    if (idpToken === undefined) return await release(deps, tokenHash, { ok: false, unavailable: false, reason: 'unreadable', sid, identity: previous })
    const askedMs = performance.now()
    const outcome = await deps.relyingParty.refresh(idpToken, { sub: previous.sub, previous })
    deps.debug(requestId, () => `refresh: the identity provider took ${Math.round(performance.now() - askedMs)} ms: ${outcome.ok ? `it is ${outcome.identity.sub}, in ${outcome.identity.groups.length} groups` : `${outcome.reason} ${outcome.detail ?? ''}`}`)
    if (!outcome.ok) {
      const { unavailable, reason, detail, idpRefreshToken } = outcome
      return await release(deps, tokenHash, { ok: false, unavailable, reason, detail, sid, identity: previous }, idpRefreshToken)
    }
    const refreshToken = createOpaqueToken('ghr_')
    const rotated = await rotateRefreshToken(deps.db, {
      tokenHash,
      successorHash: hashToken(refreshToken),
      sealedSuccessor: deps.sealer.seal(refreshToken, SEALED.successor),
      identity: outcome.identity,
      sealedIdpToken: deps.sealer.seal(outcome.idpRefreshToken ?? idpToken, SEALED.idpToken),
    })
    if (!rotated) return { ok: false, unavailable: true, reason: 'overtaken', sid, identity: previous }
    return { ok: true, how: 'refreshed', sid, identity: outcome.identity, refreshToken }
  } catch (error) {
    await releaseClaim(deps.db, tokenHash).catch(() => {})
    throw error
  }
}

async function release(deps: RefreshDeps, tokenHash: string, refusal: Refreshed, idpToken?: string): Promise<Refreshed> {
  await releaseClaim(deps.db, tokenHash, idpToken === undefined ? undefined : deps.sealer.seal(idpToken, SEALED.idpToken))
  return refusal
}
