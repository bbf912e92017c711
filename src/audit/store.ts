// All SQL of the audit trail. Each function is one statement.
import { sql, type SQL } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import type { AuditRecord } from '../observe/audit-line.ts'
import type { StoredEvent } from './chain.ts'

/** A stored event as `StoredEvent` has it. */
const COLUMNS = sql`to_char(day, 'YYYY-MM-DD') as day, seq, to_char(ts at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ts, evt, request_id, issuer, sub, line, encode(hash, 'hex') as hash`

/** Where an event is in the trail. `day` is a date in UTC, `seq` begins at 1 each day. */
export interface Place {
  readonly day: string
  readonly seq: number
}

/** The end of the trail; `hash` in hexadecimal digits. `seq` is 0 in a trail that holds nothing. */
export interface Head extends Place {
  readonly hash: string
}

/** Appends events in their order, each once however often it is called. `first`: the number of the first in its process. */
export async function storeEvents(db: Database, { writer, first, records }: { writer: string; first: number; records: readonly AuditRecord[] }, deadlineMs: number): Promise<void> {
  await db.run(sql`select audit_store(${writer}::uuid, ${first}::bigint, ${JSON.stringify(records)}::text::jsonb)`, { deadlineMs })
}

/** Stores the event of a privileged change that the database knows nothing of, before it is made. Throws DatabaseError: then it is not made. */
export async function noteEvent(db: Database, record: AuditRecord): Promise<void> {
  await db.run(sql`select audit_note(${JSON.stringify(record)}::text::jsonb)`)
}

/** Whether the events of privileged changes are stored with them, whichever replica makes the change. */
export async function storePrivileged(db: Database, wanted: boolean): Promise<void> {
  await db.run(sql`select audit_stores(${wanted})`)
}

export async function readHead(db: Pick<Database, 'run'>): Promise<Head | undefined> {
  const rows = await db.run<{ day: string; seq: string; hash: string }>(sql`select to_char(day, 'YYYY-MM-DD') as day, seq, encode(hash, 'hex') as hash from audit_head`)
  return rows[0] && { ...rows[0], seq: Number(rows[0].seq) }
}

/** Removes days that are kept no longer, at most so many events. Returns how many. */
export async function forgetEvents(db: Database, { days, most }: { days: number; most: number }): Promise<number> {
  const rows = await db.run<{ gone: string }>(sql`select audit_forget(${days}::int, ${most}::int) as gone`, { deadlineMs: 20_000 })
  return Number(rows[0]?.gone)
}

/** A day that is over: how many events it had, and the hash of its last. */
export interface ClosedDay {
  readonly day: string
  readonly events: number
  readonly hash: string
  /** Its events are kept no longer. */
  readonly forgotten: boolean
}

export interface Outline {
  readonly head: Head
  readonly closed: readonly ClosedDay[]
  /** By the clock of the database. */
  readonly today: string
}

/** How every day ended, in order, and where the trail ends, at one moment. Undefined when the latter is gone. */
export async function readOutline(db: Pick<Database, 'run'>): Promise<Outline | undefined> {
  // As text, days are what PostgreSQL calls them: also those that no gateway wrote, of other eras and infinite ones.
  const rows = await db.run<{ day: string; seq: string; hash: string; today: string; closed: ClosedDay[] | null }>(sql`
    select day::text as day, seq, encode(hash, 'hex') as hash, spend_day_of(spend_clock())::text as today,
      (select jsonb_agg(jsonb_build_object('day', d.day::text, 'events', d.events, 'hash', encode(d.hash, 'hex'), 'forgotten', d.forgotten) order by d.day) from audit_day d) as closed
    from audit_head`)
  return rows[0] && { head: { day: rows[0].day, seq: Number(rows[0].seq), hash: rows[0].hash }, closed: rows[0].closed ?? [], today: rows[0].today }
}

