// The level of the log, changed by an administrator. It lives in this process, so that it cannot change in the statement
// that stores the event: the event comes first, and without it nothing changes.
import { noteEvent } from '../audit/store.ts'
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
import { auditRecord, type TimedEvent } from '../observe/audit-line.ts'
import type { Level, Observe } from '../observe/events.ts'
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

/**
 * One change after the other: each event says what was before it, and the last one what holds, whatever a signal or the time
 * of an earlier change did meanwhile. Throws DatabaseError, and no level has changed by it then; where the event may be
 * stored all the same, another one says so.
 */
export function changeLogLevel(deps: LogLevelDeps, wanted: WantedLevel, by: By): Promise<LevelState> {
  return deps.logLevel.inTurn(() => changeNow(deps, wanted, by))
}

async function changeNow({ db, logLevel, isStored, tell, observe, now }: LogLevelDeps, { level, seconds, reason }: WantedLevel, by: By): Promise<LevelState> {
  const about = { request_id: by.requestId, client_ip: by.clientIp, ...(logLevel.replica && { replica: logLevel.replica }) }
  const correct = (before: Level, { level: holds, until }: LevelState, why: string) =>
    observe({ evt: 'admin.log_level', ...about, actor: 'gateway', level: holds, level_before: before, ...(until && { until: until.toISOString() }), reason: why })
  const until = seconds === undefined ? undefined : new Date(now().getTime() + seconds * 1000)
  const event: TimedEvent = {
    ts: now().toISOString(),
    evt: 'admin.log_level',
    ...about,
    actor: by.actor,
    level,
    level_before: logLevel.current(),
    ...(until && { until: until.toISOString() }),
    ...(reason !== undefined && { reason }),
  }
  const changes = logLevel.changes()
  if (isStored) {
    await noteEvent(db, auditRecord(event)).catch((error: unknown) => {
      if (mayHaveHappened(error)) correct(logLevel.current(), logLevel.state(), 'the change before was not made: its event could not be stored in time')
      throw error
    })
  }
  tell(event)
  const [before, hasMoved] = [logLevel.current(), logLevel.changes() !== changes]
  const state = logLevel.set(level, until)
  // By a signal, or because the time of an earlier change was over: the event of that stands after this one.
  if (hasMoved) correct(before, state, 'the level had changed while the event of this change was being stored')
  return state
}

/** Nobody has heard the answer. */
function mayHaveHappened(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === 'unreachable' || error.code === 'deadline')
}

/** As the API says it. */
export function levelAnswer({ level, levelAtStart, until, levelAfter }: LevelState) {
  return { type: 'log_level', level, level_at_start: levelAtStart, ...(until && { until: until.toISOString(), level_after: levelAfter }) }
}
