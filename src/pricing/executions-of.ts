// One request may run several models. Each execution has a row of its own, with its own price. Pure.
import { sentModel } from '../models/sent-model.ts'
import { catalogModel } from '../models/spellings.ts'
import type { Served } from './served.ts'
import type { BesideUsage, Usage } from './usage.ts'

export interface Execution {
  readonly kind: 'message' | BesideUsage['kind']
  readonly served: Served
  /** Its own, with nothing beside it. */
  readonly usage: Usage
}

/** The answer itself comes first. What ran as another model than the one sent is told by that model's name. */
export function executionsOf(served: Served, usage: Usage): readonly Execution[] {
  const own = { kind: 'message' as const, served: ranAs(served, usage.fallbackModel ?? answeredBy(served, usage.model)), usage: { ...usage, beside: [] } }
  return [own, ...usage.beside.map(({ kind, usage: part }) => ({ kind, served: ranAs(served, part.model), usage: part }))]
}

/** An answer names its model in ways of its own: only where the catalogue knows both does it say that it is another. */
function answeredBy({ upstreamModel, model }: Served, name: string | undefined): string | undefined {
  const isKnown = name !== undefined && sentModel(name) !== undefined && (sentModel(upstreamModel) ?? catalogModel(model)) !== undefined
  return isKnown ? name : undefined
}

/** Another name of what was sent is no other model; what was sent says more, as where it runs. */
function ranAs(served: Served, name: string | undefined): Served {
  const model = name === undefined ? undefined : sentModel(name)
  if (name === undefined || name === served.upstreamModel) return served
  if (model !== undefined && model === (sentModel(served.upstreamModel) ?? catalogModel(served.model))) return served
  return { ...served, model: model?.id ?? name, upstreamModel: name }
}
