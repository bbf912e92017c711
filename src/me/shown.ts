// Amounts and moments as they are told to people and their scripts.
import { dollars } from '../pricing/dollars.ts'
import { NANO_PER_CENT } from '../spend/amounts.ts'

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
