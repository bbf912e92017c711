// Every spelling of a model is the same model: dated and undated, with `@date`, Bedrock's, Vertex's and Foundry's forms,
// and each of them with the client's `[1m]` suffix. An exact table.
import { CATALOG, type CatalogModel } from './catalog.ts'

const bySpelling = new Map<string, CatalogModel>(CATALOG.flatMap((model) => spellingsOf(model).map((spelling): [string, CatalogModel] => [spelling, model])))

/** Every name that means the model, without the `[1m]` suffix; each once. */
export function spellingsOf(model: CatalogModel): string[] {
  const { id, dated, anthropic, bedrock, profiles = [], mantle, vertex, foundry, foundryFast } = model
  const date = dated?.slice(id.length + 1)
  const bedrockForms = bedrock === undefined ? [] : [bedrock, bedrock.replace(/(-v\d+)?(:\d+)?$/, ''), bedrock.replace(/:\d+$/, '')]
  const regional = profiles.flatMap((region) => bedrockForms.map((form) => `${region}.${form}`))
  const vertexForms = date === undefined ? [] : [`${id}@${date}`]
  const named = [id, dated, anthropic, mantle, vertex, foundry, foundryFast, `anthropic.${id}`, `${id}@latest`, `${id}@default`, ...vertexForms]
  return [...new Set([...named, ...bedrockForms, ...regional].filter((spelling) => spelling !== undefined))]
}

/** The name without the client's request for the long context window. */
export function withoutWindowSuffix(spelling: string): string {
  return spelling.endsWith('[1m]') ? spelling.slice(0, -'[1m]'.length) : spelling
}

/** The catalogue's entry of a spelling; undefined for what it does not know. */
export function catalogModel(spelling: string): CatalogModel | undefined {
  return bySpelling.get(withoutWindowSuffix(spelling))
}

/** The one id of every spelling of a catalogue model. */
export function canonicalModelId(spelling: string): string | undefined {
  return catalogModel(spelling)?.id
}
