// Requests per address in a fixed window, per process. Bounded memory: the oldest addresses are forgotten first.
import { isIP } from 'node:net'

export type RateVerdict = { ok: true } | { ok: false; retryAfterSeconds: number }
export interface RateLimit {
  (key: string, nowMs: number): RateVerdict
  /** A call that turned out well, which then never counted. */
  giveBack(key: string): void
}

const MAX_KEYS = 50_000

/** Allows `max` calls per key in each `windowSeconds`, counted from the key's first call. */
export function createRateLimit({ max, windowSeconds }: { max: number; windowSeconds: number }): RateLimit {
  const windowMs = windowSeconds * 1000
  const windows = new Map<string, { startMs: number; calls: number }>()
  const limit = (key: string, nowMs: number): RateVerdict => {
    const known = windows.get(key)
    const window = known !== undefined && nowMs - known.startMs < windowMs ? known : { startMs: nowMs, calls: 0 }
    windows.delete(key)
    windows.set(key, window)
    if (windows.size > MAX_KEYS) windows.delete(windows.keys().next().value as string)
    if (window.calls >= max) return { ok: false, retryAfterSeconds: Math.max(1, Math.ceil((window.startMs + windowMs - nowMs) / 1000)) }
    window.calls += 1
    return { ok: true }
  }
  const giveBack = (key: string) => {
    const window = windows.get(key)
    if (window !== undefined && window.calls > 0) window.calls -= 1
  }
  return Object.assign(limit, { giveBack })
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
