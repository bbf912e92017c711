// Money as the reports write it. Pure.

/** Nano-dollars in a cent. */
const NANO_PER_CENT = 10_000_000n
const PLACES = 7

/**
 * Nano-dollars as a decimal string of US cents, exact: `123.4500001`. Zeros at the end are left off down to `places`,
 * and with them the point.
 */
export function decimalCents(nanoDollars: bigint, places = 0): string {
  const size = nanoDollars < 0n ? -nanoDollars : nanoDollars
  const fraction = (size % NANO_PER_CENT).toString().padStart(PLACES, '0')
  const kept = fraction.replace(/0+$/, '').padEnd(places, '0')
  return `${nanoDollars < 0n ? '-' : ''}${size / NANO_PER_CENT}${kept === '' ? '' : `.${kept}`}`
}
