// The fake clouds against oracles: Anthropic's own clients for each cloud, AWS's vectors, and the signer the gateway uses.
import { AnthropicAws } from '@anthropic-ai/aws-sdk'
import { AnthropicBedrock, AnthropicBedrockMantle } from '@anthropic-ai/bedrock-sdk'
import { AnthropicFoundry } from '@anthropic-ai/foundry-sdk'
import { AnthropicGoogleCloud } from '@anthropic-ai/google-cloud-sdk'
import { AnthropicVertex } from '@anthropic-ai/vertex-sdk'
import { AwsV4Signer } from 'aws4fetch'
import { afterAll, describe, expect, test } from 'bun:test'
import { startBedrock, type BedrockOptions } from '../support/clouds/bedrock.ts'
import { breakOff, fail, resetAfter, type Cloud } from '../support/clouds/cloud.ts'
import { chunkFrame, corrupt, cutAt, cutAtRandom, decodeFrames, errorFrame, everyCut, exceptionFrame, join } from '../support/clouds/event-stream.ts'
import { BIG_INTEGER, createGenerator, type GeneratedMessage } from '../support/clouds/generate-message.ts'
import { startMessagesApi } from '../support/clouds/messages-api.ts'
import { RECORDED_ERRORS, RECORDED_STREAM_ERRORS, recorded } from '../support/clouds/recorded-errors.ts'
import { verifySigV4, type AwsKey } from '../support/clouds/sigv4.ts'
import { startVertex } from '../support/clouds/vertex.ts'

const KEY = 'AKIAFAKEFAKEFAKEFAKE'
const SECRET = 'secret/with+signs'
const TEMPORARY = 'ASIAFAKEFAKEFAKEFAKE'
const keys = new Map<string, AwsKey>([[KEY, { secret: SECRET }], [TEMPORARY, { secret: 'temporary', sessionToken: 'session//token==' }]])
const workspace = 'wrkspc_1'
const common = { maxRetries: 0 }

const clouds: Cloud[] = []
async function started(cloud: Promise<Cloud>): Promise<Cloud> {
  clouds.push(await cloud)
  return cloud
}
afterAll(() => Promise.all(clouds.map((cloud) => cloud.stop())))

const region = 'eu-west-3'
const bedrock = await started(startBedrock({ keys, bearer: 'bedrock-api-key', region, seed: 10 }))
const mantle = await started(startMessagesApi({ kind: 'mantle', keys, apiKeys: ['bedrock-api-key'], region, seed: 20 }))
const anthropicAws = await started(startMessagesApi({ kind: 'anthropicAws', keys, apiKeys: ['aws-api-key'], workspace, region, seed: 30 }))
const googleCloud = await started(startMessagesApi({ kind: 'anthropicGoogleCloud', bearer: ['google-token'], project: 'acme', location: 'global', workspace, seed: 40 }))
const foundry = await started(startMessagesApi({ kind: 'foundry', apiKeys: ['azure-key'], bearer: ['entra-token'], deployments: { 'our-opus': 'claude-opus-5-5' }, seed: 50 }))
const vertex = await started(startVertex({ bearer: ['google-token'], project: 'acme', location: 'europe-west1', seed: 60 }))

const signed = { awsAccessKey: KEY, awsSecretKey: SECRET, awsRegion: region }
const signedByOtherName = { awsAccessKey: KEY, awsSecretAccessKey: SECRET, awsRegion: region }
const temporary = { awsAccessKey: TEMPORARY, awsSecretKey: 'temporary', awsSessionToken: 'session//token==', awsRegion: region }
const authClient = { projectId: 'acme', getRequestHeaders: async () => new Headers({ authorization: 'Bearer google-token' }) } as any

interface Oracle {
  cloud: Cloud
  /** The clients share the surface the tests use; not all have countTokens. */
  client: any
  model: string
  answers: string
  principal: string
  counts: boolean
}

