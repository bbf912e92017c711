import { describe, expect, test } from 'bun:test'
import { amount, dayShown, dollarsShown, isoSeconds, tokensShown, untilShown } from '../../src/me/shown.ts'
import { grouped } from '../../src/std/decimal.ts'

test.each<[bigint, string]>([
  [0n, '$0.00'],
  [1n, '< $0.01'],
  [9_999_999n, '< $0.01'],
  [10_000_000n, '$0.01'],
  [999_999_999n, '$0.99'],
  [7_907_560_000n, '$7.90'],
  [999_990_000_000n, '$999.99'],
  [1_234_567_890_000_000n, '$1,234,567.89'],
])('%p nano-dollars are shown as %p', (nano, shown) => {
  expect(dollarsShown(nano)).toBe(shown)
})

test('an amount is exact in dollars and whole in cents', () => {
  expect([amount(0n), amount(7_560_001n), amount(12_100_000_000n)]).toEqual([
    { usd: '0.00', cents: 0 },
    { usd: '0.007560001', cents: 0 },
    { usd: '12.10', cents: 1210 },
  ])
})

test.each<[bigint, string, string]>([
  [0n, '0', '0'],
  [999n, '999', '999'],
  [1000n, '1,000', '1.00k'],
  [81_299n, '81,299', '81.2k'],
  [812_999n, '812,999', '812k'],
  [999_999n, '999,999', '999k'],
  [9_120_044n, '9,120,044', '9.12M'],
  [1_050_000_000n, '1,050,000,000', '1.05B'],
  [1_234_000_000_000n, '1,234,000,000,000', '1234B'],
])('the count %p is %p, in short %p', (count, long, short) => {
  expect([grouped(count), tokensShown(count)]).toEqual([long, short])
})

describe('moments', () => {
  const now = new Date('2026-11-18T13:45:30.250Z')
  test.each([
    ['2026-11-18T13:45:31Z', '1 min'],
    ['2026-11-18T14:45:00Z', '1 h'],
    ['2026-11-18T14:44:00Z', '59 min'],
    ['2026-11-19T00:00:00Z', '10 h'],
    ['2026-11-20T00:00:00Z', '34 h'],
    ['2026-11-20T13:46:00Z', '2 days'],
    ['2026-12-01T00:00:00Z', '12 days'],
    ['2026-11-18T13:00:00Z', '1 min'],
  ])('until %p it is %p', (then, shown) => {
    expect(untilShown(new Date(then), now)).toBe(shown)
  })

  test('are UTC, to the second', () => {
    expect([isoSeconds(now), dayShown(now), dayShown(new Date('2027-01-01T00:00:00Z'))]).toEqual(['2026-11-18T13:45:30Z', 'Wed 18 Nov', 'Fri 1 Jan'])
  })
})
