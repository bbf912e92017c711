// The list price of one answer: which of a model's tables holds, and what multiplies it. Pure.
import { MODIFIERS, type CatalogModel, type Ratio, type TokenPrices } from '../models/catalog.ts'
import { bedrockPlace } from '../models/sent-model.ts'
import type { Exact } from './exact.ts'
import type { Served } from './served.ts'
import { promptTokens, type Usage } from './usage.ts'

/** One decision about a price, for whoever asks why. */
export interface Step {
  readonly about: 'price_row' | 'price_history' | 'prompt_length' | 'fast' | 'batch' | 'us_inference_geo' | 'bedrock_regional' | 'vertex_regional' | 'foundry_us_data_zone' | 'multiplier'
  /** Whether it changed anything. */
  readonly applies: boolean
  /** What it multiplies with, if it applies and multiplies. */
  readonly ratio?: Exact
  readonly why: string
}

/** A model of the catalogue that has a price. */
export type PricedModel = CatalogModel & { readonly prices: TokenPrices }

export function isPriced(model: CatalogModel | undefined): model is PricedModel {
  return model?.prices !== undefined
}

/** The table that holds for every token of the answer, and the decisions on the way to it. Ratios are still to be applied. */
export function listPrice(model: PricedModel, served: Served, usage: Usage): { readonly prices: TokenPrices; readonly steps: readonly Step[] } {
  const fast = fastStep(model, served, usage)
  const dated = datedPrices(model, served.at)
  const tier = tierOf(model, usage)
  const prices = fast?.applies === true && model.fast !== undefined ? model.fast.prices : (tier?.prices ?? dated.prices)
  const steps = [...dated.steps, ...tierSteps(model, usage, tier), fast, batchStep(usage, fast), placeStep(model, served, usage)]
  return { prices, steps: steps.filter((step) => step !== undefined) }
}

/** Days are of UTC; a price that is not named in the history was the same. */
function datedPrices({ prices, priceHistory = [] }: PricedModel, at: Date): { prices: TokenPrices; steps: Step[] } {
  const day = at.toISOString().slice(0, 10)
  const earlier = priceHistory.filter(({ until }) => day < until)
  const steps = priceHistory.map(({ until, prices: past }): Step => {
    const applies = day < until
    return { about: 'price_history', applies, why: `${Object.keys(past).join(', ')} had another price before ${until}; the request began on ${day}` }
  })
  return { prices: earlier.reduceRight((later, entry) => ({ ...later, ...entry.prices }), prices), steps }
}

function tierOf({ promptLengthTiers = [] }: PricedModel, usage: Usage) {
  return promptLengthTiers.findLast(({ above }) => promptTokens(usage) > above)
}

function tierSteps({ promptLengthTiers }: PricedModel, usage: Usage, tier: ReturnType<typeof tierOf>): Step[] {
  const edge = tier?.above ?? promptLengthTiers?.[0]?.above
  if (edge === undefined) return []
  const prompt = `the prompt has ${promptTokens(usage)} tokens, cache included`
  return [{ about: 'prompt_length', applies: tier !== undefined, why: tier === undefined ? `${prompt}: not more than ${edge}` : `${prompt}: more than ${edge}, which makes every token dearer` }]
}

/** What was asked for proves nothing; the answer does, and at Foundry the name of the deployment. */
function fastStep(model: PricedModel, { upstream, upstreamModel }: Served, { speed }: Usage): Step | undefined {
  const isFastId = upstream.provider === 'foundry' && model.foundryFast !== undefined && upstreamModel === model.foundryFast
  if (speed !== 'fast' && !isFastId) return model.fast === undefined ? undefined : { about: 'fast', applies: false, why: 'the answer does not say that it was fast' }
  const shown = isFastId ? `${upstreamModel} is the fast model` : 'the answer says that it was fast'
  return { about: 'fast', applies: model.fast !== undefined, why: model.fast === undefined ? `${shown}, but the model has no price for it` : `${shown}, which has a price list of its own` }
}

function batchStep({ serviceTier }: Usage, fast: Step | undefined): Step | undefined {
  if (serviceTier !== 'batch') return undefined
  if (fast?.applies === true) return { about: 'batch', applies: false, why: 'fast answers are never in a batch' }
  return { about: 'batch', applies: true, ratio: exact(MODIFIERS.batch.ratio as [number, number]), why: 'the answer was made in a batch' }
}

/** A premium for where the answer was made, as far as the provider lets it be seen. */
function placeStep(model: PricedModel, { upstream, upstreamModel }: Served, { inferenceGeo }: Usage): Step | undefined {
  const { provider, region } = upstream
  if (MODIFIERS.us_inference_geo.providers.includes(provider)) {
    const isUs = inferenceGeo === 'us'
    return premium('us_inference_geo', model.multipliers.us_inference_geo, isUs, isUs ? 'inference_geo is us' : `inference_geo is ${inferenceGeo ?? 'not given'}`)
  }
  if (MODIFIERS.bedrock_regional.providers.includes(provider)) {
    const place = bedrockPlace(upstreamModel)
    const why = place === undefined ? 'the name of the profile does not say where it runs' : place === 'region' ? 'asked for in the region itself' : `asked for by the profile ${place}.`
    return premium('bedrock_regional', model.multipliers.regional, place !== undefined && !MODIFIERS.bedrock_regional.exempt.includes(place), why)
  }
  if (MODIFIERS.vertex_regional.providers.includes(provider)) {
    return premium('vertex_regional', model.multipliers.regional, region !== undefined && !MODIFIERS.vertex_regional.exempt.includes(region), `the location is ${region ?? 'not given'}`)
  }
  if (MODIFIERS.foundry_us_data_zone.providers.includes(provider)) return { about: 'foundry_us_data_zone', applies: false, why: 'an answer does not show the type of its deployment' }
  return undefined
}

/** Models from before a premium was introduced have none, or one of 1. */
function premium(about: Step['about'], ratio: Ratio | undefined, isThere: boolean, why: string): Step {
  if (!isThere) return { about, applies: false, why }
  if (ratio === undefined || ratio[0] === ratio[1]) return { about, applies: false, why: `${why}, but the model has no premium` }
  return { about, applies: true, ratio: exact(ratio), why }
}

function exact([numerator, denominator]: Ratio): Exact {
  return [BigInt(numerator), BigInt(denominator)]
}
