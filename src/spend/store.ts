// All SQL of spend limits. Each function is one statement; changes, their audit rows and their events commit together.
import { sql, type SQL } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import type { CounterScope } from '../ledger/counters.ts'
import { runningPeriods, spentInPeriods } from '../ledger/store.ts'
import type { TimedEvent } from '../observe/audit-line.ts'
import type { Period, SpendLimit } from './limit.ts'
import { limitOf, type LimitRow } from './limit-row.ts'

/** Every limit that holds now, in order of creation. */
export async function loadLimits(db: Database): Promise<SpendLimit[]> {
  const rows = await db.run<{ row: LimitRow }>(sql`select to_jsonb(l) as row from spend_limit_now l order by id`)
  return rows.map(({ row }) => limitOf(row))
}

/** Another text whenever the list is another one: a limit was changed, or a temporary one ran out. */
export async function readLimitMark(db: Database): Promise<string> {
  const rows = await db.run<{ mark: string }>(
    sql`select version || '-' || (select count(*) from spend_limit where temporary_until > spend_clock()) as mark from spend_limit_mark`,
  )
  return rows[0]?.mark ?? ''
}

/** Who changes a limit, and from where. */
export interface Change {
  readonly actor: string
  readonly reason: string | undefined
  readonly requestId: string
  readonly clientIp: string
}

/** What a change answered, and its events as they are stored: for the log. */
export interface Told<result> {
  readonly result: result
  readonly events: readonly TimedEvent[]
}

async function told<result>(db: Database, change: SQL): Promise<Told<result>> {
  const rows = await db.run<{ told: { result: result; lines: readonly string[] | null } }>(sql`select audit_told(to_jsonb(${change})) as told`)
  const { result, lines } = (rows[0] as { told: { result: result; lines: readonly string[] | null } }).told
  return { result, events: (lines ?? []).map((line) => JSON.parse(line) as TimedEvent) }
}

/** What an administrator asks for. */
export interface WantedLimit extends Omit<SpendLimit, 'id'> {
  /** RFC 3339. */
  readonly expiresAt: string | undefined
}

export interface PutLimit {
  readonly limit: LimitRow
  /** Somebody it is meant for has signed in before. */
  readonly seen: boolean
}

/** Creates or replaces the limit of a scope and period. Null, and nothing changed, when `expiresAt` is past. */
export async function putLimit(db: Database, wanted: WantedLimit, { actor, reason, requestId, clientIp }: Change): Promise<Told<PutLimit | null>> {
  const entry = {
    scope: wanted.scope,
    scope_id: wanted.scopeId,
    user_email: wanted.userEmail,
    shared: wanted.isShared,
    period: wanted.period,
    amount: wanted.amount?.toString() ?? null,
    expires_at: wanted.expiresAt,
  }
  return told(db, sql`spend_limit_put(${JSON.stringify(entry)}::text::jsonb, ${actor}::text, ${reason ?? null}::text, ${requestId}::text, ${clientIp}::text)`)
}

/** The limit that was deleted, or null when there is none of this id. */
export async function deleteLimit(db: Database, id: string, { actor, reason, requestId, clientIp }: Change): Promise<Told<LimitRow | null>> {
  return told(db, sql`spend_limit_delete(${id}::text, ${actor}::text, ${reason ?? null}::text, ${requestId}::text, ${clientIp}::text)`)
}

/** Gives a person the limits that wait for their address, with an audit row for each. */
export async function bindPending(db: Database, person: { sub: string; email: string }, { requestId, clientIp }: Pick<Change, 'requestId' | 'clientIp'>): Promise<Told<unknown>> {
  return told(db, sql`spend_limit_bind(${person.sub}::text, ${person.email}::text, ${requestId}::text, ${clientIp}::text)`)
}

/** A limit, and whether the person it is for has signed in before. */
export interface ListedLimit {
  readonly row: LimitRow
  readonly seen: boolean
}

const listed = sql`to_jsonb(l) as row, case when scope = 'user' then user_email is null and spend_is_seen(scope_id) else true end as seen from spend_limit_now l`

export async function findLimit(db: Database, id: string): Promise<ListedLimit | undefined> {
  const rows = await db.run<ListedLimit>(sql`select ${listed} where id = ${id}`)
  return rows[0]
}

export interface ListRange {
  readonly scope: CounterScope | undefined
  /** One beyond what is shown says whether there is more. */
  readonly most: number
  readonly after: string | undefined
  readonly before: string | undefined
}

/** Limits in order of creation; with `before` the nearest ones, nearest first. */
export async function listLimits(db: Database, { scope, most, after, before }: ListRange): Promise<ListedLimit[]> {
  const isWanted = all(scope !== undefined && sql`scope = ${scope}`, after !== undefined && sql`id > ${after}`, before !== undefined && sql`id < ${before}`)
  return db.run<ListedLimit>(sql`select ${listed} where ${isWanted} order by id ${before === undefined ? sql`asc` : sql`desc`} limit ${most}`)
}

export interface AuditRow {
  readonly id: string
  readonly created_at: string
  readonly actor: string
  readonly action: string
  readonly target_id: string
  readonly before: LimitRow | null
  readonly after: LimitRow | null
  readonly reason: string | null
}

