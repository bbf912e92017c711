// The periods of spend limits: UTC days, ISO weeks from Monday, calendar months. Pure.
import type { Period } from './limit.ts'

/** When the period that `now` is in ends and the next one begins. */
export function resetOf(period: Period, now: Date): Date {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  if (period === 'monthly') return new Date(Date.UTC(year, month + 1, 1))
  if (period === 'daily') return new Date(Date.UTC(year, month, day + 1))
  const sinceMonday = (now.getUTCDay() + 6) % 7
  return new Date(Date.UTC(year, month, day - sinceMonday + 7))
}
