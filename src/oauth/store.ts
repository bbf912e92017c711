// All SQL of the device grant. Each function is one statement, so that replicas and crashes cannot half-do it.
import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import { prepared } from '../db/prepared.ts'
import type { Identity } from '../principal.ts'
import { FIRST_INTERVAL_SECONDS, GRANT_LIFETIME_SECONDS, INTERVAL_STEP_SECONDS, MAX_INTERVAL_SECONDS, POLL_LEEWAY_SECONDS, type PolledGrant } from './device-grant.ts'

const seconds = (count: number) => sql`make_interval(secs => ${count})`
/** Of a device grant. */
const isWaiting = sql`status = 'pending' and expires_at > now()`

const INSERT_GRANT = prepared<NewGrant>(({ deviceCodeHash, userCode, requesterIp }) => sql`
  insert into device_grant (device_code_hash, user_code, requester_ip, interval_seconds, expires_at)
  values (${deviceCodeHash}, ${userCode}, ${requesterIp}, ${FIRST_INTERVAL_SECONDS}, now() + ${seconds(GRANT_LIFETIME_SECONDS)})
  on conflict do nothing returning 1`)

export interface NewGrant {
  deviceCodeHash: string
  userCode: string
  requesterIp: string
}

/** False when another waiting grant has this user code. */
export async function insertGrant(db: Database, grant: NewGrant): Promise<boolean> {
  const rows = await db.run(INSERT_GRANT(grant))
  return rows.length === 1
}

const FIND_WAITING_GRANT = prepared<{ userCode: string }>(({ userCode }) => sql`
  select requester_ip as "requesterIp", extract(epoch from now() - created_at)::int as "ageSeconds"
  from device_grant where user_code = ${userCode} and ${isWaiting}`)

export interface WaitingGrant {
  requesterIp: string
  ageSeconds: number
}

/** The grant that waits under this user code. */
export async function findWaitingGrant(db: Database, userCode: string): Promise<WaitingGrant | undefined> {
  const rows = await db.run<WaitingGrant>(FIND_WAITING_GRANT({ userCode }))
  return rows[0]
}

/** What the sign-in of a browser is for. */
export type Purpose = 'device' | 'page'

export interface NewAttempt {
  stateHash: string
  browserHash: string
  sealed: string
}

const INSERT_ATTEMPT = prepared<NewAttempt & { userCode: string }>(({ stateHash, browserHash, sealed, userCode }) => sql`
  insert into sign_in_attempt (state_hash, browser_hash, device_code_hash, sealed, expires_at)
  select ${stateHash}, ${browserHash}, device_code_hash, ${sealed}, expires_at
  from device_grant where user_code = ${userCode} and ${isWaiting}
  returning device_code_hash`)

/** Begins a browser's way to the identity provider for the grant that waits under this user code; undefined when there is none. */
export async function insertAttempt(db: Database, attempt: NewAttempt & { userCode: string }): Promise<string | undefined> {
  const rows = await db.run<{ device_code_hash: string }>(INSERT_ATTEMPT(attempt))
  return rows[0]?.device_code_hash
}

const INSERT_PAGE_ATTEMPT = prepared<NewAttempt>(({ stateHash, browserHash, sealed }) => sql`
  insert into sign_in_attempt (state_hash, browser_hash, sealed, purpose, expires_at)
  values (${stateHash}, ${browserHash}, ${sealed}, 'page', now() + ${seconds(GRANT_LIFETIME_SECONDS)})`)

/** The same for a page of the gateway: no grant has a part in it. */
export async function insertPageAttempt(db: Database, attempt: NewAttempt): Promise<void> {
  await db.run(INSERT_PAGE_ATTEMPT(attempt))
}

export interface DeviceAttempt {
  purpose: 'device'
  sealed: string
  device_code_hash: string
  requester_ip: string
}

export type Attempt = DeviceAttempt | { purpose: 'page'; sealed: string }

const TAKE_ATTEMPT = prepared<{ stateHash: string; browserHash: string }>(({ stateHash, browserHash }) => sql`
  with taken as (
    delete from sign_in_attempt where state_hash = ${stateHash} and browser_hash = ${browserHash} and expires_at > now()
    returning purpose, sealed, device_code_hash
  )
  select purpose, sealed, device_code_hash, requester_ip from taken left join device_grant using (device_code_hash)`)

/** Takes an attempt, once, for the browser that began it. */
export async function takeAttempt(db: Database, stateHash: string, browserHash: string): Promise<Attempt | undefined> {
  const rows = await db.run<Attempt>(TAKE_ATTEMPT({ stateHash, browserHash }))
  return rows[0]
}

const APPROVE_GRANT = prepared<{ deviceCodeHash: string; identity: string; sealedIdpToken: string | null }>(({ deviceCodeHash, identity, sealedIdpToken }) => sql`
  update device_grant set status = 'approved', identity = ${identity}::text::jsonb, idp_refresh_token = ${sealedIdpToken}::text
  where device_code_hash = ${deviceCodeHash} and ${isWaiting}
  returning 1`)

/** Approves a grant that still waits. False when it was denied, approved or expired in the meantime. */
export async function approveGrant(db: Database, deviceCodeHash: string, identity: Identity, sealedIdpToken: string | undefined): Promise<boolean> {
  const rows = await db.run(APPROVE_GRANT({ deviceCodeHash, identity: JSON.stringify(identity), sealedIdpToken: sealedIdpToken ?? null }))
  return rows.length === 1
}

/** Denies a grant that still waits. */
export async function denyGrant(db: Database, deviceCodeHash: string): Promise<void> {
  await db.run(sql`update device_grant set status = 'denied' where device_code_hash = ${deviceCodeHash} and ${isWaiting}`)
}

/** The same by the code a person sees; undefined when no grant waits under it. */
export async function denyGrantByCode(db: Database, userCode: string): Promise<string | undefined> {
  const rows = await db.run<{ device_code_hash: string }>(sql`update device_grant set status = 'denied' where user_code = ${userCode} and ${isWaiting} returning device_code_hash`)
  return rows[0]?.device_code_hash
}

export interface Redemption extends PolledGrant {
  /** Who signed in, when this poll consumed the grant. `refreshable`: the identity provider gave a refresh token. */
  readonly redeemed: { readonly identity: Identity; readonly refreshable: boolean } | undefined
}

const POLL_GRANT = prepared<{ deviceCodeHash: string; sid: string; refreshTokenHash: string }>(({ deviceCodeHash, sid, refreshTokenHash }) => sql`
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

/**
 * One poll: notes it, lengthens the interval when it came too soon, and turns an approved grant into a session and its
 * first refresh token. The row lock makes one of many simultaneous polls the one that redeems.
 */
export async function pollGrant(db: Database, deviceCodeHash: string, sid: string, refreshTokenHash: string): Promise<Redemption | undefined> {
  const rows = await db.run<{ status: PolledGrant['status']; expired: boolean; too_soon: boolean; identity: Identity | null; refreshable: boolean }>(POLL_GRANT({ deviceCodeHash, sid, refreshTokenHash }))
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
  await db.run(sql`delete from device_grant where expires_at < now() - interval '1 hour'`)
}

/** The same of attempts that no grant takes along. */
export async function deleteExpiredPageAttempts(db: Database): Promise<void> {
  await db.run(sql`delete from sign_in_attempt where purpose = 'page' and expires_at < now()`)
}
