import { describe, expect, test } from 'bun:test'
import { admits, breakerState, CLOSED, failed, readRetryAfter, started, succeeded, undecided, type Breaker } from '../../src/relay/breaker.ts'

const MINUTE = 60_000

type Step = [at: number, what: 'fails' | 'succeeds' | 'leaves', retryAfterMs?: number | undefined, person?: string]

/** What happens to one breaker, in order; each step's request finds it as it is then. It is alice's unless it is said whose. */
function after(...steps: Step[]): Breaker {
  return steps.reduce<Breaker>((breaker, [at, what, retryAfterMs, person = 'alice']) => {
    const sent = started(breaker, person)
    if (what === 'fails') return failed(sent, breaker, person, at, retryAfterMs)
    return what === 'succeeds' ? succeeded(sent, breaker) : undecided(sent, breaker, person)
  }, CLOSED)
}

const fails = (times: number, at = 0, person = 'alice'): Step[] => Array.from({ length: times }, () => [at, 'fails', undefined, person])
const OPEN = after(...fails(5))
/** Open to everybody. */
const SHARED = after(...fails(4), ...fails(1, 0, 'bob'))

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
    ['open to everybody after failures of two people', SHARED, 14_999, 'open', false],
    ['half open when everybody’s time is over, not that of the one who was asked to wait', after([0, 'fails', 300_000], [0, 'fails', undefined, 'bob']), 60_000, 'half_open', true],
    ['half open after that', SHARED, 15_000, 'half_open', true],
    ['half open when that is over', after([0, 'fails', 60_000]), 60_000, 'half_open', true],
  ] as const)('%s', (_, breaker, nowMs, state, lets) => {
    expect([breakerState(breaker, nowMs), admits(breaker, 'alice', nowMs)]).toEqual([state, lets])
  })

  test('lengthen up to two minutes, and begin anew after a success', () => {
    let breaker: Breaker = OPEN
    let nowMs = 0
    const waits: number[] = []
    for (let round = 0; round < 8; round++) {
      waits.push(breaker.byUntilMs - nowMs)
      nowMs = breaker.byUntilMs
      breaker = failed(started(breaker, 'alice'), breaker, 'alice', nowMs)
    }
    expect(waits).toEqual([15_000, 30_000, 60_000, ...Array.from({ length: 5 }, () => 120_000)])
    const back = succeeded(started(breaker, 'alice'), breaker)
    expect(back).toEqual(CLOSED)
    expect(fails(5).reduce((each) => failed(started(each, 'alice'), each, 'alice', 0), back).byUntilMs).toBe(15_000)
  })

  test('let one request probe while the others keep away', () => {
    const probing = started(SHARED, 'carol')
    expect([breakerState(probing, 15_000), admits(SHARED, 'dave', 15_000), admits(probing, 'dave', 15_000), admits(probing, 'dave', 10 * MINUTE)]).toEqual(['half_open', true, false, false])
  })

  test('do not let another request’s leaving end a probe', () => {
    const probing = started(SHARED, 'carol')
    // It had nowhere else to go, and found the probe under way.
    const other = started(probing, 'dave')
    expect(admits(undecided(other, probing, 'dave'), 'erin', 15_000)).toBe(false)
    expect(admits(undecided(other, SHARED, 'carol'), 'erin', 15_000)).toBe(true)
  })

  test('open once for requests that fail together', () => {
    // Twenty requests were under way before the first of them failed.
    const together = Array.from({ length: 20 }).reduce<Breaker>((breaker) => failed(breaker, CLOSED, 'alice', 1000), CLOSED)
    expect([together.openings, together.byUntilMs]).toEqual([1, 16_000])
  })

  test('are not closed by a request that was sent before they opened', () => {
    expect(succeeded(OPEN, CLOSED)).toBe(OPEN)
    expect(undecided(started(OPEN, 'alice'), CLOSED, 'alice').isProbing).toBe(true)
  })

  test('last as long as the latest request was asked to wait, five minutes at most', () => {
    const asked = failed(OPEN, CLOSED, 'alice', 0, 3 * MINUTE)
    expect(asked.byUntilMs).toBe(3 * MINUTE)
    expect(failed(asked, CLOSED, 'alice', 0, MINUTE).byUntilMs).toBe(3 * MINUTE)
    for (const ms of [5 * MINUTE, 6 * 60 * MINUTE, Number.POSITIVE_INFINITY]) expect(after([0, 'fails', ms]).byUntilMs).toBe(5 * MINUTE)
    expect(after([0, 'fails', 0]).byUntilMs).toBe(0)
  })
})

