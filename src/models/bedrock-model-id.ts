// What Bedrock calls a model in a region.
import type { CatalogModel } from './catalog.ts'

/**
 * The id to call: the inference profile of the region's geography, else the global one, else the bare id.
 * Models with profiles (4.5 and later) answer the bare id with 400 "on-demand throughput isn't supported".
 * Undefined when Bedrock does not serve the model.
 */
export function bedrockModelId({ bedrock, profiles = [] }: Pick<CatalogModel, 'bedrock' | 'profiles'>, region: string | undefined): string | undefined {
  // The profiles of us-gov-* are not established; a profile of another partition cannot be called from there.
  if (bedrock === undefined || region === undefined || region.startsWith('us-gov-')) return bedrock
  const profile = [geographyOf(region), 'global'].find((name) => name !== undefined && profiles.includes(name))
  return profile === undefined ? bedrock : `${profile}.${bedrock}`
}

/** First match counts. */
const GEOGRAPHIES: readonly [regions: RegExp, geography: string][] = [
  [/^(us|ca)-/, 'us'],
  [/^eu-/, 'eu'],
  [/^ap-northeast-[13]$/, 'jp'],
  [/^ap-southeast-[24]$/, 'au'],
  [/^ap-south-/, 'in'],
  [/^ap-/, 'apac'],
]

function geographyOf(region: string): string | undefined {
  return GEOGRAPHIES.find(([regions]) => regions.test(region))?.[1]
}
