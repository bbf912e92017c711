// From which level on lines are written: changed while the program runs, and for a while alone where that is asked for,
// so that nobody has to remember to turn it back.
import type { Level, Observe } from './events.ts'

/** From the least that is written to the most. */
export const LEVELS = ['error', 'warn', 'info', 'debug'] as const satisfies readonly Level[]

export interface LevelState {
  readonly level: Level
  /** Of the program when it began. */
  readonly levelAtStart: Level
  /** Until when, where it was changed for a while, and what it is then. */
  readonly until?: Date
  readonly levelAfter?: Level
}

export interface LogLevel {
  current(): Level
  state(): LevelState
  /** Changes it, for good or until a moment. Of two changes for a while the later goes back to where the earlier would have. */
  set(level: Level, until?: Date): LevelState
  /** One step to more lines (1) or to fewer (-1); stays where there is none. By a signal, whose name is told. */
  step(by: 1 | -1, signal: string): void
  /** How many changes there were. Of two counts that differ the level may be the same: it went and came back. */
  changes(): number
  /** Runs changes that wait for something one after the other, in the order in which they were asked for. */
  inTurn<T>(change: () => Promise<T>): Promise<T>
  /** Whose level it is, for the events of its changes; undefined where nobody said so. */
  readonly replica: string | undefined
  /** Who hears of changes that nobody made by a call: by signal, or because their time is over. The last one given. */
  tells(observe: Observe): void
}

/** Longer timers than this fire at once. */
export const MOST_SECONDS = 7 * 86_400

export function createLogLevel(levelAtStart: Level, { now = () => new Date(), replica }: { now?: () => Date; replica?: string } = {}): LogLevel {
  let level = levelAtStart
  let passing: { readonly timer: Timer; readonly until: Date; readonly levelAfter: Level } | undefined
  let observe: Observe = () => {}
  let changes = 0
  let turn: Promise<unknown> = Promise.resolve()

  function lasting(next: Level): void {
    changes++
    clearTimeout(passing?.timer)
    passing = undefined
    level = next
  }

  function tell(actor: string, before: Level): void {
    observe({ evt: 'admin.log_level', actor, ...(replica && { replica }), level, level_before: before })
  }

  function end(levelAfter: Level): void {
    const before = level
    lasting(levelAfter)
    tell('gateway', before)
  }

  const state = (): LevelState => ({ level, levelAtStart, ...(passing && { until: passing.until, levelAfter: passing.levelAfter }) })
  return {
    replica,
    current: () => level,
    state,
    set(next, until) {
      const levelAfter = passing?.levelAfter ?? level
      lasting(next)
      if (until === undefined) return state()
      const timer = setTimeout(end, Math.max(0, until.getTime() - now().getTime()), levelAfter)
      timer.unref()
      passing = { timer, until, levelAfter }
      return state()
    },
    step(by, signal) {
      const before = level
      const next = LEVELS[LEVELS.indexOf(level) + by]
      // A change for a while must not become one for good where there is no step to take.
      if (next === undefined) return
      lasting(next)
      tell(`signal:${signal}`, before)
    },
    changes: () => changes,
    inTurn(change) {
      const done = turn.then(change)
      turn = done.catch(() => {})
      return done
    },
    tells: (given) => void (observe = given),
  }
}

/** True where a line of this level is written. */
export function isWritten(line: Level, level: Level): boolean {
  return LEVELS.indexOf(line) <= LEVELS.indexOf(level)
}

/** Says something to whoever debugs; the words are made only where somebody reads them. */
export type Debug = (requestId: string, words: () => string) => void

export function createDebug({ current }: Pick<LogLevel, 'current'>, observe: Observe): Debug {
  return (requestId, words) => {
    if (current() === 'debug') observe({ op: 'debug', message: words(), request_id: requestId })
  }
}
