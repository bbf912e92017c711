// Deletes what has ended. Every replica does it; each statement is harmless to repeat.
import type { Database } from '../db/connect.ts'
import type { Observe } from '../observe/events.ts'
import { sweepSessions } from '../session/store.ts'
import { startRounds } from '../std/rounds.ts'
import { OVERLAP_SECONDS } from './refresh.ts'
import { deleteExpiredGrants, deleteExpiredPageAttempts } from './store.ts'

const EVERY_MS = 60_000

/** One round. */
export async function sweepOnce(db: Database, maxHours: number): Promise<void> {
  await deleteExpiredGrants(db)
  await deleteExpiredPageAttempts(db)
  await sweepSessions(db, { overlapSeconds: OVERLAP_SECONDS, maxHours })
}

/** A round a minute until the returned function is called. */
export function startSweep(db: Database, maxHours: number, observe: Observe): () => void {
  const rounds = startRounds(EVERY_MS, () => sweepOnce(db, maxHours), (error) => observe({ op: 'warn', message: `sweep: ${error.message}`, repeat: 'oauth.sweep' }))
  return () => void rounds.stop()
}
