// All SQL of alerts. Each function is one statement.
import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'
import type { CounterScope } from '../ledger/counters.ts'
import { runningPeriods, spentInPeriods } from '../ledger/store.ts'
import type { AlertCounter, Moment, Movement, PassedThreshold } from './alert.ts'

export interface Look {
  readonly moment: Moment
  readonly movements: readonly Movement[]
  /** As text; the look that ends with it is told to `noteLook`. */
  readonly lookedAt: string
}

/** What one page of a look ended with. */
export type Page = Pick<AlertCounter, 'scope' | 'scopeId'>

interface MovementRow {
  now_ms: number
  looked_at: string
  today: string
  monday: string
  first_day: string
  scope: CounterScope | null
  scope_id: string
  daily: string
  weekly: string
  monthly: string
  issuer: string | null
  sub: string | null
  email: string | null
  name: string | null
  groups: string[] | null
}

/**
 * Counters that moved since somebody last looked, in order, `most` of them behind `after`, with their spend in the windows
 * of now. Half a minute is looked at twice: a statement may end after one that began later.
 */
export async function lookAtSpend(db: Database, after: Page | undefined, most: number): Promise<Look> {
  const rows = await db.run<MovementRow>(sql`
    with ${runningPeriods}, moved as materialized (
      select distinct scope, scope_id from spend_day
      where updated_at >= (select greatest(looked_at - interval '30 seconds', now() - interval '1 day') from alert_watch)
        and day >= (select least(monday, first_day) from period)
    ), page as (
      select scope, scope_id from moved where (scope, scope_id) > (${after?.scope ?? ''}::text, ${after?.scopeId ?? ''}::text) order by scope, scope_id limit ${most}::integer
    )
    select extract(epoch from spend_clock())::float8 * 1000 as now_ms, now()::text as looked_at, today::text as today, monday::text as monday, first_day::text as first_day,
           page.scope, page.scope_id, daily::text as daily, weekly::text as weekly, monthly::text as monthly, p.issuer, p.sub, p.email, p.name, p.groups
    from period left join page on true
    left join lateral (
      select ${spentInPeriods}
      from spend_day s where s.scope = page.scope and s.scope_id = page.scope_id and s.day between least(monday, first_day) and today
    ) spend on true
    left join lateral (
      -- with a limit each is looked up by its key, whoever else there is
      select issuer, sub, email, name, groups from person
      where page.scope = 'user' and issuer = split_part(page.scope_id, ' ', 1) and sub = substr(page.scope_id, length(split_part(page.scope_id, ' ', 1)) + 2) limit 1
    ) p on true
    order by page.scope, page.scope_id`)
  const [first] = rows
  if (first === undefined) throw new Error('the clock of the database has no row')
  return {
    moment: { nowMs: first.now_ms, starts: { daily: first.today, weekly: first.monday, monthly: first.first_day } },
    lookedAt: first.looked_at,
    movements: rows.flatMap((row) => (row.scope === null ? [] : [{ counter: toCounter(row, row.scope), spent: { daily: BigInt(row.daily), weekly: BigInt(row.weekly), monthly: BigInt(row.monthly) } }])),
  }
}

function toCounter({ scope_id, issuer, sub, email, name, groups }: MovementRow, scope: CounterScope): AlertCounter {
  const person = issuer === null || sub === null ? undefined : { issuer, sub, email: email ?? undefined, name: name ?? undefined, groups: groups ?? [] }
  return { scope, scopeId: scope_id, person }
}

/** Everything that moved before is told. */
export async function noteLook(db: Database, lookedAt: string): Promise<void> {
  await db.run(sql`update alert_watch set looked_at = greatest(looked_at, ${lookedAt}::text::timestamptz)`)
}

export interface NewAlert {
  readonly passed: PassedThreshold
  readonly deliveries: readonly { readonly id: string; readonly destination: string; readonly body: string }[]
}

