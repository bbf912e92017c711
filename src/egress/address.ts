// Which IP addresses outbound requests may reach. Pure: judges the textual form a resolver gives.
import { BlockList, isIP } from 'node:net'

export type AddressVerdict = 'allowed' | 'loopback' | 'blocked'

const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
])

/** A request there would hand out the machine's own cloud credentials, or reach no single host at all. */
const BLOCKED: readonly string[] = [
  '0.0.0.0/8', // RFC 1122 §3.2.1.3: "this host"; Linux connects 0.0.0.0 to loopback
  '169.254.0.0/16', // RFC 3927 link-local: the metadata service of AWS, Azure, Google, DigitalOcean, ECS tasks
  '100.100.100.200/32', // Alibaba Cloud metadata
  '192.0.0.192/32', // Oracle Cloud metadata
  '168.63.129.16/32', // Azure wire server
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and 255.255.255.255
  '::/128', // unspecified
  'fe80::/10', // link-local
  'ff00::/8', // multicast
  'fd00:ec2::/32', // AWS metadata, time and EKS pod identity over IPv6
  'fd20:ce::254/128', // Google Cloud metadata over IPv6
  'fd00:42::42/128', // Scaleway metadata over IPv6
]
const LOOPBACK: readonly string[] = ['127.0.0.0/8', '::1/128']

const blocked = listOf(BLOCKED)
const loopback = listOf(LOOPBACK)

/** Refused by name as well, because a forward proxy would resolve it out of our sight. */
export function isMetadataName(host: string): boolean {
  return METADATA_NAMES.has(host.toLowerCase().replace(/\.$/, ''))
}

/** Private ranges are allowed: that is where identity providers and gateways live. What is no address is blocked. */
export function judgeAddress(text: string): AddressVerdict {
  const family = isIP(text)
  // A zone id (`fe80::1%eth0`) only has a meaning for link-local addresses.
  if (family === 0 || text.includes('%')) return 'blocked'
  if (family === 6) {
    const embedded = embeddedIpv4(expand(text))
    if (embedded !== undefined) return judgeAddress(embedded)
  }
  const kind = family === 6 ? 'ipv6' : 'ipv4'
  if (blocked.check(text, kind)) return 'blocked'
  return loopback.check(text, kind) ? 'loopback' : 'allowed'
}

/**
 * The IPv4 address that a transition form stands for, since the packet ends up there: IPv4-mapped and -translated
 * (RFC 4291 §2.5.5.2, RFC 2765), IPv4-compatible (RFC 4291 §2.5.5.1), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056).
 */
function embeddedIpv4(groups: readonly number[]): string | undefined {
  const starts = (...prefix: number[]) => prefix.every((group, index) => groups[index] === group)
  const [, first = 0, second = 0, , , , high = 0, low = 0] = groups
  if (starts(0, 0, 0, 0, 0, 0xffff) || starts(0, 0, 0, 0, 0xffff, 0)) return dotted(high, low)
  if (starts(0x64, 0xff9b, 0, 0, 0, 0) || starts(0x64, 0xff9b, 1)) return dotted(high, low)
  if (starts(0x2002)) return dotted(first, second)
  // `::` and `::1` are addresses of their own.
  if (starts(0, 0, 0, 0, 0, 0) && (high !== 0 || low > 1)) return dotted(high, low)
  return undefined
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** The eight groups of a valid IPv6 address, a dotted tail included. */
function expand(text: string): number[] {
  const hexadecimal = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${hex(a, b)}:${hex(c, d)}`)
  const [head = '', tail] = hexadecimal.split('::')
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  if (tail === undefined) return parse(head)
  const left = parse(head)
  const right = parse(tail)
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}

function hex(high: string, low: string): string {
  return (Number(high) * 256 + Number(low)).toString(16)
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', bits = ''] = range.split('/')
    list.addSubnet(network, Number(bits), isIP(network) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}
