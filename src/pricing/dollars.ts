import { decimal } from '../std/decimal.ts'

/** Decimal places of USD in a nano-dollar, and in a millionth of one. */
export const NANO = 9
export const FEMTO = 15

/** An amount as an exact decimal of dollars, with two places at least: `dollars(1_100_000_000n)` is `1.10`. */
export function dollars(amount: bigint, places: number = NANO): string {
  return decimal(amount, places, 2)
}
