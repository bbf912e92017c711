// Claude on Google Cloud, managed by Anthropic: the Messages API under a workspace's path, with Google's tokens.
import type { UpstreamConfig } from '../config.ts'
import { credentialDeps, type UpstreamDeps } from '../deps.ts'
import { createGoogleCredential, setGoogleToken, type GoogleToken } from './credentials.ts'
import { createMessagesCloud, messagesUrl } from '../messages-cloud.ts'
import type { Upstream, UpstreamRequest } from '../upstream.ts'

type GoogleCloudConfig = Extract<UpstreamConfig, { provider: 'anthropicGoogleCloud' }>

export function createAnthropicGoogleCloud(config: GoogleCloudConfig, position: number, deps: UpstreamDeps): Upstream {
  const credential = createGoogleCredential(config.auth, credentialDeps(config, deps))
  const used = new WeakMap<UpstreamRequest, GoogleToken>()
  const workspace = `/v1/projects/${config.project_id}/locations/${config.region}/workspaces/${config.workspace_id}/invoke`
  return createMessagesCloud(config, position, deps, {
    url: messagesUrl(config.base_url ?? `https://claude.googleapis.com${workspace}`),
    async authorize({ headers }, request) {
      const token = await credential.get()
      used.set(request, token)
      setGoogleToken(headers, token)
    },
    renewIfOver({ status }, request) {
      const token = used.get(request)
      if (status !== 401 || token === undefined) return false
      credential.refused(token)
      return true
    },
    credential: () => credential.state(),
    requestIds: ['request-id'],
  })
}
