// A passive circuit breaker for one model of one upstream: what fails is left alone for a while, then one request tries it.
// It chooses between upstreams and never refuses on its own: a request with nowhere else to go is still sent. Pure.
//
// One person can make any request fail, so what their failures alone have opened is open to them alone: a team of one has its
// failover, and a second person's failure opens it to everybody. Where others succeed meanwhile, no run comes about at all.

export interface Breaker {
  /** In a row. */
  readonly failures: number
  /** Whose failure was the last; of those that came together, the one that opened it. */
  readonly by: string
  /** A second person's failures are among them. */
  readonly isShared: boolean
  /** Until when everybody keeps away, in milliseconds on the caller's monotonic clock; undefined while closed. */
  readonly openUntilMs: number | undefined
  /** Until when `by` does, while it is not shared. */
  readonly byUntilMs: number
  /** How often it has opened since the last success. */
  readonly openings: number
  /** One request is finding out whether the upstream is back. */
  readonly isProbing: boolean
  /** Who was last asked to wait. A success does not forget them: it says that the upstream did not mean everybody. */
  readonly throttled: string | undefined
}

export type BreakerState = 'closed' | 'open' | 'half_open'

export const CLOSED: Breaker = { failures: 0, by: '', isShared: false, openUntilMs: undefined, byUntilMs: 0, openings: 0, isProbing: false, throttled: undefined }

const FAILURES_TO_OPEN = 5
const OPEN_MS = 15_000
const LONGEST_OPEN_MS = 120_000
/** A cloud may ask for hours when a quota of the day is used up; somebody may raise it meanwhile. */
const LONGEST_RETRY_AFTER_MS = 300_000
/** A rate limit is nearly always the account's, but one kind of request (a long context) may have its own. */
const LONGEST_BY_ONE_MS = 60_000
/** Who failed last tries again after the others, or one person's requests could find it broken for everybody, every time. */
const HEAD_START_MS = 15_000

/** As it is for those whose failures opened it. */
export function breakerState({ openUntilMs, byUntilMs, isShared, isProbing }: Breaker, nowMs: number): BreakerState {
  if (openUntilMs === undefined) return 'closed'
  return isProbing || nowMs >= (isShared ? openUntilMs : byUntilMs) ? 'half_open' : 'open'
}

/** Whether this person's request may go there as if nothing had happened. While one probes, the others still keep away. */
export function admits(breaker: Breaker, person: string, nowMs: number): boolean {
  const { openUntilMs, byUntilMs, by, isShared, isProbing } = breaker
  if (openUntilMs === undefined) return true
  if (!isShared) return person === by ? nowMs >= byUntilMs && !isProbing : nowMs >= openUntilMs
  return nowMs >= openUntilMs + (person === by ? HEAD_START_MS : 0) && !isProbing
}

/** A request goes there. */
export function started(breaker: Breaker, person: string): Breaker {
  return concerns(breaker, person) ? { ...breaker, isProbing: true } : breaker
}

/** `since` is the breaker that the request found. What was sent before it opened does not say that the upstream is back. */
export function succeeded(breaker: Breaker, since: Breaker): Breaker {
  return hasOpened(breaker, since) ? breaker : { ...CLOSED, throttled: breaker.throttled }
}

/** A request ended without a verdict: its client left, or what was said may be of the request. */
export function undecided(breaker: Breaker, since: Breaker, person: string): Breaker {
  const wasProbe = concerns(since, person) && !since.isProbing
  return wasProbe && !hasOpened(breaker, since) ? { ...breaker, isProbing: false } : breaker
}

/**
 * `retryAfterMs` is how long the upstream asked to be left alone: that opens at once, to everybody for a minute at most until
 * a second person is asked to. Requests that fail together open it once, not each for twice as long as the one before.
 */
export function failed(breaker: Breaker, since: Breaker, person: string, nowMs: number, retryAfterMs?: number): Breaker {
  const failures = breaker.failures + 1
  const isShared = breaker.isShared || (breaker.failures > 0 && breaker.by !== person)
  const asked = retryAfterMs === undefined ? undefined : Math.min(LONGEST_RETRY_AFTER_MS, retryAfterMs)
  const isAskedAgain = asked !== undefined && isShared && breaker.throttled !== undefined && breaker.throttled !== person
  const throttled = asked === undefined ? breaker.throttled : person
  const { openUntilMs = 0, byUntilMs } = breaker
  const later = (untilMs: number, ms: number) => Math.max(untilMs, nowMs + ms)

  if (hasOpened(breaker, since) && isShared === breaker.isShared) {
    if (asked === undefined) return breaker
    if (!isShared) return { ...breaker, throttled, byUntilMs: later(byUntilMs, asked) }
    return { ...breaker, throttled, openUntilMs: isAskedAgain ? later(openUntilMs, asked) : openUntilMs }
  }
  if (asked === undefined && breaker.openUntilMs === undefined && failures < FAILURES_TO_OPEN) return { ...breaker, failures, by: person, isShared }
  const openMs = asked ?? Math.min(LONGEST_OPEN_MS, OPEN_MS * 2 ** (isShared === breaker.isShared ? breaker.openings : 0))
  const isForAll = isShared || (asked !== undefined && breaker.throttled !== person)
  const openForAllMs = asked === undefined || isAskedAgain ? openMs : Math.min(LONGEST_BY_ONE_MS, openMs)
  return {
    failures,
    by: person,
    isShared,
    openUntilMs: isForAll ? later(openUntilMs, openForAllMs) : openUntilMs,
    byUntilMs: later(byUntilMs, openMs),
    openings: breaker.openings + 1,
    isProbing: false,
    throttled,
  }
}

/** Whether it is open, or about to be tried, for this person. */
function concerns({ openUntilMs, isShared, by }: Breaker, person: string): boolean {
  return openUntilMs !== undefined && (isShared || by === person)
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
