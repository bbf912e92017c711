// The limits in memory, so that judging a request costs no statement. One row of the database says whether they changed;
// it is asked every second. While the database is away the last list stands.
import type { Database } from '../db/connect.ts'
import type { Observe } from '../observe/events.ts'
import { startRounds, type Rounds } from '../std/rounds.ts'
import { indexLimits, type LimitIndex } from './limits-of.ts'
import { loadLimits, readLimitMark } from './store.ts'

export interface LimitList {
  current(): LimitIndex
  /** Reads the list anew. A change that was committed before the call is in it. */
  refresh(): Promise<void>
  start(): void
  stop(): void
}

const POLL_MS = 1000

/** Empty until the first `refresh`. */
export function createLimitList({ db, observe, pollMs = POLL_MS }: { db: Database; observe: Observe; pollMs?: number }): LimitList {
  let index = indexLimits([])
  let mark: string | undefined
  let rounds: Rounds | undefined
  let [asked, taken] = [0, 0]

  async function refresh(): Promise<void> {
    const turn = ++asked
    // The mark is read first: what changes in between is read once more, never missed.
    const before = await readLimitMark(db)
    const limits = await loadLimits(db)
    // Of two that run at once the later one has the newer list, whichever ends first.
    if (turn < taken) return
    taken = turn
    index = indexLimits(limits)
    mark = before
  }

  async function poll(): Promise<void> {
    if ((await readLimitMark(db)) !== mark) await refresh()
  }

  return {
    current: () => index,
    refresh,
    start: () => {
      rounds = startRounds(pollMs, poll, (error) => observe({ op: 'warn', message: `spend limits: keeping the last list: ${error.message}`, repeat: 'limits.poll' }))
    },
    stop: () => void rounds?.stop(),
  }
}
