// Rows on their way to the database: off the response path, in batches, in order, again and again until they are written.
// One that the database cannot take holds up nobody: it is found by halving the batch, and set aside. So is one that it
// refuses again and again, whatever for, while it takes the one behind it.
import { DatabaseError } from './database-error.ts'

export interface WriteQueue<item> {
  add(item: item): void
  /** Resolves when everything added so far is written or set aside; false when `limitMs` have passed before. */
  flush(limitMs: number): Promise<boolean>
  readonly state: WriteQueueState
  stop(): void
}

export interface WriteQueueState {
  /** Items that are not written yet. */
  readonly waiting: number
  /** Monotonic, in milliseconds: since when the oldest waits. */
  readonly oldestMs: number | undefined
  readonly batches: number
  readonly written: number
  readonly setAside: number
}

export interface WriteQueueDeps<item> {
  /** One statement. It may be repeated with the same items, and more behind them, when its answer was lost. */
  write: (batch: readonly item[]) => Promise<unknown>
  /** Written for good. */
  written: (item: item) => void
  /** The database can never take it, or takes others and not it. */
  setAside: (item: item, error: DatabaseError) => void
  /** The database does not take batches now. */
  troubled: (error: DatabaseError) => void
  /** One of the three above threw, which is a fault of this program: nothing is written once more, or left, for it. */
  failed: (error: Error) => void
  nowMs: () => number
  /** An item may be written although one behind it is there already: it is tried once more before it is set aside for others' sake. */
  mayOvertake?: boolean
  sleep?: (ms: number) => Promise<unknown>
  /** What comes within this time goes into one statement, which costs as much as many rows; 0 unless given. Nobody who flushes waits for it. */
  gatherMs?: number
}

const MOST_IN_BATCH = 500
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [100, 5000]
/** Serialization failure, deadlock: the same batch is good a moment later. */
const COLLIDED = /^(40001|40P01|55P03)$/
/** What is wrong with the data itself: a value, a constraint, the same row twice, a limit of the program. */
const BAD_DATA = /^(21|22|23|54)/
/** What is wrong with the server or its machine: no room, no memory, no file. */
const SERVERS_FAULT = /^(53|58|F0)/
/** The database has to refuse one by itself so often before the one behind it is tried. */
const MOST_REFUSALS = 5

export function createWriteQueue<item>({ write, written, setAside, troubled, failed, nowMs, mayOvertake = false, sleep = Bun.sleep, gatherMs = 0 }: WriteQueueDeps<item>): WriteQueue<item> {
  /** In the order of their numbers. */
  let queue: { item: item; number: number; sinceMs: number }[] = []
  let isBusy = false
  let isStopped = false
  let pauseMs = 0
  /** Fewer at once after each failure that is no fault of any row: a statement that takes too long takes less time. */
  let mostAtOnce = MOST_IN_BATCH
  /** How often in a row the first was refused by itself. */
  let refusals = 0
  const counts = { batches: 0, written: 0, setAside: 0 }
  /** How many were ever added. */
  let added = 0
  const flushes = new Set<{ upTo: number; resolve: () => void }>()
  /** Ends the gathering. */
  let hurry = () => {}

  async function gathered(): Promise<void> {
    if (gatherMs === 0 || queue.length >= MOST_IN_BATCH || flushes.size > 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    hurry = resolve
    const timer = setTimeout(resolve, gatherMs)
    await promise
    clearTimeout(timer)
  }

  async function work(): Promise<void> {
    if (isBusy) return
    isBusy = true
    try {
      await writeAll()
    } finally {
      isBusy = false
    }
  }

  async function writeAll(): Promise<void> {
    while (queue.length > 0 && !isStopped) {
      await gathered()
      const batch = queue.slice(0, mostAtOnce).map(({ item }) => item)
      const count = await writeSome(batch)
      if (count === 0) {
        mostAtOnce = Math.max(1, Math.ceil(batch.length / 2))
        pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, pauseMs * 2), LONGEST_PAUSE_MS)
        // Replicas that lost the same database do not come back in step.
        await sleep(pauseMs * (0.5 + Math.random() / 2))
        continue
      }
      pauseMs = 0
      mostAtOnce = Math.min(MOST_IN_BATCH, mostAtOnce * 2)
      queue = queue.slice(count)
      const oldest = queue[0]?.number ?? Infinity
      for (const flush of flushes) if (flush.upTo < oldest) flush.resolve()
    }
  }

  /** How many from the front of the batch are done with. */
  async function writeSome(batch: readonly item[]): Promise<number> {
    try {
      await write(batch)
    } catch (error) {
      const failure = failureOf(error)
      if (COLLIDED.test(failure.sqlState ?? '')) return 0
      if (!BAD_DATA.test(failure.sqlState ?? (error instanceof DatabaseError ? '' : '22'))) {
        told(() => troubled(failure))
        return batch.length === 1 ? withoutRefused(batch[0] as item, failure) : 0
      }
      if (batch.length > 1) return writeSome(batch.slice(0, Math.ceil(batch.length / 2)))
      return leave(batch[0] as item, failure)
    }
    return have(batch)
  }

  /** The first was refused. When the database takes the second instead, right after it, that was the first one's fault. */
  async function withoutRefused(first: item, failure: DatabaseError): Promise<number> {
    refusals = isRefusal(failure) ? refusals + 1 : 0
    const second = queue[1]?.item
    if (refusals < MOST_REFUSALS || second === undefined) return 0
    try {
      await write([second])
    } catch {
      return 0
    }
    if (!mayOvertake) return leave(first, failure) + have([second])
    // The database may have come to its senses between the two.
    const last = await write([first]).then(() => undefined, failureOf)
    if (last === undefined) return have([second]) + have([first])
    if (isRefusal(last)) return have([second]) + leave(first, last)
    // Nothing is known of the first, which may even be written: it is the next, and only the second is done with.
    queue.unshift(...queue.splice(1, 1))
    return have([second])
  }

  function leave(item: item, failure: DatabaseError): number {
    refusals = 0
    counts.setAside++
    told(() => setAside(item, failure))
    return 1
  }

  function have(batch: readonly item[]): number {
    refusals = 0
    counts.batches++
    counts.written += batch.length
    for (const item of batch) told(() => written(item))
    return batch.length
  }

  function told(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      try {
        failed(error as Error)
      } catch {
        // Nobody is left to be told.
      }
    }
  }

  return {
    add(item) {
      queue.push({ item, number: ++added, sinceMs: nowMs() })
      if (queue.length >= MOST_IN_BATCH) hurry()
      void work()
    },
    async flush(limitMs) {
      if (queue.length === 0) return true
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const flush = { upTo: added, resolve: () => resolve(true) }
      flushes.add(flush)
      hurry()
      const inTime = await Promise.race([promise, sleep(limitMs).then(() => false)])
      flushes.delete(flush)
      return inTime
    },
    get state() {
      return { waiting: queue.length, oldestMs: queue[0]?.sinceMs, ...counts }
    },
    stop() {
      isStopped = true
      hurry()
    },
  }
}

function failureOf(error: unknown): DatabaseError {
  return error instanceof DatabaseError ? error : new DatabaseError('failed', 'statement failed')
}

/** The database was there, and would not take it. */
function isRefusal({ code, sqlState = '' }: DatabaseError): boolean {
  return (code === 'failed' || code === 'constraint') && !SERVERS_FAULT.test(sqlState) && !COLLIDED.test(sqlState)
}
