// All SQL of the ledger. Each function is one statement; the rules that have to hold between replicas are functions in
// migrations/0002_ledger.sql and, as they are now, 0010_admission.sql.
import { sql } from 'drizzle-orm'
import { arrayLiteral } from '../db/array-literal.ts'
import type { Database } from '../db/connect.ts'
import { prepared } from '../db/prepared.ts'
import type { Counter } from './counters.ts'
import type { LedgerRow } from './execution.ts'

/** Nano-dollars. */
export interface PeriodAmounts {
  readonly daily: bigint
  readonly weekly: bigint
  readonly monthly: bigint
}

/** What is spent on a counter in each period, and what is held for requests that still run. */
export interface CounterSums {
  readonly spent: PeriodAmounts
  readonly held: PeriodAmounts
}

export interface LimitedCounter extends Counter {
  /** Nano-dollars; no limit where absent. */
  readonly limits: Readonly<Partial<PeriodAmounts>>
}

/** A request that asks to be written down before it is sent. */
export interface AdmissionEntry {
  readonly requestId: string
  readonly counters: readonly LimitedCounter[]
  /** Nano-dollars to hold on each counter. */
  readonly held: bigint
  /** What is settled should this process die: `{ request, rows }` of `settle`. */
  readonly conservative: { readonly request: object; readonly rows: readonly LedgerRow[] }
}

export interface AdmissionRow {
  readonly requestId: string
  readonly isAdmitted: boolean
  readonly startedAt: Date
  /** In the order of the counters. */
  readonly sums: readonly CounterSums[]
}

interface SumsJson {
  daily: string
  weekly: string
  monthly: string
  daily_held: string
  weekly_held: string
  monthly_held: string
}

/** Decides about a batch, in its order, and writes down what is admitted; safe to repeat. */
export function admitBatch(db: Database, processId: string, entries: readonly AdmissionEntry[], deadlineMs: number): Promise<AdmissionRow[]> {
  return entries.some(({ held }) => held > 0n) ? holdBatch(db, processId, entries, deadlineMs) : noteBatch(db, processId, entries, deadlineMs)
}

/** One after the other: what is held for one is in the way of the next. */
async function holdBatch(db: Database, processId: string, entries: readonly AdmissionEntry[], deadlineMs: number): Promise<AdmissionRow[]> {
  const batch = entries.map(({ requestId, counters, held, conservative }) => ({
    request_id: requestId,
    counters: counters.map(({ scope, scopeId, limits }) => ({ scope, scope_id: scopeId, daily: text(limits.daily), weekly: text(limits.weekly), monthly: text(limits.monthly) })),
    held: text(held),
    conservative,
  }))
  const rows = await db.run<{ request_id: string; admitted: boolean; started_at: Date | string; sums: SumsJson[] }>(
    sql`select request_id, admitted, started_at, sums from spend_admit(${processId}::uuid, ${JSON.stringify(batch)}::jsonb)`,
    { deadlineMs },
  )
  return rows.map((row) => ({ requestId: row.request_id, isAdmitted: row.admitted, startedAt: new Date(row.started_at), sums: row.sums.map(toSums) }))
}

const NOTE = prepared<Record<'process' | 'scopes' | 'scopeIds' | 'requests' | 'limited' | 'counter' | 'daily' | 'weekly' | 'monthly' | 'conservative', string>>(
  (given) => sql`select spend_note(${given.process}::uuid, ${given.scopes}::text[], ${given.scopeIds}::text[], ${given.requests}::uuid[], ${given.limited}::integer[],
    ${given.counter}::integer[], ${given.daily}::bigint[], ${given.weekly}::bigint[], ${given.monthly}::bigint[], ${given.conservative}::text::json) as answer`,
)

interface NoteAnswer {
  moment: string
  stands: [daily: string, weekly: string, monthly: string, dailyHeld: string, weeklyHeld: string, monthlyHeld: string][]
  refused: number[]
  running: Record<string, string>
}

/** All together: each counter is read once. Places are from 1 on, as in arrays of the database. */
async function noteBatch(db: Database, processId: string, entries: readonly AdmissionEntry[], deadlineMs: number): Promise<AdmissionRow[]> {
  const { counters, placeOf } = distinctCounters(entries)
  const limits = entries.flatMap((entry, at) => entry.counters.map((counter) => ({ request: at + 1, counter: placeOf(counter), ...counter.limits })))
  const statement = NOTE({
    process: processId,
    scopes: arrayLiteral(counters.map(({ scope }) => scope)),
    scopeIds: arrayLiteral(counters.map(({ scopeId }) => scopeId)),
    requests: arrayLiteral(entries.map(({ requestId }) => requestId)),
    limited: arrayLiteral(limits.map(({ request }) => request)),
    counter: arrayLiteral(limits.map(({ counter }) => counter)),
    daily: arrayLiteral(limits.map(({ daily }) => daily)),
    weekly: arrayLiteral(limits.map(({ weekly }) => weekly)),
    monthly: arrayLiteral(limits.map(({ monthly }) => monthly)),
    conservative: JSON.stringify(entries.map((entry) => entry.conservative)),
  })
  const [row] = await db.run<{ answer: NoteAnswer }>(statement, { deadlineMs })
  const { moment, stands, refused, running } = (row as NonNullable<typeof row>).answer
  const sums = stands.map(([daily, weekly, monthly, daily_held, weekly_held, monthly_held]) => toSums({ daily, weekly, monthly, daily_held, weekly_held, monthly_held }))
  return entries.map(({ requestId, counters }, at) => ({
    requestId,
    isAdmitted: running[requestId] !== undefined || !refused.includes(at + 1),
    startedAt: new Date(running[requestId] ?? moment),
    sums: counters.map((counter) => sums[placeOf(counter) - 1] as CounterSums),
  }))
}

