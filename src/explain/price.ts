// `gatehouse price`: what the usage of an answer costs, and why each figure is what it is.
import type { Outcome } from '../config/commands.ts'
import type { Environment } from '../config/expand.ts'
import { loadConfig } from '../config/load.ts'
import type { GatewayConfig } from '../config/schema.ts'
import { BootError } from '../errors.ts'
import { CATALOG_AS_OF } from '../models/catalog.ts'
import { createModelTable, type UpstreamNaming } from '../models/resolve.ts'
import { bedrockPlace } from '../models/sent-model.ts'
import { dollars, FEMTO } from '../pricing/dollars.ts'
import { rounded, type Exact } from '../pricing/exact.ts'
import { executionsOf, type Execution } from '../pricing/executions-of.ts'
import { createPricing, type Pricing, type Served } from '../pricing/price.ts'
import { costOf, exactCost, TOKEN_CLASSES } from '../pricing/rates.ts'
import { NO_USAGE, overwriteModel, overwriteUsage, type Usage } from '../pricing/usage.ts'
import { nearest } from '../std/nearest.ts'
import { PROVIDERS } from '../upstream/config.ts'
import { priceText } from './price-text.ts'

export interface PriceQuery {
  readonly model: string
  /** Of the configuration; a provider without one. */
  readonly upstream: string
  /** The usage object of an answer, or the answer. */
  readonly usage: unknown
  readonly config: string | undefined
  readonly region: string | undefined
  /** When the request began; now unless given. */
  readonly at: Date | undefined
  readonly json: boolean
  readonly environment: Environment
  readonly now: Date
  readonly color: boolean
}

/** What `--json` prints. Amounts are decimals of USD, exact unless they say otherwise. */
export interface PriceReport {
  readonly catalog_as_of: string
  readonly upstream: { readonly name: string; readonly provider: string; readonly region: string | null }
  readonly at: string
  readonly executions: readonly ExecutionReport[]
  /** What the ledger keeps: the sum of the executions, each rounded to nano-dollars. */
  readonly cost_usd: string
}

export interface ExecutionReport {
  /** `message`, or work beside it. */
  readonly kind: Execution['kind']
  readonly model: string
  readonly upstream_model: string
  readonly priced_by: 'list' | 'override' | 'unknown'
  readonly steps: readonly { readonly about: string; readonly applies: boolean; readonly ratio: string | null; readonly why: string }[]
  readonly lines: readonly PriceLine[]
  readonly exact_usd: string
  /** Rounded half up to nano-dollars. */
  readonly cost_usd: string
}

export interface PriceLine {
  readonly of: (typeof TOKEN_CLASSES)[number] | 'webSearches'
  readonly count: number
  /** Per million tokens before any ratio; rounded to nano-dollars. Null for searches. */
  readonly base_usd: string | null
  /** Per million tokens, or for each search. */
  readonly rate_usd: string
  readonly amount_usd: string
}

/** Answers the query. Throws BootError for a name that leads nowhere, and with every problem of the configuration. */
export async function explainPrice(query: PriceQuery): Promise<Outcome> {
  const { config } = query.config === undefined ? { config: undefined } : await loadConfig(query.config, query.environment)
  const report = priceReport(query, config)
  return { text: query.json ? `${JSON.stringify(report, null, 2)}\n` : priceText(report, query.color), exitCode: 0 }
}

export function priceReport(query: Pick<PriceQuery, 'model' | 'upstream' | 'usage' | 'region' | 'at' | 'now'>, config: GatewayConfig | undefined): PriceReport {
  const usage = readUsage(query.usage)
  const at = query.at ?? query.now
  const served = config === undefined ? servedByProvider(query, at) : servedByUpstream(query, config, at)
  const pricing = createPricing(config?.pricing ?? { multiplier: 1, overrides: [] })
  const executions = executionsOf(served, usage)
  const { name, provider, region } = served.upstream
  return {
    catalog_as_of: CATALOG_AS_OF,
    upstream: { name, provider, region: region ?? null },
    at: at.toISOString(),
    executions: executions.map((execution) => executionReport(execution, pricing)),
    cost_usd: dollars(executions.reduce((sum, { served: ran, usage: part }) => sum + costOf(pricing.price(ran, part).rates, part), 0n)),
  }
}

