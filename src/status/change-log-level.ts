// The level of the log, changed by an administrator. It lives in this process, so that it cannot change in the statement
// that stores the event: the event comes first, and without it nothing changes.
import { noteEvent } from '../audit/store.ts'
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
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
  observe: Observe
  now: () => Date
}

export interface By {
  readonly actor: string
  readonly requestId: string
  readonly clientIp: string
}

/** One change after the other: each event says what was before it, and the last one what holds. */
let changes: Promise<unknown> = Promise.resolve()

/** Throws DatabaseError, and the level is then what it was; where the event may be stored all the same, another one says so. */
export function changeLogLevel(deps: LogLevelDeps, wanted: WantedLevel, by: By): Promise<LevelState> {
  const change = changes.then(() => changeNow(deps, wanted, by))
  changes = change.catch(() => {})
  return change
}

async function changeNow({ db, logLevel, isStored, tell, observe, now }: LogLevelDeps, { level, seconds, reason }: WantedLevel, by: By): Promise<LevelState> {
  const until = seconds === undefined ? undefined : new Date(now().getTime() + seconds * 1000)
  const event: TimedEvent = {
    ts: now().toISOString(),
    evt: 'admin.log_level',
    request_id: by.requestId,
    client_ip: by.clientIp,
    actor: by.actor,
    level,
    level_before: logLevel.current(),
    ...(until && { until: until.toISOString() }),
    ...(reason !== undefined && { reason }),
  }
  if (isStored) {
    await noteEvent(db, auditRecord(event)).catch((error: unknown) => {
      if (mayHaveHappened(error)) observe({ evt: 'admin.log_level', request_id: by.requestId, client_ip: by.clientIp, actor: 'gateway', level: logLevel.current(), level_before: logLevel.current(), reason: 'the change before was not made: its event could not be stored in time' })
      throw error
    })
  }
  tell(event)
  return logLevel.set(level, until)
}

/** Nobody has heard the answer. */
function mayHaveHappened(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === 'unreachable' || error.code === 'deadline')
}

/** As the API says it. */
export function levelAnswer({ level, levelAtStart, until, levelAfter }: LevelState) {
  return { type: 'log_level', level, level_at_start: levelAtStart, ...(until && { until: until.toISOString(), level_after: levelAfter }) }
}
