// `gatehouse audit verify`: proves that nothing of the stored trail was changed or removed, or names the first break.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Outcome } from '../config/commands.ts'
import type { Environment } from '../config/expand.ts'
import { loadConfig } from '../config/load.ts'
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
import { openStoreToRead } from '../db/open-store.ts'
import { BootError } from '../errors.ts'
import { paintFor, type Paint } from '../std/paint.ts'
import type { StoredEvent } from './chain.ts'
import { placeText, type Fault } from './fault.ts'
import { createProof, type ProofState } from './proof.ts'
import { outlineFault } from './outline-fault.ts'
import { findUpTo, findBeyondHead, readOutline, readTrail, type ClosedDay, type Head, type Place } from './store.ts'
import { DEFAULT_RETENTION_DAYS } from './trail.ts'

export interface VerifyQuery {
  readonly config: string
  /** Days. */
  readonly from: string | undefined
  readonly to: string | undefined
  readonly anchors: readonly Head[]
  /** A file with lines of the log: every `audit.anchor` in it is looked for. */
  readonly anchorsFile: string | undefined
  readonly environment: Environment
  readonly color: boolean
  /** Hears every moment how far it is. */
  readonly progress: ((text: string) => void) | undefined
}

export interface Verdict {
  readonly fault: Fault | undefined
  readonly state: ProofState
  /** The first day that was looked at. */
  readonly first: string | undefined
  readonly forgotten: ClosedDay | undefined
}

const ROWS_AT_ONCE = 5000

/** Throws BootError with one sentence when the trail cannot be read. */
export async function verifyAudit({ config: file, from, to, anchors, anchorsFile, environment, color, progress }: VerifyQuery): Promise<Outcome> {
  const { config } = await loadConfig(file, environment)
  const noted = [...anchors, ...(anchorsFile === undefined ? [] : await readAnchors(anchorsFile))]
  const store = await openStoreToRead(config.store, () => {})
  try {
    const verdict = await verifyTrail(store.db, { from, to, anchors: noted, retentionDays: config.admin?.audit_retention_days ?? DEFAULT_RETENTION_DAYS, now: new Date() }, progress)
    progress?.('')
    return { text: verdictText(verdict, paintFor(color)), exitCode: verdict.fault === undefined ? 0 : 1 }
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    throw new BootError(error.sqlState === '42P01' ? 'audit verify: this database has no audit trail: no gateway of this version has used it yet' : `audit verify: ${error.message}`)
  } finally {
    await store.close()
  }
}

export interface TrailQuery {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly anchors: readonly Head[]
  /** Younger days have no reason to be gone. */
  readonly retentionDays: number
  readonly now: Date
}

/** Reads the trail from end to end, a few thousand events at a time. What is appended meanwhile is not looked at. */
export async function verifyTrail(db: Pick<Database, 'run'>, asked: TrailQuery, progress?: (text: string) => void): Promise<Verdict> {
  const { from, to, anchors } = asked
  const beyond = await findBeyondHead(db)
  const outline = await readOutline(db)
  if (outline === undefined) return { fault: { kind: 'end', at: { day: '', seq: 0 }, words: 'where the trail ends is not on record any more' }, state: { days: 0, events: 0, last: undefined, anchors: { held: 0, apart: 0 } }, first: undefined, forgotten: undefined }
  const { head, closed } = outline
  const forgotten = closed.findLast((one) => one.forgotten)
  const proof = createProof({ closed, head, from, to, anchors })
  const start = startOf(from, closed)
  const before = from === undefined ? await findUpTo(db, start.day) : undefined
  const early = outlineFault(outline, asked) ?? (before && { kind: 'inserted' as const, at: before, words: 'the event stands in no day of the trail' })
  if (early !== undefined) return { fault: early, state: proof.state, first: undefined, forgotten }
  const end = to === undefined || to >= head.day ? head : { day: to, seq: Number.MAX_SAFE_INTEGER }
  let rows: StoredEvent[] = []
  let first: string | undefined
  for (let after = start; ; ) {
    const page = await readTrail(db, { after, upTo: end, most: ROWS_AT_ONCE })
    after = page.at(-1) ?? after
    rows = [...rows, ...page]
    first ??= rows[0]?.day
    const isLast = page.length < ROWS_AT_ONCE
    const { taken, fault } = proof.take(rows, isLast)
    if (fault !== undefined) {
      // Retention removed the day while it was read.
      const isForgotten = ((await readOutline(db))?.closed ?? []).some((one) => one.forgotten && one.day >= fault.at.day && !closed.some(({ day, forgotten }) => forgotten && day === one.day))
      return isForgotten ? await verifyTrail(db, asked, progress) : { fault, state: proof.state, first, forgotten }
    }
    rows = rows.slice(taken)
    progress?.(`${proof.state.last?.day ?? ''}  ${grouped(proof.state.events)} events`)
    if (isLast) break
  }
  const fault = proof.end() ?? (beyond && { kind: 'end' as const, at: beyond, words: 'there are events beyond the end of the trail' })
  return { fault, state: proof.state, first, forgotten }
}

