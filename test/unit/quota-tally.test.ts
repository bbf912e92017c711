import { describe, expect, test } from 'bun:test'
import { createTally, type Heard } from '../../src/quota/tally.ts'
import { PLACE, sum } from '../../src/quota/window.ts'

const T0 = 1_700_000_040_000
const heard = (changes: Partial<Heard> = {}): Heard => ({ key: 'alice', processId: 'other', running: 1, window: [[T0 / 1000, 2, 0, 0]], toldMs: T0, ...changes })
const requests = (tally: ReturnType<typeof createTally>, nowMs: number) => sum(tally.counts('alice', nowMs).windows, PLACE.requests, nowMs)

describe('what was counted', () => {
  test('is one\'s own and what others told', () => {
    const tally = createTally()
    tally.count('alice', PLACE.requests, 1, T0)
    tally.run('alice', 1)
    tally.hear([heard(), heard({ processId: 'third', running: 2 }), heard({ key: 'bob' })])
    expect([requests(tally, T0), tally.counts('alice', T0).running]).toEqual([5, 4])
  })

  test('is not added again when it is heard again', () => {
    const tally = createTally()
    tally.hear([heard()])
    tally.hear([heard({ window: [[T0 / 1000, 3, 0, 0]], running: 0 })])
    expect([requests(tally, T0), tally.counts('alice', T0).running]).toEqual([3, 0])
  })

  test('keeps the requests of a dead process, and not what ran there', () => {
    const tally = createTally()
    tally.hear([heard()])
    expect(tally.counts('alice', T0 + 9000).running).toBe(1)
    expect([tally.counts('alice', T0 + 10_000).running, requests(tally, T0 + 10_000)]).toEqual([0, 2])
  })

  test('is told when it changed, and again for as long as something runs', () => {
    const tally = createTally()
    tally.count('alice', PLACE.requests, 1, T0)
    tally.run('alice', 1)
    const alice = { key: 'alice', running: 1, window: [[T0 / 1000, 1, 0, 0]] }
    expect(tally.takeChanges(T0)).toEqual([alice] as never)
    expect(tally.takeChanges(T0 + 500)).toEqual([])
    expect(tally.takeChanges(T0 + 4000)).toEqual([alice] as never)
    tally.run('alice', -1)
    expect(tally.takeChanges(T0 + 4500)).toMatchObject([{ running: 0 }])
    expect(tally.takeChanges(T0 + 60_000)).toEqual([])
  })

  test('is told again when it did not arrive', () => {
    const tally = createTally()
    tally.count('alice', PLACE.requests, 1, T0)
    tally.keepChanges(tally.takeChanges(T0))
    expect(tally.takeChanges(T0 + 500)).toHaveLength(1)
  })

  test('of a hundred thousand people takes no memory once it is over', () => {
    const tally = createTally()
    for (let at = 0; at < 100_000; at++) {
      tally.count(`person ${at}`, PLACE.requests, 1, T0)
      tally.run(`person ${at}`, 1)
    }
    tally.hear(Array.from({ length: 1000 }, (_, at) => heard({ key: `elsewhere ${at}` })))
    expect(tally.size()).toBe(101_000)
    for (let at = 0; at < 100_000; at++) if (at !== 7) tally.run(`person ${at}`, -1)
    for (let rounds = 0; tally.takeChanges(T0).length > 0; rounds++) expect(rounds).toBeLessThan(20)
    tally.forget(T0 + 61_000)
    // Somebody's request still runs.
    expect(tally.size()).toBe(1)
    tally.run('person 7', -1)
    tally.takeChanges(T0)
    tally.forget(T0 + 61_000)
    expect(tally.isEmpty()).toBe(true)
  })
})
