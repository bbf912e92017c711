// Who is really asking, behind proxies we trust. One source: X-Forwarded-For; `Forwarded` and all other headers are ignored.
import { matchesCidr, parseIp, type Cidr, type Ip } from '../std/cidr.ts'

/** More hops than any real chain; the rest of a longer header is not looked at. */
const MAX_HOPS = 32

/**
 * The right-most address that is not a trusted proxy: everything to its left was written by somebody we do not trust.
 * The socket's peer when it is not trusted itself, or when the header is not a list of addresses.
 */
export function clientAddress(peer: string, forwardedFor: string | null, trusted: readonly Cidr[]): string {
  const isTrusted = (ip: Ip) => trusted.some((cidr) => matchesCidr(cidr, ip))
  const peerIp = parseIp(peer)
  if (peerIp === undefined) return peer
  if (forwardedFor === null || !isTrusted(peerIp)) return peerIp.text
  let nearest = peerIp.text
  for (const hop of forwardedFor.split(',').slice(-MAX_HOPS).reverse()) {
    const ip = parseHop(hop.trim())
    if (ip === undefined) return nearest
    nearest = ip.text
    if (!isTrusted(ip)) return nearest
  }
  return nearest
}

/** Some proxies append the port: `192.0.2.1:5678`, `[2001:db8::1]:443`. */
function parseHop(hop: string): Ip | undefined {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(hop)?.[1]
  const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(hop)?.[1]
  return parseIp(bracketed ?? withPort ?? hop)
}
