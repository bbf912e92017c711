import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'

/** Somebody as the identity provider last described them. */
export interface SeenPerson {
  readonly issuer: string
  readonly sub: string
  readonly email: string | undefined
  readonly groups: readonly string[]
  readonly seenAt: Date
}

/** The latest sign-in of a subject, or of an e-mail address in any case; undefined for who never signed in, or so long ago that it is forgotten. */
export async function findSeenPerson(db: Database, by: { sub: string } | { email: string }): Promise<SeenPerson | undefined> {
  const isPerson = 'sub' in by ? sql`sub = ${by.sub}` : sql`lower(email) = lower(${by.email})`
  const rows = await db.run<{ issuer: string; sub: string; email: string | null; groups: string[]; seen_at: Date | string }>(
    sql`select issuer, sub, email, groups, refreshed_at as seen_at from session where ${isPerson} order by refreshed_at desc limit 1`,
  )
  const [row] = rows
  return row && { issuer: row.issuer, sub: row.sub, email: row.email ?? undefined, groups: row.groups, seenAt: new Date(row.seen_at) }
}
