// What was counted in the last minute, second by second. A fixed minute would let twice the number through at its edge.
// Pure but for the window that is given, which is changed in place: every request passes here.

/** What is counted in one second: the second (Unix), requests, input tokens, output tokens. */
export type Slot = [second: number, requests: number, inputTokens: number, outputTokens: number]
/** Oldest first, one a second at most, only those in which something was counted. */
export type Window = Slot[]

export const PLACE = { requests: 1, inputTokens: 2, outputTokens: 3 } as const
export type Place = (typeof PLACE)[keyof typeof PLACE]

const MINUTE_MS = 60_000
/** Clocks differ by less. What is further ahead was counted before the clock was set back. */
const AHEAD_MS = 10_000

/** When a second has left the minute as a whole: then what happened at its end has, too. */
function endsMs([second]: Slot): number {
  return (second + 1) * 1000 + MINUTE_MS
}

function isCounted(slot: Slot, nowMs: number): boolean {
  return endsMs(slot) > nowMs && slot[0] * 1000 < nowMs + AHEAD_MS
}

/** Adds `amount`, and forgets what has left the minute: a window never has more than about seventy slots. */
export function count(window: Window, place: Place, amount: number, nowMs: number): void {
  forget(window, nowMs)
  const second = Math.floor(nowMs / 1000)
  const last = window.at(-1)
  if (last !== undefined && last[0] >= second) {
    last[place] += amount
    return
  }
  const slot: Slot = [second, 0, 0, 0]
  slot[place] = amount
  window.push(slot)
}

/** Drops what is not counted any more. */
export function forget(window: Window, nowMs: number): void {
  while (window[0] !== undefined && !isCounted(window[0], nowMs)) window.shift()
  while (window.length > 0 && !isCounted(window.at(-1) as Slot, nowMs)) window.pop()
}

/** How much was counted in the minute that ends now, in all of the windows. */
export function sum(windows: readonly Window[], place: Place, nowMs: number): number {
  let total = 0
  for (const window of windows) for (const slot of window) if (isCounted(slot, nowMs)) total += slot[place]
  return total
}

/** Milliseconds until the sum is below `limit` when nothing is added; 0 when it is now. */
export function msUntilBelow(limit: number, windows: readonly Window[], place: Place, nowMs: number): number {
  let left = sum(windows, place, nowMs)
  if (left < limit) return 0
  const slots = windows.flatMap((window) => window.filter((slot) => isCounted(slot, nowMs))).sort((a, b) => a[0] - b[0])
  for (const slot of slots) {
    left -= slot[place]
    if (left < limit) return endsMs(slot) - nowMs
  }
  return 0
}
