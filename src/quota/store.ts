// All SQL of quotas. Each function is one statement.
import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import type { Heard, Told } from './tally.ts'
import type { Window } from './window.ts'

export interface Exchange {
  processId: string
  told: readonly Told[]
  /** The others' rows from then on are wanted; by the clock of the database. */
  sinceMs: number
}

export interface Exchanged {
  /** The clock of the database. */
  nowMs: number
  heard: Heard[]
}

/** Writes what this process counted and reads what others told since. */
export async function exchangeCounts(db: Database, { processId, told, sinceMs }: Exchange, deadlineMs: number): Promise<Exchanged> {
  const given = told.map(({ key, running, window }) => ({ key, running, counted: window }))
  const rows = await db.run<{ now_ms: number; process_id: string | null; key: string; running: number; counted: Window; told_ms: number }>(
    sql`
    with given as (
      insert into quota_count as q (process_id, key, running, counted, told_at)
      select ${processId}::uuid, key, running, counted, spend_clock()
      from jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb) as g (key text, running integer, counted jsonb)
      on conflict (process_id, key) do update set running = excluded.running, counted = excluded.counted, told_at = excluded.told_at
    )
    select extract(epoch from spend_clock())::float8 * 1000 as now_ms, process_id::text as process_id, key, running, counted,
           extract(epoch from told_at)::float8 * 1000 as told_ms
    from (select) as always left join quota_count
      on told_at >= to_timestamp(${sinceMs}::float8 / 1000) and process_id <> ${processId}::uuid`,
    { deadlineMs },
  )
  const heard = rows.flatMap(({ process_id, key, running, counted, told_ms }) => (process_id === null ? [] : [{ processId: process_id, key, running, window: counted, toldMs: told_ms }]))
  return { nowMs: rows[0]?.now_ms ?? 0, heard }
}

/** Deletes what has left the minute; a row that somebody else writes or deletes is left to them. */
export async function forgetCounts(db: Database): Promise<void> {
  await db.run(sql`
    delete from quota_count where (process_id, key) in (
      select process_id, key from quota_count where told_at < spend_clock() - interval '90 seconds' for update skip locked
    )`)
}
