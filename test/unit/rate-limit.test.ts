import { describe, expect, test } from 'bun:test'
import { addressKey, createRateLimit } from '../../src/http/rate-limit.ts'

describe('createRateLimit', () => {
  test('allows the configured number in a window and says when the next one may come', () => {
    const limit = createRateLimit({ max: 2, windowSeconds: 60 })
    expect([limit('a', 0).ok, limit('a', 30_000).ok]).toEqual([true, true])
    expect(limit('a', 45_000)).toEqual({ ok: false, retryAfterSeconds: 15 })
    expect(limit('a', 60_000).ok).toBe(true)
  })

  test('does not count what is given back, and gives back no more than was taken', () => {
    const limit = createRateLimit({ max: 1, windowSeconds: 60 })
    limit.giveBack('a')
    for (let n = 0; n < 5; n++) {
      expect(limit('a', n).ok).toBe(true)
      limit.giveBack('a')
      limit.giveBack('a')
    }
    expect([limit('a', 6).ok, limit('a', 7).ok]).toEqual([true, false])
  })

  test('counts every address by itself', () => {
    const limit = createRateLimit({ max: 1, windowSeconds: 60 })
    expect([limit('a', 0).ok, limit('b', 0).ok, limit('a', 1).ok]).toEqual([true, true, false])
  })

  test('forgets the address unheard of longest when too many are known', () => {
    const limit = createRateLimit({ max: 1, windowSeconds: 60 })
    limit('first', 0)
    for (let n = 0; n < 50_000; n++) limit(`${n}`, 0)
    expect(limit('first', 1).ok).toBe(true)
    expect(limit('49999', 1).ok).toBe(false)
  })
})

describe('addressKey', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:DB8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('counts %s as %s', (ip, key) => {
    expect(addressKey(ip)).toBe(key)
  })
})
