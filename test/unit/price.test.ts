import { describe, expect, test } from 'bun:test'
import { CATALOG } from '../../src/models/catalog.ts'
import { executionsOf } from '../../src/pricing/executions-of.ts'
import { createPricing, type PricingOptions, type Served } from '../../src/pricing/price.ts'
import { costOf, TOKEN_CLASSES } from '../../src/pricing/rates.ts'
import { NO_USAGE, overwriteUsage, type Usage } from '../../src/pricing/usage.ts'

const LIST: PricingOptions = { multiplier: 1, overrides: [] }
const NOW = new Date('2026-11-22T12:00:00Z')

/** Tokens of every kind: the hand computations below are of these. */
const SOME: Usage = { ...NO_USAGE, input: 1000, output: 2000, cacheRead: 10_000, cacheWrite5m: 4000, cacheWrite1h: 500 }

function served(model: string, upstream: Partial<Served['upstream']> = {}, upstreamModel = model, at = NOW): Served {
  const provider = upstream.provider ?? 'anthropic'
  return { upstream: { name: provider, provider, ...upstream }, model, upstreamModel, at }
}

const cost = (what: Served, usage: Usage = SOME, options = LIST) => costOf(createPricing(options).price(what, usage).rates, usage)

describe('a price that is known', () => {
  test('is the one that would be worked out, whatever decides it and in whatever order they are asked for', () => {
    const pricing = createPricing({ multiplier: 1.1, overrides: [] })
    const upstreams = [{}, { provider: 'bedrock', region: 'us-east-1' }, { provider: 'vertex', region: 'global' }, { provider: 'vertex', region: 'us-east5' }, { provider: 'foundry' }]
    const usages: Usage[] = [SOME, { ...SOME, speed: 'fast' }, { ...SOME, serviceTier: 'batch' }, { ...SOME, inferenceGeo: 'us' }, { ...SOME, input: 200_001 }, { ...SOME, input: 100, cacheRead: 250_000 }, NO_USAGE]
    const asked = CATALOG.flatMap(({ id }) =>
      upstreams.flatMap((upstream) => [id, `anthropic.${id}-v1:0`, `us.anthropic.${id}`].flatMap((upstreamModel) => ['2024-01-01', '2026-11-22', '2026-11-23'].map((day) => served(id, upstream, upstreamModel, new Date(`${day}T23:59:59Z`))))),
    )
    const all = asked.flatMap((what) => usages.map((usage) => [what, usage] as const))
    let differences = 0
    for (const step of [1, 7]) {
      for (let at = 0; at < all.length; at += step) {
        const [what, usage] = all[at] as (typeof all)[number]
        const { rates, by } = pricing.price(what, usage)
        if (!Bun.deepEquals(pricing.known(what, usage), { rates, by })) differences++
      }
    }
    expect([all.length > 5000, differences]).toEqual([true, 0])
  })
})

