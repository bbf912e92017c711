// What is wrong with a trail at the first place where it does not fit. Pure.
import { eventHash, follows, type StoredEvent } from './chain.ts'
import type { Head, Place } from './store.ts'

export interface Fault {
  readonly kind: 'changed' | 'missing' | 'removed' | 'inserted' | 'moved' | 'cut_off' | 'end' | 'anchor' | 'rewritten'
  /** The first place that does not fit. */
  readonly at: Place
  /** A sentence about it. */
  readonly words: string
}

/** Rows that are looked at to say what happened. */
export const WINDOW = 64
const MOST_REMOVED = 10_000

/**
 * Why the first row of the window does not follow the event of hash `previous`. The rows stand as they are found, from that
 * one on; `before` are the events that fitted, in order. Whoever changes one row cannot make the rows behind it again
 * without changing them all: they tell what was there.
 */
export function explainBreak(previous: string, window: readonly StoredEvent[], before: readonly Head[]): Fault {
  const first = window[0] as StoredEvent
  const at = { day: first.day, seq: first.seq }
  const belongs = window.findIndex((row, index) => index > 0 && follows(previous, at, row))
  if (belongs > 0) {
    if (isElsewhere(window)) return { kind: 'moved', at, words: `events were put into another order: the one that belongs here is found at ${placeText(window[belongs] as StoredEvent)}` }
    return { kind: 'inserted', at, words: `${count(belongs)} inserted here: the event that belongs here is found at ${placeText(window[belongs] as StoredEvent)}` }
  }
  const added = before.findIndex((place, index) => index > 0 && follows((before[index - 1] as Head).hash, place, first))
  if (added > 0) return { kind: 'inserted', at: before[added] as Head, words: `${count(before.length - added)} inserted here: the event that belongs here is found at ${placeText(first)}` }
  const second = window[1]
  if (second === undefined) return { kind: 'changed', at, words: 'the last event of the trail was changed, or stands where others were removed' }
  if (follows(first.hash, second, second)) return { kind: 'changed', at, words: 'the event was changed, or the one before it with its hash: they do not fit each other, and the next one fits' }
  if (follows(eventHash(previous, at, first.line), second, second)) return { kind: 'changed', at, words: 'the hash of the event was changed' }
  for (let removed = 1; removed <= MOST_REMOVED; removed++) {
    if (follows(first.hash, { day: second.day, seq: second.seq + removed }, second)) return { kind: 'removed', at, words: `${count(removed)} removed before it, and those behind were numbered anew` }
  }
  return { kind: 'rewritten', at, words: 'neither it nor the next event fits: from here on the trail was written anew' }
}

/** Whether the first row was stored behind another row of the window, at a later number. */
function isElsewhere([first, ...others]: readonly StoredEvent[]): boolean {
  return others.some(({ hash }) => others.some((_, index) => follows(hash, { day: first!.day, seq: first!.seq + index + 1 }, first!)))
}

export function placeText({ day, seq }: Place): string {
  return `${day}:${seq}`
}

function count(events: number): string {
  return events === 1 ? 'one event was' : `${events} events were`
}
