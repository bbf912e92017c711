// A report in buckets of time: a page of it as JSON, or all of it row by row.
import { GatewayError } from '../errors.ts'
import type { Cell } from './csv.ts'
import { DAY_MS, isoSeconds, WIDTH_MS, type Width } from './moment.ts'
import type { PageTokens } from '../http/page-token.ts'
import { readsRequests, type LedgerQuery, type Place } from './query.ts'
import { ROWS_AT_ONCE, type Report } from './report.ts'
import type { ReportDatabase } from './report-database.ts'

export interface Bucketed<row extends { readonly place: Place }> {
  readonly name: string
  readonly query: LedgerQuery & { readonly width: Width }
  /** Buckets of a page. */
  readonly limit: number
  /** What a page must agree on with the one before it. */
  readonly question: unknown
  readonly page: string | undefined
  readonly read: (db: ReportDatabase, query: LedgerQuery, part: { after?: Place | undefined; limit: number }) => Promise<row[]>
  readonly result: (row: row) => Readonly<Record<string, unknown>>
  /** Of a row of CSV, after the ends of its bucket. */
  readonly columns: readonly string[]
  readonly cells: (row: row) => readonly Cell[]
}

export interface Bucket {
  readonly starting_at: string
  readonly ending_at: string
  readonly results: readonly Readonly<Record<string, unknown>>[]
}

/** One answer is made in memory and written at once. */
const MOST_RESULTS = 10_000
/** Single requests are many: nobody reads a year of them. */
const MOST_DAYS_OF_REQUESTS = 31
/** A page reads fewer of them, so that it comes in time. */
const DAYS_OF_REQUESTS_AT_ONCE = 7
const MOST_DAYS_OF_CSV = 400

/** Throws `invalid_request` for a span that would be read for too long. */
export function bucketed<row extends { readonly place: Place }>(report: Bucketed<row>): Report {
  const { name, query, columns } = report
  const days = (query.span.to - query.span.from) / DAY_MS
  if (readsRequests(query) && days > MOST_DAYS_OF_REQUESTS) throw new GatewayError('invalid_request', TOO_MANY_REQUESTS)
  return {
    name,
    span: query.span,
    columns: ['starting_at', 'ending_at', ...columns],
    page: (db, tokens) => page(db, tokens, report),
    rows(db) {
      if (days > MOST_DAYS_OF_CSV) throw new GatewayError('invalid_request', `starting_at: more than ${MOST_DAYS_OF_CSV} days before ending_at; ask for a year at a time`)
      return rows(db, report)
    },
  }
}

const TOO_MANY_REQUESTS = `starting_at: more than ${MOST_DAYS_OF_REQUESTS} days before ending_at, and minutes, sessions and descriptions are read from single requests; ask for a month at a time, or without them`

/** A page: as many buckets as asked for, or fewer when they hold very many results or are read from very many requests. Buckets in which nothing happened are there, empty. */
async function page<row extends { readonly place: Place }>(db: ReportDatabase, tokens: PageTokens, report: Bucketed<row>): Promise<{ data: Bucket[]; has_more: boolean; next_page: string | null }> {
  const { query, limit, question } = report
  const widthMs = WIDTH_MS[query.width]
  // An end that was not given is now, and stays so from page to page.
  const [from, to] = report.page === undefined ? [query.span.from, query.span.to] : (tokens.read(question, report.page) as [number, number])
  const asked = Math.min(to, from + limit * widthMs, readsRequests(query) ? from + DAYS_OF_REQUESTS_AT_ONCE * DAY_MS : to)
  const found = await report.read(db, { ...query, span: { from, to: asked } }, { limit: MOST_RESULTS + 1 })
  // A bucket that is not complete goes on the next page.
  const end = found.length > MOST_RESULTS ? (found.at(-1) as row).place.bucket : asked
  if (end === from && asked > from) throw new GatewayError('invalid_request', `group_by[]: more than ${MOST_RESULTS} results in one bucket; filter, take narrower buckets, or ask with format=csv`)
  const byBucket = Map.groupBy(found, ({ place }) => place.bucket)
  const data = []
  for (let start = from; start < end; start += widthMs) data.push({ ...bounds(start, widthMs), results: (byBucket.get(start) ?? []).map(report.result) })
  return { data, has_more: end < to, next_page: end < to ? tokens.make(question, [end, to]) : null }
}

/** Every row of the span, a few thousand at a time. */
async function* rows<row extends { readonly place: Place }>(db: ReportDatabase, report: Bucketed<row>): AsyncGenerator<Cell[][]> {
  const { query, read, cells } = report
  const widthMs = WIDTH_MS[query.width]
  for (let day = query.span.from; day < query.span.to; day += DAY_MS) {
    const span = { from: day, to: Math.min(query.span.to, day + DAY_MS) }
    for (let after: Place | undefined; ; ) {
      const found = await read(db, { ...query, span }, { after, limit: ROWS_AT_ONCE })
      yield found.map((row) => [...Object.values(bounds(row.place.bucket, widthMs)), ...cells(row)])
      if (found.length < ROWS_AT_ONCE) break
      after = (found.at(-1) as row).place
    }
  }
}

function bounds(start: number, widthMs: number) {
  return { starting_at: isoSeconds(start), ending_at: isoSeconds(start + widthMs) }
}
