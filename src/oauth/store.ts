// All SQL of the device grant. Each function is one statement, so that replicas and crashes cannot half-do it.
import { and, eq, gt, lt, sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import { device_grant, sign_in_attempt } from '../db/tables.ts'
import type { Identity } from '../principal.ts'
import { FIRST_INTERVAL_SECONDS, GRANT_LIFETIME_SECONDS, INTERVAL_STEP_SECONDS, MAX_INTERVAL_SECONDS, POLL_LEEWAY_SECONDS, type PolledGrant } from './device-grant.ts'

const seconds = (count: number) => sql`make_interval(secs => ${count})`
const isWaiting = and(eq(device_grant.status, 'pending'), gt(device_grant.expires_at, sql`now()`))
const grantHash = { device_code_hash: device_grant.device_code_hash }

/** False when another waiting grant has this user code. */
export async function insertGrant(db: Database, grant: { deviceCodeHash: string; userCode: string; requesterIp: string }): Promise<boolean> {
  const row = {
    device_code_hash: grant.deviceCodeHash,
    user_code: grant.userCode,
    requester_ip: grant.requesterIp,
    interval_seconds: FIRST_INTERVAL_SECONDS,
    expires_at: sql`now() + ${seconds(GRANT_LIFETIME_SECONDS)}`,
  }
  const rows = await db.query((orm) => orm.insert(device_grant).values(row).onConflictDoNothing().returning(grantHash))
  return rows.length === 1
}

export interface WaitingGrant {
  requesterIp: string
  ageSeconds: number
}

/** The grant that waits under this user code. */
export async function findWaitingGrant(db: Database, userCode: string): Promise<WaitingGrant | undefined> {
  const columns = { requesterIp: device_grant.requester_ip, ageSeconds: sql<number>`extract(epoch from now() - ${device_grant.created_at})::int` }
  const rows = await db.query((orm) => orm.select(columns).from(device_grant).where(and(eq(device_grant.user_code, userCode), isWaiting)))
  return rows[0]
}

/** What the sign-in of a browser is for. */
export type Purpose = 'device' | 'page'

export interface NewAttempt {
  stateHash: string
  browserHash: string
  sealed: string
}

/** Begins a browser's way to the identity provider for the grant that waits under this user code; undefined when there is none. */
export async function insertAttempt(db: Database, attempt: NewAttempt & { userCode: string }): Promise<string | undefined> {
  const rows = await db.run<{ device_code_hash: string }>(sql`
    insert into sign_in_attempt (state_hash, browser_hash, device_code_hash, sealed, expires_at)
    select ${attempt.stateHash}, ${attempt.browserHash}, device_code_hash, ${attempt.sealed}, expires_at
    from device_grant where user_code = ${attempt.userCode} and ${isWaiting}
    returning device_code_hash`)
  return rows[0]?.device_code_hash
}

/** The same for a page of the gateway: no grant has a part in it. */
export async function insertPageAttempt(db: Database, { stateHash, browserHash, sealed }: NewAttempt): Promise<void> {
  const row = { state_hash: stateHash, browser_hash: browserHash, sealed, purpose: 'page' as const, expires_at: sql`now() + ${seconds(GRANT_LIFETIME_SECONDS)}` }
  await db.query((orm) => orm.insert(sign_in_attempt).values(row))
}

export interface DeviceAttempt {
  purpose: 'device'
  sealed: string
  device_code_hash: string
  requester_ip: string
}

export type Attempt = DeviceAttempt | { purpose: 'page'; sealed: string }

/** Takes an attempt, once, for the browser that began it. */
export async function takeAttempt(db: Database, stateHash: string, browserHash: string): Promise<Attempt | undefined> {
  const rows = await db.run<Attempt>(sql`
    with taken as (
      delete from sign_in_attempt where state_hash = ${stateHash} and browser_hash = ${browserHash} and expires_at > now()
      returning purpose, sealed, device_code_hash
    )
    select purpose, sealed, device_code_hash, requester_ip from taken left join device_grant using (device_code_hash)`)
  return rows[0]
}

/** Approves a grant that still waits. False when it was denied, approved or expired in the meantime. */
export async function approveGrant(db: Database, deviceCodeHash: string, identity: Identity, sealedIdpToken: string | undefined): Promise<boolean> {
  const approved = { status: 'approved' as const, identity, idp_refresh_token: sealedIdpToken ?? null }
  const rows = await db.query((orm) => orm.update(device_grant).set(approved).where(and(eq(device_grant.device_code_hash, deviceCodeHash), isWaiting)).returning(grantHash))
  return rows.length === 1
}

/** Denies a grant that still waits. */
export async function denyGrant(db: Database, deviceCodeHash: string): Promise<void> {
  await db.query((orm) => orm.update(device_grant).set({ status: 'denied' }).where(and(eq(device_grant.device_code_hash, deviceCodeHash), isWaiting)))
}

/** The same by the code a person sees; undefined when no grant waits under it. */
export async function denyGrantByCode(db: Database, userCode: string): Promise<string | undefined> {
  const rows = await db.query((orm) => orm.update(device_grant).set({ status: 'denied' }).where(and(eq(device_grant.user_code, userCode), isWaiting)).returning(grantHash))
  return rows[0]?.device_code_hash
}

export interface Redemption extends PolledGrant {
  /** Who signed in, when this poll consumed the grant. `refreshable`: the identity provider gave a refresh token. */
  readonly redeemed: { readonly identity: Identity; readonly refreshable: boolean } | undefined
}

/**
 * One poll: notes it, lengthens the interval when it came too soon, and turns an approved grant into a session and its
 * first refresh token. The row lock makes one of many simultaneous polls the one that redeems.
 */
export async function pollGrant(db: Database, deviceCodeHash: string, sid: string, refreshTokenHash: string): Promise<Redemption | undefined> {
  const rows = await db.run<{ status: PolledGrant['status']; expired: boolean; too_soon: boolean; identity: Identity | null; refreshable: boolean }>(sql`
    with found as (
      select device_code_hash, status, identity, idp_refresh_token, expires_at <= now() as expired,
             coalesce(last_polled_at + make_interval(secs => interval_seconds) - ${seconds(POLL_LEEWAY_SECONDS)} > now(), false) as too_soon
      from device_grant where device_code_hash = ${deviceCodeHash} for update
    ), redeemed as (
      select * from found where status = 'approved' and not expired
    ), noted as (
      update device_grant set
        last_polled_at = now(),
        status = case when exists (select from redeemed) then 'consumed' else device_grant.status end,
        identity = case when exists (select from redeemed) then null else device_grant.identity end,
        idp_refresh_token = case when exists (select from redeemed) then null else device_grant.idp_refresh_token end,
        interval_seconds = case when found.status = 'pending' and found.too_soon
          then least(interval_seconds + ${INTERVAL_STEP_SECONDS}::int, ${MAX_INTERVAL_SECONDS}::int) else interval_seconds end
      from found where device_grant.device_code_hash = found.device_code_hash
    ), born as (
      insert into session (sid, issuer, sub, email, name, groups, idp_refresh_token)
      select ${sid}::uuid, identity->>'issuer', identity->>'sub', identity->>'email', identity->>'name', identity->'groups', idp_refresh_token
      from redeemed
      returning sid, idp_refresh_token
    ), issued as (
      insert into refresh_token (token_hash, sid) select ${refreshTokenHash}, sid from born where idp_refresh_token is not null
    )
    select found.status, found.expired, found.too_soon, redeemed.identity, redeemed.idp_refresh_token is not null as refreshable
    from found left join redeemed using (device_code_hash)`)
  const row = rows[0]
  if (row === undefined) return undefined
  const redeemed = row.identity === null ? undefined : { identity: toIdentity(row.identity), refreshable: row.refreshable }
  return { status: row.status, expired: row.expired, tooSoon: row.too_soon, redeemed }
}

/** JSON has no undefined: what was absent comes back absent. */
function toIdentity({ issuer, sub, email, name, groups }: Identity): Identity {
  return { issuer, sub, email, name, groups }
}

/** Deletes what nobody can use any more, with the attempts that belong to it. */
export async function deleteExpiredGrants(db: Database): Promise<void> {
  // A grant stays a while after its end, so that a late poll of a denied one still hears why.
  await db.query((orm) => orm.delete(device_grant).where(lt(device_grant.expires_at, sql`now() - interval '1 hour'`)))
}

/** The same of attempts that no grant takes along. */
export async function deleteExpiredPageAttempts(db: Database): Promise<void> {
  await db.query((orm) => orm.delete(sign_in_attempt).where(and(eq(sign_in_attempt.purpose, 'page'), lt(sign_in_attempt.expires_at, sql`now()`))))
}
