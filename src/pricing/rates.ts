// What each kind of token costs, and what that comes to. Pure.
import type { TokenPrices } from '../models/catalog.ts'
import { rounded, times, type Exact } from './exact.ts'
import type { Usage } from './usage.ts'

export const TOKEN_CLASSES = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const
export type TokenClass = (typeof TOKEN_CLASSES)[number]

/** Nano-dollars per million tokens, whole numbers: what is stored beside a cost, so that anybody can work it out again. */
export type Rates = Readonly<Record<TokenClass, bigint>> & {
  /** Nano-dollars each. */
  readonly webSearch: bigint
}

/** Nano-dollars per million tokens before anything multiplies them; an operator's decimals need not be whole ones. */
export type BasePrices = Readonly<Record<TokenClass, Exact>>

const TOKENS_PER_PRICE = 1_000_000n
const NANO_DOLLARS: Exact = [1_000_000_000n, 1n]

export function basePrices({ input, output, cache_read, cache_write_5m, cache_write_1h }: TokenPrices): BasePrices {
  const perMillion = (perToken: number): Exact => [BigInt(perToken) * TOKENS_PER_PRICE, 1n]
  return { input: perMillion(input), output: perMillion(output), cacheRead: perMillion(cache_read), cacheWrite5m: perMillion(cache_write_5m), cacheWrite1h: perMillion(cache_write_1h) }
}

/** Of a price in USD per million tokens. */
export function fromDollars(dollars: Exact): Exact {
  return times(dollars, NANO_DOLLARS)
}

/** Each rate is rounded once, half up, after everything has multiplied it; `webSearch` is in nano-dollars each. */
export function ratesFrom(base: BasePrices, factor: Exact, webSearch: Exact): Rates {
  const rate = (name: TokenClass) => rounded(times(base[name], factor))
  return { input: rate('input'), output: rate('output'), cacheRead: rate('cacheRead'), cacheWrite5m: rate('cacheWrite5m'), cacheWrite1h: rate('cacheWrite1h'), webSearch: rounded(webSearch) }
}

/** Nano-dollars of the tokens and searches, rounded half up once; the work `beside` them has rates of its own. */
export function costOf(rates: Rates, usage: Usage): bigint {
  return rounded([exactCost(rates, usage), TOKENS_PER_PRICE])
}

/** The same before it is rounded, in millionths of nano-dollars. */
export function exactCost(rates: Rates, usage: Usage): bigint {
  const tokens = TOKEN_CLASSES.reduce((sum, name) => sum + BigInt(usage[name] ?? 0) * rates[name], 0n)
  return tokens + BigInt(usage.webSearches ?? 0) * rates.webSearch * TOKENS_PER_PRICE
}
