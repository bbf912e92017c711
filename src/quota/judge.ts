// Whether somebody may send one more request. Pure.
import { msUntilBelow, PLACE, type Place, type Window } from './window.ts'

export const QUOTA_KINDS = ['requests_per_minute', 'input_tokens_per_minute', 'output_tokens_per_minute', 'concurrent'] as const
export type QuotaKind = (typeof QUOTA_KINDS)[number]
export type QuotaLimits = Readonly<Partial<Record<QuotaKind, number | undefined>>>

/** What is known of a person, or of people who share an amount. */
export interface Counts {
  /** One for each process that counts. */
  readonly windows: readonly Window[]
  readonly running: number
}

export interface Exceeded {
  readonly kind: QuotaKind
  readonly limit: number
  /** Until there is room; when a running request ends nobody knows, so for `concurrent` it is soon. */
  readonly waitMs: number
}

const PER_MINUTE: readonly (readonly [QuotaKind, Place])[] = [
  ['requests_per_minute', PLACE.requests],
  ['input_tokens_per_minute', PLACE.inputTokens],
  ['output_tokens_per_minute', PLACE.outputTokens],
]
const SOON_MS = 1000

/**
 * The limit that keeps one more request out for the longest time, or undefined when none does. Tokens of a request are
 * known at its end: they keep the next one out, never the one they belong to.
 */
export function judge(limits: QuotaLimits, { windows, running }: Counts, nowMs: number): Exceeded | undefined {
  let worst: Exceeded | undefined
  for (const [kind, place] of PER_MINUTE) {
    const limit = limits[kind]
    if (limit === undefined) continue
    const waitMs = msUntilBelow(limit, windows, place, nowMs)
    if (waitMs > (worst?.waitMs ?? 0)) worst = { kind, limit, waitMs }
  }
  const { concurrent } = limits
  if (worst === undefined && concurrent !== undefined && running >= concurrent) return { kind: 'concurrent', limit: concurrent, waitMs: SOON_MS }
  return worst
}
