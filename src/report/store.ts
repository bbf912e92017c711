import { sql, type SQL } from 'drizzle-orm'
import type { Dimension, Filters } from './dimensions.ts'
import { WIDTH_MS } from './moment.ts'
import { readsRequests, type CostLine, type CostType, type LedgerQuery, type LedgerRow, type Of, type PersonDay, type Place, type Sum } from './query.ts'
import type { ReportDatabase } from './report-database.ts'

/** The server ends a statement sooner: this is for when it does not answer at all. */
const DEADLINE = { deadlineMs: 25_000 }

/** The clock of money, in milliseconds since the epoch. */
export async function readClock(db: ReportDatabase): Promise<number> {
  const [row] = await db.run<{ now: Date | string }>(sql`select spend_clock() as now`, DEADLINE)
  return new Date((row as { now: Date | string }).now).getTime()
}

/** Which rows come next, and how many at most. */
export interface Part {
  readonly after?: Place | undefined
  readonly limit: number
  /** From the last bucket to the first; within a bucket by key all the same. */
  readonly descending?: boolean
  /** Leaves out people whose names are forgotten. */
  readonly withoutForgotten?: boolean
}

/** Rows in the order of bucket and key, after a place. */
export async function readLedger<sum extends Sum>(db: ReportDatabase, query: LedgerQuery<sum>, { after, limit, descending = false, withoutForgotten = false }: Part): Promise<LedgerRow<sum>[]> {
  const rows = await db.run<RawRow>(
    sql`select ${shown(query)} ${named(query)}
      where ${isAfter(after, descending)} and ${kept(withoutForgotten)} order by a.bucket ${direction(descending)}, a.key collate "C" limit ${limit}::int`,
    DEADLINE,
  )
  return rows.map((row) => ledgerRow(row, query.sums))
}

/** Rows by cost, after the cost and place of the last one read; costs that are equal in the order of their place. */
export async function readByCost<sum extends Sum>(db: ReportDatabase, query: LedgerQuery<sum | 'cost'>, { after, limit, descending = true, withoutForgotten = false }: Omit<Part, 'after'> & { after?: { cost: bigint; place: Place } | undefined }): Promise<LedgerRow<sum | 'cost'>[]> {
  const cost = after && sql`${String(after.cost)}::numeric`
  const isNext = cost === undefined ? sql`true` : sql`(a.cost ${descending ? sql`<` : sql`>`} ${cost} or a.cost = ${cost} and ${isAfter(after?.place)})`
  const rows = await db.run<RawRow>(
    sql`select ${shown(query)} ${named(query)}
      where ${isNext} and ${kept(withoutForgotten)} order by a.cost ${direction(descending)}, a.bucket, a.key collate "C" limit ${limit}::int`,
    DEADLINE,
  )
  return rows.map((row) => ledgerRow(row, query.sums))
}

/**
 * Costs by kind of token, in the order of bucket and key. What a kind cost is its tokens at the stored rate, whole
 * nano-dollars; what these are short of the sum of the rows' cost, or beyond it, is put on the largest of them.
 */
export async function readCostLines(db: ReportDatabase, query: LedgerQuery, { after, limit }: Pick<Part, 'after' | 'limit'>): Promise<CostLine[]> {
  const rows = await db.run<RawRow & { cost_type: CostType; token_type: string | null }>(
    sql`select ${shown(query)}, a.cost_type, a.token_type ${named(query)}
      where ${isAfter(after)} order by a.bucket, a.key collate "C" limit ${limit}::int`,
    DEADLINE,
  )
  return rows.map((row) => ({ place: placeOf(row), of: facts(row), costType: row.cost_type, tokenType: row.token_type, cost: BigInt(row.cost) }))
}

