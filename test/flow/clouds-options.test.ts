// What an operator can say of an upstream, and credentials that end or change while the gateway runs.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ACCESSES, accessOf, API_KEY, AWS_KEYS, linesOf, ONE_EACH, reportOf, startCloudWorld, type Access, type CloudWorld, type Place, type PlaceOptions } from '../support/cloud-world.ts'
import type { CloudRequest } from '../support/clouds/cloud.ts'
import type { TestGateway } from '../support/gateway.ts'
import { readMessageEvents } from '../support/message-events.ts'
import { answerJson, startUpstream } from '../support/upstream.ts'

let clouds: CloudWorld
beforeAll(async () => void (clouds = await startCloudWorld()))
afterAll(() => clouds.stop())

const ask = { model: 'claude-opus-5-5', max_tokens: 8, messages: [{ role: 'user', content: 'ping' }] }
const { max_tokens: _, ...counted } = ask
const last = ({ cloud }: Place) => cloud.requests.at(-1) as CloudRequest
async function start(access: Access | string, options: PlaceOptions = {}, changes: Record<string, unknown> = {}): Promise<{ place: Place; gateway: TestGateway; send(body?: object, headers?: Record<string, string>): Promise<Response> }> {
  const place = await clouds.place(typeof access === 'string' ? accessOf(access) : access, options)
  const gateway = await clouds.gateway([place.upstream], changes)
  return { place, gateway, send: (body = ask, headers = {}) => gateway.post('/v1/messages?beta=true', body, clouds.alice, headers) }
}

