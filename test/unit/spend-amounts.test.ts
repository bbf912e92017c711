import { describe, expect, test } from 'bun:test'
import { centsText, readCents, readDollars } from '../../src/spend/amounts.ts'

describe('cents', () => {
  test.each<[string, bigint | undefined]>([
    ['0', 0n],
    ['1210', 1210n],
    ['100000000000', 100_000_000_000n],
    ['100000000001', undefined],
    ['999999999999999999999', undefined],
    ...['', '-1', '+1', '01', '1.0', '1e3', '12.5', ' 1', '1 ', '１２', '0x10', 'NaN', '1_000', '1,000'].map((text): [string, undefined] => [text, undefined]),
  ])('%p is %p', (text, cents) => {
    expect(readCents(text)).toBe(cents as bigint)
  })
})

describe('dollars', () => {
  test.each<[string, bigint | undefined]>([
    // The one that a float makes 1209 of.
    ['12.10', 1210n],
    ['12.1', 1210n],
    ['0.29', 29n],
    ['1.15', 115n],
    ['12', 1200n],
    ['0', 0n],
    ['1000000000', 100_000_000_000n],
    ['1000000000.01', undefined],
    ...['', '.5', '5.', '12.101', '-1', '1e2', '$5', '05', '1,50', ' 1'].map((text): [string, undefined] => [text, undefined]),
  ])('%p is %p cents', (text, cents) => {
    expect(readDollars(text)).toBe(cents as bigint)
  })

  test('of every cent up to a hundred dollars are exact', () => {
    for (let cents = 0; cents < 10_000; cents++) expect(readDollars(`${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`)).toBe(BigInt(cents))
  })
})

test.each<[bigint, string]>([
  [0n, '0'],
  [1n, '0.0000001'],
  [10_000_000n, '1'],
  [12_345_000n, '1.2345'],
  [412_801_250_000n, '41280.125'],
  [9_223_372_036_854_775_807n, '922337203685.4775807'],
  [-5_000_000n, '-0.5'],
])('%p nano-dollars are %s cents', (nano, text) => {
  expect(centsText(nano)).toBe(text)
})
