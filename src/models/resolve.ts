// Which models this gateway serves, and what each upstream calls them. Pure; built once from the configuration.
import { bedrockModelId } from './bedrock-model-id.ts'
import { CATALOG, type CatalogModel } from './catalog.ts'
import { catalogModel, withoutWindowSuffix } from './spellings.ts'
import type { ModelConfig } from './config.ts'

/** As much of an upstream as names are decided by. */
export interface UpstreamNaming {
  readonly name: string
  readonly provider: string
  /** The cloud's region or location; Bedrock's ids follow it. */
  readonly region?: string | undefined
  /** Patterns of what it serves: a name, or a prefix with a final `*`. */
  readonly models?: readonly string[] | undefined
}

export interface ServedModel {
  readonly id: string
  readonly displayName: string
  /** Tokens; unknown for the operator's own. */
  readonly contextWindow: number | undefined
  /** Takes prompts of a million tokens; for the operator's own, when every model it is mapped to does. */
  readonly takesLongContext: boolean
  /** What this upstream calls the model that was asked for as `spelling`; undefined when it does not serve it. */
  upstreamId(upstream: UpstreamNaming, spelling: string): string | undefined
}

export interface ModelTable {
  /** The model of a spelling; undefined when the operator does not serve it. */
  resolve(spelling: string): ServedModel | undefined
  list(): readonly ServedModel[]
}

export interface ModelTableOptions {
  autoInclude: boolean
  models: readonly ModelConfig[]
  upstreams: readonly UpstreamNaming[]
}

/** The operator's own entries come first and may rename a catalogue model; the catalogue follows when it is included. */
export function createModelTable({ autoInclude, models, upstreams }: ModelTableOptions): ModelTable {
  const served = new Map<string, ServedModel>()
  for (const config of models) {
    const known = catalogModel(config.id)
    served.set(known?.id ?? config.id, fromConfig(config, known))
  }
  if (autoInclude) {
    for (const model of CATALOG) {
      if (!served.has(model.id) && upstreams.some((upstream) => formsAt(model, upstream).some((form) => serves(upstream, [model.id, form])))) served.set(model.id, fromCatalog(model))
    }
  }
  const list = [...served.values()]
  return {
    resolve: (spelling) => served.get(withoutWindowSuffix(spelling)) ?? served.get(catalogModel(spelling)?.id ?? ''),
    list: () => list,
  }
}

/** The id under which an upstream gets the model unless another form is asked for; its patterns may let the fast form of Foundry through alone. */
export function defaultUpstreamId(model: ServedModel, upstream: UpstreamNaming): string | undefined {
  return model.upstreamId(upstream, model.id) ?? model.upstreamId(upstream, catalogModel(model.id)?.foundryFast ?? model.id)
}

/** Who serves the model and under which id, in the order in which they are asked; those of one priority as they are configured. */
export function servingUpstreams<upstream extends UpstreamNaming & { readonly priority?: number | undefined }>(model: ServedModel, upstreams: readonly upstream[]): { upstream: upstream; priority: number; upstreamId: string }[] {
  return upstreams
    .flatMap((upstream, position) => {
      const upstreamId = defaultUpstreamId(model, upstream)
      return upstreamId === undefined ? [] : [{ upstream, priority: upstream.priority ?? position, upstreamId }]
    })
    .sort((a, b) => a.priority - b.priority)
}

function fromCatalog(model: CatalogModel): ServedModel {
  return {
    id: model.id,
    displayName: model.displayName,
    contextWindow: model.contextWindow,
    takesLongContext: isLong(model),
    upstreamId: (upstream, spelling) => {
      const id = providerId(model, upstream, withoutWindowSuffix(spelling))
      return id !== undefined && serves(upstream, [model.id, id]) ? id : undefined
    },
  }
}

/** A custom id is served by the upstreams of its map alone; a catalogue id also by every provider that knows it. */
function fromConfig(config: ModelConfig, known: CatalogModel | undefined): ServedModel {
  return {
    id: config.id,
    displayName: config.label ?? known?.displayName ?? config.id,
    contextWindow: known?.contextWindow,
    takesLongContext: (known === undefined ? Object.values(config.upstream_model).map(catalogModel) : [known]).every(isLong),
    upstreamId: (upstream, spelling) => {
      const own = config.upstream_model[upstream.name]
      const id = own ?? (known && providerId(known, upstream, withoutWindowSuffix(spelling)))
      return id !== undefined && serves(upstream, [config.id, id, (known ?? catalogModel(id))?.id ?? id]) ? id : undefined
    },
  }
}

function isLong(model: CatalogModel | undefined): boolean {
  return (model?.contextWindow ?? 0) >= 1_000_000
}

/** What the client asked for where the provider has it under that very name, else the provider's default form. */
function providerId(model: CatalogModel, upstream: UpstreamNaming, spelling: string): string | undefined {
  const forms = formsAt(model, upstream)
  return forms.includes(spelling) ? spelling : forms[0]
}

/** Every name under which a request may go to an upstream, the default first; none when its provider does not have the model. */
export function formsAt(model: CatalogModel, { provider, region }: UpstreamNaming): readonly string[] {
  switch (provider) {
    case 'anthropic':
    case 'anthropicAws':
    case 'anthropicGoogleCloud':
      return model.anthropic === undefined ? [] : some(model.anthropic, model.dated)
    case 'bedrock':
      // One form: a client that spells another geography's profile must not choose where data is processed. That is the operator's
      // decision, made by `region` or, against it, by `models[].upstream_model`.
      return some(bedrockModelId(model, region))
    case 'mantle':
      return some(model.mantle)
    case 'vertex':
      return some(model.vertex)
    case 'foundry':
      return some(model.foundry, model.foundryFast)
    default:
      return []
  }
}

function some(...names: (string | undefined)[]): readonly string[] {
  return names.filter((name) => name !== undefined)
}

/** A pattern means a model by the id it is served under, by its catalogue id, or by its name at the upstream. */
function serves({ models }: UpstreamNaming, names: readonly string[]): boolean {
  return models === undefined || models.some((pattern) => names.some((name) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern)))
}