// Prices of the list in nano-dollars a token times the tokens of SOME, added up by hand.
describe('the list price of', () => {
  test.each<[model: string, byHand: string, nanoDollars: bigint]>([
    ['claude-fable-5-2', '1000×8000 + 2000×40000 + 10000×200 + 4000×10000 + 500×16000 = 8M + 80M + 2M + 40M + 8M', 138_000_000n],
    ['claude-mythos-5-2', '1000×8000 + 2000×40000 + 10000×200 + 4000×10000 + 500×16000 = 8M + 80M + 2M + 40M + 8M', 138_000_000n],
    ['claude-fable-5-1', '1000×10000 + 2000×50000 + 10000×250 + 4000×12500 + 500×20000 = 10M + 100M + 2.5M + 50M + 10M', 172_500_000n],
    ['claude-mythos-5-1', '1000×10000 + 2000×50000 + 10000×250 + 4000×12500 + 500×20000 = 10M + 100M + 2.5M + 50M + 10M', 172_500_000n],
    ['claude-fable-5', '1000×10000 + 2000×50000 + 10000×1000 + 4000×12500 + 500×20000 = 10M + 100M + 10M + 50M + 10M', 180_000_000n],
    ['claude-mythos-5', '1000×10000 + 2000×50000 + 10000×1000 + 4000×12500 + 500×20000 = 10M + 100M + 10M + 50M + 10M', 180_000_000n],
    ['claude-opus-5-5', '1000×4000 + 2000×20000 + 10000×200 + 4000×5000 + 500×8000 = 4M + 40M + 2M + 20M + 4M', 70_000_000n],
    ['claude-opus-5', '1000×5000 + 2000×25000 + 10000×500 + 4000×6250 + 500×10000 = 5M + 50M + 5M + 25M + 5M', 90_000_000n],
    ['claude-opus-4-8', '1000×5000 + 2000×25000 + 10000×500 + 4000×6250 + 500×10000 = 5M + 50M + 5M + 25M + 5M', 90_000_000n],
    ['claude-opus-4-7', '1000×5000 + 2000×25000 + 10000×500 + 4000×6250 + 500×10000 = 5M + 50M + 5M + 25M + 5M', 90_000_000n],
    ['claude-opus-4-6', '1000×5000 + 2000×25000 + 10000×500 + 4000×6250 + 500×10000 = 5M + 50M + 5M + 25M + 5M', 90_000_000n],
    ['claude-opus-4-5-20251101', '1000×5000 + 2000×25000 + 10000×500 + 4000×6250 + 500×10000 = 5M + 50M + 5M + 25M + 5M', 90_000_000n],
    ['claude-sonnet-5-5', '1000×2000 + 2000×10000 + 10000×100 + 4000×2500 + 500×4000 = 2M + 20M + 1M + 10M + 2M', 35_000_000n],
    ['claude-sonnet-5', '1000×2000 + 2000×10000 + 10000×200 + 4000×2500 + 500×4000 = 2M + 20M + 2M + 10M + 2M', 36_000_000n],
    ['claude-sonnet-4-6', '1000×3000 + 2000×15000 + 10000×300 + 4000×3750 + 500×6000 = 3M + 30M + 3M + 15M + 3M', 54_000_000n],
    ['claude-sonnet-4-5-20250929', '1000×3000 + 2000×15000 + 10000×300 + 4000×3750 + 500×6000 = 3M + 30M + 3M + 15M + 3M', 54_000_000n],
    ['claude-haiku-5-5', '1000×100 + 2000×500 + 10000×10 + 4000×125 + 500×200 = 0.1M + 1M + 0.1M + 0.5M + 0.1M', 1_800_000n],
    ['claude-haiku-4-5-20251001', '1000×1000 + 2000×5000 + 10000×100 + 4000×1250 + 500×2000 = 1M + 10M + 1M + 5M + 1M', 18_000_000n],
    ['claude-opus-4-1', '1000×15000 + 2000×75000 + 10000×1500 + 4000×18750 + 500×30000 = 15M + 150M + 15M + 75M + 15M', 270_000_000n],
    ['claude-3-5-haiku', '1000×800 + 2000×4000 + 10000×80 + 4000×1000 + 500×1600 = 0.8M + 8M + 0.8M + 4M + 0.8M', 14_400_000n],
  ])('%s is %s', (model, _, nanoDollars) => {
    expect(cost(served(model))).toBe(nanoDollars)
  })

  test.each(['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const)('one class alone is its own: %s', (name) => {
    // 1/5/0.10/1.25/2 USD per million, for a million of it
    const expected = { input: 1_000_000_000n, output: 5_000_000_000n, cacheRead: 100_000_000n, cacheWrite5m: 1_250_000_000n, cacheWrite1h: 2_000_000_000n }
    expect(cost(served('claude-haiku-4-5'), { ...NO_USAGE, [name]: 1_000_000 })).toBe(expected[name])
  })

  test('no tokens is nothing', () => {
    expect(cost(served('claude-opus-5'), NO_USAGE)).toBe(0n)
  })
})

