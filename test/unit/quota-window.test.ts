import { describe, expect, test } from 'bun:test'
import { judge, type QuotaLimits } from '../../src/quota/judge.ts'
import { count, forget, msUntilBelow, PLACE, sum, type Window } from '../../src/quota/window.ts'

/** Some day; a whole minute. */
const T0 = 1_700_000_040_000
const s = (seconds: number) => T0 + seconds * 1000

function windowOf(...requestsAt: number[]): Window {
  const window: Window = []
  for (const second of requestsAt) count(window, PLACE.requests, 1, s(second))
  return window
}

describe('the last minute', () => {
  test.each<[string, number[], number, number]>([
    ['counts what happened in this second', [0, 0, 0], 0.9, 3],
    ['counts until a whole minute has gone by', [0.5], 60.4, 1],
    ['does not count what is older than a minute', [0.5], 61, 0],
    ['does not begin anew with the minute of the clock', [58, 59], 62, 2],
    ['forgets second by second', [0, 10, 20, 59], 75, 2],
    ['counts what another clock dated a little ahead', [4], 0, 1],
    ['does not count what was dated before the clock was set back', [3600], 0, 0],
  ])('%s', (_, requestsAt, nowS, expected) => {
    expect(sum([windowOf(...requestsAt)], PLACE.requests, s(nowS))).toBe(expected)
  })

  test('adds up what several processes counted', () => {
    expect(sum([windowOf(1, 2), windowOf(2), []], PLACE.requests, s(3))).toBe(3)
  })

  test('keeps requests and tokens apart', () => {
    const window: Window = []
    count(window, PLACE.inputTokens, 500, s(0))
    count(window, PLACE.outputTokens, 20, s(0))
    expect([PLACE.requests, PLACE.inputTokens, PLACE.outputTokens].map((place) => sum([window], place, s(1)))).toEqual([0, 500, 20])
    expect(window).toEqual([[T0 / 1000, 0, 500, 20]])
  })

  test('never takes more than about seventy slots, however long it counts', () => {
    const window: Window = []
    for (let second = 0; second < 1000; second++) count(window, PLACE.requests, 1, s(second))
    expect(window.length).toBeLessThan(75)
    forget(window, s(2000))
    expect(window).toEqual([])
  })

  test.each<[string, number[], number, number, number]>([
    ['nothing to wait for below the limit', [0, 0], 3, 5, 0],
    ['the oldest second to leave', [0, 30, 59], 3, 59.5, 1500],
    ['as many seconds as have to leave', [0, 10, 20, 30], 2, 40, 41_000],
    ['a whole second, in which several were counted', [0, 0, 0, 50], 2, 50, 11_000],
  ])('says that there is %s', (_, requestsAt, limit, nowS, expected) => {
    expect(msUntilBelow(limit, [windowOf(...requestsAt)], PLACE.requests, s(nowS))).toBe(expected)
  })

  // Whoever spends all of it at the end of a minute must not get it once more at the beginning of the next.
  test('never lets more than the limit through in any sixty seconds, whatever the beginning', () => {
    for (const startS of [0, 1.5, 29.9, 59, 59.999]) {
      const window: Window = []
      const admitted: number[] = []
      for (let atMs = s(startS); atMs < s(startS + 300); atMs += 130) {
        if (msUntilBelow(20, [window], PLACE.requests, atMs) > 0) continue
        count(window, PLACE.requests, 1, atMs)
        admitted.push(atMs)
      }
      const most = Math.max(...admitted.map((fromMs) => admitted.filter((atMs) => atMs >= fromMs && atMs < fromMs + 60_000).length))
      expect(most).toBe(20)
      expect(admitted.length).toBeGreaterThanOrEqual(20 * 4)
    }
  })

  test('lets somebody in as soon as it said', () => {
    const window = windowOf(0, 3, 3, 7)
    const waitMs = msUntilBelow(3, [window], PLACE.requests, s(10))
    expect(msUntilBelow(3, [window], PLACE.requests, s(10) + waitMs - 1)).toBe(1)
    expect(msUntilBelow(3, [window], PLACE.requests, s(10) + waitMs)).toBe(0)
  })
})

describe('one request more', () => {
  const used: Window = [[T0 / 1000, 5, 1000, 50], [T0 / 1000 + 30, 5, 1000, 50]]
  test.each<[string, QuotaLimits, number, ReturnType<typeof judge>]>([
    ['is let in where there is no limit', {}, 9, undefined],
    ['is let in below every limit', { requests_per_minute: 11, input_tokens_per_minute: 2001, output_tokens_per_minute: 101, concurrent: 10 }, 9, undefined],
    ['is kept out at the number of requests', { requests_per_minute: 10 }, 0, { kind: 'requests_per_minute', limit: 10, waitMs: 21_000 }],
    ['is kept out at the tokens sent', { input_tokens_per_minute: 2000 }, 0, { kind: 'input_tokens_per_minute', limit: 2000, waitMs: 21_000 }],
    ['is kept out far beyond the tokens received, until enough of them have left', { output_tokens_per_minute: 10 }, 0, { kind: 'output_tokens_per_minute', limit: 10, waitMs: 51_000 }],
    ['is kept out by as many at once', { concurrent: 3 }, 3, { kind: 'concurrent', limit: 3, waitMs: 1000 }],
    ['hears of the limit that takes longest', { requests_per_minute: 10, output_tokens_per_minute: 10, concurrent: 1 }, 3, { kind: 'output_tokens_per_minute', limit: 10, waitMs: 51_000 }],
  ])('%s', (_, limits, running, expected) => {
    expect(judge(limits, { windows: [used], running }, s(40))).toEqual(expected)
  })
})
