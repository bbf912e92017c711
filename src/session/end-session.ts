// A sign-in ends, and the event of it is stored with it or neither is.
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
import { auditRecord } from '../observe/audit-line.ts'
import type { AuditEvent, Observe } from '../observe/events.ts'
import type { Revocations } from './revocations.ts'
import { revokeSession } from './store.ts'

type Revoked = Omit<Extract<AuditEvent, { evt: 'session.revoke' }>, 'evt' | 'ts'>

export interface EndSessionDeps {
  readonly db: Database
  readonly revocations: Pick<Revocations, 'add'>
  /** The log, for what is stored already. */
  readonly tell: Observe
  readonly now: () => Date
}

/**
 * Ends the sign-in everywhere; one that had ended before stays ended, without a second event. Throws DatabaseError: when the
 * database refused, nothing has changed; when it did not answer, the sign-in has ended at this replica and perhaps everywhere.
 */
export async function endSession({ db, revocations, tell, now }: EndSessionDeps, revoked: Revoked): Promise<void> {
  const event = { ts: now().toISOString(), evt: 'session.revoke' as const, ...revoked }
  try {
    const hasEnded = await revokeSession(db, revoked.sid, auditRecord(event))
    revocations.add(revoked.sid)
    if (hasEnded) tell(event)
  } catch (error) {
    if (error instanceof DatabaseError && (error.code === 'unreachable' || error.code === 'deadline')) revocations.add(revoked.sid)
    throw error
  }
}
