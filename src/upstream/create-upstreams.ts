import { createAnthropic } from './anthropic/anthropic.ts'
import { createAnthropicGoogleCloud } from './google/anthropic-google-cloud.ts'
import { createAnthropicAws, createMantle } from './aws/messages.ts'
import { createBedrock } from './aws/bedrock.ts'
import type { UpstreamConfig } from './config.ts'
import type { CredentialTrouble } from './credential.ts'
import { credentialKind } from './credential-kind.ts'
import type { UpstreamDeps } from './deps.ts'
import { createFoundry } from './azure/foundry.ts'
import type { Upstream } from './upstream.ts'
import { createVertex } from './google/vertex.ts'

/** The upstreams in the order of the configuration. Nothing is called and no credential is fetched before the first request. */
export function createUpstreams(configs: readonly UpstreamConfig[], deps: UpstreamDeps): Upstream[] {
  return configs.map((config, position) => {
    let trouble: CredentialTrouble | undefined
    const upstream = createUpstream(config, position, { ...deps, attempted: (ended) => void (trouble = ended) })
    return { ...upstream, credentialKind: credentialKind(config), credentialTrouble: () => trouble }
  })
}

function createUpstream(config: UpstreamConfig, position: number, deps: UpstreamDeps): Upstream {
  switch (config.provider) {
    case 'anthropic':
      return createAnthropic(config, position, deps)
    case 'bedrock':
      return createBedrock(config, position, deps)
    case 'mantle':
      return createMantle(config, position, deps)
    case 'anthropicAws':
      return createAnthropicAws(config, position, deps)
    case 'vertex':
      return createVertex(config, position, deps)
    case 'anthropicGoogleCloud':
      return createAnthropicGoogleCloud(config, position, deps)
    case 'foundry':
      return createFoundry(config, position, deps)
  }
}
