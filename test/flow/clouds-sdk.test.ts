// The vendors' own clients as oracles: what they send to a cloud directly, and what the plain client sends there through the
// gateway, is the same request; and both read the same answer.
import { AnthropicAws } from '@anthropic-ai/aws-sdk'
import { AnthropicBedrock, AnthropicBedrockMantle } from '@anthropic-ai/bedrock-sdk'
import { AnthropicFoundry } from '@anthropic-ai/foundry-sdk'
import { AnthropicGoogleCloud } from '@anthropic-ai/google-cloud-sdk'
import Anthropic from '@anthropic-ai/sdk'
import { AnthropicVertex } from '@anthropic-ai/vertex-sdk'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { accessOf, API_KEY, AWS_KEYS, PROJECT, REGION, startCloudWorld, WORKSPACE, type CloudWorld, type Place } from '../support/cloud-world.ts'
import { fail, type CloudRequest } from '../support/clouds/cloud.ts'
import { recorded } from '../support/clouds/recorded-errors.ts'

let clouds: CloudWorld
beforeAll(async () => void (clouds = await startCloudWorld()))
afterAll(() => clouds.stop())

const common = { maxRetries: 0 }
const keys = { awsAccessKey: AWS_KEYS.aws_access_key_id, awsRegion: REGION }
const signed = { ...keys, awsSecretAccessKey: AWS_KEYS.aws_secret_access_key }
const authClient = { projectId: PROJECT, getRequestHeaders: async () => new Headers({ authorization: 'Bearer google-1' }) } as never

interface Oracle {
  /** The clients share the surface the tests use. */
  client(url: string): any
  /** What the vendor's client has to call the model. */
  model(id: string): string
  counts?: boolean
  /** Besides method, path, body and the scheme of the credential. */
  headers: readonly string[]
}

const MESSAGES = ['accept', 'content-type', 'anthropic-version', 'anthropic-beta']
const oracles: Record<string, Oracle> = {
  'bedrock with keys': { client: (baseURL) => new AnthropicBedrock({ ...common, ...keys, awsSecretKey: AWS_KEYS.aws_secret_access_key, baseURL }), model: (id) => `us.anthropic.${id}`, headers: ['accept', 'content-type'] },
  'bedrock with a bearer token': { client: (baseURL) => new AnthropicBedrock({ ...common, apiKey: API_KEY, awsRegion: REGION, baseURL }), model: (id) => `us.anthropic.${id}`, headers: ['accept', 'content-type'] },
  'mantle with keys': { client: (url) => new AnthropicBedrockMantle({ ...common, ...signed, baseURL: `${url}/anthropic` }), model: (id) => `anthropic.${id}`, counts: true, headers: MESSAGES },
  'anthropicAws with keys': { client: (baseURL) => new AnthropicAws({ ...common, ...signed, workspaceId: WORKSPACE, baseURL }), model: (id) => id, counts: true, headers: [...MESSAGES, 'anthropic-workspace-id'] },
  'vertex with a key file': { client: (url) => new AnthropicVertex({ ...common, authClient, region: 'global', projectId: PROJECT, baseURL: `${url}/v1` }), model: (id) => id, counts: true, headers: MESSAGES },
  'anthropicGoogleCloud with a key file': {
    client: (url) => new AnthropicGoogleCloud({ ...common, bearerTokenProvider: async () => 'google-1', baseURL: `${url}/v1/projects/${PROJECT}/locations/global/workspaces/${WORKSPACE}/invoke` }),
    model: (id) => id,
    counts: true,
    headers: MESSAGES,
  },
  'foundry with an API key': { client: (url) => new AnthropicFoundry({ ...common, apiKey: API_KEY, baseURL: `${url}/anthropic` }), model: (id) => id, counts: true, headers: [...MESSAGES, 'x-api-key'] },
}

const tools = [
  { name: 'Read', description: 'Reads “a file”', input_schema: { type: 'object' as const, properties: { path: { type: 'string' } }, required: ['path'] }, cache_control: { type: 'ephemeral' as const, ttl: '1h' as const } },
  { name: 'Search', input_schema: { type: 'object' as const } },
]
const simple = { max_tokens: 64, system: 'Be brief. ✓', messages: [{ role: 'user' as const, content: 'ping — “ünï” 🦊\u2028' }] }
const rich = {
  max_tokens: 4096,
  system: [{ type: 'text' as const, text: 'x-anthropic-billing-header: cc_version=2.1.330' }, { type: 'text' as const, text: 'Be brief.', cache_control: { type: 'ephemeral' as const } }],
  messages: [
    { role: 'user' as const, content: [{ type: 'text' as const, text: 'look' }, { type: 'image' as const, source: { type: 'base64' as const, media_type: 'image/png' as const, data: 'iVBORw0KGgo=' } }] },
    { role: 'assistant' as const, content: [{ type: 'thinking' as const, thinking: 'hm', signature: 'c2ln' }, { type: 'tool_use' as const, id: 'toolu_1', name: 'Read', input: { path: '/a', deep: [{ b: null }] } }] },
    { role: 'user' as const, content: [{ type: 'tool_result' as const, tool_use_id: 'toolu_1', content: 'found' }] },
  ],
  tools,
  tool_choice: { type: 'auto' as const },
  thinking: { type: 'adaptive' as const },
  output_config: { effort: 'high' as const },
  metadata: { user_id: 'somebody' },
  stop_sequences: ['END'],
}
const betas = ['interleaved-thinking-2025-05-14', 'context-1m-2025-08-07', 'context-management-2025-06-27']
const managed = { context_management: { edits: [{ type: 'clear_tool_uses_20250919' as const }] } }

