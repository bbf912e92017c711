// Settlements on their way to the database: off the response path, in batches, in order, again and again until they are
// written. One that the database cannot take holds up nobody: it is found by halving the batch, and set aside.
import { DatabaseError } from '../db/database-error.ts'
import type { LedgerRow } from './execution.ts'

export interface Settlement {
  readonly requestId: string
  /** As `ledgerRequest` makes it. */
  readonly request: object
  /** None: nothing was sent, the hold is let go. */
  readonly rows: readonly LedgerRow[]
}

export interface SettleQueue {
  add(settlement: Settlement): void
  /** Resolves when everything added so far is written or set aside; false when `limitMs` have passed before. */
  flush(limitMs: number): Promise<boolean>
  readonly state: SettleState
  stop(): void
}

export interface SettleState {
  /** Settlements that are not written yet. */
  readonly waiting: number
  /** Monotonic, in milliseconds: since when the oldest waits. */
  readonly oldestMs: number | undefined
  readonly batches: number
  readonly settled: number
  readonly setAside: number
}

export interface SettleQueueDeps {
  settle: (batch: readonly Settlement[]) => Promise<unknown>
  /** Written for good. */
  ended: (settlement: Settlement) => void
  /** The database can never take it. */
  setAside: (settlement: Settlement, error: DatabaseError) => void
  /** The database does not take batches now. */
  troubled: (error: DatabaseError) => void
  nowMs: () => number
  sleep?: (ms: number) => Promise<unknown>
}

const MOST_IN_BATCH = 500
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [100, 5000]
/** Serialization failure, deadlock: the same batch is good a moment later. */
const COLLIDED = /^(40001|40P01|55P03)$/
/** What is wrong with the data itself: a value, a constraint, the same row twice, a limit of the program. */
const BAD_DATA = /^(21|22|23|54)/

export function createSettleQueue({ settle, ended, setAside, troubled, nowMs, sleep = Bun.sleep }: SettleQueueDeps): SettleQueue {
  let queue: { settlement: Settlement; sinceMs: number }[] = []
  let isBusy = false
  let isStopped = false
  let pauseMs = 0
  const counts = { batches: 0, settled: 0, setAside: 0 }
  /** How many were ever added, and how many of those are done with. */
  let [added, done] = [0, 0]
  const flushes = new Set<{ upTo: number; resolve: () => void }>()

  async function work(): Promise<void> {
    if (isBusy) return
    isBusy = true
    while (queue.length > 0 && !isStopped) {
      const batch = queue.slice(0, MOST_IN_BATCH).map(({ settlement }) => settlement)
      const written = await write(batch)
      if (written === 0) {
        pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, pauseMs * 2), LONGEST_PAUSE_MS)
        // Replicas that lost the same database do not come back in step.
        await sleep(pauseMs * (0.5 + Math.random() / 2))
        continue
      }
      pauseMs = 0
      queue = queue.slice(written)
      done += written
      for (const flush of flushes) if (flush.upTo <= done) flush.resolve()
    }
    isBusy = false
  }

  /** How many from the front of the batch are done with. */
  async function write(batch: readonly Settlement[]): Promise<number> {
    try {
      await settle(batch)
    } catch (error) {
      const failure = error instanceof DatabaseError ? error : new DatabaseError('failed', 'statement failed')
      if (COLLIDED.test(failure.sqlState ?? '')) return 0
      if (!BAD_DATA.test(failure.sqlState ?? (error instanceof DatabaseError ? '' : '22'))) {
        troubled(failure)
        return 0
      }
      if (batch.length > 1) return write(batch.slice(0, Math.ceil(batch.length / 2)))
      counts.setAside++
      setAside(batch[0] as Settlement, failure)
      return 1
    }
    counts.batches++
    counts.settled += batch.length
    for (const settlement of batch) ended(settlement)
    return batch.length
  }

  return {
    add(settlement) {
      added++
      queue.push({ settlement, sinceMs: nowMs() })
      void work()
    },
    async flush(limitMs) {
      if (done === added) return true
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const flush = { upTo: added, resolve: () => resolve(true) }
      flushes.add(flush)
      const inTime = await Promise.race([promise, sleep(limitMs).then(() => false)])
      flushes.delete(flush)
      return inTime
    },
    get state() {
      return { waiting: queue.length, oldestMs: queue[0]?.sinceMs, ...counts }
    },
    stop() {
      isStopped = true
    },
  }
}