const prompt = (input: number): Usage => ({ ...NO_USAGE, input, cacheRead: 40_000, cacheWrite5m: 6000, cacheWrite1h: 4000, output: 1000 })
const fast: Usage = { ...SOME, speed: 'fast' }
const us: Usage = { ...SOME, inferenceGeo: 'us' }
const bedrock = (upstreamModel: string, model = 'claude-haiku-4-5') => served(model, { provider: 'bedrock', region: 'us-east-1' }, upstreamModel)
const vertex = (region: string, model = 'claude-haiku-4-5') => served(model, { provider: 'vertex', region }, `${model}@20251001`)
const HAIKU = 'anthropic.claude-haiku-4-5-20251001-v1:0'
const PROFILE = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56'

describe('what changes a price:', () => {
  test.each<[what: string, byHand: string, Served, Usage, bigint]>([
    ['a prompt of 100,000 tokens, cache included', '50000×100 + 40000×10 + 6000×125 + 4000×200 + 1000×500', served('claude-haiku-5-5'), prompt(50_000), 7_450_000n],
    ['one of 100,001, for every token', '50001×500 + 40000×50 + 6000×625 + 4000×1000 + 1000×2500', served('claude-haiku-5-5'), prompt(50_001), 37_250_500n],
    ['not the length of the answer', '100000×100 + 50000×500', served('claude-haiku-5-5'), { ...NO_USAGE, input: 100_000, output: 50_000 }, 35_000_000n],
    ['not a long prompt of another model', '900000×4000', served('claude-opus-5-5'), { ...NO_USAGE, input: 900_000 }, 3_600_000_000n],

    ['a fast answer', '1000×8000 + 2000×40000 + 10000×400 + 4000×10000 + 500×16000', served('claude-opus-5-5'), fast, 140_000_000n],
    ['a fast answer of another model', '1000×16000 + 2000×80000 + 10000×400 + 4000×20000 + 500×32000', served('claude-fable-5-2'), fast, 276_000_000n],
    ['not "fast" of a model that has no fast price', 'as 4.6 is silently served at standard speed', served('claude-opus-4-6'), fast, 90_000_000n],
    ['not another speed', '', served('claude-opus-5-5'), { ...SOME, speed: 'standard' }, 70_000_000n],
    ['the fast deployment of Foundry, whose answer may not say', '', served('claude-opus-5-5', { provider: 'foundry' }, 'claude-opus-5-5-fast'), SOME, 140_000_000n],

    ['inference in the US', '70M × 11/10', served('claude-opus-5-5'), us, 77_000_000n],
    ['inference in the US at Claude Platform on AWS', '70M × 11/10', served('claude-opus-5-5', { provider: 'anthropicAws', region: 'us-west-2' }), us, 77_000_000n],
    ['a fast answer in the US', '140M × 11/10', served('claude-opus-5-5'), { ...us, speed: 'fast' }, 154_000_000n],
    ['not inference elsewhere', '', served('claude-opus-5-5'), { ...SOME, inferenceGeo: 'global' }, 70_000_000n],
    ['not of a model from before the premium', '', served('claude-haiku-4-5'), us, 18_000_000n],

    ['a profile of Bedrock of a geography', '18M × 11/10', bedrock(`us.${HAIKU}`), SOME, 19_800_000n],
    ['the profile of another geography', '18M × 11/10', bedrock(`eu.${HAIKU}`), SOME, 19_800_000n],
    ['the id of a region', '18M × 11/10', bedrock(HAIKU), SOME, 19_800_000n],
    ['not the global profile', '', bedrock(`global.${HAIKU}`), SOME, 18_000_000n],
    ['the ARN of a profile of a geography', '18M × 11/10', bedrock(`arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.${HAIKU}`), SOME, 19_800_000n],
    ['not the ARN of the global profile', '', bedrock(`arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.${HAIKU}`), SOME, 18_000_000n],
    ['not a profile that does not say where it runs', '', bedrock(PROFILE), SOME, 18_000_000n],
    ['not a regional id of a model older than 4.5', '', bedrock('us.anthropic.claude-sonnet-4-20250514-v1:0', 'claude-sonnet-4'), SOME, 54_000_000n],
    ['not what Bedrock says of geography, twice', '18M × 11/10', bedrock(`us.${HAIKU}`), us, 19_800_000n],
    ['not mantle', '', served('claude-haiku-4-5', { provider: 'mantle', region: 'us-east-1' }, 'anthropic.claude-haiku-4-5'), SOME, 18_000_000n],

    ['a region of Vertex', '18M × 11/10', vertex('us-east5'), SOME, 19_800_000n],
    ['a multi-region of Vertex', '18M × 11/10', vertex('eu'), SOME, 19_800_000n],
    ['not the global location of Vertex', '', vertex('global'), SOME, 18_000_000n],
    ['not a location of Claude on Google Cloud', '', served('claude-opus-5-5', { provider: 'anthropicGoogleCloud', region: 'us' }), us, 70_000_000n],
    ['not Foundry, whose answers do not show it', '', served('claude-opus-5-5', { provider: 'foundry' }), us, 70_000_000n],

    ['a batch', '90M / 2', served('claude-opus-5'), { ...SOME, serviceTier: 'batch' }, 45_000_000n],
    ['a batch in the US', '90M / 2 × 11/10', served('claude-opus-5'), { ...us, serviceTier: 'batch' }, 49_500_000n],
    ['no batch that is fast', '', served('claude-opus-5-5'), { ...fast, serviceTier: 'batch' }, 140_000_000n],

    ['searches, a cent each', '18M + 3×10M', served('claude-haiku-4-5'), { ...SOME, webSearches: 3 }, 48_000_000n],
    ['searches, whatever speed and geography', '140M × 11/10 + 3×10M', served('claude-opus-5-5'), { ...us, speed: 'fast', webSearches: 3 }, 184_000_000n],

    ['the day before a price changed', '10000×200 for what is read', served('claude-sonnet-5-5', {}, 'claude-sonnet-5-5', new Date('2026-10-06T23:59:59.999Z')), SOME, 36_000_000n],
    ['the day it changed', '10000×100 for what is read', served('claude-sonnet-5-5', {}, 'claude-sonnet-5-5', new Date('2026-10-07T00:00:00Z')), SOME, 35_000_000n],
  ])('%s: %s', (_, __, what, usage, nanoDollars) => {
    expect(cost(what, usage)).toBe(nanoDollars)
  })

  // B11
  test('the same tokens by two profiles of Bedrock have two prices, ten percent apart', () => {
    expect([cost(bedrock(`global.${HAIKU}`)), cost(bedrock(`us.${HAIKU}`))]).toEqual([18_000_000n, 19_800_000n])
  })

  // B9
  test('what is written to the cache for an hour costs more than for five minutes, in one answer', () => {
    const usage = overwriteUsage(NO_USAGE, { cache_read_input_tokens: 1000, cache_creation_input_tokens: 3000, cache_creation: { ephemeral_5m_input_tokens: 1000, ephemeral_1h_input_tokens: 2000 } })
    // 1000×100 + 1000×1250 + 2000×2000
    expect(cost(served('claude-haiku-4-5'), usage)).toBe(5_350_000n)
  })

  // B23: 40×5000 of input and 6×25000 of what was sent
  test('an answer that broke off costs its input and what was sent of it', () => {
    expect(cost(served('claude-opus-5'), { ...NO_USAGE, input: 40, output: 6, isEstimated: true })).toBe(350_000n)
  })
})

