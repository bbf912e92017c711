// The catalogue: every model with its names, limits and list prices, as dated facts in catalog.json, each with its sources.
// A model is matched by its whole name in this table, never by a prefix: a new minor version must not become an old model.
import data from './catalog.json' with { type: 'json' }

/** Nano-dollars per token, integers: 8 USD per million tokens is 8000. */
export interface TokenPrices {
  readonly input: number
  readonly output: number
  readonly cache_write_5m: number
  readonly cache_write_1h: number
  readonly cache_read: number
}

/** Numerator and denominator. Multiply a whole amount and round once: a single price times 11/10 need not be an integer. */
export type Ratio = readonly [number, number]

/** `above`: tokens of the prompt, counted as `MODIFIERS.prompt_length.basis` says; the tier then holds for every token of the request. */
export interface PromptLengthTier {
  readonly above: number
  readonly prices: TokenPrices
}

export interface FastMode {
  readonly status: 'available' | 'preview' | 'deprecated'
  readonly deprecated_on?: string
  readonly removed_on?: string
  readonly beta_header?: string
  readonly prices: TokenPrices
  readonly sources: readonly string[]
  readonly notes?: string
}

export interface CatalogModel {
  readonly id: string
  readonly displayName: string
  /** The spelling with its date, where one exists. */
  readonly dated?: string | undefined
  /** At Anthropic; a retired model may still be served by a cloud. */
  readonly status: 'active' | 'legacy' | 'restricted' | 'deprecated' | 'retired'
  /** ISO dates. */
  readonly released?: string | undefined
  readonly retires?: { readonly on: string } | { readonly not_before: string } | undefined
  /** Tokens. */
  readonly contextWindow?: number | undefined
  /** Tokens. */
  readonly maxOutput?: number | undefined
  /** What each provider calls it by default; absent where it is not served. */
  readonly anthropic?: string | undefined
  readonly bedrock?: string | undefined
  /** Geographies of Bedrock's inference profiles: `<geography>.<bedrock id>`. */
  readonly profiles?: readonly string[] | undefined
  readonly mantle?: string | undefined
  readonly vertex?: string | undefined
  readonly foundry?: string | undefined
  /** Foundry's fast mode is a model of its own, asked for by this name instead of `speed`. */
  readonly foundryFast?: string | undefined
  /** Whether Foundry can run it on Azure's own machines, where this is known. */
  readonly foundryHostedOnAzure?: boolean | undefined
  /** Of the shortest prompts, at standard speed, through a global endpoint. */
  readonly prices?: TokenPrices | undefined
  /** Ascending. */
  readonly promptLengthTiers?: readonly PromptLengthTier[] | undefined
  /** What it cost before the day `until`, ascending; prices not named were the same. */
  readonly priceHistory?: readonly { readonly until: string; readonly prices: Partial<TokenPrices> }[] | undefined
  readonly fast?: FastMode | undefined
  /** `us_inference_geo` is absent where `inference_geo` is refused. */
  readonly multipliers: { readonly us_inference_geo?: Ratio; readonly regional: Ratio }
  readonly confidence: 'high' | 'medium' | 'low'
  /** Keys of `SOURCES`. */
  readonly sources: readonly string[]
  readonly notes?: string | undefined
}

interface CatalogEntry extends Pick<CatalogModel, 'id' | 'dated' | 'status' | 'released' | 'retires' | 'prices' | 'fast' | 'multipliers' | 'confidence' | 'sources' | 'notes'> {
  readonly display_name: string
  readonly context_window?: number
  readonly max_output?: number
  readonly ids: Pick<CatalogModel, 'anthropic' | 'bedrock' | 'mantle' | 'vertex' | 'foundry'> & { readonly bedrock_profiles?: readonly string[]; readonly foundry_fast?: string }
  readonly foundry_hosted_on_azure?: boolean
  readonly prompt_length_tiers?: readonly PromptLengthTier[]
  readonly price_history?: NonNullable<CatalogModel['priceHistory']>
}

function toModel({ display_name, context_window, max_output, ids, foundry_hosted_on_azure, prompt_length_tiers, price_history, ...same }: CatalogEntry): CatalogModel {
  const { bedrock_profiles, foundry_fast, ...names } = ids
  return {
    ...same,
    ...names,
    displayName: display_name,
    contextWindow: context_window,
    maxOutput: max_output,
    profiles: bedrock_profiles,
    foundryFast: foundry_fast,
    foundryHostedOnAzure: foundry_hosted_on_azure,
    promptLengthTiers: prompt_length_tiers,
    priceHistory: price_history,
  }
}

/** The day of which all of this is true. */
export const CATALOG_AS_OF: string = data.as_of

// JSON has no tuples and no unions; test/unit/catalog.test.ts holds the file to these types.
export const CATALOG: readonly CatalogModel[] = (data.models as unknown as readonly CatalogEntry[]).map(toModel)

/** What changes a price: ratios to the input price, to the whole price, and how an answer shows that one applies. */
export const MODIFIERS = data.modifiers

/** Nano-dollars of a use of a server tool. */
export const SERVER_TOOLS = data.server_tools

/** What a model costs that has no price of its own. */
export const UNKNOWN_MODEL_PRICES: TokenPrices = data.unknown_model.prices

/** Where facts are from, by key. */
export const SOURCES: Readonly<Record<string, string>> = data.sources
