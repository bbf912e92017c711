// Microsoft Foundry: the Messages API under a resource's name. A model is a deployment, and fast mode is one of its own.
import { textMember } from '../../json/scan.ts'
import { catalogModel } from '../../models/spellings.ts'
import { createAzureCredential } from './credentials.ts'
import type { UpstreamConfig } from '../config.ts'
import { credentialDeps, type UpstreamDeps } from '../deps.ts'
import { createMessagesCloud, messagesUrl } from '../messages-cloud.ts'
import type { Upstream, UpstreamRequest } from '../upstream.ts'

type FoundryConfig = Extract<UpstreamConfig, { provider: 'foundry' }>

export function createFoundry(config: FoundryConfig, position: number, deps: UpstreamDeps): Upstream {
  const key = 'api_key' in config.auth ? config.auth.api_key.reveal() : undefined
  const credential = key === undefined ? createAzureCredential(credentialDeps(config, deps)) : undefined
  const used = new WeakMap<UpstreamRequest, string>()
  return createMessagesCloud(config, position, deps, {
    url: messagesUrl(config.base_url ?? `https://${config.resource}.services.ai.azure.com/anthropic`),
    async authorize({ headers }, request) {
      if (key !== undefined) headers.set('x-api-key', key)
      if (credential === undefined) return
      const token = await credential.get()
      used.set(request, token)
      headers.set('authorization', `Bearer ${token}`)
    },
    renewIfOver({ status }, request) {
      const token = used.get(request)
      if (status !== 401 || token === undefined) return false
      credential?.refused(token)
      return true
    },
    credential: () => credential?.state(),
    variant,
    requestIds: ['request-id', 'apim-request-id'],
  })
}

/** `speed` is refused there: what it asks for is another deployment, and where there is none the plain one answers. */
function variant(request: UpstreamRequest): { model: string; without: string[] } {
  const known = catalogModel(request.servedModel)
  const isFast = textMember(request.body, 'speed') === 'fast' && known?.foundryFast !== undefined && request.model === known.foundry
  return { model: isFast ? (known.foundryFast as string) : request.model, without: ['speed'] }
}
