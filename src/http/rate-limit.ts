// Requests per address in a sliding window, per process. Bounded memory: the oldest addresses are forgotten first.
import { isIP } from 'node:net'

export type RateVerdict = { ok: true } | { ok: false; retryAfterSeconds: number }
export type RateLimit = (key: string, nowMs: number) => RateVerdict

const MAX_KEYS = 50_000

/** Allows `max` calls per key in any `windowSeconds`. */
export function createRateLimit({ max, windowSeconds }: { max: number; windowSeconds: number }): RateLimit {
  const windowMs = windowSeconds * 1000
  const calls = new Map<string, number[]>()
  return (key, nowMs) => {
    const recent = (calls.get(key) ?? []).filter((at) => at > nowMs - windowMs)
    calls.delete(key)
    if (recent.length >= max) {
      calls.set(key, recent)
      const oldest = recent[0] ?? nowMs
      return { ok: false, retryAfterSeconds: Math.max(1, Math.ceil((oldest + windowMs - nowMs) / 1000)) }
    }
    recent.push(nowMs)
    calls.set(key, recent)
    if (calls.size > MAX_KEYS) calls.delete(calls.keys().next().value as string)
    return { ok: true }
  }
}

/** What counts as one caller: an IPv4 address, or an IPv6 /64, since a single host owns a whole one. */
export function addressKey(ip: string): string {
  if (isIP(ip) !== 6) return ip
  const [head = '', tail] = ip.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array<string>(Math.max(0, gap)).fill('0'), ...right]
  return `${groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
