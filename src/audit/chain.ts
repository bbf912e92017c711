// How one event of the trail commits to the one before it. Pure.
import { createHash } from 'node:crypto'
import type { AuditRecord } from '../observe/audit-line.ts'
import type { Place } from './store.ts'

/** A row of the trail; `hash` in hexadecimal digits, `ts` to the microsecond. */
export interface StoredEvent extends Place, AuditRecord {
  readonly hash: string
}

/** What the very first event follows. */
export const BEGINNING = ''

/** SHA-256 of the previous hash as bytes, then `DAY SEQ LINE` in UTF-8: as the function audit_hash of the database makes it. */
export function eventHash(previous: string, { day, seq }: Place, line: string): string {
  return createHash('sha256').update(previous, 'hex').update(`${day} ${seq} ${line}`).digest('hex')
}

/** Whether an event was stored at this place, behind the event of this hash. */
export function follows(previous: string, place: Place, { line, hash }: Pick<StoredEvent, 'line' | 'hash'>): boolean {
  return eventHash(previous, place, line) === hash
}

export function isBefore(a: Place, b: Place): boolean {
  return a.day === b.day ? a.seq < b.seq : a.day < b.day
}