/** Notes thresholds, each once in its window however often and by whomever it is called, and queues what is new. Returns what was. */
export async function recordAlerts(db: Database, alerts: readonly NewAlert[]): Promise<PassedThreshold[]> {
  const given = alerts.map(({ passed: { counter, limit, windowStart, threshold, spent, isHighest }, deliveries }) => ({
    scope: counter.scope,
    scope_id: counter.scopeId,
    limit_id: limit.limitId,
    period: limit.period,
    window_start: windowStart,
    // Numbers of JSON end at 2^53.
    amount: limit.amount.toString(),
    threshold,
    spent: spent.toString(),
    told: isHighest,
    deliveries,
  }))
  const rows = await db.run<{ place: number }>(sql`
    with given as materialized (
      select place, a->>'scope' as scope, a->>'scope_id' as scope_id, a->>'limit_id' as limit_id, a->>'period' as period, (a->>'window_start')::date as window_start,
             (a->>'amount')::bigint as amount, (a->>'threshold')::numeric as threshold, (a->>'spent')::bigint as spent, (a->>'told')::boolean as told, a->'deliveries' as deliveries
      from jsonb_array_elements(${JSON.stringify(given)}::text::jsonb) with ordinality as g (a, place)
    ), fresh as (
      insert into spend_alert (scope, scope_id, limit_id, period, window_start, amount, threshold, spent, told)
      select scope, scope_id, limit_id, period, window_start, amount, threshold, spent, told from given order by 1, 2, 3, 4, 5, 6, 7
      on conflict do nothing returning scope, scope_id, limit_id, period, window_start, amount, threshold
    ), news as (
      select g.place, g.deliveries from given g join fresh using (scope, scope_id, limit_id, period, window_start, amount, threshold) where g.told
    ), queued as (
      insert into alert_delivery (id, destination, body)
      select (d->>'id')::uuid, d->>'destination', d->>'body' from news, jsonb_array_elements(news.deliveries) d
    )
    select place::integer as place from news order by place`)
  return rows.flatMap(({ place }) => alerts[place - 1]?.passed ?? [])
}

export interface Delivery {
  readonly id: string
  readonly body: string
  /** This one included. */
  readonly attempts: number
  readonly ageSeconds: number
}

/** Takes what is due for a destination; nobody else sends it for `claimSeconds`. */
export async function claimDeliveries(db: Database, destination: string, most: number, claimSeconds: number): Promise<Delivery[]> {
  const rows = await db.run<{ id: string; body: string; attempts: number; age: number }>(sql`
    with due as (
      select id from alert_delivery
      where destination = ${destination} and next_attempt_at <= now() and (claimed_until is null or claimed_until < now())
      order by next_attempt_at, created_at limit ${most}::integer for update skip locked
    )
    update alert_delivery d set claimed_until = now() + make_interval(secs => ${claimSeconds}::float8), attempts = attempts + 1
    from due where d.id = due.id
    returning d.id::text as id, d.body, d.attempts, extract(epoch from now() - d.created_at)::float8 as age`)
  return rows.map(({ id, body, attempts, age }) => ({ id, body, attempts, ageSeconds: age }))
}

/** Delivered, or given up. */
export async function finishDelivery(db: Database, id: string): Promise<void> {
  await db.run(sql`delete from alert_delivery where id = ${id}::uuid`)
}

export async function postponeDelivery(db: Database, id: string, seconds: number, error: string): Promise<void> {
  await db.run(sql`update alert_delivery set claimed_until = null, next_attempt_at = now() + make_interval(secs => ${seconds}::float8), last_error = ${error} where id = ${id}::uuid`)
}

/** Gives back what was claimed and not sent, and leaves the destination alone for so long. What is being sent elsewhere is left as it is. */
export async function restDestination(db: Database, destination: string, unsent: readonly string[], seconds: number): Promise<void> {
  await db.run(sql`
    with unsent as (
      select value::uuid as id from jsonb_array_elements_text(${JSON.stringify(unsent)}::text::jsonb)
    ), waiting as (
      select id, id in (select id from unsent) as was_claimed from alert_delivery
      where destination = ${destination} and (id in (select id from unsent) or claimed_until is null or claimed_until < now())
      order by id for update
    )
    update alert_delivery d set next_attempt_at = greatest(next_attempt_at, now() + make_interval(secs => ${seconds}::float8)),
      claimed_until = null, attempts = attempts - was_claimed::integer
    from waiting where d.id = waiting.id`)
}

/**
 * Drops deliveries to destinations that the configuration does not have any more, and thresholds of windows long over.
 * An hour's grace: while replicas are renewed, some know a destination that others do not. Returns how many deliveries.
 */
export async function forgetAlerts(db: Database, destinations: readonly string[]): Promise<number> {
  const rows = await db.run<{ dropped: number }>(sql`
    with over as (
      delete from spend_alert where window_start < spend_day_of(spend_clock()) - 62
    ), dropped as (
      delete from alert_delivery where created_at < now() - interval '1 hour' and id in (
        select id from alert_delivery where destination not in (select jsonb_array_elements_text(${JSON.stringify(destinations)}::text::jsonb)) for update skip locked
      ) returning id
    )
    select count(*)::integer as dropped from dropped`)
  return rows[0]?.dropped ?? 0
}