function distinctCounters(entries: readonly AdmissionEntry[]): { counters: readonly Counter[]; placeOf: (counter: Counter) => number } {
  const places = new Map<string, number>()
  const counters: Counter[] = []
  const keyOf = ({ scope, scopeId }: Counter) => `${scope} ${scopeId}`
  for (const counter of entries.flatMap((entry) => entry.counters)) {
    const key = keyOf(counter)
    if (!places.has(key)) places.set(key, counters.push(counter))
  }
  return { counters, placeOf: (counter) => places.get(keyOf(counter)) as number }
}

function text(amount: bigint | undefined): string | null {
  return amount === undefined ? null : String(amount)
}

function toSums(json: SumsJson): CounterSums {
  return {
    spent: { daily: BigInt(json.daily), weekly: BigInt(json.weekly), monthly: BigInt(json.monthly) },
    held: { daily: BigInt(json.daily_held), weekly: BigInt(json.weekly_held), monthly: BigInt(json.monthly_held) },
  }
}

/** For a `with`: the first days of the periods that run. Materialised, or they are worked out anew for each row. */
export const runningPeriods = sql`period as materialized (
  select day as today, date_trunc('week', day::timestamp)::date as monday, date_trunc('month', day::timestamp)::date as first_day
  from (select spend_day_of(spend_clock()) as day) clock
)`

/** Of rows of `spend_day` beside `period`. */
export const spentInPeriods = sql`coalesce(sum(spent) filter (where day = today), 0) as daily, coalesce(sum(spent) filter (where day >= monday), 0) as weekly,
  coalesce(sum(spent) filter (where day >= first_day), 0) as monthly`

/** What stands on counters now, and the database's time. Nothing is held. */
export async function readCounters(db: Database, counters: readonly Counter[], deadlineMs: number): Promise<{ now: Date; sums: CounterSums[] }> {
  const asked = JSON.stringify(counters.map(({ scope, scopeId }) => ({ scope, scope_id: scopeId })))
  const rows = await db.run<SumsJson & { now: Date | string }>(
    sql`
    with ${runningPeriods}
    select spend_clock() as now, daily::text, weekly::text, monthly::text, daily_held::text, weekly_held::text, monthly_held::text
    from period, jsonb_array_elements(${asked}::jsonb) with ordinality as given (c, place), lateral (
      select ${spentInPeriods}, coalesce(sum(held) filter (where day = today), 0) as daily_held, coalesce(sum(held) filter (where day >= monday), 0) as weekly_held,
             coalesce(sum(held) filter (where day >= first_day), 0) as monthly_held
      from spend_day where scope = c->>'scope' and scope_id = c->>'scope_id' and day >= least(monday, first_day) and day <= today
    ) s order by place`,
    { deadlineMs },
  )
  return { now: new Date(rows[0]?.now ?? 0), sums: rows.map(toSums) }
}

const SETTLE = prepared<Record<'requests' | 'rows', string>>((given) => sql`select spend_settle(${given.requests}::text::jsonb, ${given.rows}::text::jsonb) as fresh`)

/** Settles requests, once however often it is called; a request without rows is let go. Returns how many rows were new. */
export async function settleBatch(db: Database, requests: readonly object[], rows: readonly LedgerRow[], deadlineMs: number): Promise<number> {
  const [answer] = await db.run<{ fresh: string }>(SETTLE({ requests: JSON.stringify(requests), rows: JSON.stringify(rows) }), { deadlineMs })
  return Number(answer?.fresh ?? 0)
}

/** Lets other replicas know that this process lives. */
export async function markAlive(db: Database, processId: string): Promise<void> {
  await db.run(sql`insert into gateway_process (id) values (${processId}::uuid) on conflict (id) do update set seen_at = now()`)
}

/** What this process holds for longer than so many seconds. */
export async function holdsOf(db: Database, processId: string, forSeconds: number): Promise<string[]> {
  const rows = await db.run<{ request_id: string }>(sql`select request_id from usage_hold where process_id = ${processId}::uuid and started_at <= spend_clock() - make_interval(secs => ${forSeconds})`)
  return rows.map((row) => row.request_id)
}

/** Settles what dead processes held. Returns how many requests, and how many the ledger refused. */
export async function sweepDead(db: Database, deadAfterSeconds: number, most: number): Promise<{ swept: number; stuck: number }> {
  const [answer] = await db.run<{ swept: string; stuck: string }>(sql`select swept, stuck from spend_sweep(make_interval(secs => ${deadAfterSeconds}), ${most}::int)`)
  return { swept: Number(answer?.swept ?? 0), stuck: Number(answer?.stuck ?? 0) }
}

export interface Retention {
  readonly usageDays: number
  readonly spendMonths: number
  readonly identityDays: number
}

/** Makes the partitions of the next months. */
export async function makePartitions(db: Database): Promise<void> {
  await db.run(sql`select usage_make_partitions()`)
}

/** Deletes what has been kept long enough, in pieces, so that nobody waits for it. */
export async function forget(db: Database, { usageDays, spendMonths, identityDays }: Retention): Promise<void> {
  for (let dropped: string | null | undefined = ''; typeof dropped === 'string'; ) dropped = (await db.run<{ part: string | null }>(sql`select usage_drop_month(${usageDays}::int) as part`))[0]?.part
  for (let gone = MOST_FORGOTTEN; gone >= MOST_FORGOTTEN; ) {
    const [row] = await db.run<{ gone: string }>(sql`select spend_forget(${usageDays}::int, ${spendMonths}::int, ${identityDays}::int, ${MOST_FORGOTTEN}::int) as gone`)
    gone = Number(row?.gone ?? 0)
  }
}

const MOST_FORGOTTEN = 5000
