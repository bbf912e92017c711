// What the types of src/models/catalog.ts promise of catalog.json, and what must hold between its numbers.
import { describe, expect, test } from 'bun:test'
import data from '../../src/models/catalog.json' with { type: 'json' }
import { CATALOG, CATALOG_AS_OF, MODIFIERS, SERVER_TOOLS, SOURCES, UNKNOWN_MODEL_PRICES, type CatalogModel, type Ratio, type TokenPrices } from '../../src/models/catalog.ts'
import { spellingsOf } from '../../src/models/spellings.ts'

const KINDS = ['input', 'output', 'cache_write_5m', 'cache_write_1h', 'cache_read'] as const
const DATE = /^\d{4}-\d{2}-\d{2}$/

/** Every complete list of prices, with words for where it stands. */
const LISTS: [string, TokenPrices][] = [
  ...CATALOG.flatMap(({ id, prices, promptLengthTiers = [], fast }): [string, TokenPrices | undefined][] => [
    [id, prices],
    ...promptLengthTiers.map(({ above, prices }): [string, TokenPrices] => [`${id} above ${above}`, prices]),
    [`${id} fast`, fast?.prices],
  ]),
  ['an unknown model', UNKNOWN_MODEL_PRICES] as [string, TokenPrices],
].filter((list): list is [string, TokenPrices] => list[1] !== undefined)

const byId = (id: string) => CATALOG.find((model) => model.id === id) as CatalogModel
const times = (price: number, [numerator, denominator]: readonly number[]) => (price * (numerator as number)) / (denominator as number)

test('the catalogue says of which day it is', () => {
  expect(CATALOG_AS_OF).toMatch(DATE)
})

describe('the prices', () => {
  test.each(LISTS)('of %s are integers of nano-dollars per token, all five', (_, prices) => {
    expect(Object.keys(prices)).toEqual([...KINDS])
    for (const kind of KINDS) expect(Number.isSafeInteger(prices[kind]) && prices[kind] > 0).toBe(true)
  })

  test.each(LISTS)('of %s keep the published ratios of cache writes to input', (_, prices) => {
    expect(prices.cache_write_5m).toBe(times(prices.input, MODIFIERS.cache_write_5m.of_input))
    expect(prices.cache_write_1h).toBe(times(prices.input, MODIFIERS.cache_write_1h.of_input))
  })

  test.each(LISTS)('of %s keep the ratio of cache reads to input of its family', (name, prices) => {
    const exceptions: Readonly<Record<string, number[]>> = MODIFIERS.cache_read.models
    expect(prices.cache_read).toBe(times(prices.input, exceptions[name.split(' ')[0] ?? ''] ?? MODIFIERS.cache_read.of_input))
  })

  test('are missing for the one model without a published price', () => {
    expect(CATALOG.filter(({ prices }) => prices === undefined).map(({ id }) => id)).toEqual(['claude-mythos-preview'])
  })

  // USD per million tokens as the price lists print them.
  test.each<[string, number, number, number, number, number]>([
    ['claude-fable-5-2', 8, 40, 10, 16, 0.2],
    ['claude-fable-5', 10, 50, 12.5, 20, 1],
    ['claude-opus-5-5', 4, 20, 5, 8, 0.2],
    ['claude-opus-4-7', 5, 25, 6.25, 10, 0.5],
    ['claude-sonnet-5-5', 2, 10, 2.5, 4, 0.1],
    ['claude-sonnet-4-6', 3, 15, 3.75, 6, 0.3],
    ['claude-haiku-5-5', 0.1, 0.5, 0.125, 0.2, 0.01],
    ['claude-haiku-4-5', 1, 5, 1.25, 2, 0.1],
    ['claude-opus-4-1', 15, 75, 18.75, 30, 1.5],
    ['claude-3-5-haiku', 0.8, 4, 1, 1.6, 0.08],
  ])('of %s are the list', (id, input, output, write5m, write1h, read) => {
    expect(KINDS.map((kind) => byId(id).prices?.[kind])).toEqual([input, output, write5m, write1h, read].map((usd) => Math.round(usd * 1000)))
  })

  test('of long prompts are those of Haiku 5.5 above 100,000 tokens, five times the short ones', () => {
    expect(CATALOG.filter(({ promptLengthTiers }) => promptLengthTiers !== undefined).map(({ id }) => id)).toEqual(['claude-haiku-5-5'])
    expect(byId('claude-haiku-5-5').promptLengthTiers).toEqual([{ above: 100_000, prices: { input: 500, output: 2500, cache_write_5m: 625, cache_write_1h: 1000, cache_read: 50 } }])
  })

  test('of fast mode are twice the standard ones', () => {
    const fast = CATALOG.filter((model) => model.fast !== undefined)
    expect(fast.map(({ id }) => id)).toEqual(['claude-fable-5-2', 'claude-mythos-5-2', 'claude-opus-5-5', 'claude-opus-5', 'claude-opus-4-8'])
    for (const { prices, fast: { prices: doubled } = {} } of fast) expect(KINDS.map((kind) => doubled?.[kind])).toEqual(KINDS.map((kind) => 2 * (prices?.[kind] as number)))
  })

  test('of server tools are integers of nano-dollars', () => {
    expect(SERVER_TOOLS.web_search.nano_dollars).toBe(10_000_000)
    for (const { nano_dollars } of Object.values(SERVER_TOOLS)) expect(Number.isSafeInteger(nano_dollars) && nano_dollars >= 0).toBe(true)
  })

  test('before a change ended before the date of the catalogue, and name kinds of tokens', () => {
    for (const { priceHistory = [] } of CATALOG) {
      expect(priceHistory.map(({ until }) => until)).toEqual(priceHistory.map(({ until }) => until).toSorted())
      for (const { until, prices } of priceHistory) {
        expect(until).toMatch(DATE)
        expect(until <= CATALOG_AS_OF).toBe(true)
        for (const [kind, price] of Object.entries(prices)) expect((KINDS as readonly string[]).includes(kind) && Number.isSafeInteger(price)).toBe(true)
      }
    }
    expect(byId('claude-sonnet-5-5').priceHistory).toEqual([{ until: '2026-10-07', prices: { cache_read: 200 } }])
  })
})