describe('the multiplier', () => {
  test.each<[number, string, Served, Usage, bigint]>([
    [0.1, '18M / 10', served('claude-haiku-4-5'), SOME, 1_800_000n],
    [1.1, '18M × 11/10: B11', served('claude-haiku-4-5'), SOME, 19_800_000n],
    [10, '18M × 10', served('claude-haiku-4-5'), SOME, 180_000_000n],
    [1.1, '90M × 11/10 × 11/10', served('claude-opus-5'), us, 108_900_000n],
    [1.1, '(18M + 3×10M) × 11/10, searches too', served('claude-haiku-4-5'), { ...SOME, webSearches: 3 }, 52_800_000n],
    [0.333, '18M × 333/1000', served('claude-haiku-4-5'), SOME, 5_994_000n],
  ])('%p is exact: %s', (multiplier, _, what, usage, nanoDollars) => {
    expect(cost(what, usage, { ...LIST, multiplier })).toBe(nanoDollars)
  })

  test.each([NaN, Infinity, -1])('of %p is refused', (multiplier) => {
    expect(() => createPricing({ ...LIST, multiplier })).toThrow(RangeError)
  })
})

const ROW = { upstream: 'bedrock', model: 'claude-haiku-4-5', input: 1, output: 2, cache_read: 0.1, cache_write: 1.25 }
const priced = (overrides: object[], what: Served, usage = SOME, multiplier = 1) => cost(what, usage, { multiplier, overrides: overrides as never })

