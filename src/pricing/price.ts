// What the tokens of one execution cost here: contract §5. Pure, but for remembering which unknown models it has told of.
import { SERVER_TOOLS, UNKNOWN_MODEL_PRICES } from '../models/catalog.ts'
import { sentModel } from '../models/sent-model.ts'
import { catalogModel } from '../models/spellings.ts'
import { exactly, ONE, times, type Exact } from './exact.ts'
import { createKnownPrices, type KnownPrice } from './known-prices.ts'
import { isPriced, listPrice, type Step } from './list-price.ts'
import { priceRow, rowPrices, type PriceRow } from './price-row.ts'
import { basePrices, ratesFrom, type BasePrices, type Rates } from './rates.ts'
import type { Served } from './served.ts'
import type { Usage } from './usage.ts'

export type { Served } from './served.ts'

export interface Price {
  /** With every modifier and the multiplier. */
  readonly rates: Rates
  readonly by: 'list' | 'override' | 'unknown'
  /** Before a ratio was applied. */
  readonly base: BasePrices
  /** Why the rates are what they are, in the order decided. */
  readonly steps: readonly Step[]
}

export interface Pricing {
  /** The price of the tokens of `usage`; the work beside them is priced on its own: see executions-of.ts. */
  price(served: Served, usage: Usage): Price
  /** The same without its reasons, which cost more than the price. */
  known(served: Served, usage: Usage): KnownPrice
}

export interface PricingOptions {
  /** `pricing.multiplier` */
  readonly multiplier: number
  /** `pricing.overrides` */
  readonly overrides: readonly PriceRow[]
  /** Called once for each model that is priced as an unknown one, with what its upstream calls it. */
  readonly onUnknown?: ((modelId: string) => void) | undefined
}

/** An answer may name models, so that there is no end of names. */
const MOST_TOLD = 1000
const WEB_SEARCH: Exact = [BigInt(SERVER_TOOLS.web_search.nano_dollars), 1n]

/** Throws RangeError where a number of the options is no amount. */
export function createPricing({ multiplier, overrides, onUnknown }: PricingOptions): Pricing {
  const factor = exactly(multiplier)
  const rows = overrides.map((row) => ({ ...row, base: rowPrices(row) }))
  const webSearch = times(WEB_SEARCH, factor)
  const ofMultiplier: Step = { about: 'multiplier', applies: multiplier !== 1, ...(multiplier === 1 ? {} : { ratio: factor }), why: multiplier === 1 ? 'pricing.multiplier is 1' : `pricing.multiplier is ${multiplier}` }
  const told = new Set<string>()

  function tell(modelId: string): void {
    if (told.has(modelId) || told.size >= MOST_TOLD) return
    told.add(modelId)
    onUnknown?.(modelId)
  }

  function before(served: Served, usage: Usage): Omit<Price, 'rates'> {
    const row = priceRow(rows, served.upstream.name, served.model, served.upstreamModel)
    if (row !== undefined) return { by: 'override', base: row.base, steps: [because(`yours, of pricing.overrides for ${row.model} at ${row.upstream}; nothing but the multiplier changes it`)] }
    const listed = listedModel(served)
    if (listed === undefined) {
      tell(served.upstreamModel)
      return { by: 'unknown', base: basePrices(UNKNOWN_MODEL_PRICES), steps: [because(`that of an unknown model: the catalogue has none of ${served.upstreamModel}; write its own into pricing.overrides`)] }
    }
    const { prices, steps } = listPrice(listed.model, served, usage)
    return { by: 'list', base: basePrices(prices), steps: [because(listed.why), ...steps] }
  }

  function price(served: Served, usage: Usage): Price {
    const found = before(served, usage)
    const steps = [...found.steps, ofMultiplier]
    const ratio = steps.reduce((product, step) => times(product, step.ratio ?? ONE), ONE)
    return { ...found, steps, rates: ratesFrom(found.base, ratio, webSearch) }
  }

  return { price, known: createKnownPrices(price) }
}

/** What the name sent upstream says counts for more than what the model is called here: people may get another model than they ask for. */
function listedModel({ upstreamModel, model }: Served) {
  const sent = sentModel(upstreamModel)
  if (isPriced(sent)) return { model: sent, why: `the list's, of ${sent.displayName}; sent as ${upstreamModel}` }
  const asked = catalogModel(model)
  return isPriced(asked) ? { model: asked, why: `the list's, of ${asked.displayName}; sent as ${upstreamModel}, a name that the catalogue does not know` } : undefined
}

function because(why: string): Step {
  return { about: 'price_row', applies: true, why }
}
