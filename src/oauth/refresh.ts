// Refreshing a sign-in: the identity provider is asked again each time, by one process at a time.
import type { Observe } from '../observe/events.ts'
import type { Identity } from '../principal.ts'
import type { RefreshRefusal } from '../oidc/refusal.ts'
import { presentRefreshToken, releaseClaim, revokeSession, rotateRefreshToken, type PresentedRefreshToken } from '../session/store.ts'
import { createOpaqueToken, hashToken } from './codes.ts'
import { SEALED, type OAuthDeps } from './deps.ts'

/** Processes that refresh together present the same token; this long they all get the same successor. */
export const OVERLAP_SECONDS = 120
/** Longer than the identity provider may take; after it a dead process's claim is free again. */
const CLAIM_SECONDS = 15
const WAIT_MS = 10_000
const WAIT_STEP_MS = 100

export type Refreshed =
  | { ok: true; how: 'refreshed' | 'replayed'; sid: string; identity: Identity; refreshToken: string }
  | { ok: false; unavailable: boolean; reason: RefreshRefusal | 'unknown' | 'revoked' | 'too_old' | 'reused' | 'unreadable' | 'busy' | 'overtaken'; detail?: string | undefined; sid?: string; identity?: Identity }

/** What a presented token is good for. Pure. */
export function judgePresented(token: PresentedRefreshToken | undefined): 'unknown' | 'revoked' | 'too_old' | 'reused' | 'replay' | 'refresh' | 'wait' {
  if (token === undefined) return 'unknown'
  if (token.revoked) return 'revoked'
  if (token.tooOld) return 'too_old'
  if (token.used) return token.obsolete || token.successor === undefined ? 'reused' : 'replay'
  return token.claimed ? 'refresh' : 'wait'
}

/** A refresher for one process: simultaneous presentations of one token share one answer. */
export function createRefresher(deps: OAuthDeps): (refreshToken: string) => Promise<Refreshed> {
  const running = new Map<string, Promise<Refreshed>>()
  return (refreshToken) => {
    const tokenHash = hashToken(refreshToken)
    const known = running.get(tokenHash)
    if (known !== undefined) return known
    const work = refresh(deps, tokenHash).finally(() => running.delete(tokenHash))
    running.set(tokenHash, work)
    return work
  }
}

async function refresh(deps: OAuthDeps, tokenHash: string): Promise<Refreshed> {
  const rules = { overlapSeconds: OVERLAP_SECONDS, claimSeconds: CLAIM_SECONDS, maxHours: deps.session.max_hours }
  for (const giveUpAt = performance.now() + WAIT_MS; ; ) {
    const token = await presentRefreshToken(deps.db, tokenHash, rules)
    const verdict = judgePresented(token)
    if (verdict === 'unknown' || token === undefined) return { ok: false, unavailable: false, reason: 'unknown' }
    const who = { sid: token.sid, identity: token.identity }
    switch (verdict) {
      case 'revoked':
      case 'too_old':
        return { ok: false, unavailable: false, reason: verdict, ...who }
      case 'reused':
        return endReused(deps, token)
      case 'replay':
        return replay(deps, token)
      case 'refresh':
        return askProvider(deps, tokenHash, token)
      case 'wait':
        if (performance.now() > giveUpAt) return { ok: false, unavailable: true, reason: 'busy', ...who }
        await Bun.sleep(WAIT_STEP_MS)
    }
  }
}

/** RFC 9700 §4.14.2: a token used again after the overlap means that two parties hold it; neither keeps the sign-in. */
async function endReused(deps: OAuthDeps, { sid, identity }: PresentedRefreshToken): Promise<Refreshed> {
  await revokeSession(deps.db, sid)
  deps.revocations.add(sid)
  observeRevocation(deps.observe, sid, identity)
  return { ok: false, unavailable: false, reason: 'reused', sid, identity }
}

function observeRevocation(observe: Observe, sid: string, identity: Identity): void {
  observe({ evt: 'session.revoke', sid, by: 'reuse', issuer: identity.issuer, sub: identity.sub, email: identity.email })
}

function replay(deps: OAuthDeps, { sid, identity, successor }: PresentedRefreshToken): Refreshed {
  const refreshToken = successor === undefined ? undefined : deps.sealer.open(successor, SEALED.successor)
  if (refreshToken === undefined) return { ok: false, unavailable: false, reason: 'unreadable', sid, identity }
  return { ok: true, how: 'replayed', sid, identity, refreshToken }
}

/** The provider's word decides. Its refusal consumes nothing, so that a person who is let in again can go on. */
async function askProvider(deps: OAuthDeps, tokenHash: string, token: PresentedRefreshToken): Promise<Refreshed> {
  const { sid, identity: previous } = token
  try {
    const idpToken = token.idpRefreshToken === undefined ? undefined : deps.sealer.open(token.idpRefreshToken, SEALED.idpToken)
    if (idpToken === undefined) return await release(deps, tokenHash, { ok: false, unavailable: false, reason: 'unreadable', sid, identity: previous })
    const outcome = await deps.relyingParty.refresh(idpToken, { sub: previous.sub, previous })
    if (!outcome.ok) return await release(deps, tokenHash, { ok: false, unavailable: outcome.unavailable, reason: outcome.reason, detail: outcome.detail, sid, identity: previous })
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

async function release(deps: OAuthDeps, tokenHash: string, refusal: Refreshed): Promise<Refreshed> {
  await releaseClaim(deps.db, tokenHash)
  return refusal
}