describe.each(Object.entries(oracles))('%s', (name, oracle) => {
  let direct: Place
  let through: Place
  let vendor: any
  let plain: Anthropic
  beforeAll(async () => {
    // The same seed: both clouds say the same, request for request.
    direct = await clouds.place(accessOf(name), { seed: 4242 })
    through = await clouds.place(accessOf(name), { seed: 4242 })
    const gateway = await clouds.gateway([through.upstream])
    vendor = oracle.client(direct.cloud.url)
    plain = new Anthropic({ ...common, authToken: clouds.alice, apiKey: null, baseURL: gateway.url })
  })

  test.each(['claude-opus-5-5', 'claude-fable-5-2', 'claude-sonnet-5'])('sends and reads what the vendor’s client does, for %s', async (model) => {
    for (const request of [simple, rich]) {
      const [theirs, ours] = [await vendor.messages.create({ ...request, model: oracle.model(model) }), await plain.messages.create({ ...request, model })]
      expect(ours).toEqual(theirs)
      expectSameRequest(direct, through, oracle.headers)
    }
  })

  test.each(['claude-opus-5-5', 'claude-fable-5-2', 'claude-sonnet-5'])('sends and reads the stream that the vendor’s client does, for %s', async (model) => {
    for (let round = 0; round < 5; round++) {
      for (const request of [simple, rich]) {
        const theirs = await vendor.messages.stream({ ...request, model: oracle.model(model) }).finalMessage()
        const ours = await plain.messages.stream({ ...request, model }).finalMessage()
        expect(ours).toEqual(theirs)
        expectSameRequest(direct, through, oracle.headers)
      }
    }
  })

  test('sends the betas that the vendor’s client does, where it does', async () => {
    const model = 'claude-opus-5-5'
    const request = { ...rich, ...managed, betas }
    const theirs = await vendor.beta.messages.create({ ...request, model: oracle.model(model) })
    expect(await plain.beta.messages.create({ ...request, model } as never)).toEqual(theirs)
    expectSameRequest(direct, through, oracle.headers)
  })

  test.each([
    ['bedrock 400 input too long', 400, 'invalid_request_error'],
    ['vertex 429 RESOURCE_EXHAUSTED', 429, 'rate_limit_error'],
    ['anthropicAws 403 AccessDeniedException', 403, 'permission_error'],
  ])('reads %s as an error of the API, of the status that the vendor’s client reads', async (row, status, type) => {
    for (const { cloud } of [direct, through]) cloud.script(fail(recorded(row)))
    const request = { ...simple, model: oracle.model('claude-opus-5-5') }
    expect((await vendor.messages.create(request).catch((error: unknown) => error)).status).toBe(status)
    const error = await plain.messages.create({ ...simple, model: 'claude-opus-5-5' }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(Anthropic.APIError)
    expect(error).toMatchObject({ status, type, error: { type: 'error', error: { type } } })
  })
})

test.each(Object.entries(oracles).filter(([, { counts }]) => counts))('%s counts as the vendor’s client does', async (name, oracle) => {
  const [direct, through] = [await clouds.place(accessOf(name), { seed: 7 }), await clouds.place(accessOf(name), { seed: 7 })]
  const gateway = await clouds.gateway([through.upstream])
  const plain = new Anthropic({ ...common, authToken: clouds.alice, apiKey: null, baseURL: gateway.url })
  const { max_tokens: _, ...counted } = { ...simple, model: 'claude-opus-5-5' }
  const theirs = await oracle.client(direct.cloud.url).messages.countTokens({ ...counted, model: oracle.model(counted.model) })
  expect(await plain.messages.countTokens(counted)).toEqual(theirs)
  expectSameRequest(direct, through, oracle.headers)
})

function expectSameRequest(direct: Place, through: Place, headers: readonly string[]): void {
  const [ours, theirs] = [through, direct].map(({ cloud }) => describeRequest(cloud.requests.at(-1) as CloudRequest, headers))
  expect(ours).toEqual(theirs as never)
  expect(through.cloud.requests.every(({ refusal }) => refusal === undefined)).toBe(true)
  expect(through.cloud.requests).toHaveLength(direct.cloud.requests.length)
}

function describeRequest({ method, path, body, headers, principal }: CloudRequest, names: readonly string[]) {
  return { method, path, body, principal, headers: Object.fromEntries(names.map((name) => [name, headers[name]])), scheme: headers.authorization?.replace(/^(\S+)(?: Credential=([^/]+)\/\d+\/(\S+?),)?.*$/, '$1 $2 $3') }
}
