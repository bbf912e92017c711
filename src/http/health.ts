// Readiness from memory: a probe must not wait for the database to find out that the database is away.
import { startRounds, type Rounds } from '../std/rounds.ts'

export interface Health {
  isReady(): boolean
  state(): HealthState
  start(): void
  stop(): void
}

export interface HealthState {
  /** For how long the store has not answered, in milliseconds; undefined while it does. */
  readonly awayMs: number | undefined
  /** How long its last answer took, in milliseconds; undefined before the first poll. */
  readonly latencyMs: number | undefined
  readonly graceMs: number
  readonly isDraining: boolean
}

const POLL_MS = 1000

/** Ready while the store answered within the last `graceSeconds`, or answers now. Starts ready: boot has just used the store. */
export function createHealth(deps: { isReachable: () => Promise<boolean>; graceSeconds: number; nowMs: () => number; isDraining: () => boolean }): Health {
  let awaySinceMs: number | undefined
  let latencyMs: number | undefined
  let rounds: Rounds | undefined

  async function poll(): Promise<void> {
    const askedMs = performance.now()
    const reachable = await deps.isReachable()
    if (reachable) latencyMs = performance.now() - askedMs
    awaySinceMs = reachable ? undefined : (awaySinceMs ?? deps.nowMs())
  }

  return {
    isReady: () => !deps.isDraining() && (awaySinceMs === undefined || deps.nowMs() - awaySinceMs < deps.graceSeconds * 1000),
    state: () => ({ awayMs: awaySinceMs === undefined ? undefined : Math.max(0, deps.nowMs() - awaySinceMs), latencyMs, graceMs: deps.graceSeconds * 1000, isDraining: deps.isDraining() }),
    start: () => {
      // isReachable() says that it failed; it does not throw.
      rounds = startRounds(POLL_MS, poll, () => {})
    },
    stop: () => void rounds?.stop(),
  }
}

export function readinessAnswer(isReady: boolean): Response {
  return new Response(isReady ? 'ready' : 'not ready', { status: isReady ? 200 : 503, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' } })
}