describe('an override', () => {
  test.each<[string, string, bigint]>([
    ['replaces the list, an hour of cache being twice the input', '1000×1000 + 2000×2000 + 10000×100 + 4000×1250 + 500×2000', priced([ROW], bedrock(`us.${HAIKU}`))],
    ['may price an hour of cache itself', '12M − 1M + 500×3000', priced([{ ...ROW, cache_write_1h: 3 }], bedrock(`us.${HAIKU}`)) - 500_000n],
    ['is multiplied by nothing but the multiplier', '12M × 11/10', (priced([ROW], bedrock(`us.${HAIKU}`), { ...us, speed: 'fast', serviceTier: 'batch' }, 1.1) * 10n) / 11n],
    ['leaves searches what they cost', '12M + 2×10M', priced([ROW], bedrock(`us.${HAIKU}`), { ...SOME, webSearches: 2 }) - 20_000_000n],
    ['holds for every spelling of its model', '', priced([{ ...ROW, model: 'claude-haiku-4-5@20251001' }], bedrock(`us.${HAIKU}`))],
    ['holds for what a name of the operator’s own is mapped to', '', priced([ROW], bedrock(`us.${HAIKU}`, 'team-model'))],
    ['holds for a model behind a profile that says nothing', '', priced([ROW], bedrock(PROFILE))],
    ['may name the profile itself', '', priced([{ ...ROW, model: PROFILE }], bedrock(PROFILE))],
  ])('%s: %s', (_, __, nanoDollars) => {
    expect(nanoDollars).toBe(12_000_000n)
  })

  test('of what the upstream calls the model wins over one of the model, wherever it stands', () => {
    const own = { ...ROW, model: `us.${HAIKU}`, input: 3 }
    for (const rows of [[ROW, own], [own, ROW]]) {
      // 1000×3000 instead of 1000×1000, and 500×6000 instead of 500×2000
      expect(priced(rows, bedrock(`us.${HAIKU}`))).toBe(16_000_000n)
      expect(priced(rows, bedrock(`eu.${HAIKU}`))).toBe(12_000_000n)
    }
  })

  test('of another upstream or another model changes nothing', () => {
    expect(priced([{ ...ROW, upstream: 'other' }, { ...ROW, model: 'claude-haiku-5-5' }], bedrock(`global.${HAIKU}`))).toBe(18_000_000n)
  })

  test.each<[number, string, bigint]>([
    [0.0125, '1000 × 12.5', 12_500n],
    [0.1, '1000 × 100', 100_000n],
    [3e-7, '1000 × 0.0003 is 0.3, which rounds to nothing', 0n],
    [1e6, '1000 × 1,000,000,000', 1_000_000_000_000n],
  ])('of %p USD is that decimal, no float near it: %s', (input, _, nanoDollars) => {
    expect(priced([{ ...ROW, input }], bedrock(`us.${HAIKU}`), { ...NO_USAGE, input: 1000 })).toBe(nanoDollars)
  })
})