/** People and clients of one day in the order of issuer, sub and client, after a place. Sessions are of the single requests, as long as these are kept. */
export async function readPersonDays(db: ReportDatabase, { day, after, limit }: { day: number; after?: readonly string[] | undefined; limit: number }): Promise<PersonDay[]> {
  const [from, to] = [moment(day), moment(day + WIDTH_MS['1d'])]
  const rows = await db.run<Omit<PersonDay, 'sessions'> & { sessions: string | number }>(
    sql`with by_model as (
        select issuer, sub, client, model, sum(input_tokens) as input, sum(output_tokens) as output, sum(cache_read_tokens) as cache_read,
          sum(cache_write_5m_tokens + cache_write_1h_tokens) as cache_creation, sum(cost) as cost
        from usage_day where day >= ${from} and day < ${to} group by 1, 2, 3, 4
      ), chosen as (
        select issuer, sub, client, jsonb_agg(jsonb_build_object('model', model, 'input', input::text, 'output', output::text, 'cacheRead', cache_read::text,
          'cacheCreation', cache_creation::text, 'cost', cost::text) order by model) as models
        from by_model where array[issuer, sub, client] collate "C" > ${texts(after ?? [])} group by 1, 2, 3
        order by array[issuer, sub, client] collate "C" limit ${limit}::int
      ), counted as (
        select issuer, sub, client, count(*) as sessions from (
          select distinct issuer, sub, client, session from usage where started_at >= ${from} and started_at < ${to} and nullif(session, '') is not null
        ) once group by 1, 2, 3
      )
      select issuer, sub, client, models, p.email, coalesce(sessions, 0) as sessions
      from chosen left join counted using (issuer, sub, client) left join person p using (issuer, sub)
      order by array[issuer, sub, client] collate "C"`,
    DEADLINE,
  )
  return rows.map((row) => ({ ...row, sessions: Number(row.sessions) }))
}

interface RawRow {
  bucket: Date | string
  key: readonly string[]
  issuer: string | null
  user: string | null
  email: string | null
  name: string | null
  forgotten: boolean
  [column: string]: unknown
  cost: string
}

/** The columns of the ledger, and of the hours, that something is broken out by. */
const COLUMN: { readonly [dimension in Dimension]: SQL } = {
  user: sql`u.sub`,
  // A row has a set of them: see perSet.
  group: sql`null::text`,
  model: sql`u.model`,
  upstream: sql`u.upstream`,
  client: sql`u.client`,
  // Nullable; an empty one says as little as none.
  session: sql`nullif(u.session, '')`,
  speed: sql`u.speed`,
  inference_geo: sql`u.inference_geo`,
  service_tier: sql`u.service_tier`,
}

const NAME: { readonly [dimension in Dimension]: SQL } = {
  user: sql`"user"`,
  group: sql`"group"`,
  model: sql`model`,
  upstream: sql`upstream`,
  client: sql`client`,
  session: sql`session`,
  speed: sql`speed`,
  inference_geo: sql`inference_geo`,
  service_tier: sql`service_tier`,
}

const ALL = Object.keys(COLUMN) as Dimension[]
const NAMES = sql.join(ALL.map((dimension) => NAME[dimension]), sql`, `)
/** A single request in the columns of an hour. */
const AS_HOURS = sql`*, (kind = 'message')::int as requests, (kind = 'message' and status >= 400)::int as failed_requests`
const RATES = sql`rate_input, rate_output, rate_cache_read, rate_cache_write_5m, rate_cache_write_1h, rate_web_search`

function totals(query: LedgerQuery): SQL {
  if (!query.by.includes('group')) return perSet(query)
  const positions = sql.raw(Array.from({ length: ALL.length + 2 }, (_, at) => at + 1).join(', '))
  return sql`select bucket, issuer, ${sql.join(ALL.map((dimension) => (dimension === 'group' ? sql`m.name as "group"` : NAME[dimension])), sql`, `)}, ${sumEach(query)}
    from (${perSet(query)}) s ${joinGroups(query)} group by ${positions}`
}

