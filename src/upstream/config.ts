import * as v from 'valibot'
import { boolean, decimal, described, integer, list, secret, someOf, text, url, urlPart } from '../std/fields.ts'

export const timeoutsSchema = v.strictObject({
  upstream_ttfb_ms: described(v.optional(integer(100, 3_600_000), 120_000), "Longest wait for an upstream's response headers; a stream has no limit."),
})

/** What every upstream may carry. */
const common = {
  name: described(v.optional(text()), 'What logs and `models[].upstream_model` call it; the provider unless given.'),
  base_url: described(v.optional(url()), 'Another address than the provider\'s own: a private endpoint, or a gateway.'),
  headers: described(v.optional(v.record(v.string(), secret(), 'must be a mapping'), {}), 'Sent with every request.'),
  models: described(v.optional(someOf(text())), 'What it serves: ids, or a beginning with a final `*`. Everything unless given.'),
  timeouts: described(v.optional(timeoutsSchema), 'Its own, instead of the section `timeouts`.'),
  weight: described(v.optional(decimal(0, 1000), 1), 'Share of the load among upstreams of one priority.'),
  priority: described(v.optional(integer(0, 1000)), 'Lower is tried first; the order of the list unless given.'),
  failover_on: described(v.optional(list(integer(400, 599)), []), 'Statuses that move on to the next upstream, besides the usual ones.'),
  max_concurrency: described(v.optional(integer(1)), 'Requests at once.'),
  betas: described(v.optional(v.strictObject({ allow: v.optional(list(text())), deny: v.optional(list(text())) })), 'Beta values that may or may not go to a cloud.'),
  proxy: described(v.optional(url()), 'Forward proxy on the way to it.'),
  forward_user_identity: described(v.optional(boolean(), false), 'Name the person in headers; refused for the Anthropic API.'),
}

const anthropicAuth = v.union(
  [
    v.strictObject({ api_key: secret() }),
    v.strictObject({ oauth_token: secret() }),
    v.strictObject({ federation_rule_id: text(), organization_id: text(), identity_token_file: text(), workspace_id: v.optional(text()), service_account_id: v.optional(text()) }),
  ],
  'must hold api_key, or oauth_token, or federation_rule_id with organization_id and identity_token_file',
)

const anthropic = v.pipe(
  v.strictObject({ provider: v.literal('anthropic'), ...common, auth: anthropicAuth }),
  v.forward(
    v.partialCheck([['forward_user_identity'], ['base_url']], ({ forward_user_identity, base_url }) => !forward_user_identity || (base_url !== undefined && !isAnthropicApi(base_url)), 'is refused for the Anthropic API: people would be named to a third party; it is for a gateway of your own at base_url'),
    ['forward_user_identity'],
  ),
)

function isAnthropicApi(baseUrl: string): boolean {
  return /(^|\.)anthropic\.com\.?$/i.test(new URL(baseUrl).hostname)
}

const awsKeys = { aws_access_key_id: text(), aws_secret_access_key: secret(), aws_session_token: v.optional(secret()) }
const assumeRole = v.strictObject({ role_arn: text(), external_id: v.optional(text()), session_per_person: v.optional(boolean(), false), duration_seconds: v.optional(integer(900, 43_200)) })

const bedrockAuth = v.union(
  [v.strictObject({}), v.strictObject(awsKeys), v.strictObject({ aws_bearer_token: secret() })],
  'must be {} for the default chain, or aws_access_key_id with aws_secret_access_key, or aws_bearer_token',
)

const bedrock = v.strictObject({
  provider: v.literal('bedrock'),
  ...common,
  region: urlPart(),
  auth: v.optional(bedrockAuth, {}),
  assume_role: v.optional(assumeRole),
  guardrail: v.optional(v.strictObject({ identifier: text(), version: text(), trace: v.optional(boolean(), false) })),
})

const mantle = v.strictObject({
  provider: v.literal('mantle'),
  ...common,
  region: urlPart(),
  auth: v.optional(v.union([...bedrockAuth.options, v.strictObject({ api_key: secret() })], 'must be {} for the default chain, access keys, aws_bearer_token or api_key'), {}),
  assume_role: v.optional(assumeRole),
})

const anthropicAws = v.strictObject({
  provider: v.literal('anthropicAws'),
  ...common,
  region: urlPart(),
  workspace_id: text(),
  auth: v.optional(v.union([v.strictObject({}), v.strictObject({ api_key: secret() }), v.strictObject(awsKeys)], 'must be {} for the default chain, api_key, or access keys'), {}),
  assume_role: v.optional(assumeRole),
})

const googleAuth = v.optional(v.union([v.strictObject({}), v.strictObject({ service_account_json: text() })], 'must be {} for default credentials, or service_account_json (a path)'), {})

const vertex = v.strictObject({ provider: v.literal('vertex'), ...common, region: urlPart(), project_id: urlPart(), auth: googleAuth })

const anthropicGoogleCloud = v.strictObject({
  provider: v.literal('anthropicGoogleCloud'),
  ...common,
  region: v.optional(urlPart(), 'global'),
  project_id: urlPart(),
  workspace_id: text(),
  auth: googleAuth,
})

const foundry = v.pipe(
  v.strictObject({
    provider: v.literal('foundry'),
    ...common,
    resource: v.optional(urlPart()),
    auth: v.union([v.strictObject({ api_key: secret() }), v.strictObject({ use_azure_ad: v.literal(true, 'must be true') })], 'must hold api_key, or use_azure_ad: true'),
  }),
  v.forward(v.partialCheck([['resource'], ['base_url']], ({ resource, base_url }) => (resource === undefined) !== (base_url === undefined), 'give either resource or base_url'), ['resource']),
)

export const PROVIDERS = ['anthropic', 'bedrock', 'mantle', 'anthropicAws', 'anthropicGoogleCloud', 'vertex', 'foundry'] as const

export const upstreamSchema = v.pipe(
  v.variant('provider', [anthropic, bedrock, mantle, anthropicAws, anthropicGoogleCloud, vertex, foundry], `provider must be one of ${PROVIDERS.join(', ')}`),
  v.transform((upstream) => ({ ...upstream, name: upstream.name ?? upstream.provider })),
)

export const upstreamsSchema = v.pipe(
  someOf(upstreamSchema),
  v.check((upstreams) => new Set(upstreams.map(({ name }) => name)).size === upstreams.length, 'names must be distinct; without a name an upstream is called after its provider'),
)

export type Provider = (typeof PROVIDERS)[number]
export type UpstreamConfig = v.InferOutput<typeof upstreamSchema>
export type AnthropicConfig = Extract<UpstreamConfig, { provider: 'anthropic' }>
export type TimeoutsConfig = v.InferOutput<typeof timeoutsSchema>
