// Which models this gateway serves, and what each upstream calls them. Pure; built once from the configuration.
import { CATALOG, type CatalogModel } from './catalog.ts'
import { catalogModel, withoutWindowSuffix } from './spellings.ts'
import type { ModelConfig } from './config.ts'

/** As much of an upstream as names are decided by. */
export interface UpstreamNaming {
  readonly name: string
  readonly provider: string
  /** Patterns of what it serves: a name, or a prefix with a final `*`. */
  readonly models?: readonly string[] | undefined
}

export interface ServedModel {
  readonly id: string
  readonly displayName: string
  /** Tokens; unknown for the operator's own. */
  readonly contextWindow: number | undefined
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
      if (!served.has(model.id) && upstreams.some((upstream) => providerId(model, upstream.provider, model.id) !== undefined)) served.set(model.id, fromCatalog(model))
    }
  }
  const list = [...served.values()]
  return {
    resolve: (spelling) => served.get(withoutWindowSuffix(spelling)) ?? served.get(catalogModel(spelling)?.id ?? ''),
    list: () => list,
  }
}

function fromCatalog(model: CatalogModel): ServedModel {
  return {
    id: model.id,
    displayName: model.displayName,
    contextWindow: model.contextWindow,
    upstreamId: (upstream, spelling) => {
      const id = providerId(model, upstream.provider, withoutWindowSuffix(spelling))
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
    upstreamId: (upstream, spelling) => {
      const own = config.upstream_model[upstream.name]
      const id = own ?? (known && providerId(known, upstream.provider, withoutWindowSuffix(spelling)))
      return id !== undefined && serves(upstream, [config.id, id]) ? id : undefined
    },
  }
}

/** A dated spelling goes to a first-party upstream as it is; any other becomes the provider's default form. */
function providerId(model: CatalogModel, provider: string, spelling: string): string | undefined {
  switch (provider) {
    case 'anthropic':
    case 'anthropicAws':
    case 'anthropicGoogleCloud':
      return model.anthropic !== undefined && spelling === model.dated ? spelling : model.anthropic
    case 'bedrock':
      return model.bedrock
    case 'mantle':
      return model.mantle
    case 'vertex':
      return model.vertex
    case 'foundry':
      return model.foundry
    default:
      return undefined
  }
}

function serves({ models }: UpstreamNaming, names: readonly string[]): boolean {
  return models === undefined || models.some((pattern) => names.some((name) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern)))
}