/** Rates are few: tokens are summed up for each, and the rest is arithmetic on a few rows. */
function lines(query: LedgerQuery): SQL {
  const implied = IMPLIED.filter((dimension) => !query.by.includes(dimension))
  const isGrouped = query.by.includes('group')
  const shownAs = ALL.map((dimension) => (implied.includes(dimension) ? sql`case when cost_type = 'tokens' then ${NAME[dimension]} end as ${NAME[dimension]}` : isGrouped && dimension === 'group' ? sql`m.name as "group"` : NAME[dimension]))
  return sql`with priced as (${perSet(query, implied, RATES)}), line as (
      select bucket, issuer, ${sql.join(shownAs, sql`, `)}, cost_type, token_type, amount from priced s ${isGrouped ? joinGroups(query) : sql``} cross join lateral (
        select cost_type, token_type, part + case when row_number() over (order by part desc, at) = 1 then s.cost - sum(part) over () else 0 end as amount
        from (values
          (1, 'tokens', 'uncached_input_tokens', div(s.input_tokens * s.rate_input, 1000000)),
          (2, 'tokens', 'output_tokens', div(s.output_tokens * s.rate_output, 1000000)),
          (3, 'tokens', 'cache_read_input_tokens', div(s.cache_read_tokens * s.rate_cache_read, 1000000)),
          (4, 'tokens', 'cache_creation.ephemeral_5m_input_tokens', div(s.cache_write_5m_tokens * s.rate_cache_write_5m, 1000000)),
          (5, 'tokens', 'cache_creation.ephemeral_1h_input_tokens', div(s.cache_write_1h_tokens * s.rate_cache_write_1h, 1000000)),
          (6, 'web_search', null, s.web_searches * s.rate_web_search)
        ) as paid (at, cost_type, token_type, part)
      ) as parts where amount <> 0
    )
    select bucket, issuer, ${NAMES}, cost_type, token_type, sum(amount) as cost from line group by bucket, issuer, ${NAMES}, cost_type, token_type`
}

/** A line says these of its tokens without being asked, as Anthropic's does. */
const IMPLIED: readonly Dimension[] = ['model', 'service_tier', 'inference_geo']

/**
 * The sums of the rows that the filters let through. Where it is broken out by group, one row for each set of groups: a
 * set becomes its groups when the rows are few. Each other dimension has a column, null where it is not broken out by that.
 * Bucket by bucket: the planner knows how many models there are, and would sort millions of rows by an expression of time.
 */
function perSet(query: LedgerQuery, beside: readonly Dimension[] = [], rates = sql``): SQL {
  const { width, span, by, filters, described } = query
  const own = ALL.filter((dimension) => dimension !== 'group' && (by.includes(dimension) || beside.includes(dimension)))
  const shownAs = ALL.map((dimension) => sql`${own.includes(dimension) ? COLUMN[dimension] : sql`null::text`} as ${NAME[dimension]}`)
  const table = readsRequests(query) ? sql`(select started_at as at, ${AS_HOURS} from usage)` : isOfDays(query) ? sql`(select day as at, * from usage_day)` : sql`(select hour as at, * from usage_hour)`
  const sets = by.includes('group')
  // By position: a name would mean the table's own column.
  const positions = [...(own.includes('user') ? [1] : []), ...own.map((dimension) => ALL.indexOf(dimension) + 2), ...(sets ? [ALL.length + 2] : [])]
  const grouped = sql.join([...positions.map((position) => sql.raw(String(position))), ...(described ? [rates] : [])], sql`, `)
  const step = sql`${`${(width === 'all' ? Math.max(1000, span.to - span.from) : WIDTH_MS[width]) / 1000} seconds`}::interval`
  return sql`select bucket, s.* from generate_series(${moment(span.from)}, ${moment(span.to - 1)}, ${step}) bucket cross join lateral (
      select ${own.includes('user') ? sql`u.issuer` : sql`null::text`} as issuer, ${sql.join(shownAs, sql`, `)}, ${sets ? sql`u.group_set` : sql`null::uuid`} as group_set, ${sumEach(query)} ${described ? sql`, ${rates}` : sql``}
      from ${table} u where u.at >= bucket and u.at < bucket + ${step} ${conditions(filters)}
      ${positions.length > 0 || described ? sql`group by ${grouped}` : sql`having count(*) > 0`}
    ) s`
}

/** Whole days are summed up already. */
function isOfDays({ width, span: { from, to } }: LedgerQuery): boolean {
  return width !== '1h' && width !== '1m' && [from, to].every((edge) => edge % WIDTH_MS['1d'] === 0)
}

/** Of the table, and of sums of it. */
function sumEach({ sums }: LedgerQuery): SQL {
  return sql.join(sums.map((name) => sql.raw(`sum(${name}) as ${name}`)), sql`, `)
}

