import * as v from 'valibot'
import { baseUrl, boolean, choice, decimal, described, distinct, headers, integer, list, mapping, secret, someOf, text, url, urlPart } from '../std/fields.ts'

export const timeoutsSchema = mapping({
  upstream_ttfb_ms: described(v.optional(integer(100, 3_600_000), 120_000), "Longest wait for an upstream's response headers, in milliseconds; a stream has no limit."),
})

const betas = mapping({
  allow: described(v.optional(list(text())), 'Only these go there, and only when the client asks for them.'),
  deny: described(v.optional(list(text())), 'These do not.'),
})

/** What every upstream may carry. */
const common = {
  name: described(v.optional(text()), 'What logs and `models[].upstream_model` call it; the provider unless given. Distinct.'),
  base_url: described(v.optional(baseUrl()), "Another address than the provider's own: a private or FIPS endpoint, or a gateway. What the provider's SDK takes as base URL: paths are put behind it."),
  headers: described(v.optional(headers(), {}), 'Sent with every request.'),
  models: described(v.optional(someOf(text())), 'What it serves: ids, or a beginning with a final `*`. Everything unless given.'),
  timeouts: described(v.optional(timeoutsSchema), 'Its own, instead of the section `timeouts`.'),
  weight: described(v.optional(decimal(0, 1000), 1), 'Share of the people among upstreams of one priority; 0 is tried last. A person stays with one, so that prompt caches stay warm.'),
  priority: described(v.optional(integer(0, 1000)), 'Lower is tried first; its place in the list, from 0, unless given.'),
  failover_on: described(v.optional(list(integer(400, 599)), []), 'Statuses that move on to the next upstream, besides the usual ones.'),
  max_concurrency: described(v.optional(integer(1)), 'Requests at once, streams included; beyond it the next upstream is tried.'),
  betas: described(v.optional(betas), 'Which values of `anthropic-beta` go there, instead of what is known of the provider.'),
  proxy: described(v.optional(url()), 'Forward proxy on the way to it and to its token service.'),
}

const provider = <const name extends string>(name: name) => v.literal(name)

const apiKey = described(secret(), 'An API key.')

const anthropicAuth = choice(
  {
    api_key: mapping({ api_key: described(secret(), 'An API key; sent as `x-api-key`.') }),
    oauth_token: mapping({ oauth_token: described(secret(), 'A bearer token.') }),
    federation_rule_id: mapping({
      federation_rule_id: described(text(), 'Workload Identity Federation: the rule.'),
      organization_id: described(text(), 'The organisation.'),
      identity_token_file: described(text(), "A file with the workload's identity token; read for every exchange."),
      workspace_id: described(v.optional(text()), 'The workspace, where the rule covers several.'),
      service_account_id: described(v.optional(text()), 'The service account that is expected.'),
    }),
  },
  'must hold api_key, or oauth_token, or federation_rule_id with organization_id and identity_token_file',
)

const anthropic = v.pipe(
  mapping({
    provider: provider('anthropic'),
    ...common,
    auth: described(anthropicAuth, 'One credential.'),
    forward_user_identity: described(v.optional(boolean(), false), 'Name the person in headers, to a gateway of your own at `base_url`. Refused for the Anthropic API.'),
  }),
  v.forward(
    v.partialCheck(
      [['forward_user_identity'], ['base_url']],
      ({ forward_user_identity, base_url }) => !forward_user_identity || (base_url !== undefined && !isAnthropicApi(base_url)),
      'is refused for the Anthropic API: people would be named to a third party; it is for a gateway of your own at base_url',
    ),
    ['forward_user_identity'],
  ),
)

function isAnthropicApi(address: string): boolean {
  return /(^|\.)anthropic\.com\.?$/i.test(new URL(address).hostname)
}

const awsKeys = {
  aws_access_key_id: described(text(), 'An access key.'),
  aws_secret_access_key: described(secret(), 'Its secret.'),
  aws_session_token: described(v.optional(secret()), 'Of temporary keys.'),
}
const bearer = mapping({ aws_bearer_token: described(secret(), 'A Bedrock API key.') })
const defaultChain = mapping({})

const assumeRole = mapping({
  role_arn: described(text(), 'The role.'),
  external_id: described(v.optional(text()), 'What its trust policy asks for.'),
  session_per_person: described(v.optional(boolean(), false), 'One session per person, so that the bill names people.'),
  duration_seconds: described(v.optional(integer(900, 43_200)), 'Lifetime of a session.'),
})

const guardrail = mapping({
  identifier: described(text(), 'Which guardrail.'),
  version: described(text(), 'Which version of it.'),
  trace: described(v.optional(boolean(), false), 'Ask for its trace.'),
})

const region = described(urlPart(), 'The region of the endpoint.')
const awsAuth = '`{}` for the default chain, or one credential.'

