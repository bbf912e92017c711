// An audit event as it is written, and as it is stored: one line of JSON, whatever its values hold.
import type { AuditEvent } from './events.ts'
import { redact } from './redact.ts'

/** An event with its moment, RFC 3339. */
export type TimedEvent = AuditEvent & { readonly ts: string }

/** A row of the audit trail: the line, and what of it is asked for. */
export interface AuditRecord {
  readonly ts: string
  readonly evt: string
  readonly request_id: string | null
  readonly issuer: string | null
  readonly sub: string | null
  readonly line: string
}

/** Longer lines are shortened: nothing that is worth reading is that long. In UTF-16 units. */
const MOST_UNITS = 16_384
const MOST_UNITS_OF_TEXT = 1000
const MOST_OF_LIST = 20

/** `isPlain`: nothing had to be cut out, shortened or escaped. */
interface Written {
  readonly line: string
  readonly isPlain: boolean
}

/** An event is written to the log and to the trail. */
const known = new WeakMap<AuditEvent, Written>()

/** Without its line end. Credentials are cut out; control characters, C1 and the Unicode line ends are escaped. The event must not change afterwards. */
export function auditLine(event: AuditEvent): string {
  return written(event).line
}

export function auditRecord(event: TimedEvent): AuditRecord {
  const { line, isPlain } = written(event)
  return isPlain ? recordFrom(event as unknown as Record<string, unknown>, line) : recordOf(line)
}

function written(event: AuditEvent): Written {
  const before = known.get(event)
  if (before !== undefined) return before
  const json = JSON.stringify(event)
  const line = redact(escaped(json.length > MOST_UNITS ? JSON.stringify(event, shortened) : json))
  const made = { line, isPlain: line === json }
  known.set(event, made)
  return made
}

/** What is stored beside a line says the same as the line. */
export function recordOf(line: string): AuditRecord {
  return recordFrom(JSON.parse(line) as Record<string, unknown>, line)
}

function recordFrom(event: Record<string, unknown>, line: string): AuditRecord {
  return { ts: String(event.ts), evt: String(event.evt), request_id: textOf(event.request_id), issuer: textOf(event.issuer), sub: textOf(event.sub), line }
}

/** JSON for a reader who may be a terminal. */
export function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** PostgreSQL takes neither NUL nor half a surrogate pair. */
function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value.replaceAll('\0', '').toWellFormed() : null
}

function shortened(_: string, value: unknown): unknown {
  if (typeof value === 'string' && value.length > MOST_UNITS_OF_TEXT) return `${value.slice(0, MOST_UNITS_OF_TEXT)}…`
  return Array.isArray(value) && value.length > MOST_OF_LIST ? [...value.slice(0, MOST_OF_LIST), `and ${value.length - MOST_OF_LIST} more`] : value
}