const oracles: [string, Oracle][] = [
  ['Bedrock, signed', { cloud: bedrock, client: new AnthropicBedrock({ ...common, ...signed, baseURL: bedrock.url }), model: 'eu.anthropic.claude-opus-5-5', answers: 'claude-opus-5-5', principal: KEY, counts: false }],
  ['Bedrock, signed, temporary keys and an id with a colon', { cloud: bedrock, client: new AnthropicBedrock({ ...common, ...temporary, baseURL: bedrock.url, defaultHeaders: { 'anthropic-beta': 'context-1m-2025-08-07, effort-2025-11-24' }, middleware: [bedrockVersion] } as any), model: 'global.anthropic.claude-haiku-4-5-20251001-v1:0', answers: 'claude-haiku-4-5-20251001', principal: TEMPORARY, counts: false }],
  ['Bedrock, signed, an ARN', { cloud: bedrock, client: new AnthropicBedrock({ ...common, ...signed, baseURL: bedrock.url }), model: 'arn:aws:bedrock:eu-west-3:123456789012:inference-profile/eu.anthropic.claude-sonnet-5', answers: 'claude-sonnet-5', principal: KEY, counts: false }],
  ['Bedrock, API key', { cloud: bedrock, client: new AnthropicBedrock({ ...common, apiKey: 'bedrock-api-key', awsRegion: region, baseURL: bedrock.url }), model: 'anthropic.claude-fable-5-2', answers: 'claude-fable-5-2', principal: 'bearer', counts: false }],
  ['mantle, signed', { cloud: mantle, client: new AnthropicBedrockMantle({ ...common, ...signedByOtherName, baseURL: `${mantle.url}/anthropic` }), model: 'anthropic.claude-opus-5-5', answers: 'claude-opus-5-5', principal: KEY, counts: true }],
  ['mantle, API key', { cloud: mantle, client: new AnthropicBedrockMantle({ ...common, apiKey: 'bedrock-api-key', awsRegion: region, baseURL: `${mantle.url}/anthropic` }), model: 'anthropic.claude-haiku-4-5', answers: 'claude-haiku-4-5', principal: 'bearer', counts: true }],
  ['Claude Platform on AWS, signed', { cloud: anthropicAws, client: new AnthropicAws({ ...common, ...signedByOtherName, workspaceId: workspace, baseURL: anthropicAws.url }), model: 'claude-sonnet-5-5', answers: 'claude-sonnet-5-5', principal: KEY, counts: true }],
  ['Claude Platform on AWS, API key', { cloud: anthropicAws, client: new AnthropicAws({ ...common, apiKey: 'aws-api-key', workspaceId: workspace, awsRegion: region, baseURL: anthropicAws.url }), model: 'claude-opus-4-8', answers: 'claude-opus-4-8', principal: 'bearer', counts: true }],
  ['Google Cloud, Anthropic managed', { cloud: googleCloud, client: new AnthropicGoogleCloud({ ...common, bearerTokenProvider: async () => 'google-token', baseURL: `${googleCloud.url}/v1/projects/acme/locations/global/workspaces/${workspace}/invoke` }), model: 'claude-opus-5', answers: 'claude-opus-5', principal: 'bearer', counts: true }],
  ['Foundry, key', { cloud: foundry, client: new AnthropicFoundry({ ...common, apiKey: 'azure-key', baseURL: `${foundry.url}/anthropic` }), model: 'our-opus', answers: 'claude-opus-5-5', principal: 'x-api-key', counts: true }],
  ['Foundry, Entra', { cloud: foundry, client: new AnthropicFoundry({ ...common, azureADTokenProvider: async () => 'entra-token', baseURL: `${foundry.url}/anthropic` }), model: 'our-opus', answers: 'claude-opus-5-5', principal: 'bearer', counts: true }],
  ['Vertex', { cloud: vertex, client: new AnthropicVertex({ ...common, authClient, region: 'europe-west1', projectId: 'acme', baseURL: `${vertex.url}/v1` }), model: 'claude-sonnet-4-6', answers: 'claude-sonnet-4-6', principal: 'bearer', counts: true }],
  ['Vertex, an id with a date', { cloud: vertex, client: new AnthropicVertex({ ...common, authClient, region: 'europe-west1', projectId: 'acme', baseURL: `${vertex.url}/v1` }), model: 'claude-opus-4-5@20251101', answers: 'claude-opus-4-5-20251101', principal: 'bearer', counts: true }],
]

/** The SDK puts the newest version into every body, which models before 4.7 refuse on Bedrock. */
async function bedrockVersion(request: any, next: (request: any) => Promise<Response>): Promise<Response> {
  return next({ ...request, body: JSON.stringify({ ...JSON.parse(request.body), anthropic_version: 'bedrock-2023-05-31' }) })
}

const question = (model: string) => ({ model, max_tokens: 64, system: 'Be brief. ✓', messages: [{ role: 'user' as const, content: 'ping — “ünï” 🦊' }] })

function expectSame(answer: any, cloud: Cloud, answers: string): void {
  const message = cloud.messages.at(-1) as GeneratedMessage
  const [thinking, text, tool] = answer.content
  expect(answer.model).toBe(answers)
  expect(thinking.thinking).toBe(message.thinking)
  expect(text.text).toBe(message.text)
  expect(tool.input).toEqual(JSON.parse(message.toolInput))
  const { usage } = answer
  const write1h = usage.cache_creation?.ephemeral_1h_input_tokens ?? 0
  expect({ model: answer.model, input: usage.input_tokens, output: usage.output_tokens, cacheRead: usage.cache_read_input_tokens, cacheWrite5m: usage.cache_creation_input_tokens - write1h, cacheWrite1h: write1h, complete: true }).toEqual(cloud.served.at(-1) as any)
}

