// What an operator should hear of names that stop nothing and still lead to another model, another price or nowhere. Pure.
import type { ModelConfig } from './config.ts'
import { createModelTable, defaultUpstreamId, formsAt, type ModelTableOptions, type ServedModel, type UpstreamNaming } from './resolve.ts'
import { sentModel } from './sent-model.ts'
import { catalogModel } from './spellings.ts'

export interface MappingOptions extends ModelTableOptions {
  upstreams: readonly MappedUpstream[]
  /** Rows that price a model of an upstream, in any spelling. */
  overrides?: readonly { readonly upstream: string; readonly model: string }[]
}

export interface MappedUpstream extends UpstreamNaming {
  readonly base_url?: string | undefined
}

/** Sentences, each with the key that it is about. */
export function mappingWarnings(options: MappingOptions): string[] {
  const { models, upstreams } = options
  return [
    ...models.flatMap((model, at) => [
      ...repeated(models, at),
      ...upstreams.flatMap((upstream) => mapped(model, upstream, `models[${at}].upstream_model.${upstream.name}`, options.overrides ?? [])),
    ]),
    ...unserved(options),
    ...deadPatterns(options),
    ...withoutResidency(options),
  ]
}

/** `id` is distinct as it is written; two spellings of one model are one entry of the table all the same. */
function repeated(models: readonly ModelConfig[], at: number): string[] {
  const { id } = models[at] as ModelConfig
  const known = catalogModel(id)
  const earlier = known === undefined ? -1 : models.slice(0, at).findLastIndex((other) => catalogModel(other.id) === known)
  return earlier < 0 ? [] : [`models[${at}].id: ${id} is another spelling of models[${earlier}] and replaces it`]
}

function mapped(model: ModelConfig, upstream: MappedUpstream, key: string, overrides: NonNullable<MappingOptions['overrides']>): string[] {
  const id = model.upstream_model[upstream.name]
  if (id === undefined) return []
  const asked = catalogModel(model.id)
  const sent = sentModel(id)
  // The id of an application inference profile or of a deployment says nothing: the model's own id then says what it is and costs.
  const isPriced = asked !== undefined || sent !== undefined || overrides.some((row) => row.upstream === upstream.name && (row.model === model.id || row.model === id))
  return [
    ...(isPriced ? [] : [`${key}: the catalogue does not know ${id}; it will be priced as an unknown model`]),
    ...(asked !== undefined && sent !== undefined && asked !== sent ? [`${key}: ${model.id} is sent as ${id}, which is ${sent.id}: people get another model than they ask for`] : []),
    ...foreignForm(id, upstream, key),
  ]
}

/** First match counts: how a name looks, whose it is, and which providers take it. */
const FORMS: readonly [looks: RegExp, owner: string, providers: readonly string[]][] = [
  [/^arn:|^[a-z-]+\.anthropic\.|^anthropic\..*-v\d+(:\d+)?$/, 'Bedrock', ['bedrock']],
  [/^anthropic\./, 'Bedrock', ['bedrock', 'mantle']],
  [/@/, 'Vertex', ['vertex']],
  [/^claude-.*-\d{8}$/, 'Anthropic', ['anthropic', 'anthropicAws', 'anthropicGoogleCloud', 'foundry']],
  [/^claude-/, 'Anthropic', ['anthropic', 'anthropicAws', 'anthropicGoogleCloud', 'foundry', 'vertex']],
]

function foreignForm(id: string, upstream: MappedUpstream, key: string): string[] {
  // Another gateway has names of its own.
  if (upstream.provider === 'anthropic' && upstream.base_url !== undefined) return []
  const [, owner, providers] = FORMS.find(([looks]) => looks.test(id)) ?? []
  if (providers === undefined || providers.includes(upstream.provider)) return []
  const model = catalogModel(id)
  const own = model && formsAt(model, upstream)[0]
  return [`${key}: ${id} is a name of ${owner}; ${own === undefined ? `${upstream.provider} takes none of that form` : `${upstream.provider} calls the model ${own}`}`]
}

function unserved({ models, upstreams, ...options }: MappingOptions): string[] {
  const table = createModelTable({ ...options, models, upstreams })
  return models.flatMap((config, at) => {
    const model = table.resolve(config.id)
    if (model === undefined || upstreams.some((upstream) => defaultUpstreamId(model, upstream) !== undefined)) return []
    return [`models[${at}]: no upstream serves ${config.id}; ${whyUnserved(model, config, upstreams)}`]
  })
}

function whyUnserved(model: ServedModel, config: ModelConfig, upstreams: readonly MappedUpstream[]): string {
  if (upstreams.some((upstream) => defaultUpstreamId(model, { ...upstream, models: undefined }) !== undefined)) return 'the patterns of upstreams[].models leave it out'
  return catalogModel(config.id) === undefined ? 'a model of your own needs upstream_model' : 'none of their providers has it'
}

function deadPatterns({ upstreams, ...options }: MappingOptions): string[] {
  const everything = createModelTable({ ...options, upstreams: upstreams.map((upstream) => ({ ...upstream, models: undefined })) }).list()
  return upstreams.flatMap((upstream, at) =>
    (upstream.models ?? []).flatMap((pattern, position) =>
      everything.some((model) => defaultUpstreamId(model, { ...upstream, models: [pattern] }) !== undefined) ? [] : [`upstreams[${at}].models[${position}]: ${pattern} matches no model that ${upstream.name} could serve`],
    ),
  )
}

const SHOWN = 3

/** Whoever names a region may believe that prompts stay there. Said of the models that nobody mapped. */
function withoutResidency({ upstreams, ...options }: MappingOptions): string[] {
  const served = createModelTable({ ...options, upstreams }).list()
  return upstreams.flatMap((upstream, at) => {
    if (upstream.provider !== 'bedrock') return []
    const mapped = new Set(options.models.filter(({ upstream_model }) => upstream_model[upstream.name] !== undefined).map(({ id }) => id))
    const worldwide = served.filter((model) => !mapped.has(model.id) && defaultUpstreamId(model, upstream)?.startsWith('global.') === true).map(({ id }) => id)
    if (worldwide.length === 0) return []
    const named = worldwide.slice(0, SHOWN).join(', ') + (worldwide.length > SHOWN ? ` and ${worldwide.length - SHOWN} more` : '')
    return [`upstreams[${at}]: ${upstream.region} has no inference profile of its own geography for ${named}: global. is asked, which answers from any region; leave them out with models, or name a profile in models[].upstream_model`]
  })
}
