// The Anthropic API and whatever speaks it: bodies pass unchanged.
import { editObject } from '../../json/edit.ts'
import { sentBetas, setBetas } from '../betas.ts'
import type { AnthropicConfig } from '../config.ts'
import type { Credential } from '../credential.ts'
import { commonOf, credentialDeps, setStaticHeaders, type UpstreamDeps } from '../deps.ts'
import { createFederation } from './federation.ts'
import { messagesUrl } from '../messages-cloud.ts'
import type { Upstream, UpstreamRequest } from '../upstream.ts'

const DEFAULT_BASE_URL = 'https://api.anthropic.com'
const NONE: ReadonlySet<string> = new Set()
const OAUTH_BETA = 'oauth-2025-04-20'

export function createAnthropic(config: AnthropicConfig, position: number, deps: UpstreamDeps): Upstream {
  const baseUrl = config.base_url ?? DEFAULT_BASE_URL
  const urlOf = messagesUrl(baseUrl)
  const federation = 'federation_rule_id' in config.auth ? createFederation(config.auth, baseUrl, credentialDeps(config, deps)) : undefined
  const used = new WeakMap<UpstreamRequest, string>()
  const authenticate = createAuthentication(config, federation, used)
  return {
    ...commonOf(config, position, deps),
    prepare(request) {
      const { surface, body, model, modelAsked, headers: asked, query, principal } = request
      const headers = new Headers(asked)
      if (config.betas !== undefined) setBetas(headers, sentBetas(config.provider, request, config.betas, NONE))
      if (config.forward_user_identity) nameThePerson(headers, principal.sub, principal.email)
      setStaticHeaders(headers, config)
      const prepared = { url: urlOf(surface) + query, headers, body: model === modelAsked ? body.bytes : editObject(body, { replace: { model: JSON.stringify(model) } }) }
      return authenticate(headers, request)?.then(() => prepared) ?? prepared
    },
    amend({ status }, request) {
      const token = used.get(request)
      if (status !== 401 || token === undefined) return undefined
      federation?.refused(token)
      return 'its credential was over'
    },
    requestId: (headers) => headers.get('request-id') ?? undefined,
    credential: () => federation?.state(),
  }
}

/** Puts the credential on a request. Runs last: no header of a client or of the configuration stands in its place. */
function createAuthentication({ auth }: AnthropicConfig, federation: Credential<string> | undefined, used: WeakMap<UpstreamRequest, string>): (headers: Headers, request: UpstreamRequest) => Promise<void> | undefined {
  if ('api_key' in auth) {
    const key = auth.api_key.reveal()
    return (headers) => void headers.set('x-api-key', key)
  }
  if ('oauth_token' in auth) {
    const token = auth.oauth_token.reveal()
    return (headers) => void setBearer(headers, token)
  }
  return async (headers, request) => {
    const token = (await federation?.get()) ?? ''
    used.set(request, token)
    setBearer(headers, token)
  }
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
