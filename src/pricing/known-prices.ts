// Prices that were worked out before: people ask for the same few models all day.
import { CATALOG } from '../models/catalog.ts'
import type { Price } from './price.ts'
import type { Served } from './served.ts'
import { promptTokens, type Usage } from './usage.ts'

/** What a row of the ledger has of a price. */
export type KnownPrice = Pick<Price, 'rates' | 'by'>

/** An answer may name models, so that there is no end of names. */
const MOST = 5000
const DAY_MS = 86_400_000
/** Numbers of tokens above which a prompt is dearer for some model. */
const EDGES = [...new Set(CATALOG.flatMap(({ promptLengthTiers = [] }) => promptLengthTiers.map(({ above }) => above)))]

/** `work` is asked once for each combination of what decides a price: see list-price.ts. */
export function createKnownPrices(work: (served: Served, usage: Usage) => Price): (served: Served, usage: Usage) => KnownPrice {
  const known = new Map<string, KnownPrice>()
  return (served, usage) => {
    const key = keyOf(served, usage)
    const before = known.get(key)
    if (before !== undefined) return before
    const { rates, by } = work(served, usage)
    if (known.size >= MOST) known.clear()
    known.set(key, { rates, by })
    return { rates, by }
  }
}

function keyOf({ upstream: { name, provider, region }, model, upstreamModel, at }: Served, usage: Usage): string {
  const tokens = promptTokens(usage)
  const edges = EDGES.filter((edge) => tokens > edge).length
  return JSON.stringify([name, provider, region, model, upstreamModel, Math.floor(at.getTime() / DAY_MS), usage.speed, usage.serviceTier, usage.inferenceGeo, edges])
}
