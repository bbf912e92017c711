// Moments and buckets of reports, in milliseconds since the epoch. UTC has no summer time, so a bucket is a division. Pure.
import { GatewayError } from '../errors.ts'

export type Width = '1m' | '1h' | '1d'

export const DAY_MS = 86_400_000
export const WIDTH_MS: Readonly<Record<Width, number>> = { '1m': 60_000, '1h': 3_600_000, '1d': DAY_MS }

/** From `from` to just before `to`, both on the boundary of a bucket. */
export interface Span {
  readonly from: number
  readonly to: number
}

const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/
const DATE = /^\d{4}-\d\d-\d\d$/

/** RFC 3339 §5.6. Throws `invalid_request` naming the parameter. */
export function parseMoment(text: string, name: string): number {
  // A `+` that is not percent-encoded arrives as a space.
  const moment = text.replace(/ (?=\d\d:\d\d$)/, '+')
  const [, date = '', time = '', fraction = '', offset = ''] = RFC3339.exec(moment) ?? []
  const ms = isDate(date) ? Date.parse(`${date}T${time}${fraction.slice(0, 4)}${offset.toUpperCase()}`) : NaN
  if (Number.isNaN(ms)) throw new GatewayError('invalid_request', `${name}: must be an RFC 3339 timestamp with a time zone, such as 2026-08-01T00:00:00Z`)
  return ms
}

/** The beginning of a day in UTC. Throws `invalid_request` naming the parameter. */
export function parseDay(text: string, name: string): number {
  if (!isDate(text)) throw new GatewayError('invalid_request', `${name}: must be a day in UTC, such as 2026-08-01`)
  return Date.parse(`${text}T00:00:00Z`)
}

/** Date.parse takes the 31st of February for the 3rd of March. */
function isDate(text: string): boolean {
  const ms = DATE.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text)
}

/** The beginning of the bucket that a moment is in. */
export function floorTo(ms: number, width: Width): number {
  return Math.floor(ms / WIDTH_MS[width]) * WIDTH_MS[width]
}

/**
 * The buckets between two moments. The first is the one that `starting` is in, the last the one that ends at `ending` or
 * before it; without `ending` it is the one that is being filled now. Throws `invalid_request` when nothing is between them.
 */
export function spanOf({ starting, ending, now, width }: { starting: number; ending: number | undefined; now: number; width: Width }): Span {
  if (starting >= (ending ?? now)) throw new GatewayError('invalid_request', 'starting_at: must be before ending_at, which is now unless given')
  const from = floorTo(starting, width)
  const to = ending === undefined ? floorTo(now, width) + WIDTH_MS[width] : floorTo(ending, width)
  return { from, to: Math.max(from, to) }
}

/** `2026-08-01T00:00:00Z`, as Anthropic writes the ends of buckets. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}
