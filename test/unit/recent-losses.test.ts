import { describe, expect, test } from 'bun:test'
import { createRecentLosses } from '../../src/status/recent-losses.ts'

function setup(first: { collectors?: number[]; alerts?: number[] } = {}) {
  const counts = { collectors: [0, 0], alerts: [0], ...first }
  let nowMs = 5000
  const look = createRecentLosses(() => counts, () => nowMs)
  return { counts, look, pass: (seconds: number) => void (nowMs += seconds * 1000) }
}

describe('what was lost', () => {
  test('is known by when it was first seen, each for itself', () => {
    const { counts, look, pass } = setup()
    expect(look()).toEqual({ collectors: [undefined, undefined], alerts: [undefined] })
    counts.collectors = [0, 3]
    look()
    pass(10)
    counts.alerts = [1]
    expect(look()).toEqual({ collectors: [undefined, 10], alerts: [0] })
    pass(7200)
    expect(look()).toEqual({ collectors: [undefined, 7210], alerts: [7200] })
  })

  test('again is known by the last time', () => {
    const { counts, look, pass } = setup({ alerts: [2] })
    look()
    pass(60)
    counts.alerts = [3]
    look()
    pass(1)
    expect(look().alerts).toEqual([1])
  })

  test('before the first look is lost at the first look', () => {
    expect(setup({ collectors: [4, 0] }).look().collectors).toEqual([0, undefined])
  })
})
