// The level of the log, changed by an administrator. It lives in this process, so that it cannot change in the statement
// that stores the event: the event comes first, and without it nothing changes.
import { noteEvent } from '../audit/store.ts'
import type { Database } from '../db/connect.ts'
import { auditRecord, type TimedEvent } from '../observe/audit-line.ts'
import type { Observe } from '../observe/events.ts'
import type { LevelState, LogLevel } from '../observe/log-level.ts'
import type { WantedLevel } from './parse.ts'

export interface LogLevelDeps {
  db: Database
  logLevel: LogLevel
  /** `audit.store` */
  isStored: boolean
  /** For events that are stored already. */
  tell: Observe
  now: () => Date
}

export interface By {
  readonly actor: string
  readonly requestId: string
  readonly clientIp: string
}

/** Throws DatabaseError, and the level is then what it was. */
export async function changeLogLevel({ db, logLevel, isStored, tell, now }: LogLevelDeps, { level, seconds, reason }: WantedLevel, by: By): Promise<LevelState> {
  const event: TimedEvent = {
    ts: now().toISOString(),
    evt: 'admin.log_level',
    request_id: by.requestId,
    client_ip: by.clientIp,
    actor: by.actor,
    level,
    level_before: logLevel.current(),
    ...(seconds !== undefined && { until: new Date(now().getTime() + seconds * 1000).toISOString() }),
    ...(reason !== undefined && { reason }),
  }
  if (isStored) await noteEvent(db, auditRecord(event))
  tell(event)
  return logLevel.set(level, seconds)
}

/** As the API says it. */
export function levelAnswer({ level, levelAtStart, until, levelAfter }: LevelState) {
  return { type: 'log_level', level, level_at_start: levelAtStart, ...(until && { until: until.toISOString(), level_after: levelAfter }) }
}