describe('every model', () => {
  const models = CATALOG.map((model): [string, CatalogModel] => [model.id, model])

  test('is there, once', () => {
    expect(new Set(CATALOG.map(({ id }) => id)).size).toBe(23)
    expect(CATALOG).toHaveLength(23)
  })

  test.each(models)('%s has words and dates of the kinds that the types name', (_, model) => {
    expect(['active', 'legacy', 'restricted', 'deprecated', 'retired']).toContain(model.status)
    expect(['high', 'medium', 'low']).toContain(model.confidence)
    expect(['available', 'preview', 'deprecated', undefined]).toContain(model.fast?.status)
    expect(model.displayName).toMatch(/^Claude [A-Z][a-z]+ (\d(\.\d)?|Preview)$/)
    for (const date of [model.released, ...Object.values(model.retires ?? {}), model.fast?.deprecated_on, model.fast?.removed_on]) expect(date === undefined || DATE.test(date)).toBe(true)
    for (const tokens of [model.contextWindow, model.maxOutput]) expect(tokens === undefined || (Number.isSafeInteger(tokens) && tokens > 0)).toBe(true)
  })

  test.each(models)('%s is called at Bedrock and mantle as they call models', (_, { bedrock, mantle, profiles = [] }) => {
    if (bedrock !== undefined) expect(bedrock).toMatch(/^anthropic\.claude-[a-z0-9-]+?(-\d{8}-v\d+:\d+|-v\d+)?$/)
    if (mantle !== undefined) expect(mantle).toMatch(/^anthropic\.claude-[a-z]+(-\d{1,2}){0,2}(-preview)?$/)
    for (const geography of profiles) expect(['global', 'us', 'eu', 'jp', 'au', 'in', 'apac']).toContain(geography)
    expect(bedrock === undefined && profiles.length > 0).toBe(false)
  })

  test.each(models)('%s carries its date in eight digits wherever it carries one', (_, { id, dated, anthropic, bedrock, vertex }) => {
    if (dated === undefined) return expect([anthropic, bedrock, vertex].filter((name) => name !== undefined && /\d{8}/.test(name))).toEqual([])
    expect(dated).toMatch(/-\d{8}$/)
    expect(dated.slice(0, -'-20250101'.length)).toBe(id)
    expect([undefined, dated]).toContain(anthropic)
    expect([undefined, `anthropic.${dated}-v1:0`]).toContain(bedrock)
    expect([undefined, `${id}@${dated.slice(-8)}`]).toContain(vertex)
  })

  test.each(models)('%s has its tiers in ascending order, each dearer than the one before', (_, { prices, promptLengthTiers = [] }) => {
    const steps = [{ above: 0, prices }, ...promptLengthTiers]
    for (const [at, step] of steps.slice(1).entries()) {
      expect(step.above).toBeGreaterThan(steps[at]?.above as number)
      for (const kind of KINDS) expect(step.prices?.[kind]).toBeGreaterThan(steps[at]?.prices?.[kind] as number)
    }
  })

  test('shares no spelling with another', () => {
    const spellings = CATALOG.flatMap(spellingsOf)
    expect(spellings.filter((spelling, at) => spellings.indexOf(spelling) !== at)).toEqual([])
  })

  test('has no key that the types do not name', () => {
    const keys = new Set(data.models.flatMap((model) => Object.keys(model)))
    expect([...keys].toSorted()).toEqual(
      ['confidence', 'context_window', 'dated', 'display_name', 'fast', 'foundry_hosted_on_azure', 'id', 'ids', 'max_output', 'multipliers', 'notes', 'price_history', 'prices', 'prompt_length_tiers', 'released', 'retires', 'sources', 'status'],
    )
    const names = new Set(data.models.flatMap(({ ids }) => Object.keys(ids)))
    expect([...names].toSorted()).toEqual(['anthropic', 'bedrock', 'bedrock_profiles', 'foundry', 'foundry_fast', 'mantle', 'vertex'])
  })
})

