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
  const own = { kind: 'message' as const, served: ranAs(served, usage.fallbackModel), usage: { ...usage, beside: [] } }
  return [own, ...usage.beside.map(({ kind, usage: part }) => ({ kind, served: ranAs(served, part.model), usage: part }))]
}

/** Another name of what was sent is no other model; what was sent says more, as where it runs. */
function ranAs(served: Served, name: string | undefined): Served {
  const known = name === undefined ? undefined : sentModel(name)
  if (name === undefined || name === served.upstreamModel) return served
  if (known !== undefined && known === (sentModel(served.upstreamModel) ?? catalogModel(served.model))) return served
  return { ...served, model: known?.id ?? name, upstreamModel: name }
}
