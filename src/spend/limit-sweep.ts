import type { Database } from '../db/connect.ts'
import type { Observe } from '../observe/events.ts'
import { startRounds } from '../std/rounds.ts'
import { expireLimits, forgetLimitChanges } from './store.ts'

const EVERY_MS = 60_000

/** Clears away what has run out and what the audit trail keeps no longer, once a minute, until the returned function is called. Every replica may do it. */
export function startLimitSweep(db: Database, auditRetentionDays: number, { observe, tell }: { observe: Observe; tell: Observe }): () => void {
  const sweep = async () => {
    // What has happened is told, whatever becomes of the rest.
    ;(await expireLimits(db)).forEach(tell)
    await forgetLimitChanges(db, auditRetentionDays)
  }
  const rounds = startRounds(EVERY_MS, sweep, (error) => observe({ op: 'warn', message: `spend limits: sweep: ${error.message}`, repeat: 'limits.sweep' }))
  return () => void rounds.stop()
}