describe('the sources', () => {
  const cited = [...citations(data)]

  test('of every fact are in the table', () => {
    expect(cited.length).toBeGreaterThan(CATALOG.length)
    expect(cited.filter((key) => SOURCES[key] === undefined)).toEqual([])
    for (const { sources } of CATALOG) expect(sources.length).toBeGreaterThan(0)
  })

  test('are all cited', () => {
    expect(Object.keys(SOURCES).filter((key) => !cited.includes(key))).toEqual([])
  })
})

describe('the ratios', () => {
  const { cache_write_5m, cache_write_1h, cache_read, batch, us_inference_geo, bedrock_regional, vertex_regional, foundry_us_data_zone } = MODIFIERS
  const ratios: [string, readonly number[] | Ratio][] = [
    ['a 5m write', cache_write_5m.of_input],
    ['a 1h write', cache_write_1h.of_input],
    ['a read', cache_read.of_input],
    ...Object.entries(cache_read.models),
    ['batch', batch.ratio],
    ['us inference', us_inference_geo.ratio],
    ['Bedrock', bedrock_regional.ratio],
    ['Vertex', vertex_regional.ratio],
    ['Foundry', foundry_us_data_zone.ratio],
    ...CATALOG.flatMap(({ id, multipliers }) => Object.values(multipliers).map((ratio): [string, Ratio] => [id, ratio])),
  ]

  test.each(ratios)('of %s is two positive integers', (_, ratio) => {
    expect(ratio).toHaveLength(2)
    for (const part of ratio) expect(Number.isSafeInteger(part) && part > 0).toBe(true)
  })

  test('name models that exist', () => {
    for (const id of Object.keys(cache_read.models)) expect(byId(id)).toBeDefined()
  })

  test('raise the price of a region from 4.5 on, and refuse inference_geo before 4.6', () => {
    const older = ['claude-opus-4-1', 'claude-opus-4', 'claude-sonnet-4', 'claude-3-5-haiku']
    const withoutGeo = [...older, 'claude-opus-4-5', 'claude-sonnet-4-5', 'claude-haiku-4-5']
    for (const { id, multipliers } of CATALOG) {
      expect(multipliers.regional).toEqual(older.includes(id) ? [1, 1] : [11, 10])
      expect(multipliers.us_inference_geo).toEqual(withoutGeo.includes(id) ? undefined : [11, 10])
    }
  })
})

function* citations(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    if (key === 'sources' && Array.isArray(item)) yield* item
    else yield* citations(item)
  }
}
