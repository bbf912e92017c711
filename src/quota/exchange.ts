// Tells the other processes what was counted here and hears of theirs, about twice a second and off every request's way.
import { randomUUID } from 'node:crypto'
import type { Database } from '../db/connect.ts'
import type { Observe } from '../observe/events.ts'
import { exchangeCounts, forgetCounts } from './store.ts'
import type { Tally } from './tally.ts'

export interface QuotaExchange {
  /** Milliseconds of the database's clock, as far as it is known, from those of the process. */
  clock(nowMs: number): number
  /** One exchange; nothing when one is under way. Never throws. */
  run(): Promise<void>
  failures(): number
  start(): void
  /** Tells the rest, for those who count on. */
  stop(): Promise<void>
}

const EVERY_MS = 500
/** Rounds between those of a process that knows of nobody: what others count is not worth asking for more often. */
const QUIET_ROUNDS = 10
const FORGET_ROUNDS = 20
const SWEEP_ROUNDS = 120
/** A statement that began before the last one read may have ended after it. */
const OVERLAP_MS = 2000
const MINUTE_MS = 61_000
const DEADLINE_MS = 5000
const FAREWELL_MS = 1000

export function createExchange({ tally, db, observe, nowMs, processId = randomUUID() }: { tally: Tally; db: Database; observe: Observe; nowMs: () => number; processId?: string }): QuotaExchange {
  let offsetMs = Date.now() - nowMs()
  let lastMs = 0
  let underWay: Promise<void> | undefined
  let timer: Timer | undefined
  let [rounds, failures] = [0, 0]

  async function exchange(deadlineMs: number): Promise<void> {
    const sentMs = nowMs()
    const told = tally.takeChanges(sentMs + offsetMs)
    const sinceMs = Math.max(lastMs - OVERLAP_MS, sentMs + offsetMs - MINUTE_MS)
    try {
      const exchanged = await exchangeCounts(db, { processId, told, sinceMs }, deadlineMs)
      offsetMs = exchanged.nowMs - (sentMs + nowMs()) / 2
      lastMs = exchanged.nowMs
      tally.hear(exchanged.heard)
    } catch (error) {
      failures++
      tally.keepChanges(told)
      observe({ op: 'warn', message: `quotas: this process counts alone: ${(error as Error).message}`, repeat: 'quota.exchange' })
    }
  }

  async function run(deadlineMs = DEADLINE_MS): Promise<void> {
    underWay ??= exchange(deadlineMs).finally(() => {
      underWay = undefined
    })
    return underWay
  }

  function round(): void {
    rounds++
    if (rounds % FORGET_ROUNDS === 0) tally.forget(nowMs() + offsetMs)
    if (rounds % SWEEP_ROUNDS === 0) forgetCounts(db).catch((error: Error) => observe({ op: 'warn', message: `quotas: ${error.message}`, repeat: 'quota.sweep' }))
    if (!tally.isEmpty() || rounds % QUIET_ROUNDS === 0) void run()
  }

  return {
    clock: (atMs) => atMs + offsetMs,
    run: () => run(),
    failures: () => failures,
    start() {
      timer = setInterval(round, EVERY_MS)
    },
    async stop() {
      clearInterval(timer)
      await underWay
      if (!tally.isEmpty()) await run(FAREWELL_MS)
    },
  }
}