describe('a credential', () => {
  const renewable: [string, (place: Place) => void][] = [
    // The keys of the session at hand end, as a clock of AWS sees it.
    ['bedrock as a role', ({ keys, cloud }) => Object.assign(keys.get(last({ cloud } as Place).principal as string) as object, { expired: true })],
    ['vertex with a key file', ({ tokens, cloud }) => takeToken(tokens, cloud)],
    ['vertex by the metadata server', ({ tokens, cloud }) => takeToken(tokens, cloud)],
    ['anthropicGoogleCloud with a key file', ({ tokens, cloud }) => takeToken(tokens, cloud)],
    ['foundry as a managed identity', ({ tokens, cloud }) => takeToken(tokens, cloud)],
  ]
  const takeToken = (tokens: string[], { requests }: Place['cloud']) => void tokens.splice(tokens.indexOf(requests.at(-1)?.headers.authorization?.slice('Bearer '.length) as string), 1)

  test.each(renewable)('of %s that the cloud refuses is renewed once, and the client does not notice', async (name, end) => {
    const { place, gateway, send } = await start(name)
    expect((await send()).status).toBe(200)
    const before = last(place).headers.authorization
    end(place)
    const response = await send({ ...ask, stream: true })
    expect(response.status).toBe(200)
    expect(readMessageEvents(await response.text()).text).toBe(place.cloud.messages.at(-1)?.text as string)
    expect(place.cloud.requests.map(({ refusal }) => refusal !== undefined)).toEqual([false, true, false])
    expect(last(place).headers.authorization).not.toBe(before as string)
    expect((await reportOf(gateway, response)).attempts).toBe(1)
    expect(linesOf(gateway, response).at(-1)).toMatch(/^info .*its credential was over$/)
    // And it stays the new one.
    expect((await send()).status).toBe(200)
    expect(place.cloud.requests).toHaveLength(4)
  })

  test.each(['vertex with a key file', 'foundry as a managed identity'])('of %s that is refused for ever is renewed once a request and told in general words', async (name) => {
    const { place, send } = await start(name)
    place.tokens.length = 0
    const response = await send()
    expect(response.status).toBe(401)
    expect(((await response.json()) as { error: object }).error).toEqual({ type: 'authentication_error', message: 'upstream authentication failed — check the gateway operator' })
    expect(place.cloud.requests).toHaveLength(2)
  })

  test('of a person is renewed for that person alone', async () => {
    const { place, gateway, send } = await start('bedrock as a role, a session per person')
    const asBob = () => gateway.post('/v1/messages', ask, clouds.bob)
    await send()
    await asBob()
    const [alices, bobs] = place.cloud.requests.map(({ principal }) => principal)
    Object.assign(place.keys.get(alices as string) as object, { expired: true })
    expect([(await send()).status, (await asBob()).status]).toEqual([200, 200])
    expect(last(place).principal).toBe(bobs)
    expect(place.cloud.requests.map(({ refusal }) => refusal !== undefined)).toEqual([false, false, true, false, false])
  })

  test('in a key file is read anew when it is due, so that a rotated one needs no restart', async () => {
    const { place, send } = await start('vertex with a key file')
    expect((await send()).status).toBe(200)
    const keyIds = () => clouds.sources.google.requests.map(({ form }) => JSON.parse(Buffer.from(form.assertion?.split('.')[0] ?? '', 'base64url').toString() || '{}').kid)
    const old = keyIds().at(-1)
    clouds.sources.writeKey('rotated@project.iam.gserviceaccount.com')
    takeToken(place.tokens, place.cloud)
    expect((await send()).status).toBe(200)
    expect(keyIds().at(-1)).not.toBe(old)
  })

  test('in AWS’s shared file is read anew when AWS refuses the old one', async () => {
    const file = join(clouds.sources.directory, 'credentials')
    const write = (id: string, secret: string) => writeFileSync(file, `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`)
    Object.assign(process.env, { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: join(clouds.sources.directory, 'none'), AWS_EC2_METADATA_DISABLED: 'true' })
    write(AWS_KEYS.aws_access_key_id, AWS_KEYS.aws_secret_access_key)
    const { place, send } = await start({ ...accessOf('bedrock with keys'), auth: () => ({}) })
    expect((await send()).status).toBe(200)
    place.keys.set('AKIAROTATED', { secret: 'rotated' }).delete(AWS_KEYS.aws_access_key_id)
    write('AKIAROTATED', 'rotated')
    expect((await send()).status).toBe(200)
    expect(last(place).principal).toBe('AKIAROTATED')
  })

  test('that cannot be had moves on, and the reason stays with the operator', async () => {
    const [first, second] = [await clouds.place(accessOf('vertex with a key file'), { upstream: { name: 'first', auth: { service_account_json: join(clouds.sources.directory, 'missing.json') } } }), await clouds.place(accessOf('bedrock with keys'), { upstream: { name: 'second' } })]
    const gateway = await clouds.gateway([first.upstream, second.upstream])
    const response = await gateway.post('/v1/messages', ask, clouds.alice)
    expect(response.status).toBe(200)
    expect(await reportOf(gateway, response)).toMatchObject({ upstream: 'second', attempts: 2 })
    expect(linesOf(gateway, response).some((line) => line.includes('missing.json'))).toBe(true)
    expect(first.cloud.requests).toEqual([])
  })
})

describe('betas', () => {
  test.each(ONE_EACH.map((access) => [access.provider, access] as const))('of the operator’s own lists go to %s, and no others', async (provider, access) => {
    const { place, send } = await start(access, { upstream: { betas: { allow: ['context-1m-2025-08-07', 'interleaved-thinking-2025-05-14', 'computer-use-2025-11-24'], deny: ['interleaved-thinking-2025-05-14'] } } })
    const response = await send(ask, { 'anthropic-beta': 'claude-code-20250219,context-1m-2025-08-07, interleaved-thinking-2025-05-14' })
    expect(response.status).toBe(200)
    const sent = provider === 'bedrock' ? last(place).body.anthropic_beta : last(place).headers['anthropic-beta']?.split(',')
    expect(sent).toEqual(['context-1m-2025-08-07'])
  })

  test.each(ONE_EACH.map((access) => [access.provider, access] as const))('that are all denied leave no list behind for %s', async (provider, access) => {
    const { place, send } = await start(access, { upstream: { betas: { deny: ['context-1m-2025-08-07'] } } })
    expect((await send(ask, { 'anthropic-beta': 'context-1m-2025-08-07' })).status).toBe(200)
    expect(last(place).headers).not.toHaveProperty('anthropic-beta')
    if (provider === 'bedrock') expect(last(place).body).not.toHaveProperty('anthropic_beta')
  })
})

