// Proves a trail, event by event: that each follows the one before it, that each day ends as it is on record, that what is
// stored beside a line is what the line says. Pure.
import { recordOf, type AuditRecord } from '../observe/audit-line.ts'
import { BEGINNING, follows, isBefore, type StoredEvent } from './chain.ts'
import { explainBreak, placeText, WINDOW, type Fault } from './fault.ts'
import type { ClosedDay, Head, Place } from './store.ts'

export interface Proof {
  /**
   * Takes the next events of the trail; `isLast`: there are no more. How many it took, because it leaves some to see what
   * comes after, and the first fault, which ends the proof.
   */
  take(rows: readonly StoredEvent[], isLast: boolean): { readonly taken: number; readonly fault: Fault | undefined }
  /** All events are taken: whether the trail ends where it should. */
  end(): Fault | undefined
  readonly state: ProofState
}

export interface ProofState {
  readonly days: number
  readonly events: number
  readonly last: Head | undefined
  /** Those that hold, and those that are about days which are not looked at. */
  readonly anchors: { readonly held: number; readonly apart: number }
}

export interface ProofOptions {
  /** In order. Those that are not proved themselves say what the first event follows. */
  closed: readonly ClosedDay[]
  /** The end of the whole trail. */
  head: Head
  /** The first and the last day to be proved; undefined: from the first that is kept, to the end. */
  from: string | undefined
  to: string | undefined
  /** Places of the trail that somebody noted elsewhere. */
  anchors: readonly Head[]
}

export function createProof({ closed, head, from = '', to, anchors }: ProofOptions): Proof {
  const isWhole = to === undefined || to >= head.day
  const isAsked = ({ day }: { day: string }) => day >= from && (to === undefined || day <= to)
  const isKept = ({ day, forgotten }: ClosedDay) => !forgotten || day > (closed.find((one) => !one.forgotten)?.day ?? head.day)
  const unclosed = closed.filter((one) => isAsked(one) && isKept(one))
  const earlier = closed.findLast((one) => one.day < from || !isKept(one))
  const due = new Map(anchors.filter((one) => isAsked(one) && (earlier === undefined || one.day > earlier.day)).map((one) => [placeText(one), one]))
  const anchorCounts = { held: 0, apart: anchors.length - due.size }
  let previous = earlier?.hash ?? BEGINNING
  let last: Head | undefined
  /** The latest that fitted. */
  let before: Head[] = []
  let [days, events] = [0, 0]

  /** No event of a day before this one comes any more. */
  function closeDays(nextDay: string): Fault | undefined {
    if (last !== undefined && last.day < nextDay && unclosed[0]?.day !== last.day) return { kind: 'end', at: last, words: 'how this day ended is not on record any more' }
    for (let record = unclosed[0]; record !== undefined && record.day < nextDay; record = unclosed[0]) {
      unclosed.shift()
      const end = { day: record.day, seq: record.events }
      if (record.day !== last?.day) return missing({ day: record.day, seq: 1 }, end)
      if (last.seq < end.seq) return missing({ day: last.day, seq: last.seq + 1 }, end, 'cut_off')
      if (last.seq !== end.seq || last.hash !== record.hash) return { kind: 'end', at: last, words: `the day is on record as having ended at ${placeText(end)} with ${record.hash}` }
    }
    return undefined
  }

  function faultOf(row: StoredEvent, rows: () => readonly StoredEvent[]): Fault | undefined {
    const isNewDay = row.day !== last?.day
    const unended = isNewDay ? closeDays(row.day) : undefined
    if (unended !== undefined) return unended
    const expected = isNewDay ? 1 : (last as Head).seq + 1
    if (row.seq !== expected) return missing({ day: row.day, seq: expected }, { day: row.day, seq: row.seq - 1 })
    return follows(previous, row, row) ? (columnFault(row) ?? anchorFault(row)) : explainBreak(previous, rows(), before)
  }

  function anchorFault(row: StoredEvent): Fault | undefined {
    const anchor = due.get(placeText(row))
    if (anchor === undefined) return undefined
    due.delete(placeText(row))
    if (anchor.hash !== row.hash) return { kind: 'anchor', at: row, words: `the event has hash ${row.hash}, and the anchor ${anchor.hash}: the trail was written anew up to here` }
    anchorCounts.held++
    return undefined
  }

  return {
    take(rows, isLast) {
      const most = isLast ? rows.length : Math.max(0, rows.length - WINDOW)
      for (let index = 0; index < most; index++) {
        const row = rows[index] as StoredEvent
        const fault = faultOf(row, () => rows.slice(index, index + WINDOW))
        if (fault !== undefined) return { taken: index, fault }
        if (row.day !== last?.day) days++
        events++
        previous = row.hash
        last = { day: row.day, seq: row.seq, hash: row.hash }
        before.push(last)
        if (before.length > 2 * WINDOW) before = before.slice(-WINDOW)
      }
      return { taken: most, fault: undefined }
    },
    end() {
      // A tilde comes after everything that a date may go on with.
      const unended = closeDays(isWhole ? head.day : `${to}~`)
      if (unended !== undefined) return unended
      if (isWhole && unclosed[0] !== undefined) return { kind: 'end', at: { day: unclosed[0].day, seq: unclosed[0].events }, words: 'the day is on record as ended, and the trail has not come to its end' }
      if (isWhole && head.seq > 0 && head.day >= from) {
        if (last === undefined || isBefore(last, head)) return missing({ day: head.day, seq: last?.day === head.day ? last.seq + 1 : 1 }, head, 'cut_off')
        if (last.hash !== head.hash) return { kind: 'end', at: last, words: `the trail is on record as ending at ${placeText(head)} with ${head.hash}` }
      }
      const [unmet] = due.values()
      return unmet && { kind: 'cut_off', at: unmet, words: `an anchor says that there was an event here, and ${last === undefined ? 'there is none' : `the trail ends at ${placeText(last)}`}` }
    },
    get state() {
      return { days, events, last, anchors: { ...anchorCounts } }
    },
  }
}

/** What stands beside a line is there to be asked for: it has to be what the line says. */
function columnFault(row: StoredEvent): Fault | undefined {
  const said = readRecord(row.line)
  if (said === undefined) return { kind: 'changed', at: row, words: 'its line is none that a gateway writes' }
  const wrong = (['evt', 'request_id', 'issuer', 'sub'] as const).find((name) => row[name] !== said[name]) ?? (row.ts === `${new Date(said.ts).toISOString().slice(0, -1)}000Z` ? undefined : 'ts')
  return wrong && { kind: 'changed', at: row, words: `its column ${wrong} does not say what its line says` }
}

function readRecord(line: string): AuditRecord | undefined {
  try {
    const record = recordOf(line)
    return Number.isNaN(Date.parse(record.ts)) ? undefined : record
  } catch {
    return undefined
  }
}

function missing(from: Place, upTo: Place, kind: 'missing' | 'cut_off' = 'missing'): Fault {
  const words = upTo.seq === from.seq ? 'the event is missing' : `the events from here to ${placeText(upTo)} are missing`
  return { kind, at: from, words }
}