describe('a model without a price', () => {
  const unknown = served('team-model', { provider: 'bedrock' }, PROFILE)

  test('costs 5 and 25 dollars, and is told of once', () => {
    const heard: string[] = []
    const pricing = createPricing({ ...LIST, onUnknown: (id) => void heard.push(id) })
    for (const usage of [SOME, fast, us]) {
      const { rates, by } = pricing.price(unknown, usage)
      // 1000×5000 + 2000×25000 + 10000×500 + 4000×6250 + 500×10000
      expect([by, costOf(rates, usage)]).toEqual(['unknown', 90_000_000n])
    }
    pricing.price(served('other', {}, 'other-deployment'), SOME)
    expect(heard).toEqual([PROFILE, 'other-deployment'])
  })

  test('is told of a thousand times at most, for answers may name any', () => {
    let heard = 0
    const pricing = createPricing({ ...LIST, onUnknown: () => void heard++ })
    for (let n = 0; n < 2000; n++) pricing.price(served(`x${n}`), SOME)
    expect(heard).toBe(1000)
  })

  // B10
  test('has that of the model it is mapped from', () => {
    const heard: string[] = []
    const { rates, by } = createPricing({ ...LIST, onUnknown: (id) => void heard.push(id) }).price(bedrock(PROFILE), SOME)
    expect([by, costOf(rates, SOME), heard]).toEqual(['list', 18_000_000n, []])
  })

  test('of the catalogue, as a preview, costs as much', () => {
    expect(createPricing(LIST).price(served('claude-mythos-preview'), SOME).by).toBe('unknown')
  })

  test('is not what is sent under another model’s name: people get and pay what is sent', () => {
    expect(cost(bedrock(`global.${HAIKU}`, 'claude-opus-5'))).toBe(18_000_000n)
  })
})

// T214
describe('the arithmetic', () => {
  test.each<[string, Usage, bigint]>([
    ['10^12 tokens × 25000', { ...NO_USAGE, output: 1e12 }, 25_000_000_000_000_000n],
    ['(2^53−1) × 25000', { ...NO_USAGE, output: Number.MAX_SAFE_INTEGER }, 225_179_981_368_524_775_000n],
    ['10^12 of everything: 5000 + 25000 + 500 + 6250 + 10000', { ...NO_USAGE, input: 1e12, output: 1e12, cacheRead: 1e12, cacheWrite5m: 1e12, cacheWrite1h: 1e12 }, 46_750_000_000_000_000n],
  ])('has no end at 2^53: %s', (_, usage, nanoDollars) => {
    expect(cost(served('claude-opus-5'), usage)).toBe(nanoDollars)
  })

  test.each<[rate: bigint, tokens: number, nanoDollars: bigint]>([
    [500_000n, 1, 1n],
    [499_999n, 1, 0n],
    [1_499_999n, 1, 1n],
    [1_500_000n, 1, 2n],
    [333_333n, 3, 1n],
  ])('rounds once, half up: %d nano-dollars a million × %d', (input, tokens, nanoDollars) => {
    const none = { output: 0n, cacheRead: 0n, cacheWrite5m: 0n, cacheWrite1h: 0n, webSearch: 0n }
    expect(costOf({ input, ...none }, { ...NO_USAGE, input: tokens })).toBe(nanoDollars)
    // two halves are one, not two
    if (input === 500_000n) expect(costOf({ ...none, input, output: input }, { ...NO_USAGE, input: 1, output: 1 })).toBe(1n)
  })

  test('rounds a rate half up to a whole nano-dollar a million', () => {
    const rate = (multiplier: number) => createPricing({ multiplier, overrides: [{ ...ROW, input: 1e-9 }] }).price(bedrock(HAIKU), SOME).rates.input
    expect([0.49, 0.5, 1.49, 1.5].map(rate)).toEqual([0n, 1n, 1n, 2n])
  })

  test('agrees with decimals worked out in another way, over two hundred thousand random rows', () => {
    const next = random(20261122)
    let total = 0n
    let expectedTotal = 0n
    for (let n = 0; n < 2000; n++) {
      const texts = Object.fromEntries(TOKEN_CLASSES.map((name) => [name, decimalText(next, 6)])) as Record<(typeof TOKEN_CLASSES)[number], string>
      const multiplierText = decimalText(next, 4, 10)
      const row = { upstream: 'anthropic', model: 'm', input: Number(texts.input), output: Number(texts.output), cache_read: Number(texts.cacheRead), cache_write: Number(texts.cacheWrite5m), cache_write_1h: Number(texts.cacheWrite1h) }
      const { rates } = createPricing({ multiplier: Number(multiplierText), overrides: [row] }).price(served('m'), SOME)
      // digits × digits have ten places; a nano-dollar has nine
      const expectedRates = TOKEN_CLASSES.map((name) => tenth(digitsOf(texts[name], 6) * digitsOf(multiplierText, 4)))
      expect(TOKEN_CLASSES.map((name) => rates[name])).toEqual(expectedRates)
      for (let m = 0; m < 100; m++) {
        const counts = TOKEN_CLASSES.map(() => Math.floor(next() * 10 ** (next() * 12)))
        const usage = { ...NO_USAGE, ...Object.fromEntries(TOKEN_CLASSES.map((name, at) => [name, counts[at]])) }
        const millionths = counts.reduce((sum, tokens, at) => sum + BigInt(tokens) * (expectedRates[at] ?? 0n), 0n)
        const expected = millionths / 1_000_000n + (millionths % 1_000_000n >= 500_000n ? 1n : 0n)
        const actual = costOf(rates, usage)
        if (actual !== expected) expect({ usage, actual }).toEqual({ usage, actual: expected })
        total += actual
        expectedTotal += expected
      }
    }
    expect(total).toBe(expectedTotal)
  })
})