describe('static headers', () => {
  test.each(ACCESSES.map((access) => [access.name, access] as const))('reach %s, signed where requests are, and never in the credential’s place', async (_, access) => {
    const { place, send } = await start(access)
    await send()
    const own = last(place).headers.authorization === undefined ? 'x-api-key' : 'authorization'
    const gateway = await clouds.gateway([{ ...place.upstream, headers: { 'x-house': 'yes', [own]: 'canary' } }])
    expect((await gateway.post('/v1/messages', ask, clouds.alice)).status).toBe(200)
    const { headers } = last(place)
    expect(headers['x-house']).toBe('yes')
    expect(headers[own]).not.toBe('canary')
    if (headers.authorization?.startsWith('AWS4-HMAC-SHA256')) expect(headers.authorization).toContain('x-house')
  })
})

describe('on bedrock', () => {
  test('a guardrail is asked for with every message, signed', async () => {
    const { place, send } = await start('bedrock with keys', { upstream: { guardrail: { identifier: 'gr-1', version: '7', trace: true } } })
    for (const stream of [true, false]) {
      expect((await send({ ...ask, stream })).status).toBe(200)
      const { headers } = last(place)
      expect(headers).toMatchObject({ 'x-amzn-bedrock-guardrailidentifier': 'gr-1', 'x-amzn-bedrock-guardrailversion': '7', 'x-amzn-bedrock-trace': 'ENABLED' })
      expect(headers.authorization).toContain('x-amzn-bedrock-guardrailidentifier;x-amzn-bedrock-guardrailversion;x-amzn-bedrock-trace')
    }
  })

  // B10
  test('an inference profile’s ARN is one segment of the path, counts as its model, and is in the audit log beside it', async () => {
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123'
    const { place, gateway, send } = await start('bedrock with keys', { cloud: { arns: { [arn]: 'claude-haiku-4-5-20251001' } } }, { models: [{ id: 'claude-haiku-4-5', upstream_model: { bedrock: arn } }] })
    for (const model of ['claude-haiku-4-5', 'claude-haiku-4-5-20251001', 'us.anthropic.claude-haiku-4-5-20251001-v1:0']) {
      const response = await send({ ...ask, model, stream: true })
      expect(response.status).toBe(200)
      expect(last(place)).toMatchObject({ model: arn, path: '/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc123/invoke-with-response-stream' })
      const text = await response.text()
      expect(text).not.toContain('123456789012')
      expect(await reportOf(gateway, response)).toMatchObject({ model, upstream_model: arn, input_tokens: place.cloud.served.at(-1)?.input as number })
    }
    // Counting takes foundation models alone.
    const response = await gateway.post('/v1/messages/count_tokens', { ...counted, model: 'claude-haiku-4-5' }, clouds.alice)
    expect(await response.json()).toEqual({ input_tokens: place.cloud.counted[0] })
    expect(last(place).path).toBe('/model/anthropic.claude-haiku-4-5-20251001-v1:0/count-tokens')
  })

  // B11
  test('which profile answered is in the audit log: the geographic one costs a tenth more than the global one', async () => {
    const profiles = ['us.anthropic.claude-opus-5-5', 'global.anthropic.claude-opus-5-5']
    for (const profile of profiles) {
      const { gateway, send } = await start('bedrock with keys', {}, { pricing: { multiplier: 1.1 }, models: [{ id: 'claude-opus-5-5', upstream_model: { bedrock: profile } }] })
      const response = await send({ ...ask, model: 'claude-opus-5-5' })
      await response.text()
      expect(await reportOf(gateway, response)).toMatchObject({ status: 200, model: 'claude-opus-5-5', upstream_model: profile })
    }
  })

  test('a model of the operator’s own has a name of its own, and cannot be counted', async () => {
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/own'
    const { place, gateway, send } = await start('bedrock with keys', { cloud: { arns: { [arn]: 'claude-opus-5-5' } } }, { models: [{ id: 'house-model', upstream_model: { bedrock: arn } }] })
    expect((await send({ ...ask, model: 'house-model' })).status).toBe(200)
    const response = await gateway.post('/v1/messages/count_tokens', { ...counted, model: 'house-model' }, clouds.alice)
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([501, 'false'])
    expect(place.cloud.requests).toHaveLength(1)
  })

  test('a private endpoint is another name and a path before ours, and the signature is for that name', async () => {
    const place = await clouds.place(accessOf('bedrock with keys'))
    const { port } = new URL(place.cloud.url)
    const gateway = await clouds.gateway([{ ...place.upstream, base_url: `http://localhost:${port}` }])
    expect((await gateway.post('/v1/messages', ask, clouds.alice)).status).toBe(200)
    expect(last(place).headers.host).toBe(`localhost:${port}`)

    const behind = await startUpstream(answerJson(200, { ok: true }))
    const prefixed = await clouds.gateway([{ ...place.upstream, base_url: `${behind.url}/vpc/bedrock/`, auth: { aws_bearer_token: API_KEY } }])
    await (await prefixed.post('/v1/messages', ask, clouds.alice)).text()
    expect(behind.requests[0]).toMatchObject({ method: 'POST', path: '/vpc/bedrock/model/us.anthropic.claude-opus-5-5/invoke' })
    await behind.stop()
  })
})

