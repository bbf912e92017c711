// Claude on Google Cloud, managed by Anthropic: the Messages API under a workspace's path, with Google's tokens.
import type { UpstreamConfig } from '../config.ts'
import { credentialDeps, type UpstreamDeps } from '../deps.ts'
import { createGoogleCredential } from './credentials.ts'
import { createMessagesCloud, messagesUrl } from '../messages-cloud.ts'
import type { Upstream } from '../upstream.ts'

type GoogleCloudConfig = Extract<UpstreamConfig, { provider: 'anthropicGoogleCloud' }>

export function createAnthropicGoogleCloud(config: GoogleCloudConfig, position: number, deps: UpstreamDeps): Upstream {
  const credential = createGoogleCredential(config.auth, credentialDeps(config, deps))
  const workspace = `/v1/projects/${config.project_id}/locations/${config.region}/workspaces/${config.workspace_id}/invoke`
  return createMessagesCloud(config, position, deps, {
    url: messagesUrl(config.base_url ?? `https://claude.googleapis.com${workspace}`),
    async authorize({ headers }) {
      const { token, quotaProject } = await credential.get()
      headers.set('authorization', `Bearer ${token}`)
      if (quotaProject !== undefined) headers.set('x-goog-user-project', quotaProject)
    },
    renewIfOver({ status }) {
      if (status !== 401) return false
      credential.refused()
      return true
    },
    credential: () => credential.state(),
    requestIds: ['request-id'],
  })
}
