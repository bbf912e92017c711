// The Messages API on AWS: Bedrock's mantle endpoint, and Claude Platform on AWS.
import { createAwsAuthentication } from './authentication.ts'
import type { UpstreamConfig } from '../config.ts'
import { credentialDeps, type UpstreamDeps } from '../deps.ts'
import { createMessagesCloud, messagesUrl, type MessagesCloud } from '../messages-cloud.ts'
import type { AwsService } from './sigv4.ts'
import type { Upstream } from '../upstream.ts'

type AwsMessagesConfig = Extract<UpstreamConfig, { provider: 'mantle' | 'anthropicAws' }>

export function createMantle(config: Extract<AwsMessagesConfig, { provider: 'mantle' }>, position: number, deps: UpstreamDeps): Upstream {
  const base = config.base_url ?? `https://bedrock-mantle.${config.region}.api.aws/anthropic`
  return createMessagesCloud(config, position, deps, awsCloud('bedrock-mantle', base, config, deps, {}))
}

export function createAnthropicAws(config: Extract<AwsMessagesConfig, { provider: 'anthropicAws' }>, position: number, deps: UpstreamDeps): Upstream {
  const base = config.base_url ?? `https://aws-external-anthropic.${config.region}.api.aws`
  return createMessagesCloud(config, position, deps, awsCloud('aws-external-anthropic', base, config, deps, { 'anthropic-workspace-id': config.workspace_id }))
}

function awsCloud(service: AwsService, base: string, config: AwsMessagesConfig, deps: UpstreamDeps, own: Readonly<Record<string, string>>): MessagesCloud {
  const authentication = createAwsAuthentication(service, config, credentialDeps(config, deps))
  return {
    url: messagesUrl(base),
    async authorize(signed, request) {
      for (const [name, value] of Object.entries(own)) signed.headers.set(name, value)
      await authentication.authorize(signed, request)
    },
    renewIfOver: authentication.renewIfOver,
    credential: () => authentication.state(),
    requestIds: ['request-id', 'x-amzn-requestid'],
  }
}
