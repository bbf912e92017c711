import { describe, expect, test } from 'bun:test'
import { createLane, orderFor, type Lane } from '../../src/relay/lanes.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { createRandom } from '../support/clouds/random.ts'

const lane = (name: string, { weight = 1, priority = 0, maxConcurrency }: { weight?: number; priority?: number; maxConcurrency?: number } = {}): Lane =>
  createLane({ name, provider: 'anthropic', weight, priority, maxConcurrency } as Upstream)

const PEOPLE = Array.from({ length: 10_000 }, (_, at) => `https://idp.test\0person-${at}`)
const names = (lanes: readonly Lane[]) => lanes.map(({ upstream }) => upstream.name)
const first = (person: string, lanes: readonly Lane[]) => names(orderFor(person, lanes))[0] as string

/** How many people have each upstream first. */
function shares(lanes: readonly Lane[]): Record<string, number> {
  const counts: Record<string, number> = Object.fromEntries(names(lanes).map((name) => [name, 0]))
  for (const person of PEOPLE) counts[first(person, lanes)] = (counts[first(person, lanes)] ?? 0) + 1
  return counts
}

describe('the order for a person', () => {
  test.each([
    [{ a: 1, b: 1 }],
    [{ a: 9, b: 1 }],
    [{ a: 0.5, b: 0.5, c: 1 }],
    [{ a: 1000, b: 1 }],
    [{ a: 3, b: 2, c: 1, d: 4, e: 0.1 }],
  ])('has each upstream first for its share of the people: %j', (weights) => {
    const total = Object.values<number>(weights).reduce((sum, weight) => sum + weight, 0)
    const counted = shares(Object.entries<number>(weights).map(([name, weight]) => lane(name, { weight })))
    for (const [name, weight] of Object.entries<number>(weights)) {
      const share = weight / total
      // Five standard deviations of a binomial distribution.
      expect(Math.abs((counted[name] as number) - PEOPLE.length * share)).toBeLessThan(5 * Math.sqrt(PEOPLE.length * share * (1 - share)) + 1)
    }
  })

  test('has the second place by weight too, for whom the first one fails', () => {
    const lanes = [lane('a', { weight: 1 }), lane('b', { weight: 3 }), lane('c', { weight: 1 })]
    const behindA = PEOPLE.map((person) => names(orderFor(person, lanes))).filter(([name]) => name === 'a')
    const b = behindA.filter(([, name]) => name === 'b').length
    expect(Math.abs(b - behindA.length * 0.75)).toBeLessThan(5 * Math.sqrt(behindA.length * 0.75 * 0.25))
  })

  test('is the same every time, in whatever order the upstreams are listed', () => {
    const lanes = [lane('a'), lane('b', { weight: 2 }), lane('c'), lane('d')]
    for (const person of PEOPLE.slice(0, 500)) expect(names(orderFor(person, lanes.toReversed()))).toEqual(names(orderFor(person, lanes)))
  })

  test('changes for nobody but an upstream’s own people when it goes, and they keep the order of the rest', () => {
    const lanes = ['a', 'b', 'c', 'd'].map((name) => lane(name))
    const without = lanes.filter(({ upstream }) => upstream.name !== 'b')
    for (const person of PEOPLE.slice(0, 3000)) expect(names(orderFor(person, without))).toEqual(names(orderFor(person, lanes)).filter((name) => name !== 'b'))
  })

  test('moves people to an upstream alone whose weight grows', () => {
    const before = [lane('a'), lane('b'), lane('c')]
    const after = [lane('a'), lane('b', { weight: 2 }), lane('c')]
    let moved = 0
    for (const person of PEOPLE) {
      if (first(person, before) === first(person, after)) continue
      moved++
      expect(first(person, after)).toBe('b')
    }
    expect(moved).toBeGreaterThan(1000)
  })

  test('has weight 0 last among its priority, in the order of the list', () => {
    const lanes = [lane('zero', { weight: 0 }), lane('nought', { weight: 0 }), lane('a', { weight: 0.001 }), lane('b', { weight: 5 })]
    for (const person of PEOPLE.slice(0, 2000)) expect(names(orderFor(person, lanes)).slice(2)).toEqual(['zero', 'nought'])
  })

  test('is by priority before any weight', () => {
    const lanes = [lane('last', { priority: 7, weight: 1000 }), lane('second', { priority: 1, weight: 0 }), lane('a'), lane('b')]
    for (const person of PEOPLE.slice(0, 1000)) {
      const order = names(orderFor(person, lanes))
      expect(order.slice(0, 2).toSorted()).toEqual(['a', 'b'])
      expect(order.slice(2)).toEqual(['second', 'last'])
    }
  })

  test('is the list itself when there is nothing to choose', () => {
    const only = [lane('a', { weight: 0 })]
    expect(orderFor('anybody', only)).toBe(only)
    expect(orderFor('anybody', [])).toEqual([])
  })
})

