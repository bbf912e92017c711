const NANO = 1_000_000_000n

/** Nano-dollars as exact decimal dollars without padding: `0.0123`. */
export function usd(nano: bigint): string {
  const sign = nano < 0n ? '-' : ''
  const size = nano < 0n ? -nano : nano
  const fraction = String(size % NANO).padStart(9, '0').replace(/0+$/, '')
  return `${sign}${size / NANO}${fraction === '' ? '' : `.${fraction}`}`
}
