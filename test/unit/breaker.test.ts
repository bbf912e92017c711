import { describe, expect, test } from 'bun:test'
import { admits, breakerState, CLOSED, failed, readRetryAfter, started, succeeded, undecided, type Breaker } from '../../src/relay/breaker.ts'

const MINUTE = 60_000

/** What happens to one breaker, in order; each step's request finds it as it is then. */
function after(...steps: [at: number, what: 'fails' | 'succeeds' | 'leaves', retryAfterMs?: number][]): Breaker {
  return steps.reduce<Breaker>((breaker, [at, what, retryAfterMs]) => {
    const sent = started(breaker)
    if (what === 'fails') return failed(sent, breaker, at, retryAfterMs)
    return what === 'succeeds' ? succeeded(sent, breaker) : undecided(sent, breaker)
  }, CLOSED)
}

const fails = (times: number, at = 0): [number, 'fails'][] => Array.from({ length: times }, () => [at, 'fails'])
const OPEN = after(...fails(5))

describe('the states of a breaker', () => {
  test.each([
    ['closed at first', CLOSED, 0, 'closed', true],
    ['closed after four failures', after(...fails(4)), 0, 'closed', true],
    ['open after five', OPEN, 0, 'open', false],
    ['open for fifteen seconds', OPEN, 14_999, 'open', false],
    ['half open then', OPEN, 15_000, 'half_open', true],
    ['closed once a success was between the failures', after(...fails(4), [0, 'succeeds'], ...fails(4)), 0, 'closed', true],
    ['open all the same when requests between them said nothing', after(...fails(4), [0, 'leaves'], ...fails(1)), 0, 'open', false],
    ['closed after a success that found it open', after(...fails(5), [15_000, 'succeeds']), 15_000, 'closed', true],
    ['open for twice as long after a probe that failed', after(...fails(5), [15_000, 'fails']), 44_999, 'open', false],
    ['half open after that', after(...fails(5), [15_000, 'fails']), 45_000, 'half_open', true],
    ['half open again after a probe whose client left', after(...fails(5), [15_000, 'leaves']), 15_000, 'half_open', true],
    ['open at once when the upstream asks to be left alone', after([0, 'fails', 60_000]), 59_999, 'open', false],
    ['half open when that is over', after([0, 'fails', 60_000]), 60_000, 'half_open', true],
  ] as const)('%s', (_, breaker, nowMs, state, lets) => {
    expect([breakerState(breaker, nowMs), admits(breaker, nowMs)]).toEqual([state, lets])
  })

  test('lengthen up to two minutes, and begin anew after a success', () => {
    let breaker: Breaker = OPEN
    let nowMs = 0
    const waits: number[] = []
    for (let round = 0; round < 8; round++) {
      waits.push((breaker.openUntilMs as number) - nowMs)
      nowMs = breaker.openUntilMs as number
      breaker = failed(started(breaker), breaker, nowMs)
    }
    expect(waits).toEqual([15_000, 30_000, 60_000, ...Array.from({ length: 5 }, () => 120_000)])
    const back = succeeded(started(breaker), breaker)
    expect(back).toEqual(CLOSED)
    expect(fails(5).reduce((each) => failed(started(each), each, 0), back).openUntilMs).toBe(15_000)
  })

  test('let one request probe while the others keep away', () => {
    const probing = started(OPEN)
    expect([breakerState(probing, 15_000), admits(OPEN, 15_000), admits(probing, 15_000), admits(probing, 10 * MINUTE)]).toEqual(['half_open', true, false, false])
  })

  test('do not let another request’s leaving end a probe', () => {
    const probing = started(OPEN)
    // It had nowhere else to go, and found the probe under way.
    const other = started(probing)
    expect(admits(undecided(other, probing), 15_000)).toBe(false)
    expect(admits(undecided(other, OPEN), 15_000)).toBe(true)
  })

  test('open once for requests that fail together', () => {
    // Twenty requests were under way before the first of them failed.
    const together = Array.from({ length: 20 }).reduce<Breaker>((breaker) => failed(breaker, CLOSED, 1000), CLOSED)
    expect([together.openings, together.openUntilMs]).toEqual([1, 16_000])
  })

  test('are not closed by a request that was sent before they opened', () => {
    expect(succeeded(OPEN, CLOSED)).toBe(OPEN)
    expect(undecided(started(OPEN), CLOSED).isProbing).toBe(true)
  })

  test('last as long as the latest request was asked to wait, five minutes at most', () => {
    const asked = failed(OPEN, CLOSED, 0, 3 * MINUTE)
    expect(asked.openUntilMs).toBe(3 * MINUTE)
    expect(failed(asked, CLOSED, 0, MINUTE).openUntilMs).toBe(3 * MINUTE)
    for (const ms of [5 * MINUTE, 6 * 60 * MINUTE, Number.POSITIVE_INFINITY]) expect(after([0, 'fails', ms]).openUntilMs).toBe(5 * MINUTE)
    expect(after([0, 'fails', 0]).openUntilMs).toBe(0)
  })
})

// RFC 9110 §10.2.3.
describe('readRetryAfter', () => {
  const NOW = Date.parse('2026-11-22T10:00:00Z')

  test.each([
    ['17', 17_000],
    [' 17 ', 17_000],
    ['0', 0],
    ['1.5', 1500],
    ['86400', 86_400_000],
    ['99999999999999999999', 1e23],
    ['Sun, 22 Nov 2026 10:01:30 GMT', 90_000],
    ['Sunday, 22-Nov-26 10:01:30 GMT', 90_000],
    ['Sun Nov 22 10:01:30 2026 GMT', 90_000],
    ['Sun, 22 Nov 2026 09:00:00 GMT', 0],
    ['', undefined],
    ['soon', undefined],
    ['-5', undefined],
    ['17s', undefined],
    ['1e3', undefined],
    ['12 seconds', undefined],
    ['0x10', undefined],
    ['2026', 2026_000],
    ['Sunday', undefined],
    ['Infinity', undefined],
  ])('%j is %p milliseconds', (value, expected) => {
    expect(readRetryAfter(new Headers({ 'retry-after': value }), NOW)).toBe(expected)
  })

  test.each([
    ['11000', '11', 11_000],
    ['250', undefined, 250],
    ['0.5', '3', 0.5],
    ['', '3', 3000],
    ['soon', '3', 3000],
    ['-1', '3', 3000],
    ['Infinity', '3', 3000],
    ['soon', undefined, undefined],
  ])('retry-after-ms %j beside %j is %p', (exact, seconds, expected) => {
    expect(readRetryAfter(new Headers({ 'retry-after-ms': exact, ...(seconds !== undefined && { 'retry-after': seconds }) }), NOW)).toBe(expected)
  })

  test('is nothing without a header', () => {
    expect(readRetryAfter(new Headers(), NOW)).toBeUndefined()
  })
})