/** The groups that a set of groups counts for; null for none. */
function joinGroups({ groupTag, filters: { group = [] } }: LedgerQuery): SQL {
  const each = sql`select s.id, name from group_set s, lateral (select distinct name from jsonb_array_elements_text(s.groups) name) g ${group.length === 0 ? sql`` : sql`where name in (${elements(group)})`}`
  const tagged = sql`select s.id, (select min(name collate "C") from jsonb_array_elements_text(s.groups) name where starts_with(name, ${groupTag ?? ''}::text)) as name from group_set s`
  return sql`left join (with membership as materialized (${groupTag === undefined ? each : tagged}) select id, nullif(name, '') as name from membership) m on m.id = s.group_set`
}

function conditions(filters: Filters): SQL {
  const each = (Object.entries(filters) as [Dimension, readonly string[]][]).filter(([, values]) => values.length > 0)
  return sql.join(each.map(([dimension, values]) => sql`and ${dimension === 'group' ? isMember(values) : sql`${COLUMN[dimension]} in (${elements(values)})`}`), sql` `)
}

function isMember(groups: readonly string[]): SQL {
  return sql`u.group_set in (select s.id from group_set s, jsonb_array_elements_text(s.groups) name where name in (${elements(groups)}))`
}

/** Joined to who people are, under the names that `RawRow` has. The key tells the rows of a bucket apart. */
function named(query: LedgerQuery): SQL {
  const told = [...ALL.filter((dimension) => query.by.includes(dimension) || (query.described && IMPLIED.includes(dimension))).map((dimension) => NAME[dimension]), ...(query.by.includes('user') ? [sql`issuer`] : [])]
  const key = [sql`''`, ...told, ...(query.described ? [sql`cost_type`, sql`token_type`] : [])].map((column) => sql`coalesce(${column}, '')`)
  return sql`from (select r.*, array[${sql.join(key, sql`, `)}] as key from (${query.described ? lines(query) : totals(query)}) r) a left join person p on p.issuer = a.issuer and p.sub = a."user"`
}

function shown(query: LedgerQuery): SQL {
  const sums = query.described ? (['cost'] as const) : query.sums
  return sql`a.bucket, to_jsonb(a.key) as key, a.issuer, ${sql.join(ALL.map((dimension) => sql`a.${NAME[dimension]}`), sql`, `)}, p.email, p.name,
    a."user" is not null and p.email is null and p.name is null as forgotten, ${sql.join(sums.map((name) => sql.raw(`a.${name}`)), sql`, `)}`
}

function kept(withoutForgotten: boolean): SQL {
  return withoutForgotten ? sql`(a."user" is null or p.email is not null or p.name is not null)` : sql`true`
}

function isAfter(place: Place | undefined, descending = false): SQL {
  if (place === undefined) return sql`true`
  const [bucket, key] = [moment(place.bucket), texts(place.key)]
  return sql`(a.bucket ${descending ? sql`<` : sql`>`} ${bucket} or a.bucket = ${bucket} and a.key collate "C" > ${key})`
}

function direction(descending: boolean): SQL {
  return descending ? sql`desc` : sql`asc`
}

function moment(ms: number): SQL {
  return sql`${new Date(ms).toISOString()}::timestamptz`
}

function elements(values: readonly string[]): SQL {
  return sql`select jsonb_array_elements_text(${JSON.stringify(values)}::text::jsonb)`
}

function texts(values: readonly string[]): SQL {
  return sql`array(select value from jsonb_array_elements_text(${JSON.stringify(values)}::text::jsonb) with ordinality as given (value, place) order by place)`
}

function ledgerRow<sum extends Sum>(row: RawRow, sums: readonly sum[]): LedgerRow<sum> {
  return { place: placeOf(row), of: facts(row), sums: Object.fromEntries(sums.map((name) => [name, BigInt(row[name] as string)])) as Record<sum, bigint> }
}

function placeOf({ bucket, key }: RawRow): Place {
  return { bucket: new Date(bucket).getTime(), key }
}

function facts(row: RawRow): Of {
  const { user, email, name, forgotten } = row
  const of = Object.fromEntries(ALL.map((dimension) => [dimension, (row[dimension] as string | null) ?? null])) as Record<Dimension, string | null>
  return { ...of, user, email, name, forgotten }
}
