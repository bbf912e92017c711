// The Anthropic API and whatever speaks it: bodies pass unchanged.
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { Observe } from '../observe/events.ts'
import type { AnthropicConfig, TimeoutsConfig } from './config.ts'
import { createFederation } from './federation.ts'
import type { Upstream } from './upstream.ts'

const DEFAULT_BASE_URL = 'https://api.anthropic.com'
const OAUTH_BETA = 'oauth-2025-04-20'
const PATHS = { messages: '/v1/messages', count_tokens: '/v1/messages/count_tokens' }

export interface UpstreamDeps {
  fetch: GuardedFetch
  timeouts: TimeoutsConfig
  observe: Observe
  now: () => Date
}

export function createAnthropic(config: AnthropicConfig, deps: UpstreamDeps): Upstream {
  const baseUrl = config.base_url ?? DEFAULT_BASE_URL
  const authenticate = createAuthentication(config, baseUrl, deps)
  return {
    name: config.name,
    provider: config.provider,
    models: config.models,
    ttfbMs: config.timeouts?.upstream_ttfb_ms ?? deps.timeouts.upstream_ttfb_ms,
    proxy: config.proxy,
    failoverOn: new Set(config.failover_on),
    async prepare({ surface, body, headers: asked, query, principal }) {
      const headers = new Headers(asked)
      if (config.forward_user_identity) nameThePerson(headers, principal.sub, principal.email)
      for (const [name, value] of Object.entries(config.headers)) headers.set(name, value.reveal())
      await authenticate(headers)
      return { url: `${baseUrl}${PATHS[surface]}${query}`, headers, body }
    },
    requestId: (headers) => headers.get('request-id') ?? undefined,
  }
}

/** Puts the credential on a request. Runs last: no header of a client or of the configuration stands in its place. */
function createAuthentication({ auth }: AnthropicConfig, baseUrl: string, deps: UpstreamDeps): (headers: Headers) => void | Promise<void> {
  if ('api_key' in auth) {
    const key = auth.api_key.reveal()
    return (headers) => headers.set('x-api-key', key)
  }
  if ('oauth_token' in auth) {
    const token = auth.oauth_token.reveal()
    return (headers) => setBearer(headers, token)
  }
  const federation = createFederation(auth, baseUrl, deps)
  return async (headers) => setBearer(headers, await federation.token())
}

function setBearer(headers: Headers, token: string): void {
  headers.set('authorization', `Bearer ${token}`)
  const betas = headers.get('anthropic-beta')
  if (!betas?.split(',').includes(OAUTH_BETA)) headers.set('anthropic-beta', betas ? `${betas},${OAUTH_BETA}` : OAUTH_BETA)
}

/** A header holds Latin-1 without controls; whatever else a name has in it is percent-encoded. */
function nameThePerson(headers: Headers, sub: string, email: string | undefined): void {
  const safe = (text: string) => text.replace(/[^\x20-\x7e]/g, (character) => encodeURIComponent(character.isWellFormed() ? character : '\ufffd'))
  headers.set('x-claude-gateway-user-id', safe(sub))
  headers.set('x-litellm-end-user-id', safe(email ?? sub))
  if (email !== undefined) headers.set('x-claude-gateway-user-email', safe(email))
}