test.each(ONE_EACH.filter(({ provider }) => provider !== 'bedrock').map((access) => [access.provider, access] as const))('%s is reached behind a path prefix', async (_, access) => {
  const behind = await startUpstream(answerJson(200, { ok: true }))
  const place = await clouds.place(access)
  const gateway = await clouds.gateway([{ ...place.upstream, base_url: `${behind.url}/corp/egress` }])
  for (const path of ['/v1/messages?beta=true', '/v1/messages/count_tokens']) await (await gateway.post(path, ask, clouds.alice)).text()
  const models = '/corp/egress/projects/acme/locations/global/publishers/anthropic/models'
  expect(behind.requests.map((request) => request.path)).toEqual(access.provider === 'vertex' ? [`${models}/claude-opus-5-5:rawPredict`, `${models}/count-tokens:rawPredict`] : ['/corp/egress/v1/messages?beta=true', '/corp/egress/v1/messages/count_tokens'])
  await behind.stop()
})

describe('models', () => {
  // B32
  test('are what they are called exactly: a new minor version shadows nothing and is shadowed by nothing', async () => {
    const { place, send } = await start('bedrock with keys')
    for (const [asked, sent] of [['claude-opus-4-8', 'us.anthropic.claude-opus-4-8'], ['claude-opus-5', 'us.anthropic.claude-opus-5'], ['claude-opus-5-5', 'us.anthropic.claude-opus-5-5'], ['claude-haiku-4-5', 'us.anthropic.claude-haiku-4-5-20251001-v1:0']] as const) {
      expect((await send({ ...ask, model: asked })).status).toBe(200)
      expect(last(place).model).toBe(sent)
    }
    for (const model of ['claude-opus-4-9', 'claude-opus-5-55', 'claude-opus', 'claude-opus-4-8-5']) expect((await send({ ...ask, model })).status).toBe(400)
    expect(place.cloud.requests).toHaveLength(4)
  })

  test('go to the upstreams whose patterns name them, without a call to the others', async () => {
    const [haikus, others] = [await clouds.place(accessOf('bedrock with keys'), { upstream: { name: 'haikus', models: ['claude-haiku-*'] } }), await clouds.place(accessOf('vertex with a key file'), { upstream: { name: 'others', models: ['claude-opus-5-5', 'claude-sonnet-*'] } })]
    const gateway = await clouds.gateway([haikus.upstream, others.upstream])
    for (const [model, upstream, attempts] of [['claude-haiku-4-5', 'haikus', 1], ['claude-opus-5-5', 'others', 2], ['claude-sonnet-5', 'others', 2]] as const) {
      const response = await gateway.post('/v1/messages', { ...ask, model }, clouds.alice)
      expect(await reportOf(gateway, response)).toMatchObject({ upstream, attempts, status: 200 })
    }
    const denied = await gateway.post('/v1/messages', { ...ask, model: 'claude-opus-5' }, clouds.alice)
    expect(denied.status).toBe(400)
    expect([haikus.cloud.requests.length, others.cloud.requests.length]).toEqual([1, 2])
  })
})

