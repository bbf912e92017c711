import { formatCidr, type Cidr } from '../std/cidr.ts'
import { Secret } from '../std/secret.ts'

/** Plain data for printing: secrets read `[secret]`, ranges as they are understood. */
export function printable(value: unknown): unknown {
  if (value instanceof Secret) return '[secret]'
  if (isCidr(value)) return formatCidr(value)
  if (Array.isArray(value)) return value.map(printable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]) => [key, printable(item)]))
}

function isCidr(value: unknown): value is Cidr {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array
}
