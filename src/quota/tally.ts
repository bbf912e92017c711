// What this process counted, and what it heard of the others. In memory: a request asks nobody.
// Each process tells its own counts whole and nobody else changes them, so that telling twice, or late, does no harm.
import type { Counts } from './judge.ts'
import { count, forget, type Place, type Window } from './window.ts'

/** What one process counted under one key in the last minute, and how many requests of it run there. */
export interface Told {
  readonly key: string
  readonly running: number
  readonly window: Window
}

/** The same as another process told it. */
export interface Heard extends Told {
  readonly processId: string
  /** By the clock of the database. */
  readonly toldMs: number
}

export interface Tally {
  counts(key: string, nowMs: number): Counts
  count(key: string, place: Place, amount: number, nowMs: number): void
  /** One request more that runs, or one less. */
  run(key: string, by: 1 | -1): void
  /** What the others have not been told, and what they have to be told again: some thousands at most. It counts as told from here on. */
  takeChanges(nowMs: number): Told[]
  /** Takes back what did not reach the database. */
  keepChanges(changes: readonly Told[]): void
  hear(all: readonly Heard[]): void
  /** Frees the memory of everything that is over. */
  forget(nowMs: number): void
  isEmpty(): boolean
  /** People and pools of which something is known. */
  size(): number
}

/** Requests that run are told again after this, or they would be taken for those of a dead process. */
const RENEW_MS = 4000
/** A process that said nothing for this long has ended, and so has what ran there. */
const DEAD_MS = 10_000

/** In one statement, which then takes about a tenth of a second. */
const MOST_TOLD = 5000

interface Own {
  window: Window
  running: number
  toldMs: number
}

export function createTally(): Tally {
  const own = new Map<string, Own>()
  const others = new Map<string, Map<string, Heard>>()
  const changed = new Set<string>()
  const busy = new Set<string>()

  function ownOf(key: string): Own {
    const known = own.get(key)
    if (known !== undefined) return known
    const fresh: Own = { window: [], running: 0, toldMs: 0 }
    own.set(key, fresh)
    return fresh
  }

  return {
    counts(key, nowMs) {
      const mine = own.get(key)
      const heard = others.get(key)
      const windows = mine === undefined ? [] : [mine.window]
      let running = mine?.running ?? 0
      if (heard !== undefined) {
        for (const one of heard.values()) {
          windows.push(one.window)
          if (isAlive(one, nowMs)) running += one.running
        }
      }
      return { windows, running }
    },
    count(key, place, amount, nowMs) {
      count(ownOf(key).window, place, amount, nowMs)
      changed.add(key)
    },
    run(key, by) {
      const mine = ownOf(key)
      mine.running += by
      changed.add(key)
      if (mine.running > 0) busy.add(key)
      else busy.delete(key)
    },
    takeChanges(nowMs) {
      for (const key of busy) if (nowMs - ownOf(key).toldMs >= RENEW_MS) changed.add(key)
      const changes = [...changed].slice(0, MOST_TOLD).map((key) => {
        changed.delete(key)
        const mine = ownOf(key)
        mine.toldMs = nowMs
        forget(mine.window, nowMs)
        return { key, running: mine.running, window: mine.window }
      })
      return changes
    },
    keepChanges: (changes) => changes.forEach(({ key }) => changed.add(key)),
    hear(all) {
      for (const one of all) {
        const heard = others.get(one.key) ?? new Map<string, Heard>()
        heard.set(one.processId, one)
        others.set(one.key, heard)
      }
    },
    forget(nowMs) {
      for (const [key, mine] of own) {
        forget(mine.window, nowMs)
        if (mine.running === 0 && mine.window.length === 0 && !changed.has(key)) own.delete(key)
      }
      for (const [key, heard] of others) {
        for (const [processId, one] of heard) {
          forget(one.window, nowMs)
          if (one.window.length === 0 && !(one.running > 0 && isAlive(one, nowMs))) heard.delete(processId)
        }
        if (heard.size === 0) others.delete(key)
      }
    },
    isEmpty: () => own.size === 0 && others.size === 0,
    size: () => new Set([...own.keys(), ...others.keys()]).size,
  }
}

function isAlive({ toldMs }: Heard, nowMs: number): boolean {
  return nowMs - toldMs < DEAD_MS
}
