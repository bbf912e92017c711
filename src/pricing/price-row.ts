// The operator's own prices: which row of `pricing.overrides` is meant. Pure.
import { MODIFIERS } from '../models/catalog.ts'
import { sentModel } from '../models/sent-model.ts'
import { catalogModel } from '../models/spellings.ts'
import { exactly, times } from './exact.ts'
import { fromDollars, type BasePrices } from './rates.ts'

/** USD per million tokens. */
export interface PriceRow {
  readonly upstream: string
  readonly model: string
  readonly input: number
  readonly output: number
  readonly cache_read: number
  /** For five minutes. */
  readonly cache_write: number
  /** For an hour; what the list makes of `input` unless given. */
  readonly cache_write_1h?: number | undefined
}

/**
 * The row of what the upstream calls the model, else of the model in any spelling, else of the model, in any spelling, that a
 * name of the operator's own is mapped to; undefined where the list holds.
 */
export function priceRow<row extends PriceRow>(rows: readonly row[], upstream: string, modelId: string, upstreamId: string): row | undefined {
  const own = rows.filter((row) => row.upstream === upstream)
  const isCalled = (name: string) => own.find(({ model }) => model.toLowerCase() === name.toLowerCase())
  const isModel = (known: ReturnType<typeof catalogModel>) => (known === undefined ? undefined : own.find(({ model }) => catalogModel(model) === known))
  return isCalled(upstreamId) ?? isCalled(modelId) ?? isModel(catalogModel(modelId)) ?? isModel(sentModel(upstreamId))
}

export function rowPrices({ input, output, cache_read, cache_write, cache_write_1h }: PriceRow): BasePrices {
  const [numerator, denominator] = MODIFIERS.cache_write_1h.of_input as [number, number]
  const usual = times(exactly(input), [BigInt(numerator), BigInt(denominator)])
  return {
    input: fromDollars(exactly(input)),
    output: fromDollars(exactly(output)),
    cacheRead: fromDollars(exactly(cache_read)),
    cacheWrite5m: fromDollars(exactly(cache_write)),
    cacheWrite1h: fromDollars(cache_write_1h === undefined ? usual : exactly(cache_write_1h)),
  }
}
