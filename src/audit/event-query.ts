// What is asked of the trail: read from query parameters, answered in pages or as a file.
import { GatewayError } from '../errors.ts'
import type { PageTokens } from '../http/page-token.ts'
import { escaped } from '../observe/audit-line.ts'
import { EVENT_NAMES } from '../observe/event-docs.ts'
import { csvLine } from '../report/csv.ts'
import { CSV_TYPE } from '../report/csv-answer.ts'
import type { FileForm } from '../report/file-answer.ts'
import { parseDay, parseMoment } from '../report/moment.ts'
import type { Parameters } from '../report/parameters.ts'
import type { ReportDatabase } from '../report/report-database.ts'
import type { StoredEvent } from './chain.ts'
import { findEvents, type EventFilter, type Place } from './store.ts'

/** PostgreSQL and JavaScript write other years in ways of their own. */
const [FIRST_MS, LAST_MS] = [Date.UTC(1900, 0, 1), Date.UTC(9999, 0, 1)]

export const EVENT_PARAMETERS = ['evt', 'user_id', 'request_id', 'from', 'to', 'order', 'limit', 'page', 'format']
export type EventFormat = 'json' | 'csv' | 'ndjson'

export interface EventQuery {
  readonly filter: EventFilter
  readonly limit: number
  readonly page: string | undefined
}

/** The last stored first unless asked otherwise. `evt` may be given several times. Throws `invalid_request` as `parameter: reason`. */
export function readEventQuery(parameters: Parameters): EventQuery {
  const moment = (name: 'from' | 'to') => {
    const text = parameters.one(name)
    if (text === undefined) return undefined
    const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? parseDay(text, name) : parseMoment(text, name)
    if (ms < FIRST_MS || ms >= LAST_MS) throw new GatewayError('invalid_request', `${name}: must be of the years 1900 to 9998`)
    return ms
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
  const after = page === undefined ? undefined : (tokens.read(question, page) as Place)
  const found = await findEvents(db, filter, { after, most: limit + 1 })
  const shown = found.slice(0, limit)
  const next = found.length > limit ? tokens.make(question, placeOf(shown.at(-1) as StoredEvent)) : null
  return { data: shown.map(eventItem), has_more: next !== null, next_page: next }
}

const ROWS_AT_ONCE = 2000

/** All that is asked for, some at a time. */
export async function* eventBatches(db: ReportDatabase, filter: EventFilter): AsyncGenerator<StoredEvent[]> {
  for (let after: Place | undefined; ; ) {
    const found = await findEvents(db, filter, { after, most: ROWS_AT_ONCE })
    yield found
    if (found.length < ROWS_AT_ONCE) break
    after = placeOf(found.at(-1) as StoredEvent)
  }
}

/** The line of a file of CSV is the one that was hashed. */
export const FORMS: Readonly<Record<Exclude<EventFormat, 'json'>, FileForm<StoredEvent>>> = {
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

function eventItem({ day, seq, hash, line }: StoredEvent) {
  return { type: 'audit_event', id: `${day}:${seq}`, hash, event: readLine(line) }
}

/** A line that no gateway wrote is shown as it is: it must not keep anybody from the others. */
function readLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}

function placeOf({ day, seq }: StoredEvent): Place {
  return { day, seq }
}