/** Mulberry32. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A decimal above 0 with some places, as somebody would write it. */
function decimalText(next: () => number, places: number, most = 100): string {
  const digits = String(1 + Math.floor(next() * most * 10 ** places)).padStart(places + 1, '0')
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`
}

function digitsOf(text: string, places: number): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(places, '0'))
}

/** Half up. */
function tenth(value: bigint): bigint {
  return value / 10n + (value % 10n >= 5n ? 1n : 0n)
}

describe('the executions of a request', () => {
  const total = (what: Served, usage: Usage) => executionsOf(what, usage).map(({ kind, served: ran, usage: part }) => [kind, ran.upstreamModel, cost(ran, part)])

  test('are one where nothing ran beside the answer, as what was sent', () => {
    expect(total(bedrock(`us.${HAIKU}`), { ...SOME, model: 'claude-haiku-4-5-20251001' })).toEqual([['message', `us.${HAIKU}`, 19_800_000n]])
    expect(total(served('team-model', {}, 'claude-opus-5'), { ...SOME, model: 'something-else' })).toEqual([['message', 'claude-opus-5', 90_000_000n]])
  })

  test('have the prices of their own models', () => {
    const iterations = [
      { type: 'message', input_tokens: 100, output_tokens: 20 },
      { type: 'compaction', input_tokens: 1000, output_tokens: 100 },
      { type: 'advisor_message', model: 'claude-opus-5', input_tokens: 800, output_tokens: 1600 },
    ]
    expect(total(served('claude-haiku-4-5'), overwriteUsage(NO_USAGE, { input_tokens: 100, output_tokens: 20, inference_geo: 'us', iterations }))).toEqual([
      ['message', 'claude-haiku-4-5', 200_000n], // 100×1000 + 20×5000
      ['compaction', 'claude-haiku-4-5', 1_500_000n], // 1000×1000 + 100×5000
      ['advisor_message', 'claude-opus-5', 48_400_000n], // (800×5000 + 1600×25000) × 11/10: the premium holds for all of the request
    ])
  })

  test('of a model of the operator\'s own are priced as that, whatever name the answer has', () => {
    const own = served('team-coder', {}, 'deployment-of-ours')
    expect(executionsOf(own, { ...NO_USAGE, input: 10, model: 'claude-sonnet-5' })).toMatchObject([{ served: own }])
    expect(executionsOf(served('claude-haiku-4-5'), { ...NO_USAGE, input: 10, model: 'claude-sonnet-5' })).toMatchObject([{ served: { model: 'claude-sonnet-5' } }])
  })

  test('after a fallback are priced as the model that answered, and what the first had written as the first', () => {
    const iterations = [{ type: 'message', model: 'claude-fable-5', input_tokens: 500, output_tokens: 30 }, { type: 'fallback_message', model: 'claude-opus-4-8', input_tokens: 400, output_tokens: 200 }]
    expect(total(served('claude-fable-5'), overwriteUsage(NO_USAGE, { input_tokens: 400, output_tokens: 200, iterations }))).toEqual([
      ['message', 'claude-opus-4-8', 7_000_000n], // 400×5000 + 200×25000
      ['declined_message', 'claude-fable-5', 6_500_000n], // 500×10000 + 30×50000
    ])
  })
})