/** Events behind one place, up to another and with it, in order. */
export async function readTrail(db: Pick<Database, 'run'>, { after, upTo, most }: { after: Place; upTo: Place; most: number }): Promise<StoredEvent[]> {
  const rows = await db.run<Omit<StoredEvent, 'seq'> & { seq: string }>(
    sql`select ${COLUMNS} from audit_event where (day, seq) > (${after.day}::date, ${after.seq}::bigint) and (day, seq) <= (${upTo.day}::date, ${upTo.seq}::bigint)
      order by audit_event.day, audit_event.seq limit ${most}::int`,
    { deadlineMs: 20_000 },
  )
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }))
}

/** The first event behind the end of the trail: there can be none. */
export function findBeyondHead(db: Pick<Database, 'run'>): Promise<Place | undefined> {
  return findPlace(db, sql`(day, seq) > ((select day from audit_head), (select seq from audit_head))`)
}

/** The first event up to a day and on it that is none of a day which was forgotten: there can be none. */
export function findUpTo(db: Pick<Database, 'run'>, day: string): Promise<Place | undefined> {
  return findPlace(db, sql`day <= ${day}::date and not exists (select from audit_day d where d.day = audit_event.day and d.forgotten and audit_event.seq between 1 and d.events)`)
}

async function findPlace(db: Pick<Database, 'run'>, condition: SQL): Promise<Place | undefined> {
  const rows = await db.run<{ day: string; seq: string }>(
    sql`select audit_event.day::text as day, seq from audit_event where ${condition} order by audit_event.day, audit_event.seq limit 1`,
    { deadlineMs: 20_000 },
  )
  return rows[0] && { day: rows[0].day, seq: Number(rows[0].seq) }
}

/** Which events are asked for. Moments in milliseconds since the epoch: from, and before. */
export interface EventFilter {
  /** None: of every name. */
  readonly evts: readonly string[]
  readonly userId: string | undefined
  readonly requestId: string | undefined
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
  readonly isDescending: boolean
}

/** No clock is a day wrong; no event waits for a database for longer than so many days. */
const [DAYS_BEFORE, DAYS_BEHIND] = [1, 31]

/** Events after a place, in the order in which they were stored, at most so many. Of days that are kept alone. */
export async function findEvents(db: Pick<Database, 'run'>, { evts, userId, requestId, fromMs, toMs, isDescending }: EventFilter, { after, most }: { after: Place | undefined; most: number }): Promise<StoredEvent[]> {
  const moment = (ms: number) => sql`${new Date(ms).toISOString()}::timestamptz`
  const conditions = [
    sql`(day = (select day from audit_head) or day in (select day from audit_day where not forgotten))`,
    evts.length === 0 ? undefined : sql`evt in (${sql.join(evts.map((evt) => sql`${evt}`), sql`, `)})`,
    userId === undefined ? undefined : sql`sub = ${userId}`,
    requestId === undefined ? undefined : sql`request_id = ${requestId}`,
    fromMs === undefined ? undefined : sql`audit_event.ts >= ${moment(fromMs)} and day >= spend_day_of(${moment(fromMs)}) - ${DAYS_BEFORE}::int`,
    toMs === undefined ? undefined : sql`audit_event.ts < ${moment(toMs)} and day <= spend_day_of(${moment(toMs)}) + ${DAYS_BEHIND}::int`,
    after && sql`(audit_event.day, audit_event.seq) ${isDescending ? sql`<` : sql`>`} (${after.day}::date, ${after.seq}::bigint)`,
  ].filter((condition) => condition !== undefined)
  const way = isDescending ? sql`desc` : sql`asc`
  const rows = await db.run<Omit<StoredEvent, 'seq'> & { seq: string }>(
    sql`select ${COLUMNS} from audit_event where ${sql.join(conditions, sql` and `)}
      order by audit_event.day ${way}, audit_event.seq ${way} limit ${most}::int`,
    { deadlineMs: 25_000 },
  )
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }))
}
