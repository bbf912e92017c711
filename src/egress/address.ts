// Which IP addresses outbound requests may reach. Pure: judges the textual form a resolver gives.
import { matchesCidr, parseCidr, parseIp, type Cidr } from '../std/cidr.ts'

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

const cidrs = (texts: readonly string[]) => texts.map((text) => parseCidr(text) as Cidr)
const blocked = cidrs(BLOCKED)
const loopback = cidrs(LOOPBACK)

/** Refused by name as well, because a forward proxy would resolve it out of our sight. */
export function isMetadataName(host: string): boolean {
  return METADATA_NAMES.has(host.toLowerCase().replace(/\.$/, ''))
}

/**
 * Private ranges are allowed: that is where identity providers and gateways live. What is no address is blocked, and
 * so is one with a zone (`fe80::1%eth0`), which only link-local addresses have.
 */
export function judgeAddress(text: string): AddressVerdict {
  const ip = parseIp(text)
  if (ip === undefined) return 'blocked'
  const embedded = ip.bytes.length === 16 ? embeddedIpv4(ip.bytes) : undefined
  if (embedded !== undefined) return judgeAddress(embedded)
  if (blocked.some((cidr) => matchesCidr(cidr, ip))) return 'blocked'
  return loopback.some((cidr) => matchesCidr(cidr, ip)) ? 'loopback' : 'allowed'
}

/**
 * The IPv4 address that a transition form stands for, since the packet ends up there: IPv4-translated (RFC 2765),
 * IPv4-compatible (RFC 4291 §2.5.5.1), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056). The mapped form is already read as IPv4.
 */
function embeddedIpv4(bytes: Uint8Array): string | undefined {
  const starts = (prefix: string) => Buffer.from(bytes).toString('hex').startsWith(prefix)
  const tail = bytes.subarray(12)
  if (starts('0064ff9b0000000000000000') || starts('0064ff9b0001') || starts('0000000000000000ffff0000')) return tail.join('.')
  if (starts('2002')) return bytes.subarray(2, 6).join('.')
  // `::` and `::1` are addresses of their own.
  if (starts('000000000000000000000000') && !starts('000000000000000000000000000000')) return tail.join('.')
  return undefined
}
