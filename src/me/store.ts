// All SQL of what a person sees of themselves. Each function is one statement.
import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import type { Identity } from '../principal.ts'

/** What a person used of one model on one day. */
export interface DayOfModel {
  /** `2026-11-27`, UTC. */
  readonly day: string
  readonly model: string
  readonly requests: bigint
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly cacheReadTokens: bigint
  readonly cacheWriteTokens: bigint
  /** Nano-dollars. */
  readonly cost: bigint
}

const READ_MS = 2000

/** By day and model. `from`: the first moment that counts. */
export async function readDays(db: Database, person: { issuer: string; sub: string }, from: Date): Promise<DayOfModel[]> {
  const rows = await db.run<Record<'day' | 'model' | 'requests' | 'input' | 'output' | 'cache_read' | 'cache_write' | 'cost', string>>(
    sql`
    select spend_day_of(day)::text as day, model, sum(requests)::text as requests, sum(input_tokens)::text as input, sum(output_tokens)::text as output,
           sum(cache_read_tokens)::text as cache_read, sum(cache_write_5m_tokens + cache_write_1h_tokens)::text as cache_write, sum(cost)::text as cost
    from usage_day where issuer = ${person.issuer} and sub = ${person.sub} and day >= ${from.toISOString()}::timestamptz
    group by 1, 2 order by 1, 2`,
    { deadlineMs: READ_MS },
  )
  return rows.map((row) => ({
    day: row.day,
    model: row.model,
    requests: BigInt(row.requests),
    inputTokens: BigInt(row.input),
    outputTokens: BigInt(row.output),
    cacheReadTokens: BigInt(row.cache_read),
    cacheWriteTokens: BigInt(row.cache_write),
    cost: BigInt(row.cost),
  }))
}

/** Who a signed-in browser belongs to. */
export interface PageSession extends Identity {
  readonly sid: string
}

export interface NewPageSession {
  sid: string
  identity: Identity
  tokenHash: string
  seconds: number
  /** Of the session this browser had until now, which ends: nobody stays signed in by a cookie from before a sign-in. */
  previousHash: string | undefined
}

/** Signs a browser in: a session of its own, without a refresh token. */
export async function insertPageSession(db: Database, { sid, identity, tokenHash, seconds, previousHash }: NewPageSession): Promise<void> {
  await db.run(sql`
    with ended as (
      update session set revoked_at = now() from page_session
      where page_session.token_hash = ${previousHash ?? null}::text and session.sid = page_session.sid and session.revoked_at is null
    ), born as (
      insert into session (sid, issuer, sub, email, name, groups)
      values (${sid}::uuid, ${identity.issuer}, ${identity.sub}, ${identity.email ?? null}::text, ${identity.name ?? null}::text, ${JSON.stringify(identity.groups)}::text::jsonb)
      returning sid
    )
    insert into page_session (token_hash, sid, expires_at) select ${tokenHash}, sid, now() + make_interval(secs => ${seconds}) from born`)
}

/** The living session of a browser; undefined when it has expired, was signed out or revoked, or never was. */
export async function findPageSession(db: Database, tokenHash: string): Promise<{ session: PageSession; secondsLeft: number } | undefined> {
  const rows = await db.run<{ sid: string; issuer: string; sub: string; email: string | null; name: string | null; groups: string[]; seconds_left: number }>(
    sql`
    select sid::text as sid, issuer, sub, email, name, groups, extract(epoch from expires_at - now())::float8 as seconds_left from page_session join session using (sid)
    where token_hash = ${tokenHash} and expires_at > now() and revoked_at is null`,
    { deadlineMs: READ_MS },
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const { seconds_left: secondsLeft, ...person } = row
  return { session: { ...person, email: row.email ?? undefined, name: row.name ?? undefined }, secondsLeft }
}

/** Signs a browser out, on every replica at once: the page asks here each time. */
export async function endPageSession(db: Database, tokenHash: string): Promise<Pick<PageSession, 'sid' | 'issuer' | 'sub' | 'email'> | undefined> {
  const rows = await db.run<{ sid: string; issuer: string; sub: string; email: string | null }>(sql`
    with ended as (delete from page_session where token_hash = ${tokenHash} returning sid)
    update session set revoked_at = now() from ended where session.sid = ended.sid and revoked_at is null
    returning session.sid::text as sid, issuer, sub, email`)
  const row = rows[0]
  return row && { ...row, email: row.email ?? undefined }
}
