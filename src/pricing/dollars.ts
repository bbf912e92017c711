/** Decimal places of USD in a nano-dollar, and in a millionth of one. */
export const NANO = 9
export const FEMTO = 15

/** An amount as an exact decimal of dollars, with two places at least: `dollars(1_100_000_000n)` is `1.10`. */
export function dollars(amount: bigint, places: number = NANO): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(places + 1, '0')
  const fraction = digits.slice(-places).replace(/0+$/, '').padEnd(2, '0')
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -places)}.${fraction}`
}
