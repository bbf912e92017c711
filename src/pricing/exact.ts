// Exact arithmetic of money: ratios of whole numbers. No float takes part in a price.

export type Exact = readonly [numerator: bigint, denominator: bigint]

export const ONE: Exact = [1n, 1n]

/** A number as its shortest decimal says it: 1.1 is 11/10. Throws RangeError for what is negative or no number. */
export function exactly(value: number): Exact {
  const [, whole, fraction = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? []
  if (whole === undefined) throw new RangeError(`${value} is no amount`)
  const shift = Number(exponent) - fraction.length
  const digits = BigInt(whole + fraction)
  return shift < 0 ? [digits, 10n ** BigInt(-shift)] : [digits * 10n ** BigInt(shift), 1n]
}

export function times(a: Exact, b: Exact): Exact {
  return [a[0] * b[0], a[1] * b[1]]
}

/** To a whole number; halves up. */
export function rounded([numerator, denominator]: Exact): bigint {
  return (2n * numerator + denominator) / (2n * denominator)
}
