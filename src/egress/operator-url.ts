// The textual half of the outbound guard: what a URL in the configuration may look like. Pure; the address behind a
// name is judged when the name is resolved.
import { isIP } from 'node:net'
import { isMetadataName, judgeAddress } from './address.ts'

/**
 * What is wrong with a URL that an operator configured, as the end of a sentence that begins with the key; undefined
 * when nothing is. Never repeats the URL, which may hold a password. `allowHttpPrivate` admits `http:` to names and to
 * private addresses, `allowLoopback` admits loopback, by `http:` too.
 */
export function checkOperatorUrl(text: string, { allowLoopback, allowHttpPrivate }: { allowLoopback: boolean; allowHttpPrivate: boolean }): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute URL such as https://host.example'
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be an https URL'
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or password'
  if (url.hash !== '') return 'must not have a fragment (#...)'
  const place = placeOf(url.hostname)
  if (place === 'blocked') return 'names a link-local, metadata, multicast or unspecified address, which outbound requests may not reach'
  if (place === 'loopback') return allowLoopback ? undefined : 'names a loopback address; set GATEHOUSE_ALLOW_LOOPBACK=1 to allow it'
  if (url.protocol === 'https:') return undefined
  return allowHttpPrivate && place !== 'public' ? undefined : 'must be an https URL'
}

type Place = 'blocked' | 'loopback' | 'private' | 'public' | 'name'

function placeOf(hostname: string): Place {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  if (isMetadataName(host)) return 'blocked'
  // RFC 6761 §6.3: every name under localhost is loopback.
  if (host === 'localhost' || host.endsWith('.localhost')) return 'loopback'
  if (isIP(host) === 0) return 'name'
  const verdict = judgeAddress(host)
  if (verdict !== 'allowed') return verdict
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd])/.test(host) ? 'private' : 'public'
}