describe.each(oracles)('%s: its own client', (_, { cloud, client, model, answers, principal }) => {
  test('reads the whole answer and its usage', async () => {
    expectSame(await client.messages.create(question(model)), cloud, answers)
    expect(cloud.requests.at(-1)).toMatchObject({ operation: 'invoke', model, principal, refusal: undefined, body: { messages: question(model).messages } })
  })

  test('reads the streamed answer and its usage', async () => {
    for (let round = 0; round < 4; round++) {
      expectSame(await client.messages.stream(question(model)).finalMessage(), cloud, answers)
      expect(cloud.requests.at(-1)).toMatchObject({ operation: 'stream', model, principal, refusal: undefined })
    }
    expect(new Set(cloud.served.map(({ input }) => input)).size).toBe(cloud.served.length)
  })

  test('gets an error that was written for it', async () => {
    cloud.script(fail(recorded('anthropic 529 overloaded')))
    expect(await client.messages.create(question(model)).catch((error: any) => error.status)).toBe(529)
  })
})

test.each(oracles.filter(([, { counts }]) => counts))('%s: its own client counts tokens', async (_, { cloud, client, model, principal }) => {
  const { max_tokens, ...counted } = question(model)
  expect(await client.messages.countTokens(counted)).toEqual({ input_tokens: cloud.counted.at(-1) })
  expect(cloud.requests.at(-1)).toMatchObject({ operation: 'count', principal, refusal: undefined })
})

