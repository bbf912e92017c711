// What the name that goes upstream says of the model. Pure.
import type { CatalogModel } from './catalog.ts'
import { catalogModel } from './spellings.ts'

/** The catalogue's entry of what is sent; undefined for a name of the operator's own, as of a deployment or a profile. */
export function sentModel(upstreamModel: string): CatalogModel | undefined {
  return catalogModel(nameIn(upstreamModel))
}

/**
 * Where Bedrock runs what is asked for by this name: `global`, a geography such as `us`, or `region` for the endpoint's own;
 * undefined where the name does not say, as that of an application inference profile.
 */
export function bedrockPlace(upstreamModel: string): string | undefined {
  const named = /^(?:([a-z]+(?:-[a-z]+)*)\.)?anthropic\./.exec(nameIn(upstreamModel))
  return named === null ? undefined : (named[1] ?? 'region')
}

/** The ARN of a foundation model, or of a profile that AWS defines, ends in its name. */
function nameIn(upstreamModel: string): string {
  return upstreamModel.startsWith('arn:') ? upstreamModel.slice(upstreamModel.lastIndexOf('/') + 1) : upstreamModel
}
