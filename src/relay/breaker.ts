// A passive circuit breaker for one model of one upstream: what fails is left alone for a while, then one request tries it.
// It chooses between upstreams and never refuses on its own: a request with nowhere else to go is still sent. Pure.

export interface Breaker {
  readonly failures: number
  /** Milliseconds on the caller's monotonic clock; undefined while closed. */
  readonly openUntilMs: number | undefined
  /** How often it has opened since the last success. */
  readonly openings: number
  /** One request is finding out whether the upstream is back. */
  readonly isProbing: boolean
}

export type BreakerState = 'closed' | 'open' | 'half_open'

export const CLOSED: Breaker = { failures: 0, openUntilMs: undefined, openings: 0, isProbing: false }

const FAILURES_TO_OPEN = 5
const OPEN_MS = 15_000
const LONGEST_OPEN_MS = 120_000
/** A cloud may ask for hours when a quota of the day is used up; somebody may raise it meanwhile. */
const LONGEST_RETRY_AFTER_MS = 300_000

export function breakerState({ openUntilMs, isProbing }: Breaker, nowMs: number): BreakerState {
  if (openUntilMs === undefined) return 'closed'
  return isProbing || nowMs >= openUntilMs ? 'half_open' : 'open'
}

/** Whether a request may go there as if nothing had happened. While one probes, the others still keep away. */
export function admits(breaker: Breaker, nowMs: number): boolean {
  return breakerState(breaker, nowMs) === 'closed' || (!breaker.isProbing && nowMs >= (breaker.openUntilMs ?? 0))
}

/** A request goes there. */
export function started(breaker: Breaker): Breaker {
  return breaker.openUntilMs === undefined ? breaker : { ...breaker, isProbing: true }
}

/** `since` is the breaker that the request found. What was sent before it opened does not say that the upstream is back. */
export function succeeded(breaker: Breaker, since: Breaker): Breaker {
  return hasOpened(breaker, since) ? breaker : CLOSED
}

/** A request ended without a verdict: its client left. */
export function undecided(breaker: Breaker, since: Breaker): Breaker {
  const wasProbe = since.openUntilMs !== undefined && !since.isProbing
  return wasProbe && !hasOpened(breaker, since) ? { ...breaker, isProbing: false } : breaker
}

/**
 * `retryAfterMs` is how long the upstream asked to be left alone: that opens at once. Requests that fail together open it
 * once, not each for twice as long as the one before.
 */
export function failed(breaker: Breaker, since: Breaker, nowMs: number, retryAfterMs?: number): Breaker {
  const { openings } = breaker
  const asked = retryAfterMs === undefined ? undefined : Math.min(LONGEST_RETRY_AFTER_MS, retryAfterMs)
  const openUntil = (openMs: number) => Math.max(breaker.openUntilMs ?? 0, nowMs + openMs)
  if (hasOpened(breaker, since)) return asked === undefined ? breaker : { ...breaker, openUntilMs: openUntil(asked) }
  const failures = breaker.failures + 1
  const opens = asked !== undefined || breaker.openUntilMs !== undefined || failures >= FAILURES_TO_OPEN
  if (!opens) return { ...breaker, failures }
  return { failures, openUntilMs: openUntil(asked ?? Math.min(LONGEST_OPEN_MS, OPEN_MS * 2 ** openings)), openings: openings + 1, isProbing: false }
}

function hasOpened(breaker: Breaker, since: Breaker): boolean {
  return breaker.openings > since.openings
}

/** RFC 9110 §10.2.3: seconds or a date; `retry-after-ms` is more exact where it is given. Undefined when there is none. */
export function readRetryAfter(headers: Headers, wallMs: number): number | undefined {
  const exact = headers.get('retry-after-ms')
  if (exact !== null && /^\d+(?:\.\d+)?$/.test(exact)) return Number(exact)
  const text = headers.get('retry-after')
  if (text === null) return undefined
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000
  // A parser of dates finds one in almost anything.
  const dateMs = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - wallMs)
}
