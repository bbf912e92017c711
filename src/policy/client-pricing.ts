// What tokens cost here, for clients that show it: `modelPricing` of Claude Code's settings. Pure.
import { servingUpstreams, type ServedModel, type UpstreamNaming } from '../models/resolve.ts'
import { catalogModel } from '../models/spellings.ts'
import { priceRow, type PriceRow } from '../pricing/price-row.ts'
import type { Settings } from './merge.ts'

export interface Pricing {
  readonly multiplier: number
  readonly overrides: readonly PriceRow[]
}

export type PricedUpstream = UpstreamNaming & { readonly priority?: number | undefined }

/** Undefined where list prices hold. A model has the price of the upstream that is asked for it first. */
export function clientPricing({ multiplier, overrides }: Pricing, models: readonly ServedModel[], upstreams: readonly PricedUpstream[]): Settings | undefined {
  const priced = models.flatMap((model) => {
    const [first] = servingUpstreams(model, upstreams)
    const row = first && priceRow(overrides, first.upstream.name, model.id, first.upstreamId)
    return row === undefined ? [] : [[catalogModel(model.id)?.dated ?? model.id, pricesOf(row)] as const]
  })
  const parts = { ...(multiplier === 1 ? {} : { multiplier }), ...(priced.length === 0 ? {} : { overrides: Object.fromEntries(priced) }) }
  return Object.keys(parts).length === 0 ? undefined : parts
}

function pricesOf({ input, output, cache_read, cache_write }: PriceRow) {
  return { input, output, cacheRead: cache_read, cacheWrite: cache_write }
}

/** A policy that says anything of prices, even `{}`, keeps to it; one that sets neither part has ours beside its own. */
export function withPricing(settings: Settings, pricing: Settings | undefined): Settings {
  if (pricing === undefined) return settings
  const own = settings.modelPricing as Settings | undefined
  if (own === undefined) return { ...settings, modelPricing: pricing }
  const isComplete = Object.keys(own).length === 0 || own.multiplier !== undefined || own.overrides !== undefined
  return isComplete ? settings : { ...settings, modelPricing: { ...pricing, ...own } }
}
