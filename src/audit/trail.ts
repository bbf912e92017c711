// The stored audit trail: every audit event goes on to the log at once, and to the database off the request path.
import type { Database } from '../db/connect.ts'
import { createWriteQueue } from '../db/write-queue.ts'
import { auditRecord, type AuditRecord, type TimedEvent } from '../observe/audit-line.ts'
import { isAudit, type AuditEvent, type Observe } from '../observe/events.ts'
import { isOfNobody } from '../observe/nobody.ts'
import { forgetEvents, readHead, storeEvents } from './store.ts'

export interface TrailOptions {
  db: Database
  /** The log. */
  tell: Observe
  onFailure: 'continue' | 'block'
  retentionDays: number
  now: () => Date
  /** Monotonic, in milliseconds. */
  nowMs: () => number
  /** Events in memory while the database is away. */
  mostBytes?: number
  patienceMs?: number
}

/** Where there are no administrators who say otherwise. */
export const DEFAULT_RETENTION_DAYS = 365

export interface Trail {
  /** For everything that happens: the log hears it, and audit events are stored. Never throws and never waits. */
  observe: Observe
  /** Stores what the log has heard already. */
  store(event: TimedEvent): void
  /** Nothing more may be done that would have to be stored. */
  isBlocking(): boolean
  state(): TrailState
  start(): void
  /** Stores what is left, for a few seconds. */
  stop(): Promise<void>
}

export interface TrailState {
  /** Events that are not stored yet, since when the oldest waits (monotonic), and how large they are. */
  readonly waiting: number
  readonly oldestMs: number | undefined
  readonly bytes: number
  readonly stored: number
  /** Events that are on standard error alone, for ever. */
  readonly lost: number
  /** Statements that stored nothing. */
  readonly failures: number
}

interface Item {
  readonly number: number
  readonly record: AuditRecord
  readonly bytes: number
  readonly isStrangers: boolean
}

/** Some fifty thousand events. */
const MOST_BYTES = 32 * 1024 * 1024
/** Of a row, beside its line. */
const BYTES_BESIDE = 200
/** A database that comes back within this time blocks nobody. */
const PATIENCE_MS = 30_000
const STORE_MS = 10_000
const GATHER_MS = 200
const FAREWELL_MS = 5000
const HOUR_MS = 3_600_000
const FORGOTTEN_AT_ONCE = 10_000
/** Of memory, for events of whoever has not signed in: nobody from outside drives the others out of it. */
const SHARE_OF_STRANGERS = 1 / 4
/** Of memory, taken by events of people: from there on nothing may be done. */
const BLOCKING_SHARE = 1 / 2

export function createTrail({ db, tell, onFailure, retentionDays, now, nowMs, mostBytes = MOST_BYTES, patienceMs = PATIENCE_MS }: TrailOptions): Trail {
  const writer = crypto.randomUUID()
  let [added, bytes, strangersBytes, lost, failures] = [0, 0, 0, 0, 0]
  /** Lost since the last event that told of it. */
  let gap: { lost: number; since: string } | undefined
  let timer: Timer | undefined

  const queue = createWriteQueue<Item>({
    write: (batch) => storeEvents(db, { writer, first: (batch[0] as Item).number, records: batch.map(({ record }) => record) }, STORE_MS),
    written(item) {
      letGo(item)
      // Once there is room again, or every event would bring one that says so.
      if (gap !== undefined && bytes < mostBytes / 2) closeGap(gap)
    },
    setAside(item, error) {
      const { record } = item
      failures++
      letGo(item)
      lose(record.ts)
      tell({ op: 'error', message: `audit trail: an event cannot be stored and is on standard error alone: ${error.message}`, ...(record.request_id !== null && { request_id: record.request_id }) })
    },
    troubled(error) {
      failures++
      tell({ op: 'error', message: `audit trail: ${error.message}; ${queue.state.waiting} events wait`, repeat: 'audit.store' })
    },
    failed: (error) => tell({ op: 'error', message: `audit trail: what follows a stored event failed: ${error.message}`, repeat: 'audit.stored' }),
    nowMs,
    gatherMs: GATHER_MS,
  })

  function letGo({ isStrangers, bytes: size }: Item): void {
    bytes -= size
    if (isStrangers) strangersBytes -= size
  }

  function closeGap({ lost, since }: { lost: number; since: string }): void {
    gap = undefined
    observe({ evt: 'audit.gap', lost, since, until: now().toISOString() })
  }

  function lose(ts: string): void {
    lost++
    gap = { lost: (gap?.lost ?? 0) + 1, since: gap?.since ?? ts }
  }

  function store(event: TimedEvent): void {
    const record = auditRecord(event)
    const size = Buffer.byteLength(record.line) + BYTES_BESIDE
    const isStrangers = isOfNobody(event)
    if (bytes + size > mostBytes || (isStrangers && strangersBytes + size > mostBytes * SHARE_OF_STRANGERS)) {
      tell({ op: 'error', message: 'audit trail: the database takes no events and the memory for them is full: events are on standard error alone', repeat: 'audit.full' })
      return lose(event.ts)
    }
    bytes += size
    if (isStrangers) strangersBytes += size
    queue.add({ number: ++added, record, bytes: size, isStrangers })
  }

  const observe: Observe = (observation) => {
    if (!isAudit(observation)) return tell(observation)
    const event: TimedEvent = { ts: now().toISOString(), ...observation }
    tell(event)
    store(event)
  }

  async function keep(): Promise<void> {
    tell(await anchor(db))
    while ((await forgetEvents(db, { days: retentionDays, most: FORGOTTEN_AT_ONCE })) === FORGOTTEN_AT_ONCE);
  }

  /** On the hour, so that midnight has one, too. */
  function scheduleNext(): void {
    timer = setTimeout(() => {
      scheduleNext()
      keep().catch(keepingFailed)
    }, HOUR_MS - (now().getTime() % HOUR_MS))
    timer.unref()
  }

  function keepingFailed(error: Error): void {
    tell({ op: 'warn', message: `audit trail: ${error.message}`, repeat: 'audit.keep' })
  }

  return {
    observe,
    store,
    isBlocking() {
      const { oldestMs } = queue.state
      return onFailure === 'block' && (bytes - strangersBytes > mostBytes * BLOCKING_SHARE || (oldestMs !== undefined && nowMs() - oldestMs > patienceMs))
    },
    state: () => ({ waiting: queue.state.waiting, oldestMs: queue.state.oldestMs, bytes, stored: queue.state.written, lost, failures }),
    start() {
      scheduleNext()
      keep().catch(keepingFailed)
    },
    async stop() {
      clearTimeout(timer)
      if (gap !== undefined) closeGap(gap)
      if (await queue.flush(FAREWELL_MS)) await anchor(db).then(tell, keepingFailed)
      else tell({ op: 'error', message: `audit trail: the database did not take ${queue.state.waiting} events before the end: they are on standard error alone` })
      queue.stop()
    },
  }
}

/** Where the trail ends now: whoever keeps this line elsewhere can prove everything up to it. */
async function anchor(db: Database): Promise<AuditEvent> {
  const head = await readHead(db)
  if (head === undefined) throw new Error('the trail has lost its head')
  return { evt: 'audit.anchor', ...head }
}
