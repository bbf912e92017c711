// Whole numbers as text for people and programs. Nothing here is ever a floating-point number.

/** `units` of which ten to the power of `places` make one, as an exact decimal: with `least` decimals at least, and no zero at the end beyond those. */
export function decimal(units: bigint, places: number, least: number): string {
  const digits = String(units < 0n ? -units : units).padStart(places + 1, '0')
  const fraction = digits.slice(-places).replace(/0+$/, '').padEnd(least, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -places)}${fraction === '' ? '' : `.${fraction}`}`
}

/** `9,120,044` */
export function grouped(count: bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}