describe('one person’s failures', () => {
  const HOUR = 60 * MINUTE
  const waits = (...steps: Step[]): Step[] => steps
  /** Whether alice's, bob's and carol's requests go there. */
  const lets = (breaker: Breaker, nowMs: number) => ['alice', 'bob', 'carol'].map((person) => admits(breaker, person, nowMs))

  test.each<[string, Step[], nowMs: number, [alice: boolean, bob: boolean, carol: boolean]]>([
    ['however many, open it to themselves alone', fails(500), 0, [false, true, true]],
    ['and one of somebody else open it to everybody', [...fails(4), ...fails(1, 0, 'bob')], 0, [false, false, false]],
    ['of which the first was somebody else’s open it to everybody', [...fails(1, 0, 'bob'), ...fails(4)], 0, [false, false, false]],
    ['that had opened it, and one of somebody else too', [...fails(5), ...fails(1, 0, 'bob')], 14_999, [false, false, false]],
    ['for no longer than a first time, however often they had opened it', [...fails(10), ...fails(1, 0, 'bob')], 15_000, [true, false, true]],
    ['do not count beside a success of somebody else', [...fails(4), [0, 'succeeds', undefined, 'bob'], ...fails(4)], 0, [true, true, true]],
    ['are over with a success of somebody else', [...fails(9), [0, 'succeeds', undefined, 'bob']], 0, [true, true, true]],
    ['after those of many: who failed last tries again after the others', [...fails(4), ...fails(1, 0, 'bob')], 15_000, [true, false, true]],
    ['and fifteen seconds later in any case', [...fails(4), ...fails(1, 0, 'bob')], 30_000, [true, true, true]],
    ['do not keep it shut, time after time', [...fails(4), ...fails(1, 0, 'bob'), [15_000, 'fails'], [60_000, 'fails']], 120_000, [false, true, true]],
    ['that were asked to wait for an hour: everybody waits for a minute', waits([0, 'fails', HOUR]), MINUTE - 1, [false, false, false]],
    ['and nobody else for longer', waits([0, 'fails', HOUR]), MINUTE, [false, true, true]],
    ['but five minutes themselves', waits([0, 'fails', HOUR]), 5 * MINUTE, [true, true, true]],
    ['who try again when they may, and are asked again, keep nobody else waiting', waits([0, 'fails', 1000], [1000, 'fails', HOUR], [1001, 'fails', HOUR]), 1001, [false, true, true]],
    ['asked to wait once more after a success, theirs or another’s, keep nobody else waiting', waits([0, 'fails', HOUR], [MINUTE, 'succeeds', undefined, 'bob'], [MINUTE, 'fails', HOUR]), MINUTE, [false, true, true]],
    ['of which somebody else was asked to wait as well: everybody waits for as long as that says', waits([0, 'fails', HOUR], [0, 'fails', HOUR, 'bob']), 5 * MINUTE - 1, [false, false, false]],
    ['kept from everybody for long stay so although another one fails', waits([0, 'fails', HOUR], [0, 'fails', HOUR, 'bob'], [1, 'fails', undefined, 'carol']), 5 * MINUTE - 1, [false, false, false]],
    ['of whom somebody else was asked to wait before a success: a minute, not five', waits([0, 'fails', HOUR], [0, 'succeeds'], [0, 'fails', undefined, 'bob'], [0, 'fails', HOUR, 'bob']), MINUTE, [true, false, true]],
    ['that had opened it, and are asked to wait now: everybody waits for a minute', [...fails(5), [0, 'fails', HOUR]], MINUTE - 1, [false, false, false]],
    ['of which somebody else only failed: a minute, not five', waits([0, 'fails', undefined, 'bob'], [0, 'fails', HOUR]), MINUTE, [false, true, true]],
  ])('%s', (_, steps, nowMs, expected) => {
    expect(lets(after(...steps), nowMs)).toEqual(expected)
  })

  test('do not count twice when another’s request was under way before they opened it', () => {
    const asked = failed(CLOSED, CLOSED, 'alice', 0, HOUR)
    expect(lets(failed(asked, CLOSED, 'bob', 0, HOUR), 5 * MINUTE - 1)).toEqual([false, false, false])
    expect(lets(failed(asked, CLOSED, 'alice', 50_000, HOUR), MINUTE)).toEqual([false, true, true])
    expect(lets(failed(OPEN, CLOSED, 'bob', 0), 14_999)).toEqual([false, false, false])
    // Of more that were under way, the first that is asked to wait is one person's word, the second another's.
    const first = failed(SHARED, CLOSED, 'alice', 0, HOUR)
    expect(lets(first, 15_000)).toEqual([true, false, true])
    expect(lets(failed(first, CLOSED, 'alice', 0, HOUR), 15_000)).toEqual([true, false, true])
    expect(lets(failed(first, CLOSED, 'carol', 0, HOUR), 5 * MINUTE - 1)).toEqual([false, false, false])
  })

  test('leave the others as they are while one of theirs finds out', () => {
    const probing = started(OPEN, 'alice')
    expect(lets(probing, 15_000)).toEqual([false, true, true])
    // Another's request is none that finds out.
    expect([started(OPEN, 'bob'), undecided(probing, OPEN, 'bob')]).toEqual([OPEN, probing])
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
