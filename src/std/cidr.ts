// Addresses and ranges, parsed strictly: a lenient reading of `010.0.0.1` or `1.2.3` has let strangers in elsewhere.

export interface Ip {
  /** The canonical text; an IPv4-mapped IPv6 address reads as IPv4. */
  readonly text: string
  readonly bytes: Uint8Array
}

export interface Cidr {
  readonly bytes: Uint8Array
  readonly prefix: number
}

/** An IPv4 or IPv6 address without port, zone or brackets; undefined for anything else. */
export function parseIp(text: string): Ip | undefined {
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text)
  if (bytes === undefined) return undefined
  const plain = unmap(bytes)
  return { bytes: plain, text: plain.length === 4 ? plain.join('.') : text.toLowerCase() }
}

/** `address/prefix`, or an address alone, which is a range of one. Bits beyond the prefix must be zero. */
export function parseCidr(text: string): Cidr | undefined {
  const range = parseRange(text)
  return range !== undefined && isZeroBeyond(range.bytes, range.prefix) ? range : undefined
}

/** The same for somebody's spelling of a network: in `10.1.2.3/8` the bits beyond the prefix are dropped, as most programs do. */
export function parseNetwork(text: string): Cidr | undefined {
  const range = parseRange(text)
  return range && { bytes: range.bytes.map((byte, at) => byte & ~beyond(range.prefix, at)), prefix: range.prefix }
}

/** The one spelling of a range. */
export function formatCidr({ bytes, prefix }: Cidr): string {
  if (bytes.length === 4) return `${bytes.join('.')}/${prefix}`
  const groups = Array.from({ length: 8 }, (_, at) => (((bytes[2 * at] as number) << 8) | (bytes[2 * at + 1] as number)).toString(16))
  return `${groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::')}/${prefix}`
}

function parseRange(text: string): Cidr | undefined {
  const [address = '', length, extra] = text.split('/')
  const mapped = /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address)
  const ip = parseIp(address)
  if (ip === undefined || extra !== undefined) return undefined
  const bits = ip.bytes.length * 8
  if (length === undefined) return { bytes: ip.bytes, prefix: bits }
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return undefined
  const prefix = Number(length) - (mapped ? 96 : 0)
  if (prefix < 0 || prefix > bits) return undefined
  return { bytes: ip.bytes, prefix }
}

/** Whether the address is in the range; an IPv4 range never holds an IPv6 address. */
export function matchesCidr(cidr: Cidr, ip: Ip): boolean {
  if (cidr.bytes.length !== ip.bytes.length) return false
  for (let bit = 0; bit < cidr.prefix; bit += 8) {
    const mask = 0xff & (0xff << Math.max(0, 8 - (cidr.prefix - bit)))
    if (((cidr.bytes[bit / 8] as number) & mask) !== ((ip.bytes[bit / 8] as number) & mask)) return false
  }
  return true
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined
  return Uint8Array.from(parts, Number)
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [left, right] = halves.map((half, at) => parseGroups(half, at === halves.length - 1))
  if (left === undefined || (halves.length === 2 && right === undefined)) return undefined
  const tail = right ?? []
  const gap = 8 - left.length - tail.length
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined
  const groups = [...left, ...Array<number>(gap).fill(0), ...tail]
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

/** Groups of one half; the last of the address may be written as IPv4. */
function parseGroups(half: string, isEnd: boolean): number[] | undefined {
  if (half === '') return []
  const groups: number[] = []
  const parts = half.split(':')
  for (const [at, part] of parts.entries()) {
    if (part.includes('.')) {
      const bytes = isEnd && at === parts.length - 1 ? parseIpv4(part) : undefined
      if (bytes === undefined) return undefined
      groups.push(((bytes[0] as number) << 8) | (bytes[1] as number), ((bytes[2] as number) << 8) | (bytes[3] as number))
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

/** RFC 4291 §2.5.5.2: ::ffff:a.b.c.d is how an IPv6 socket shows an IPv4 peer. */
function unmap(bytes: Uint8Array): Uint8Array {
  const isMapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return isMapped ? bytes.slice(12) : bytes
}

function isZeroBeyond(bytes: Uint8Array, prefix: number): boolean {
  return bytes.every((byte, at) => (byte & beyond(prefix, at)) === 0)
}

/** The bits of one byte that a prefix does not cover. */
function beyond(prefix: number, at: number): number {
  return 0xff >> Math.min(8, Math.max(0, prefix - at * 8))
}