function executionReport({ kind, served, usage }: Execution, pricing: Pricing): ExecutionReport {
  const { rates, base, by, steps } = pricing.price(served, usage)
  const ofTokens = TOKEN_CLASSES.map((of): PriceLine => {
    const count = usage[of] ?? 0
    return { of, count, base_usd: dollars(rounded(base[of])), rate_usd: dollars(rates[of]), amount_usd: dollars(BigInt(count) * rates[of], FEMTO) }
  })
  const searches = usage.webSearches ?? 0
  const ofSearches: PriceLine = { of: 'webSearches', count: searches, base_usd: null, rate_usd: dollars(rates.webSearch), amount_usd: dollars(BigInt(searches) * rates.webSearch) }
  return {
    kind,
    model: served.model,
    upstream_model: served.upstreamModel,
    priced_by: by,
    steps: steps.map(({ about, applies, ratio, why }) => ({ about, applies, ratio: ratio === undefined ? null : decimal(ratio), why })),
    lines: searches === 0 ? ofTokens : [...ofTokens, ofSearches],
    exact_usd: dollars(exactCost(rates, usage), FEMTO),
    cost_usd: dollars(costOf(rates, usage)),
  }
}

/** For a person's eye: the nearest float, whose shortest text is the decimal meant. */
function decimal([numerator, denominator]: Exact): string {
  return String(Number(numerator) / Number(denominator))
}

function readUsage(given: unknown): Usage {
  const { model, usage = given } = given as { model?: unknown; usage?: unknown }
  const read = overwriteUsage(overwriteModel(NO_USAGE, model), usage)
  const isCounted = [...TOKEN_CLASSES.map((name) => read[name]), read.webSearches].some((count) => count !== undefined)
  if (!isCounted) throw new BootError('--usage: has no count: give the usage of an answer, with input_tokens, output_tokens and what else it has; counts are whole numbers')
  return read
}

/** As an upstream of the configuration gets it. `model` may be what the upstream calls it, as the ledger writes it. */
function servedByUpstream({ model, upstream: name }: Pick<PriceQuery, 'model' | 'upstream'>, config: GatewayConfig, at: Date): Served {
  const upstream: UpstreamNaming | undefined = config.upstreams.find((one) => one.name === name)
  if (upstream === undefined) throw new BootError(`--upstream: no upstream is called ${name}; the configuration has ${config.upstreams.map((one) => one.name).join(', ')}`)
  const table = createModelTable({ autoInclude: config.auto_include_builtin_models, models: config.models, upstreams: config.upstreams })
  const sent = table.list().find((one) => one.upstreamId(upstream, one.id) === model)
  const found = table.resolve(model) ?? sent
  if (found === undefined) throw new BootError(`--model: this gateway serves no model ${model}${meant(model, table.list().map(({ id }) => id))}; \`gatehouse models\` lists what it serves`)
  const upstreamModel = found.upstreamId(upstream, model)
  if (upstreamModel === undefined) throw new BootError(`--upstream: ${name} does not serve ${found.id}; \`gatehouse models\` says who does`)
  return { upstream, model: found.id, upstreamModel, at }
}

/** As a provider would get it by default. */
function servedByProvider({ model, upstream: provider, region }: Pick<PriceQuery, 'model' | 'upstream' | 'region'>, at: Date): Served {
  if (!PROVIDERS.some((one) => one === provider)) throw new BootError(`--upstream: no provider is called ${provider}${meant(provider, PROVIDERS)}; there are ${PROVIDERS.join(', ')}. An upstream of yours needs --config FILE`)
  const upstream = { name: provider, provider, region }
  const saysPlace = provider === 'bedrock' && (bedrockPlace(model) !== undefined || model.startsWith('arn:'))
  if (region === undefined && !saysPlace && (provider === 'bedrock' || provider === 'vertex')) {
    const example = provider === 'bedrock' ? 'us-east-1, or name a profile: --model global.anthropic.…' : 'global'
    throw new BootError(`--region: the price at ${provider} depends on it; give one, such as --region ${example}`)
  }
  const known = createModelTable({ autoInclude: true, models: [], upstreams: [upstream] }).resolve(model)
  return { upstream, model: known?.id ?? model, upstreamModel: saysPlace ? model : (known?.upstreamId(upstream, model) ?? model), at }
}

function meant(word: string, candidates: readonly string[]): string {
  const candidate = nearest(word, candidates)
  return candidate === undefined ? '' : ` (did you mean ${candidate}?)`
}
