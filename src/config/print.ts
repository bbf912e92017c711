import type { Cidr } from '../std/cidr.ts'
import { Secret } from '../std/secret.ts'

/** Plain data for printing: secrets read `[secret]`, ranges read as they were written. */
export function printable(value: unknown): unknown {
  if (value instanceof Secret) return '[secret]'
  if (isCidr(value)) return cidrText(value)
  if (Array.isArray(value)) return value.map(printable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]) => [key, printable(item)]))
}

function isCidr(value: unknown): value is Cidr {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array
}

function cidrText({ bytes, prefix }: Cidr): string {
  if (bytes.length === 4) return `${bytes.join('.')}/${prefix}`
  const groups = Array.from({ length: 8 }, (_, at) => (((bytes[2 * at] as number) << 8) | (bytes[2 * at + 1] as number)).toString(16))
  return `${groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::')}/${prefix}`
}
