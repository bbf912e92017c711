// Amounts and moments as they are told to people and their scripts.
import { dollars } from '../pricing/dollars.ts'
import { dollarsAndCents, NANO_PER_CENT } from '../spend/amounts.ts'

/** Whole cents of nano-dollars, rounded down. */
export function wholeCents(nano: bigint): number {
  return Number(nano / NANO_PER_CENT)
}

/** Exact dollars, and whole cents for who does not want to reckon with decimals. */
export function amount(nano: bigint): { usd: string; cents: number } {
  return { usd: dollars(nano), cents: wholeCents(nano) }
}

/** RFC 3339 without a fraction, which some readers of such texts refuse. */
export function isoSeconds(moment: Date): string {
  return moment.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** Dollars and cents for people, and that there was something where it is less. */
export function dollarsShown(nano: bigint): string {
  return nano > 0n && nano < NANO_PER_CENT ? '< $0.01' : dollarsAndCents(nano)
}

/** A count of tokens, to three digits at least: `812`, `81.2k`, `9.12M`. */
export function tokensShown(count: bigint): string {
  const units = [
    [1_000_000_000n, 'B'],
    [1_000_000n, 'M'],
    [1000n, 'k'],
  ] as const
  const unit = units.find(([size]) => count >= size)
  if (unit === undefined) return String(count)
  const [size, name] = unit
  const [whole, hundredths] = [count / size, String((count * 100n) / size % 100n).padStart(2, '0')]
  const places = Math.max(0, 3 - String(whole).length)
  return `${whole}${places === 0 ? '' : `.${hundredths.slice(0, places)}`}${name}`
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
export const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'] as const

/** `Thu 19 Nov`, UTC. */
export function dayShown(moment: Date): string {
  return `${WEEKDAYS[moment.getUTCDay()]} ${moment.getUTCDate()} ${(MONTHS[moment.getUTCMonth()] as string).slice(0, 3)}`
}

/** How long until then, in the largest unit that says enough: `25 min`, `31 h`, `12 days`. */
export function untilShown(then: Date, now: Date): string {
  const minutes = Math.max(1, Math.ceil((then.getTime() - now.getTime()) / 60_000))
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`
}
