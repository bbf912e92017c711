import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'

/** Sign-ins revoked in the last `seconds`: older ones have no living token. */
export async function loadRevoked(db: Database, seconds: number): Promise<Set<string>> {
  const rows = await db.run<{ sid: string }>(
    sql`select sid::text as sid from session where revoked_at > now() - make_interval(secs => ${seconds})`,
  )
  return new Set(rows.map((row) => row.sid))
}