const bedrock = mapping({
  provider: provider('bedrock'),
  ...common,
  region,
  auth: described(
    v.optional(choice({ '': defaultChain, aws_access_key_id: mapping(awsKeys), aws_bearer_token: bearer }, 'must be {} for the default chain, or aws_access_key_id with aws_secret_access_key, or aws_bearer_token'), {}),
    awsAuth,
  ),
  assume_role: described(v.optional(assumeRole), 'Act as this role.'),
  guardrail: described(v.optional(guardrail), 'Apply a guardrail.'),
})

const mantle = mapping({
  provider: provider('mantle'),
  ...common,
  region,
  auth: described(
    v.optional(
      choice({ '': defaultChain, aws_access_key_id: mapping(awsKeys), aws_bearer_token: bearer, api_key: mapping({ api_key: apiKey }) }, 'must be {} for the default chain, or aws_access_key_id with aws_secret_access_key, or aws_bearer_token, or api_key'),
      {},
    ),
    awsAuth,
  ),
  assume_role: described(v.optional(assumeRole), 'Act as this role.'),
})

/** Keys of AWS may stand beside the API key, which wins. */
const keyBesideAws = v.pipe(
  mapping({ api_key: apiKey, aws_access_key_id: v.optional(text()), aws_secret_access_key: v.optional(secret()), aws_session_token: v.optional(secret()) }),
  v.check(({ aws_access_key_id: id, aws_secret_access_key: key, aws_session_token: token }) => (id === undefined) === (key === undefined) && (id !== undefined || token === undefined), 'aws_access_key_id and aws_secret_access_key belong together'),
)

const anthropicAws = mapping({
  provider: provider('anthropicAws'),
  ...common,
  region,
  workspace_id: described(urlPart(), 'The workspace; sent with every request.'),
  auth: described(
    v.optional(choice({ '': defaultChain, api_key: keyBesideAws, aws_access_key_id: mapping(awsKeys) }, 'must be {} for the default chain, or api_key, or aws_access_key_id with aws_secret_access_key'), {}),
    '`{}` for the default chain, or one credential. Keys of AWS may stand beside `api_key`, which wins.',
  ),
  assume_role: described(v.optional(assumeRole), 'Act as this role.'),
})

const googleAuth = described(
  v.optional(choice({ '': defaultChain, service_account_json: mapping({ service_account_json: described(text(), 'Path of a key file.') }) }, 'must be {} for default credentials, or service_account_json (a path)'), {}),
  '`{}` for Application Default Credentials, or a key file.',
)
const projectId = described(urlPart(), 'The project.')

const vertex = mapping({ provider: provider('vertex'), ...common, region, project_id: projectId, auth: googleAuth })

const anthropicGoogleCloud = mapping({
  provider: provider('anthropicGoogleCloud'),
  ...common,
  region: described(v.optional(urlPart(), 'global'), 'The location.'),
  project_id: projectId,
  workspace_id: described(urlPart(), 'The workspace.'),
  auth: googleAuth,
})

const azureAd = mapping({ use_azure_ad: described(v.literal(true, 'must be true'), 'Managed identity, workload identity or what else `DefaultAzureCredential` finds.') })

const foundry = v.pipe(
  mapping({
    provider: provider('foundry'),
    ...common,
    resource: described(v.optional(urlPart()), 'Name of the resource.', '`base_url` is not given'),
    auth: described(choice({ api_key: mapping({ api_key: apiKey }), use_azure_ad: azureAd }, 'must hold api_key, or use_azure_ad: true'), 'One credential.'),
  }),
  v.forward(v.partialCheck([['resource'], ['base_url']], ({ resource, base_url }) => resource !== undefined || base_url !== undefined, 'is required (or base_url)'), ['resource']),
)

export const PROVIDERS = ['anthropic', 'bedrock', 'mantle', 'anthropicAws', 'anthropicGoogleCloud', 'vertex', 'foundry'] as const

export const upstreamSchema = v.pipe(
  v.variant('provider', [anthropic, bedrock, mantle, anthropicAws, anthropicGoogleCloud, vertex, foundry], `must be one of ${PROVIDERS.join(', ')}`),
  v.transform((upstream) => ({ ...upstream, name: upstream.name ?? upstream.provider })),
)

export const upstreamsSchema = v.pipe(
  someOf(upstreamSchema),
  distinct('name', (name) => `two upstreams are called ${name}; without a name an upstream is called after its provider`, ({ name, provider }) => name ?? provider),
)

export type Provider = (typeof PROVIDERS)[number]
export type UpstreamConfig = v.InferOutput<typeof upstreamSchema>
export type AnthropicConfig = Extract<UpstreamConfig, { provider: 'anthropic' }>
export type TimeoutsConfig = v.InferOutput<typeof timeoutsSchema>
export type AssumeRoleConfig = v.InferOutput<typeof assumeRole>