/** Changes, newest first; `after` is the id of the last one seen. */
export async function listAudit(db: Database, { most, after }: { most: number; after: string | undefined }): Promise<AuditRow[]> {
  const rows = await db.run<{ row: AuditRow }>(
    sql`select to_jsonb(a) as row from spend_limit_audit a where ${all(after !== undefined && sql`id < ${after}`)} order by id desc limit ${most}`,
  )
  return rows.map(({ row }) => row)
}

/** Clears away temporary limits that have run out. Returns the events of it. */
export async function expireLimits(db: Database): Promise<readonly TimedEvent[]> {
  return (await told(db, sql`spend_limit_expire()`)).events
}

/** Clears away changes of limits that are older than so many days. */
export async function forgetLimitChanges(db: Database, days: number): Promise<void> {
  await db.run(sql`select spend_limit_audit_forget(${days}::int)`)
}

/** Where a page of people begins: with this person, who is part of it. Spend in nano-dollars where it orders the page. */
export interface PeopleStart {
  readonly sub: string
  readonly issuer: string
  readonly spent: string | undefined
}

export interface PeopleRange {
  /** Exactly these, seen or not; undefined: whoever was seen spending. */
  readonly subs: readonly string[] | undefined
  /** Part of their sub, address or name, in any case. */
  readonly search: string | undefined
  /** Most spent in this period first; undefined: by sub. */
  readonly bySpendOf: Period | undefined
  readonly from: PeopleStart | undefined
  readonly most: number
}

export interface SpendingPerson {
  /** Empty of a sub that nobody was seen with. */
  readonly issuer: string
  readonly sub: string
  readonly email: string | null
  readonly name: string | null
  readonly groups: readonly string[]
  /** Nano-dollars spent in the running period, as text. */
  readonly daily: string
  readonly weekly: string
  readonly monthly: string
}

export interface PoolSpending {
  readonly scope: CounterScope
  readonly scope_id: string
  readonly daily: string
  readonly weekly: string
  readonly monthly: string
}

/** What was spent in the running periods from what people share. */
export async function listPoolSpending(db: Database): Promise<PoolSpending[]> {
  return db.run<PoolSpending>(sql`
    with ${runningPeriods}
    select scope, scope_id, ${spentInPeriods}
    from spend_day, period where scope <> 'user' and day >= least(monday, first_day) and day <= today group by scope, scope_id`)
}

/** People with what they have spent in the running periods. */
export async function listSpending(db: Database, { subs, search, bySpendOf, from, most }: PeopleRange): Promise<SpendingPerson[]> {
  const isWanted = all(
    search !== undefined && sql`strpos(lower(concat_ws(chr(1), sub, email, name)), lower(${search})) > 0`,
    from !== undefined && bySpendOf === undefined && sql`(sub collate "C", issuer collate "C") >= (${from.sub}, ${from.issuer})`,
  )
  const isInRange = all(
    from !== undefined && bySpendOf !== undefined &&
      sql`(${spentIn(bySpendOf)} < ${from.spent ?? '0'}::numeric or ${spentIn(bySpendOf)} = ${from.spent ?? '0'}::numeric and (sub collate "C", issuer collate "C") >= (${from.sub}, ${from.issuer}))`,
  )
  const [inner, outer] = bySpendOf === undefined ? [sql`order by sub collate "C", issuer collate "C" limit ${most}`, sql``] : [sql``, sql`${spentIn(bySpendOf)} desc,`]
  return db.run<SpendingPerson>(sql`
    with ${runningPeriods}, people as (
      select issuer, sub, email, name, groups from (${subs === undefined ? seenSpending : named(subs)}) everybody where ${isWanted} ${inner}
    )
    select issuer, sub, email, name, groups, daily::text, weekly::text, monthly::text
    from people left join lateral (
      select ${spentInPeriods}
      from spend_day, period where scope = 'user' and scope_id = issuer || ' ' || sub and day >= least(monday, first_day) and day <= today
    ) spent on true
    where ${isInRange} order by ${outer} sub collate "C", issuer collate "C" limit ${most}`)
}

const seenSpending = sql`select issuer, sub, email, name, groups from person`

/** People of these subs: as they last spent, else as they last signed in, else by their sub alone. */
function named(subs: readonly string[]): SQL {
  const given = sql`select jsonb_array_elements_text(${JSON.stringify(subs)}::text::jsonb)`
  return sql`
    select issuer, sub, email, name, groups from person where sub in (${given})
    union all
    (select distinct on (issuer, sub) issuer, sub, email, name, groups from session s where sub in (${given})
      and not exists (select from person p where p.issuer = s.issuer and p.sub = s.sub) order by issuer, sub, refreshed_at desc)
    union all
    select distinct '', sub, null, null, '[]'::jsonb from jsonb_array_elements_text(${JSON.stringify(subs)}::text::jsonb) sub where not spend_is_seen(sub)`
}

const SPENT: Record<Period, SQL> = { daily: sql`daily`, weekly: sql`weekly`, monthly: sql`monthly` }
const spentIn = (period: Period): SQL => SPENT[period]

/** All of the conditions that are there. */
function all(...conditions: (SQL | false)[]): SQL {
  return sql.join([sql`true`, ...conditions.filter((condition) => condition !== false)], sql` and `)
}