/** Events of forgotten days may still be there: they are on their way out. */
function startOf(from: string | undefined, closed: readonly ClosedDay[]): Place {
  const first = closed.find(({ forgotten }) => !forgotten)?.day
  const last = closed.findLast((one) => one.forgotten && (first === undefined || one.day < first))
  const start = { day: last?.day ?? '0001-01-01', seq: last === undefined ? 0 : Number.MAX_SAFE_INTEGER }
  return from !== undefined && from > start.day ? { day: from, seq: 0 } : start
}

/** Lines of other kinds, and what stands before the JSON of a line, are left out. */
async function readAnchors(file: string): Promise<Head[]> {
  const anchors = new Map<string, Head>()
  try {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const anchor = anchorIn(line)
      if (anchor !== undefined) anchors.set(`${placeText(anchor)} ${anchor.hash}`, anchor)
    }
  } catch (error) {
    throw new BootError(`audit verify: cannot read ${file} (${(error as { code?: string }).code ?? 'unknown'})`)
  }
  if (anchors.size === 0) throw new BootError(`audit verify: ${file} holds no line with "evt":"audit.anchor"`)
  return [...anchors.values()]
}

/** The event that a line ends with. What the log quotes of others is inside a text, or behind the mark of an operational line. */
function anchorIn(line: string): Head | undefined {
  const start = line.indexOf('{"ts":')
  if (start < 0 || line.slice(0, start).includes('[gateway]')) return undefined
  try {
    const { evt, day, seq, hash } = JSON.parse(line.slice(start)) as Record<string, unknown>
    const isAnchor = evt === 'audit.anchor' && /^\d{4}-\d\d-\d\d$/.test(String(day)) && Number.isSafeInteger(seq) && /^[0-9a-f]{64}$/.test(String(hash))
    return isAnchor ? { day: String(day), seq: seq as number, hash: String(hash) } : undefined
  } catch {
    return undefined
  }
}

function verdictText({ fault, state: { days, events, last, anchors }, first, forgotten }: Verdict, { bold, dim, alarm }: Paint): string {
  const proved = last === undefined ? 'no events' : `${grouped(events)} ${events === 1 ? 'event' : 'events'} of ${grouped(days)} ${days === 1 ? 'day' : 'days'}, from ${first} to ${placeText(last)}`
  const notes = [
    ...(forgotten === undefined ? [] : [`days up to ${forgotten.day} are kept no longer`]),
    ...(anchors.held === 0 ? [] : [`${anchors.held} ${anchors.held === 1 ? 'anchor holds' : 'anchors hold'}`]),
    ...(anchors.apart === 0 ? [] : [`${anchors.apart} ${anchors.apart === 1 ? 'anchor is' : 'anchors are'} of days that were not looked at`]),
  ].map((note) => dim(`  ${note}\n`))
  if (fault !== undefined) return `${alarm('broken')} at ${bold(placeText(fault.at))}: ${fault.words}\n  proved before it: ${proved}\n${notes.join('')}`
  return `${bold('whole')}: ${proved}\n${last === undefined ? '' : `  ends with ${last.hash}\n`}${notes.join('')}`
}

function grouped(number: number): string {
  return number.toLocaleString('en-US')
}
