// All SQL of sessions and their refresh tokens. Each function is one statement.
import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import type { AuditRecord } from '../observe/audit-line.ts'
import type { Identity } from '../principal.ts'

/** Sign-ins revoked in the last `seconds`: older ones have no living token. */
export async function loadRevoked(db: Database, seconds: number): Promise<Set<string>> {
  const rows = await db.run<{ sid: string }>(
    sql`select sid::text as sid from session where revoked_at > now() - make_interval(secs => ${seconds})`,
  )
  return new Set(rows.map((row) => row.sid))
}

/** A refresh token as one presentation finds it. */
export interface PresentedRefreshToken {
  readonly sid: string
  readonly identity: Identity
  readonly revoked: boolean
  /** The sign-in is older than `session.max_hours`. */
  readonly tooOld: boolean
  readonly used: boolean
  /** Used so long ago that whoever presents it now is not a process that refreshed at the same time. */
  readonly obsolete: boolean
  /** Sealed. */
  readonly successor: string | undefined
  /** Sealed. */
  readonly idpRefreshToken: string | undefined
  /** This presentation may ask the identity provider; nobody else does meanwhile. */
  readonly claimed: boolean
}

export interface PresentationRules {
  overlapSeconds: number
  claimSeconds: number
  maxHours: number
}

/** Looks a refresh token up and, when it is good and nobody else has done so, claims the right to use it. */
export async function presentRefreshToken(db: Database, tokenHash: string, rules: PresentationRules): Promise<PresentedRefreshToken | undefined> {
  const rows = await db.run<{
    sid: string
    issuer: string
    sub: string
    email: string | null
    name: string | null
    groups: string[]
    revoked: boolean
    too_old: boolean
    used: boolean
    obsolete: boolean
    successor: string | null
    idp_refresh_token: string | null
    claimed: boolean
  }>(sql`
    with token as (
      select token_hash, sid, used_at, successor, coalesce(claimed_until > now(), false) as busy
      from refresh_token where token_hash = ${tokenHash} for update
    ), found as (
      select token.*, issuer, sub, email, name, groups, idp_refresh_token, revoked_at is not null as revoked,
             created_at < now() - make_interval(secs => ${rules.maxHours * 3600}) as too_old
      from token join session using (sid)
    ), claim as (
      update refresh_token set claimed_until = now() + make_interval(secs => ${rules.claimSeconds})
      from found
      where refresh_token.token_hash = found.token_hash and found.used_at is null and not found.revoked and not found.too_old and not found.busy
      returning refresh_token.token_hash
    )
    select sid::text as sid, issuer, sub, email, name, groups, revoked, too_old, used_at is not null as used,
           coalesce(used_at < now() - make_interval(secs => ${rules.overlapSeconds}), false) as obsolete,
           successor, idp_refresh_token, exists (select from claim) as claimed
    from found`)
  const row = rows[0]
  return (
    row && {
      sid: row.sid,
      identity: { issuer: row.issuer, sub: row.sub, email: row.email ?? undefined, name: row.name ?? undefined, groups: row.groups },
      revoked: row.revoked,
      tooOld: row.too_old,
      used: row.used,
      obsolete: row.obsolete,
      successor: row.successor ?? undefined,
      idpRefreshToken: row.idp_refresh_token ?? undefined,
      claimed: row.claimed,
    }
  )
}

export interface Rotation {
  tokenHash: string
  successorHash: string
  sealedSuccessor: string
  identity: Identity
  sealedIdpToken: string
}

/** Replaces a claimed token by its successor and notes what the identity provider said. False when it was used or revoked meanwhile. */
export async function rotateRefreshToken(db: Database, rotation: Rotation): Promise<boolean> {
  const { identity } = rotation
  const rows = await db.run(sql`
    with used as (
      update refresh_token set used_at = now(), claimed_until = null, successor = ${rotation.sealedSuccessor}
      from session
      where token_hash = ${rotation.tokenHash} and used_at is null and session.sid = refresh_token.sid and session.revoked_at is null
      returning refresh_token.sid
    ), kept as (
      update session set refreshed_at = now(), email = ${identity.email ?? null}::text, name = ${identity.name ?? null}::text,
        groups = ${JSON.stringify(identity.groups)}::jsonb, idp_refresh_token = ${rotation.sealedIdpToken}
      from used where session.sid = used.sid
      returning session.sid
    )
    insert into refresh_token (token_hash, sid) select ${rotation.successorHash}, sid from kept returning 1`)
  return rows.length === 1
}

/**
 * Gives the claim back, so that the next presentation may try again at once. Keeps the provider's new refresh token when
 * it gave one before something else failed: with the old one it would refuse next time.
 */
export async function releaseClaim(db: Database, tokenHash: string, sealedIdpToken?: string): Promise<void> {
  await db.run(sql`
    with released as (
      update refresh_token set claimed_until = null where token_hash = ${tokenHash} and used_at is null returning sid
    )
    update session set idp_refresh_token = coalesce(${sealedIdpToken ?? null}::text, idp_refresh_token)
    from released where session.sid = released.sid and session.revoked_at is null`)
}

/** Ends a sign-in for good, and stores the event of it in the same statement where events are stored. False when it had ended before, or never was. */
export async function revokeSession(db: Database, sid: string, event: AuditRecord): Promise<boolean> {
  const rows = await db.run(sql`
    with ended as (
      update session set revoked_at = now(), idp_refresh_token = null where sid = ${sid}::uuid and revoked_at is null returning sid
    )
    select audit_note(${JSON.stringify(event)}::text::jsonb) from ended`)
  return rows.length === 1
}

/** The sign-in a refresh token belongs to. */
export async function findSessionOfToken(db: Database, tokenHash: string): Promise<{ sid: string; issuer: string; sub: string; email: string | null } | undefined> {
  const rows = await db.run<{ sid: string; issuer: string; sub: string; email: string | null }>(
    sql`select sid::text as sid, issuer, sub, email from refresh_token join session using (sid) where token_hash = ${tokenHash}`,
  )
  return rows[0]
}

/** Forgets successors after the overlap, and sign-ins of devices and browsers that can never be used again. */
export async function sweepSessions(db: Database, rules: { overlapSeconds: number; maxHours: number }): Promise<void> {
  await db.run(sql`update refresh_token set successor = null where successor is not null and used_at < now() - make_interval(secs => ${rules.overlapSeconds})`)
  await db.run(sql`delete from page_session where expires_at < now()`)
  await db.run(sql`delete from session where greatest(created_at + make_interval(secs => ${rules.maxHours * 3600}), refreshed_at) < now() - interval '2 days'`)
}