describe('on foundry', () => {
  test('a model is a deployment by the name the operator gave it', async () => {
    const { place, send } = await start('foundry with an API key', { cloud: { deployments: { 'team-opus': 'claude-opus-5-5' } } }, { models: [{ id: 'claude-opus-5-5', upstream_model: { foundry: 'team-opus' } }] })
    expect((await send()).status).toBe(200)
    expect(last(place).body.model).toBe('team-opus')
  })

  test('fast mode is a deployment of its own, and `speed` stays here', async () => {
    const { place, gateway, send } = await start('foundry with an API key', { cloud: { deployments: { 'claude-opus-5-5': 'claude-opus-5-5', 'claude-opus-5-5-fast': 'claude-opus-5-5', 'claude-sonnet-5': 'claude-sonnet-5' } } })
    for (const [model, speed, sent] of [['claude-opus-5-5', 'fast', 'claude-opus-5-5-fast'], ['claude-opus-5-5', 'standard', 'claude-opus-5-5'], ['claude-opus-5-5', undefined, 'claude-opus-5-5'], ['claude-sonnet-5', 'fast', 'claude-sonnet-5']] as const) {
      const response = await send({ ...ask, model, speed })
      expect(response.status).toBe(200)
      expect(last(place).body).toEqual({ ...ask, model: sent })
      expect((await reportOf(gateway, response)).model).toBe(model)
    }
    expect(place.cloud.requests).toHaveLength(4)
  })

  test('a deployment that is not there moves on', async () => {
    const [first, second] = [await clouds.place(accessOf('foundry with an API key'), { cloud: { deployments: {} } }), await clouds.place(accessOf('bedrock with keys'))]
    const gateway = await clouds.gateway([first.upstream, second.upstream])
    const response = await gateway.post('/v1/messages', ask, clouds.alice)
    expect(await reportOf(gateway, response)).toMatchObject({ upstream: 'bedrock', attempts: 2, status: 200 })
  })
})

test('a whole house of clouds answers in the order of their priority, and everything of the failed ones stays here', async () => {
  const places = await Promise.all(ONE_EACH.map((access, at) => clouds.place(access, { upstream: { priority: ONE_EACH.length - at } })))
  const gateway = await clouds.gateway(places.map(({ upstream }) => upstream))
  for (const { cloud } of places.slice(1)) cloud.script(({ answer }) => answer.send(503, { 'set-cookie': 'canary', 'x-canary': 'canary' }, 'canary'))
  const response = await gateway.post('/v1/messages', { ...ask, stream: true }, clouds.alice)
  const text = await response.text()
  expect(readMessageEvents(text).text).toBe(places[0]?.cloud.messages.at(-1)?.text as string)
  expect(JSON.stringify([[...response.headers], text])).not.toContain('canary')
  expect(await reportOf(gateway, response)).toMatchObject({ upstream: 'bedrock', attempts: ONE_EACH.length, input_tokens: places[0]?.cloud.served[0]?.input as number })
})
