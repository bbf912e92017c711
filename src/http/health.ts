// Readiness from memory: a probe must not wait for the database to find out that the database is away.
import { startRounds, type Rounds } from '../std/rounds.ts'

export interface Health {
  isReady(): boolean
  start(): void
  stop(): void
}

const POLL_MS = 1000

/** Ready while the store answered within the last `graceSeconds`, or answers now. Starts ready: boot has just used the store. */
export function createHealth(deps: { isReachable: () => Promise<boolean>; graceSeconds: number; nowMs: () => number; isDraining: () => boolean }): Health {
  let awaySinceMs: number | undefined
  let rounds: Rounds | undefined

  async function poll(): Promise<void> {
    const reachable = await deps.isReachable()
    awaySinceMs = reachable ? undefined : (awaySinceMs ?? deps.nowMs())
  }

  return {
    isReady: () => !deps.isDraining() && (awaySinceMs === undefined || deps.nowMs() - awaySinceMs < deps.graceSeconds * 1000),
    start: () => {
      // isReachable() says that it failed; it does not throw.
      rounds = startRounds(POLL_MS, poll, () => {})
    },
    stop: () => void rounds?.stop(),
  }
}
