// Amounts of money as text. Nothing here is ever a floating-point number.
import { decimal, grouped } from '../std/decimal.ts'

/** Nano-dollars. */
export const NANO_PER_CENT = 10_000_000n

/** A billion dollars: in nano-dollars the largest round amount of which sums still fit PostgreSQL's bigint. */
export const MOST_CENTS = 100_000_000_000n

/** Whole cents: `"1210"`. Undefined for any other spelling, and for more than MOST_CENTS. */
export function readCents(text: string): bigint | undefined {
  return /^(0|[1-9]\d{0,11})$/.test(text) ? within(BigInt(text)) : undefined
}

/** Dollars, exactly, in whole cents: `"12.10"` is 1210. Undefined for a third decimal, and for more than MOST_CENTS. */
export function readDollars(text: string): bigint | undefined {
  const [, dollars, decimals = ''] = /^(0|[1-9]\d{0,9})(?:\.(\d{1,2}))?$/.exec(text) ?? []
  return dollars === undefined ? undefined : within(BigInt(dollars) * 100n + BigInt(decimals.padEnd(2, '0')))
}

function within(cents: bigint): bigint | undefined {
  return cents <= MOST_CENTS ? cents : undefined
}

/** Decimals of a cent in a nano-dollar. */
const PLACES = 7

/** Nano-dollars as cents, exact: `"41280.125"`, with `least` decimals at least. */
export function centsText(nano: bigint, least = 0): string {
  return decimal(nano, PLACES, least)
}

/** Dollars and cents for people, cut off below the cent: nobody is told of more than was spent. `$1,234.56` */
export function dollarsAndCents(nano: bigint): string {
  const cents = nano / NANO_PER_CENT
  return `$${grouped(cents / 100n)}.${String(cents % 100n).padStart(2, '0')}`
}
