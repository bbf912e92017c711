// Which sign-ins are revoked, held in memory and refreshed from the database every second, so that the check costs a
// request nothing. While the database is away the last list stands; tokens that nobody revoked keep working.
import type { Database } from '../db/connect.ts'
import type { Observe } from '../observe/events.ts'
import { startRounds, type Rounds } from '../std/rounds.ts'
import { loadRevoked } from './store.ts'

export interface Revocations {
  isRevoked(sid: string): boolean
  /** Milliseconds since the list was last read. */
  ageMs(): number
  /** Takes effect on this replica at once; the database tells the others. */
  add(sid: string): void
  refresh(): Promise<void>
  start(): void
  stop(): void
}

const POLL_MS = 1000

/** `horizonSeconds`: a sign-in revoked longer ago than a token lives needs no entry. */
export function createRevocations(deps: { db: Database; observe: Observe; horizonSeconds: number }): Revocations {
  let listed: ReadonlySet<string> = new Set()
  /** Added here, and perhaps not yet in what the database answered. */
  const local = new Map<string, number>()
  let rounds: Rounds | undefined
  let readAtMs = performance.now()

  async function refresh(): Promise<void> {
    const askedAtMs = performance.now()
    listed = await loadRevoked(deps.db, deps.horizonSeconds + 120)
    readAtMs = askedAtMs
    for (const [sid, at] of local) if (listed.has(sid) || at < Date.now() - deps.horizonSeconds * 1000) local.delete(sid)
  }

  return {
    ageMs: () => performance.now() - readAtMs,
    isRevoked: (sid) => listed.has(sid) || local.has(sid),
    add: (sid) => void local.set(sid, Date.now()),
    refresh,
    start: () => {
      rounds = startRounds(POLL_MS, refresh, (error) => deps.observe({ op: 'warn', message: `revocations: keeping the last list: ${error.message}`, repeat: 'revocations.poll' }))
    },
    stop: () => void rounds?.stop(),
  }
}
