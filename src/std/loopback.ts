import { parseIp } from './cidr.ts'

/** Whether a host name or address (brackets allowed) is this machine's own. RFC 6761 §6.3: every name under localhost is. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '').toLowerCase()
  if (name === 'localhost' || name.endsWith('.localhost')) return true
  const ip = parseIp(name)
  if (ip === undefined) return false
  return ip.bytes.length === 4 ? ip.bytes[0] === 127 : ip.bytes.every((byte, at) => byte === (at === 15 ? 1 : 0))
}
