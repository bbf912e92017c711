// When a delivery is tried again. Pure.

const FIRST_S = 5
const LONGEST_S = 3600

/**
 * Seconds until the next attempt after `attempts` of them: doubled each time, up to an hour, or what `Retry-After` asks for when
 * that is longer (RFC 9110 §10.2.3), an hour at most. `random` from 0 to 1 spreads those that failed together.
 */
export function retryAfterSeconds(attempts: number, retryAfter: string | null, nowMs: number, random: number): number {
  const backOff = Math.min(LONGEST_S, FIRST_S * 2 ** Math.min(attempts - 1, 20)) * (0.75 + random / 2)
  return Math.max(backOff, Math.min(LONGEST_S, askedSeconds(retryAfter, nowMs)))
}

function askedSeconds(retryAfter: string | null, nowMs: number): number {
  const text = retryAfter?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const atMs = /^[A-Z][a-z]{2},/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(atMs) ? 0 : Math.max(0, (atMs - nowMs) / 1000)
}

/** What may pass by itself; every other refusal is for good. */
export function mayPass(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}