describe('a lane', () => {
  test('is full with as many requests as it may have, and has room when one is done', () => {
    const narrow = lane('a', { maxConcurrency: 2 })
    const [one] = [narrow.start('m', 'alice'), narrow.start('m', 'bob')]
    expect([narrow.inFlight, narrow.isFull('carol')]).toEqual([2, true])
    one?.succeeded()
    expect(narrow.isFull('carol')).toBe(true)
    one?.done()
    expect([narrow.inFlight, narrow.isFull('carol')]).toEqual([1, false])
  })

  test.each([
    [8, 4],
    [9, 5],
    [100, 50],
  ])('of %d places is full for who has %d of them, and not for anybody else', (maxConcurrency, share) => {
    const shared = lane('a', { maxConcurrency })
    const held = Array.from({ length: share }, () => {
      expect(shared.isFull('mallory')).toBe(false)
      return shared.start('m', 'mallory')
    })
    expect([shared.isFull('mallory'), shared.isFull('alice')]).toEqual([true, false])
    held[0]?.done()
    held[0]?.done()
    expect(shared.isFull('mallory')).toBe(false)
    shared.start(undefined, 'mallory')
    expect(shared.isFull('mallory')).toBe(true)
  })

  test('of a few places gives one person all of them', () => {
    const small = lane('a', { maxConcurrency: 7 })
    for (let n = 0; n < 7; n++) {
      expect(small.isFull('alice')).toBe(false)
      small.start('m', 'alice')
    }
    expect(small.isFull('alice')).toBe(true)
  })

  test('without a limit is never full', () => {
    const wide = lane('a')
    for (let n = 0; n < 1000; n++) wide.start('m', 'alice')
    expect([wide.inFlight, wide.isFull('alice')]).toEqual([1000, false])
  })

  test('counts back to nothing whatever becomes of requests, in any order, and each once', () => {
    const random = createRandom(3)
    const busy = lane('a')
    const under: ReturnType<Lane['start']>[] = []
    let running = 0
    for (let step = 0; step < 5000; step++) {
      if (random.between(0, 1) === 0 || under.length === 0) {
        under.push(busy.start(random.oneOf(['m', 'n', undefined]), random.oneOf(['alice', 'bob', 'carol'])))
        running++
      } else {
        const [verdict] = under.splice(random.between(0, under.length - 1), 1)
        random.oneOf([() => verdict?.succeeded(), () => verdict?.failed(step), () => verdict?.failed(step, 1000), () => verdict?.undecided()])()
        verdict?.done()
        verdict?.done()
        running--
      }
      expect(busy.inFlight).toBe(running)
    }
    for (const verdict of under) verdict.done()
    expect(busy.inFlight).toBe(0)
  })

  test('has a breaker for each model, and shows those that are not closed', () => {
    const failing = lane('a')
    for (let n = 0; n < 5; n++) failing.start('m', `person-${n}`).failed(0)
    failing.start('n', 'alice').failed(0)
    failing.start('o', 'alice').succeeded()
    expect([failing.admits('m', 'alice', 0), failing.admits('n', 'alice', 0), failing.admits('o', 'alice', 0)]).toEqual([false, true, true])
    expect(failing.breakers(0)).toEqual([
      { model: 'm', state: 'open', failures: 5 },
      { model: 'n', state: 'closed', failures: 1 },
    ])
    const probe = failing.start('m', 'alice')
    expect(failing.admits('m', 'bob', 20_000)).toBe(false)
    probe.succeeded()
    failing.start('n', 'alice').succeeded()
    expect([failing.admits('m', 'bob', 20_000), failing.breakers(20_000)]).toEqual([true, []])
  })

  test('learns nothing of a model from a request that says nothing of one', () => {
    const counting = lane('a')
    for (let n = 0; n < 20; n++) counting.start(undefined, 'alice').failed(0, 60_000)
    expect([counting.admits('m', 'alice', 0), counting.admits('', 'alice', 0), counting.breakers(0), counting.inFlight]).toEqual([true, true, [], 20])
  })

  test('counts what requests said', () => {
    const counted = lane('a')
    counted.start('m', 'alice').succeeded()
    counted.start('m', 'alice').failed(0)
    counted.start('m', 'alice').failed(0)
    counted.start('m', 'alice').undecided()
    expect(counted.outcomes).toEqual({ succeeded: 1, failed: 2, undecided: 1 })
  })

  test('keeps the breakers of a thousand models at most', () => {
    const many = lane('a')
    for (let n = 0; n < 1500; n++) many.start(`m${n}`, 'alice').failed(0)
    expect(many.breakers(0)).toHaveLength(1000)
    // One that is kept goes on to count.
    for (let n = 0; n < 4; n++) many.start('m5', 'alice').failed(0)
    expect(many.admits('m5', 'alice', 0)).toBe(false)
  })

  test('keeps in mind over a success who was asked to wait, and shows nothing of it', () => {
    const limited = lane('a')
    limited.start('m', 'mallory').failed(0, 3_600_000)
    expect(limited.admits('m', 'alice', 59_999)).toBe(false)
    limited.start('m', 'alice').succeeded()
    expect(limited.breakers(0)).toEqual([])
    limited.start('m', 'mallory').failed(0, 3_600_000)
    expect([limited.admits('m', 'alice', 0), limited.admits('m', 'mallory', 299_999)]).toEqual([true, false])
  })
})
