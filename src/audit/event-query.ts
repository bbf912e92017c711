// What is asked of the trail: read from query parameters, answered in pages or as a file.
import type { PageTokens } from '../http/page-token.ts'
import { escaped } from '../observe/audit-line.ts'
import { EVENT_NAMES } from '../observe/event-docs.ts'
import { csvLine } from '../report/csv.ts'
import { CSV_TYPE } from '../report/csv-answer.ts'
import type { FileForm } from '../report/file-answer.ts'
import { parseDay, parseMoment } from '../report/moment.ts'
import type { Parameters } from '../report/parameters.ts'
import type { ReportDatabase } from '../report/report-database.ts'
import { findEvents, type EventFilter, type EventPlace, type FoundEvent } from './store.ts'

export const EVENT_PARAMETERS = ['evt', 'user_id', 'request_id', 'from', 'to', 'order', 'limit', 'page', 'format']
export type EventFormat = 'json' | 'csv' | 'ndjson'

export interface EventQuery {
  readonly filter: EventFilter
  readonly limit: number
  readonly page: string | undefined
}

/** Newest first unless asked otherwise. `evt` may be given several times. Throws `invalid_request` as `parameter: reason`. */
export function readEventQuery(parameters: Parameters): EventQuery {
  const moment = (name: 'from' | 'to') => {
    const text = parameters.one(name)
    return text === undefined ? undefined : /^\d{4}-\d\d-\d\d$/.test(text) ? parseDay(text, name) : parseMoment(text, name)
  }
  const filter = {
    evts: parameters.choices('evt', EVENT_NAMES),
    userId: parameters.one('user_id'),
    requestId: parameters.one('request_id'),
    fromMs: moment('from'),
    toMs: moment('to'),
    isDescending: (parameters.choice('order', ['asc', 'desc'] as const) ?? 'desc') === 'desc',
  }
  return { filter, limit: parameters.whole('limit', { least: 1, most: 1000, otherwise: 100 }), page: parameters.one('page') }
}

/** `format` decides, else what the client accepts. */
export function formatOf(request: Request, parameters: Parameters): EventFormat {
  const accept = request.headers.get('accept') ?? ''
  return parameters.choice('format', ['json', 'csv', 'ndjson'] as const) ?? (/\btext\/csv\b/i.test(accept) ? 'csv' : /\bapplication\/(x-)?ndjson\b/i.test(accept) ? 'ndjson' : 'json')
}

/** One page. Throws `invalid_request` for a page that is none of this question. */
export async function eventPage(db: ReportDatabase, { filter, limit, page }: EventQuery, tokens: PageTokens): Promise<{ data: object[]; has_more: boolean; next_page: string | null }> {
  const question = ['audit_events', filter]
  const after = page === undefined ? undefined : (tokens.read(question, page) as EventPlace)
  const found = await findEvents(db, filter, { after, most: limit + 1 })
  const shown = found.slice(0, limit)
  const next = found.length > limit ? tokens.make(question, placeOf(shown.at(-1) as FoundEvent)) : null
  return { data: shown.map(eventItem), has_more: next !== null, next_page: next }
}

const ROWS_AT_ONCE = 2000

/** All that is asked for, some at a time. */
export async function* eventBatches(db: ReportDatabase, filter: EventFilter): AsyncGenerator<FoundEvent[]> {
  for (let after: EventPlace | undefined; ; ) {
    const found = await findEvents(db, filter, { after, most: ROWS_AT_ONCE })
    yield found
    if (found.length < ROWS_AT_ONCE) break
    after = placeOf(found.at(-1) as FoundEvent)
  }
}

/** The line of a file of CSV is the one that was hashed. */
export const FORMS: Readonly<Record<Exclude<EventFormat, 'json'>, FileForm<FoundEvent>>> = {
  csv: {
    filename: 'audit-events.csv',
    type: CSV_TYPE,
    head: csvLine(['id', 'ts', 'evt', 'request_id', 'issuer', 'user_id', 'hash', 'line']),
    written: (rows) => escaped(rows.map(({ day, seq, ts, evt, request_id, issuer, sub, hash, line }) => csvLine([`${day}:${seq}`, ts, evt, request_id, issuer, sub, hash, line])).join('')),
  },
  ndjson: {
    filename: 'audit-events.ndjson',
    type: 'application/x-ndjson',
    head: '',
    written: (rows) => rows.map((row) => `${escaped(JSON.stringify(eventItem(row)))}\n`).join(''),
  },
}

function eventItem({ day, seq, hash, line }: FoundEvent) {
  return { type: 'audit_event', id: `${day}:${seq}`, hash, event: JSON.parse(line) as object }
}

function placeOf({ ts, day, seq }: FoundEvent): EventPlace {
  return { ts, day, seq }
}
