// Which fields of a Messages body a cloud refuses, so that they stay here. What this table gets wrong is learned from the
// refusal (learned.ts). Sources: the clouds' documentation, LiteLLM's lists, reports of Claude Code's users; November 2026.
import { dropPaths, type Path } from '../json/drop-paths.ts'
import type { Edit } from '../json/edit.ts'
import type { JsonObject } from '../json/scan.ts'
import type { Generation } from '../models/generation.ts'

export interface FieldContext {
  readonly betas: readonly string[]
  /** Undefined for a model of the operator's own, which counts as the newest. */
  readonly generation: Generation | undefined
}

interface FieldRule {
  readonly paths: readonly Path[]
  /** Goes there all the same when this holds; never when it is absent. */
  readonly unless?: (context: FieldContext) => boolean
}

/** Top-level fields of the first-party API that the provider's endpoint does not have. */
export type FieldTable = { readonly topLevel: ReadonlySet<string>; readonly rules: readonly FieldRule[] }

const path = (text: string): Path => text.split('.')
const sentWith = (beta: string) => ({ betas }: FieldContext) => betas.includes(beta)
const since = (number: number) => ({ generation }: FieldContext) => generation === undefined || generation.number >= number

/** Every place that may carry `cache_control`. */
const CACHED = ['system.*', 'tools.*', 'messages.*.content.*', 'messages.*.content.*.content.*']
const inCacheControl = (field: string): Path[] => CACHED.map((place) => path(`${place}.cache_control.${field}`))

const COMMON: readonly FieldRule[] = [
  // Pairs with prompt-caching-scope, which no cloud takes.
  { paths: inCacheControl('scope') },
  { paths: [path('tools.*.defer_loading')], unless: sentWith('tool-search-tool-2025-10-19') },
  { paths: [path('tools.*.eager_input_streaming')], unless: sentWith('fine-grained-tool-streaming-2025-05-14') },
  { paths: [path('output_config.task_budget')] },
  { paths: [path('context_management')], unless: ({ betas }) => betas.some((beta) => beta.startsWith('context-management-') || beta.startsWith('compact-')) },
]
const FIRST_PARTY_ONLY = ['service_tier', 'inference_geo', 'container', 'mcp_servers', 'fallbacks', 'fallback_credit_token', 'diagnostics', 'billing_policy', 'output_format', 'cache_control', 'betas']

/** Effort came with Opus 4.5, and to the other families with 4.6. */
const takesEffort = ({ generation }: FieldContext) => generation === undefined || generation.number >= 406 || (generation.family === 'opus' && generation.number === 405)

const BEDROCK: FieldTable = {
  topLevel: new Set([...FIRST_PARTY_ONLY, 'speed']),
  rules: [
    ...COMMON,
    { paths: inCacheControl('ttl'), unless: since(405) },
    { paths: [path('tools.*.strict')], unless: since(405) },
    { paths: [path('output_config')], unless: since(405) },
    { paths: [path('output_config.effort')], unless: takesEffort },
  ],
}

const VERTEX: FieldTable = {
  topLevel: new Set(FIRST_PARTY_ONLY),
  rules: [
    ...COMMON,
    { paths: [path('tools.*.strict')] },
    // Google documents fast mode for these alone.
    { paths: [path('speed')], unless: ({ generation }) => generation === undefined || (generation.family === 'fable' && generation.number === 502) || (generation.family === 'opus' && generation.number === 505) },
    { paths: [path('output_config')], unless: since(405) },
    { paths: [path('output_config.effort')], unless: takesEffort },
  ],
}

/** Providers that are not here speak the Messages API itself: their list is open. */
const TABLES: Readonly<Record<string, FieldTable>> = { bedrock: BEDROCK, vertex: VERTEX }

export interface Refused {
  /** Names of the top level. Apart, because two removals of neighbours that do not know of each other would share a comma. */
  readonly drop: readonly string[]
  /** What takes the others out of members that stay. */
  readonly inside: readonly Edit[]
}

/** What the provider refuses of a body, and what `learned` says besides. */
export function refusedFields(provider: string, body: JsonObject, context: FieldContext, learned: readonly Path[]): Refused {
  const { topLevel = [], rules = [] } = TABLES[provider] ?? {}
  const refused = [...rules.flatMap(({ paths, unless }) => (unless?.(context) === true ? [] : paths)), ...learned]
  return {
    drop: [...topLevel, ...refused.flatMap((path) => (path.length === 1 ? path : []))],
    inside: dropPaths(body, refused.filter((path) => path.length > 1)),
  }
}