describe('Bedrock', () => {
  const path = (id: string, verb = 'invoke') => `/model/${id}/${verb}`
  const OPUS = path('us.anthropic.claude-opus-5-5')
  const body = (extra: object = {}) => ({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }], ...extra })
  const post = (cloud: Cloud, target: string, content: object | string) =>
    fetch(cloud.url + target, { method: 'POST', headers: { authorization: 'Bearer bedrock-api-key', 'content-type': 'application/json' }, body: typeof content === 'string' ? content : JSON.stringify(content) })
  const wordsOf = async (response: Response) => `${response.status} ${response.headers.get('x-amzn-errortype')?.split(':')[0]} ${((await response.json()) as { message: string }).message}`

  test.each<[string, string, object, string]>([
    ['the model in the body', OPUS, { model: 'x' }, 'model: Extra inputs are not permitted'],
    ['stream in the body', OPUS, { stream: true }, 'stream: Extra inputs are not permitted'],
    ['no version', OPUS, { anthropic_version: undefined }, 'anthropic_version: Field required'],
    ['the version of the first-party API', OPUS, { anthropic_version: '2023-06-01' }, 'Invalid API version: 2023-06-01'],
    ['the new version for an old model', path('us.anthropic.claude-opus-4-6-v1'), { anthropic_version: '2026-10-21' }, 'Invalid API version: 2026-10-21'],
    ['temperature under the new version', OPUS, { anthropic_version: '2026-10-21', temperature: 1 }, 'temperature: Extra inputs are not permitted'],
    ['an empty list of betas', OPUS, { anthropic_beta: [] }, 'invalid beta flag'],
    ['betas as text', OPUS, { anthropic_beta: 'effort-2025-11-24' }, 'invalid beta flag'],
    ['one unknown beta', OPUS, { anthropic_beta: ['effort-2025-11-24', 'fast-mode-2026-02-01'] }, 'invalid beta flag'],
    ['a cache scope in system', OPUS, { system: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b', cache_control: { type: 'ephemeral', scope: 'global' } }] }, 'system.1.cache_control.ephemeral.scope: Extra inputs are not permitted'],
    ['a cache scope in a nested block', OPUS, { messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral', scope: 'x' } }] }] }] }, 'messages.0.content.0.tool_result.content.0.text.cache_control.ephemeral.scope: Extra inputs are not permitted'],
    ['a ttl on an old model', path('us.anthropic.claude-sonnet-4-20250514-v1:0'), { system: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } }] }, 'system.0.cache_control.ephemeral.ttl: Extra inputs are not permitted'],
    ['defer_loading without its beta', OPUS, { tools: [{ name: 't', input_schema: {}, defer_loading: true }] }, 'tools.0.custom.defer_loading: Extra inputs are not permitted'],
    ['eager_input_streaming without its beta', OPUS, { tools: [{ name: 't', input_schema: {}, eager_input_streaming: true }] }, 'tools.0.custom.eager_input_streaming: Extra inputs are not permitted'],
    ['context_management without its beta', OPUS, { context_management: { edits: [] } }, 'context_management: Extra inputs are not permitted'],
    ['effort on an old model', path('us.anthropic.claude-sonnet-4-20250514-v1:0'), { output_config: { effort: 'high' } }, 'output_config: Extra inputs are not permitted'],
    ['a task budget', OPUS, { output_config: { effort: 'high', task_budget: {} } }, 'output_config.task_budget: Extra inputs are not permitted'],
    ['an unknown model', path('us.anthropic.claude-opus-9'), {}, 'The provided model identifier is invalid.'],
    ['a profile prefix the model lacks', path('jp.anthropic.claude-fable-5-2'), {}, 'The provided model identifier is invalid.'],
    ['counting for a profile', path('us.anthropic.claude-opus-5-5', 'count-tokens'), {}, 'The provided model identifier is invalid.'],
  ])('refuses %s', async (_, target, extra, message) => {
    expect(await wordsOf(await post(bedrock, target, body(extra)))).toBe(`400 ValidationException ${message}`)
  })

  test('takes what needs a beta together with its beta', async () => {
    const tools = [{ name: 't', input_schema: {}, defer_loading: true, eager_input_streaming: true }]
    const accepted = await post(bedrock, OPUS, body({ tools, context_management: { edits: [] }, anthropic_beta: ['tool-search-tool-2025-10-19', 'fine-grained-tool-streaming-2025-05-14', 'context-management-2025-06-27'] }))
    expect(accepted.status).toBe(200)
    expect(accepted.headers.get('x-amzn-bedrock-input-token-count')).toBe(String(bedrock.served.at(-1)?.input))
    expect(await accepted.text()).toContain(BIG_INTEGER)
  })

  test('counts tokens of the body inside', async () => {
    const count = (inner: object) => post(bedrock, path('anthropic.claude-opus-5-5', 'count-tokens'), { input: { invokeModel: { body: Buffer.from(JSON.stringify(inner)).toString('base64') } } })
    const counted = await count(body({ tools: [{ name: 't', input_schema: {} }] }))
    expect(await counted.json()).toEqual({ inputTokens: bedrock.counted.at(-1) })
    expect(bedrock.requests.at(-1)).toMatchObject({ operation: 'count', model: 'anthropic.claude-opus-5-5', body: { max_tokens: 5 } })
    expect(await wordsOf(await count(body({ tools: [{ name: 't', input_schema: {}, cache_control: { type: 'ephemeral' } }] })))).toBe('400 ValidationException tools.0.custom.cache_control: Extra inputs are not permitted')
    expect(await wordsOf(await count(body({ max_tokens: undefined })))).toBe('400 ValidationException max_tokens: Field required')
  })

  test('knows an application inference profile by its encoded ARN alone', async () => {
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc'
    const cloud = await started(startBedrock({ bearer: 'bedrock-api-key', arns: { [arn]: 'claude-opus-5' }, maxBytes: 2000 }))
    expect((await post(cloud, path(arn.replace('/', '%2F')), body())).status).toBe(200)
    expect(cloud.requests.at(-1)).toMatchObject({ model: arn, path: path(arn.replace('/', '%2F')) })
    expect((await post(cloud, path(encodeURIComponent(arn)), body())).status).toBe(200)
    expect((await post(cloud, path(arn), body())).status).toBe(404)
    expect(await wordsOf(await post(cloud, path(encodeURIComponent(arn)), body({ system: 'x'.repeat(2000) })))).toStartWith("400 ValidationException 1 validation error detected: Value at 'body'")
  })

  test('refuses unknown bearers and unsigned requests', async () => {
    const send = (headers: Record<string, string>) => fetch(bedrock.url + OPUS, { method: 'POST', headers, body: '{}' })
    expect(await wordsOf(await send({ authorization: 'Bearer nobody' }))).toStartWith('403 AccessDeniedException')
    expect(await wordsOf(await send({}))).toStartWith('403 MissingAuthenticationTokenException')
    expect(bedrock.requests.at(-1)).toMatchObject({ principal: undefined, refusal: { status: 403 } })
  })

  test('streams frames with the service’s own count in the last', async () => {
    const response = await post(bedrock, OPUS.replace('/invoke', '/invoke-with-response-stream'), body())
    expect(Object.fromEntries(['content-type', 'x-amzn-bedrock-content-type'].map((name) => [name, response.headers.get(name)]))).toEqual({ 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-bedrock-content-type': 'application/json' })
    const frames = decodeFrames(await response.bytes())
    const texts = frames.map(({ payload }) => Buffer.from(JSON.parse(payload).bytes, 'base64').toString())
    const served = bedrock.served.at(-1)
    expect(texts[0]).toContain(`"trace":${BIG_INTEGER}`)
    expect(texts.some((text) => text.includes('"ping"'))).toBe(false)
    expect(JSON.parse(texts.at(-1) ?? '')).toMatchObject({ type: 'message_stop', 'amazon-bedrock-invocationMetrics': { inputTokenCount: served?.input as number, outputTokenCount: served?.output as number } })
  })

  const oracle = (cloud: Cloud) => new AnthropicBedrock({ ...common, apiKey: 'bedrock-api-key', baseURL: cloud.url })
  const ask = question('us.anthropic.claude-opus-5-5')

  test.each<[string, NonNullable<BedrockOptions['split']>]>([
    ['bytes', (bytes) => cutAt(bytes, [1])],
    ['random pieces', (bytes) => cutAtRandom(bytes, 7)],
    ['one piece', (bytes) => [bytes]],
  ])('is read the same when it sends %s', async (_, split) => {
    const cloud = await started(startBedrock({ bearer: 'bedrock-api-key', split, seed: 70 }))
    expectSame(await oracle(cloud).messages.stream(ask).finalMessage(), cloud, 'claude-opus-5-5')
  })

  test.each<[string, Uint8Array[], string]>([
    ['an exception', [exceptionFrame('throttlingException', { message: 'Too many requests' })], 'throttlingException'],
    ['an error frame', [errorFrame('InternalError', 'It broke')], 'InternalError'],
    ['an Anthropic error in a chunk', [chunkFrame({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })], 'overloaded_error'],
    ['a broken checksum', [corrupt(chunkFrame({ type: 'message_stop' }))], 'checksum'],
    ['half a frame', [chunkFrame({ type: 'message_stop' }).subarray(0, 30)], 'Truncated'],
  ])('is understood when it breaks off with %s', async (_, tail, sign) => {
    const cloud = await started(startBedrock({ bearer: 'bedrock-api-key', seed: 80 }))
    cloud.script(breakOff(4, ...tail))
    const error = await oracle(cloud).messages.stream(ask).finalMessage().catch((each: any) => each)
    expect(error).toBeInstanceOf(Error)
    expect(String(error.message)).toContain(sign)
    expect(cloud.served).toEqual([{ model: 'claude-opus-5-5', ...(cloud.messages[0]?.events[0]?.said as any), complete: false }])
  })

  test('resets a connection in the middle', async () => {
    const cloud = await started(startBedrock({ bearer: 'bedrock-api-key' }))
    cloud.script(resetAfter(3))
    expect(await oracle(cloud).messages.stream(ask).finalMessage().catch((error) => error)).toBeInstanceOf(Error)
  })
})

describe('the clouds of the Messages API', () => {
  const ask = { model: 'claude-opus-5', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }
  const headers = { 'anthropic-version': '2023-06-01', 'content-type': 'application/json' }
  const google = { ...headers, authorization: 'Bearer google-token' }
  const managed = `/v1/projects/acme/locations/global/workspaces/${workspace}/invoke/v1/messages`
  const messageOf = (text: string) => JSON.parse(text).error.message as string

  test.each<[string, Cloud, string, Record<string, string>, object, number, string]>([
    ['no version', googleCloud, managed, { authorization: 'Bearer google-token' }, {}, 400, 'anthropic-version: header is required'],
    ['an unknown version', googleCloud, managed, { ...google, 'anthropic-version': '2024-01-01' }, {}, 400, 'anthropic-version: "2024-01-01" is not a valid version'],
    ['the gateway’s own field', googleCloud, managed, google, { tags: {} }, 400, 'tags: Extra inputs are not permitted'],
    ['the gateway’s own beta', googleCloud, managed, { ...google, 'anthropic-beta': 'a, request-tags-2026-08-21' }, {}, 400, 'Unexpected value(s) `request-tags-2026-08-21` for the `anthropic-beta` header'],
    ['a Bedrock body', googleCloud, managed, google, { anthropic_version: 'bedrock-2023-05-31' }, 400, 'anthropic_version: Extra inputs are not permitted'],
    ['an unknown model', googleCloud, managed, google, { model: 'claude-opus-9' }, 404, 'model: claude-opus-9'],
    ['another project', googleCloud, managed.replace('acme', 'other'), google, {}, 403, 'Permission denied'],
    ['another token', googleCloud, managed, { ...google, authorization: 'Bearer other' }, {}, 401, 'Request had invalid authentication credentials'],
    ['no workspace', anthropicAws, '/v1/messages', { ...headers, 'x-api-key': 'aws-api-key' }, {}, 400, 'anthropic-workspace-id: header is required'],
    ['a wrong key', anthropicAws, '/v1/messages', { ...headers, 'x-api-key': 'other', 'anthropic-workspace-id': workspace }, {}, 401, 'invalid x-api-key'],
    ['a bare model id', mantle, '/anthropic/v1/messages', { ...headers, 'x-api-key': 'bedrock-api-key' }, {}, 404, 'model: claude-opus-5'],
    ['a model too old', mantle, '/anthropic/v1/messages', { ...headers, 'x-api-key': 'bedrock-api-key' }, { model: 'anthropic.claude-sonnet-4-6' }, 404, 'model: anthropic.claude-sonnet-4-6'],
    ['an unknown deployment', foundry, '/anthropic/v1/messages', { ...headers, 'api-key': 'azure-key' }, {}, 404, 'Deployment not found'],
    ['speed', foundry, '/anthropic/v1/messages', { ...headers, 'api-key': 'azure-key' }, { model: 'our-opus', speed: 'fast' }, 400, 'speed: Extra inputs are not permitted'],
    ['no key', foundry, '/anthropic/v1/messages', headers, {}, 401, 'Access denied due to invalid subscription key'],
  ])('refuse %s', async (_, cloud, path, sent, extra, status, message) => {
    const response = await fetch(cloud.url + path, { method: 'POST', headers: sent, body: JSON.stringify({ ...ask, ...extra }) })
    expect(messageOf(await response.text())).toStartWith(message)
    expect(response.status).toBe(status)
  })

  test('refuse a signature for another service', async () => {
    const signer = new AwsV4Signer({ url: `${mantle.url}/anthropic/v1/messages`, method: 'POST', headers, body: JSON.stringify(ask), accessKeyId: KEY, secretAccessKey: SECRET, service: 'bedrock', region })
    const { url, method, headers: sent, body } = await signer.sign()
    const response = await fetch(url, { method, headers: sent, body: body as string })
    expect(`${response.status} ${response.headers.get('x-amzn-errortype')}`).toBe('403 InvalidSignatureException')
  })
})

describe('Vertex', () => {
  const path = (model: string, verb: string) => `/v1/projects/acme/locations/europe-west1/publishers/anthropic/models/${model}:${verb}`
  const body = { anthropic_version: 'vertex-2023-10-16', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }
  const post = (target: string, content: object, headers: Record<string, string> = {}) =>
    fetch(vertex.url + target, { method: 'POST', headers: { authorization: 'Bearer google-token', 'content-type': 'application/json', ...headers }, body: JSON.stringify(content) })
  const OPUS = path('claude-opus-5-5', 'rawPredict')
  const COUNT = path('count-tokens', 'rawPredict')

  test.each<[string, string, object, Record<string, string>, number, string]>([
    ['the version as a header', OPUS, {}, { 'anthropic-version': '2023-06-01' }, 400, 'anthropic-version'],
    ['no version in the body', OPUS, { anthropic_version: undefined }, {}, 400, 'anthropic_version: Field required'],
    ['the model in the body', OPUS, { model: 'claude-opus-5-5' }, {}, 400, 'model: Extra inputs are not permitted'],
    ['betas in the body', OPUS, { anthropic_beta: ['context-1m-2025-08-07'] }, {}, 400, 'anthropic_beta: Extra inputs are not permitted'],
    ['a beta it does not know', OPUS, {}, { 'anthropic-beta': 'effort-2025-11-24' }, 400, 'Unexpected value(s) `effort-2025-11-24`'],
    ['a stream by the wrong method', OPUS, { stream: true }, {}, 400, 'The stream field'],
    ['an unknown model', path('claude-opus-9', 'rawPredict'), {}, {}, 404, 'Publisher Model'],
    ['another token', OPUS, {}, { authorization: 'Bearer other' }, 401, 'Request had invalid authentication credentials'],
    ['counting with a beta', COUNT, { model: 'claude-opus-5-5', max_tokens: undefined }, { 'anthropic-beta': 'context-1m-2025-08-07' }, 400, 'Unexpected value(s)'],
    ['counting with max_tokens', COUNT, { model: 'claude-opus-5-5' }, {}, 400, 'max_tokens: Extra inputs are not permitted'],
    ['counting for @default', COUNT, { model: 'claude-opus-5-5@default', max_tokens: undefined }, {}, 404, 'Publisher Model'],
  ])('refuses %s', async (_, target, extra, headers, status, message) => {
    const response = await post(target, { ...body, ...extra }, headers)
    expect(JSON.parse(await response.text()).error.message).toStartWith(message)
    expect(response.status).toBe(status)
  })

  test('passes pings and unknown numbers in its stream', async () => {
    const text = await (await post(path('claude-opus-5-5', 'streamRawPredict'), { ...body, stream: true })).text()
    expect(text).toContain('event: ping\ndata: {"type":"ping"}\n\n')
    expect(text).toContain(`"trace":${BIG_INTEGER}`)
  })
})

describe('frames', () => {
  const PING = '0000007b0000004b0a2e96af0b3a6576656e742d747970650700056368756e6b0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b226279746573223a2265794a306558426c496a6f6963476c755a794a39227da01f56c4'
  const THROTTLING = '00000090000000618e91a9b70f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f6e7b226d657373616765223a22546f6f206d616e79207265717565737473227de67f8005'

  test('are those of the recorded vectors, byte for byte', () => {
    expect(Buffer.from(chunkFrame({ type: 'ping' })).toString('hex')).toBe(PING)
    expect(Buffer.from(exceptionFrame('throttlingException', { message: 'Too many requests' })).toString('hex')).toBe(THROTTLING)
    expect(decodeFrames(Buffer.from(PING + THROTTLING, 'hex'))).toEqual([
      { headers: { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' }, payload: '{"bytes":"eyJ0eXBlIjoicGluZyJ9"}' },
      { headers: { ':exception-type': 'throttlingException', ':content-type': 'application/json', ':message-type': 'exception' }, payload: '{"message":"Too many requests"}' },
    ])
  })

  test('survive being cut and joined, and nothing else', () => {
    const bytes = join(chunkFrame({ type: 'ping' }, { padding: 'abc' }), errorFrame('Oops', 'it broke'))
    for (const [left, right] of everyCut(bytes)) expect(Buffer.compare(join(left, right), bytes)).toBe(0)
    for (const pieces of [cutAt(bytes, [1]), cutAt(bytes, [3, 5]), cutAtRandom(bytes, 3)]) expect(Buffer.compare(join(...pieces), bytes)).toBe(0)
    expect([...everyCut(bytes)]).toHaveLength(bytes.length - 1)
    for (let at = 0; at < bytes.length; at++) expect(() => decodeFrames(corrupt(bytes, at))).toThrow()
  })
})

describe('generated messages', () => {
  test('are the same for a seed and differ in their totals', () => {
    const [first, again] = [createGenerator(5), createGenerator(5)]
    const messages = Array.from({ length: 200 }, () => first('claude-opus-5'))
    for (const message of messages) expect(again('claude-opus-5')).toEqual(message)
    expect(new Set(messages.map(({ tokens }) => JSON.stringify(tokens))).size).toBe(200)
  })

  test('are valid JSON whose parts agree', () => {
    const generator = createGenerator(6)
    for (let round = 0; round < 100; round++) {
      const { events, json, text, tokens, thinkingTokens } = generator('claude-opus-5')
      const parsed = events.map((event) => JSON.parse(event.json))
      expect(parsed.filter(({ delta }) => delta?.type === 'text_delta').map(({ delta }) => delta.text).join('')).toBe(text)
      expect(JSON.parse(json).usage).toMatchObject({ input_tokens: tokens.input, output_tokens: tokens.output, output_tokens_details: { thinking_tokens: thinkingTokens } })
      expect(events.at(-1)?.said).toEqual(tokens)
    }
  })
})

describe('signatures', () => {
  // AWS's own test suite, get-vanilla.
  const vanilla = {
    method: 'GET',
    path: '/',
    headers: {
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    } as Record<string, string>,
    body: Buffer.alloc(0),
  }
  test('hold for the vector of AWS', async () => {
    const secrets = new Map([['AKIDEXAMPLE', { secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }]])
    expect(await verifySigV4(vanilla, { secrets, service: 'service', region: 'us-east-1', now: new Date('2015-08-30T12:36:30Z') })).toBeUndefined()
  })

  const terms = { secrets: keys, service: 'bedrock', region: 'us-east-1', now: new Date('2026-11-22T10:00:00Z') }
  interface Signing {
    path?: string
    datetime?: string
    service?: string
    regionName?: string
    key?: string
    secret?: string
    sessionToken?: string
    headers?: Record<string, string>
  }
  async function sign({ path = '/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke', datetime = '20261122T100000Z', service = 'bedrock', regionName = 'us-east-1', key = KEY, secret = SECRET, sessionToken, headers = {} }: Signing = {}) {
    const body = '{"max_tokens":5,"ü":"🦊"}'
    const signer = new AwsV4Signer({ url: `https://bedrock-runtime.us-east-1.amazonaws.com${path}`, method: 'POST', headers, body, accessKeyId: key, secretAccessKey: secret, service, region: regionName, datetime, ...(sessionToken !== undefined && { sessionToken }) })
    const request = await signer.sign()
    return { method: 'POST', path, headers: { host: 'bedrock-runtime.us-east-1.amazonaws.com', ...Object.fromEntries(request.headers) } as Record<string, string>, body: Buffer.from(body) }
  }

  test.each([
    '/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke',
    '/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke',
    '/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc/invoke-with-response-stream',
    '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/invoke',
    '/model/a/invoke?b=2&a=%20x&a=1',
  ])('of aws4fetch hold for %s', async (path) => {
    expect(await verifySigV4(await sign({ path }), terms)).toBeUndefined()
    expect(await verifySigV4(await sign({ path, key: TEMPORARY, secret: 'temporary', sessionToken: 'session//token==', headers: { accept: 'application/json', 'x-amzn-bedrock-trace': '  A   b ' } }), terms)).toBeUndefined()
  })

  const SIGNED = 'The request signature we calculated'
  type Recorded = Awaited<ReturnType<typeof sign>>
  test.each<[string, Signing, (request: Recorded) => Partial<Recorded>, string, string]>([
    ['a wrong secret', { secret: 'other' }, () => ({}), 'InvalidSignatureException', SIGNED],
    ['a tampered body', {}, ({ body }) => ({ body: Buffer.concat([body, Buffer.from(' ')]) }), 'InvalidSignatureException', SIGNED],
    ['a tampered path', {}, ({ path }) => ({ path: path.replace('haiku', 'opus') }), 'InvalidSignatureException', SIGNED],
    ['a path encoded after it was signed', {}, ({ path }) => ({ path: path.replace(':', '%3A') }), 'InvalidSignatureException', SIGNED],
    ['an added query', {}, ({ path }) => ({ path: `${path}?beta=true` }), 'InvalidSignatureException', SIGNED],
    ['another method', {}, () => ({ method: 'PUT' }), 'InvalidSignatureException', SIGNED],
    ['another host', {}, ({ headers }) => ({ headers: { ...headers, host: 'evil.example' } }), 'InvalidSignatureException', SIGNED],
    ['a changed signed header', { headers: { accept: 'application/json' } }, ({ headers }) => ({ headers: { ...headers, accept: '*/*' } }), 'InvalidSignatureException', SIGNED],
    ['a missing signed header', { headers: { accept: 'application/json' } }, ({ headers: { accept, ...headers } }) => ({ headers }), 'InvalidSignatureException', SIGNED],
    ['a hash of another body', { headers: { 'x-amz-content-sha256': '0'.repeat(64) } }, () => ({}), 'InvalidSignatureException', SIGNED],
    ['an unsigned payload', { headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }, () => ({}), 'InvalidSignatureException', SIGNED],
    ['an unsigned header of AWS', {}, ({ headers }) => ({ headers: { ...headers, 'x-amz-target': 'Other' } }), 'InvalidSignatureException', "'x-amz-target' must be a 'SignedHeader'"],
    ['another region', { regionName: 'us-west-2' }, () => ({}), 'InvalidSignatureException', 'Credential should be scoped to a valid region.'],
    ['another service', { service: 'bedrock-runtime' }, () => ({}), 'InvalidSignatureException', 'Credential should be scoped to correct service'],
    ['a signature of the past', { datetime: '20261122T095459Z' }, () => ({}), 'InvalidSignatureException', 'Signature expired'],
    ['a signature of the future', { datetime: '20261122T100501Z' }, () => ({}), 'InvalidSignatureException', 'Signature not yet current'],
    ['a stamp of another day', {}, ({ headers }) => ({ headers: { ...headers, 'x-amz-date': '20261121T100000Z' } }), 'InvalidSignatureException', 'Date in Credential scope'],
    ['an unknown key', { key: 'AKIAOTHER' }, () => ({}), 'UnrecognizedClientException', 'The security token included in the request is invalid.'],
    ['a temporary key without its token', { key: TEMPORARY, secret: 'temporary' }, () => ({}), 'UnrecognizedClientException', 'The security token included in the request is invalid.'],
    ['a token added after signing', { key: TEMPORARY, secret: 'temporary' }, ({ headers }) => ({ headers: { ...headers, 'x-amz-security-token': 'session//token==' } }), 'InvalidSignatureException', "'x-amz-security-token' must be a 'SignedHeader'"],
    ['an expired key', { key: 'ASIAEXPIRED', secret: 'x' }, () => ({}), 'ExpiredTokenException', 'The security token included in the request is expired'],
    ['no signature', {}, ({ headers: { authorization, ...headers } }) => ({ headers }), 'MissingAuthenticationTokenException', 'Missing Authentication Token'],
    ['half a signature', {}, ({ headers }) => ({ headers: { ...headers, authorization: headers.authorization?.slice(0, -1) ?? '' } }), 'IncompleteSignatureException', 'Authorization header'],
  ])('do not hold for %s', async (_, signing, change, type, message) => {
    const secrets = new Map([...keys, ['ASIAEXPIRED', { secret: 'x', expired: true }]])
    const request = await sign(signing)
    const error = await verifySigV4({ ...request, ...change(request) }, { ...terms, secrets })
    expect(error).toMatchObject({ status: 403, type })
    expect(error?.message).toStartWith(message)
  })

  test('hold up to five minutes to either side', async () => {
    for (const datetime of ['20261122T095500Z', '20261122T100500Z']) expect(await verifySigV4(await sign({ datetime }), terms)).toBeUndefined()
  })
})

describe('recorded errors', () => {
  test('have names of their own and bodies of their content type', () => {
    const names = [...RECORDED_ERRORS, ...RECORDED_STREAM_ERRORS].map(({ name }) => name)
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
    for (const { headers, body } of RECORDED_ERRORS) if (headers['content-type']?.startsWith('application/json') === true) expect(() => JSON.parse(body)).not.toThrow()
  })
})
