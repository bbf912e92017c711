// A request like the real client's, at every provider; and what the providers make of betas and fields they do not know.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { BASE_URL_BETAS, CLAUDE_CODE_HEADERS, claudeCodeBody } from '../support/claude-code-request.ts'
import { accessOf, linesOf, ONE_EACH, reportOf, startCloudWorld, type CloudWorld, type Place } from '../support/cloud-world.ts'
import { BEDROCK_BETAS } from '../support/clouds/bedrock.ts'
import { anthropicError, fail } from '../support/clouds/cloud.ts'
import { VERTEX_BETAS } from '../support/clouds/vertex.ts'
import type { TestGateway } from '../support/gateway.ts'
import { readMessageEvents } from '../support/message-events.ts'

let clouds: CloudWorld
beforeAll(async () => void (clouds = await startCloudWorld()))
afterAll(() => clouds.stop())

const sendAsClient = (gateway: TestGateway, body: string, headers: Record<string, string> = {}, path = '/v1/messages?beta=true') => gateway.post(path, body, clouds.alice, { ...CLAUDE_CODE_HEADERS, ...headers })
const last = ({ cloud }: Place) => cloud.requests.at(-1) as Place['cloud']['requests'][number]

/** The same at every depth, without what the provider does not take. */
function without(value: any, drop: (path: string) => boolean, path = ''): any {
  if (Array.isArray(value)) return value.map((item) => without(item, drop, `${path}.*`))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([name]) => !drop(`${path}.${name}`))
  return Object.fromEntries(kept.map(([name, inner]) => [name, without(inner, drop, `${path}.${name}`)]))
}

test('the made-up request is of the real one’s size', () => {
  expect(Buffer.byteLength(claudeCodeBody())).toBeWithin(80_000, 110_000)
  expect(claudeCodeBody()).toBe(claudeCodeBody())
})

// Fable 5 and Opus 4.8 take messages of the system; where a model does not, the client falls back by itself.
describe.each(ONE_EACH.map((access) => [access.provider, access] as const))('%s', (provider, access) => {
  test.each(['claude-opus-4-8', 'claude-fable-5'])('takes the client’s request for %s at once, whole but for what it does not know', async (model) => {
    const place = await clouds.place(access)
    const gateway = await clouds.gateway([place.upstream])
    for (const stream of [true, false]) {
      const body = claudeCodeBody({ model, stream })
      const response = await sendAsClient(gateway, body)
      expect({ status: response.status, refused: place.cloud.requests.map(({ refusal }) => refusal?.body).filter((words) => words !== undefined) }).toEqual({ status: 200, refused: [] })
      if (stream) expect(readMessageEvents(await response.text()).text).toBe(place.cloud.messages.at(-1)?.text as string)
      else expect(await response.text()).toBe(place.cloud.messages.at(-1)?.json as string)
      expect((await reportOf(gateway, response)).attempts).toBe(1)
      expect(linesOf(gateway, response)).toEqual([])
      expect(last(place).body).toEqual(expectedBody(provider, JSON.parse(body)))
    }
    expect(place.cloud.requests).toHaveLength(2)
  })

  test('takes an older model’s request, and a client’s that came by ANTHROPIC_BASE_URL, at once', async () => {
    const place = await clouds.place(access)
    const gateway = await clouds.gateway([place.upstream])
    for (const [model, betas] of [['claude-haiku-4-5', 'claude-code-20250219,tool-search-tool-2025-10-19,context-management-2025-06-27'], ['claude-haiku-4-5', BASE_URL_BETAS.join(',')], ['claude-opus-4-8', BASE_URL_BETAS.join(',')]] as const) {
      const response = await sendAsClient(gateway, claudeCodeBody({ model }), { 'anthropic-beta': betas })
      expect({ status: response.status, refused: place.cloud.requests.map(({ refusal }) => refusal?.body).filter((words) => words !== undefined) }).toEqual({ status: 200, refused: [] })
      readMessageEvents(await response.text())
      const { tools } = last(place).body
      expect(tools).toEqual(JSON.parse(claudeCodeBody({ model })).tools)
    }
  })

  // B2, B3
  test('refuses one beta more than its table knows: the request succeeds all the same, once retried, and not the next time', async () => {
    const place = await clouds.place(access, { cloud: { betas: takesAllBut(provider, 'context-1m-2025-08-07') } })
    const gateway = await clouds.gateway([place.upstream], ADMIN)
    const headers = { 'anthropic-beta': `${CLAUDE_CODE_HEADERS['anthropic-beta']}, context-1m-2025-08-07,context-1m-2025-08-07` }
    const first = await sendAsClient(gateway, claudeCodeBody(), headers)
    expect(first.status).toBe(200)
    expect(place.cloud.requests.map(({ refusal }) => refusal?.status)).toEqual([400, undefined])
    expect((await reportOf(gateway, first)).attempts).toBe(1)
    expect(linesOf(gateway, first).filter((line) => line.startsWith('info') && line.includes('left out: ') && line.includes('beta:context-1m-2025-08-07'))).toHaveLength(1)
    expect(await leftOut(gateway)).toContainEqual({ model: expect.any(String), item: 'beta:context-1m-2025-08-07', refusals: 1 })
    const second = await sendAsClient(gateway, claudeCodeBody(), headers)
    expect(second.status).toBe(200)
    expect(place.cloud.requests.map(({ refusal }) => refusal?.status)).toEqual([400, undefined, undefined])
    expect(linesOf(gateway, second)).toEqual([])
  })

  test('refuses a field that nobody knew it refuses: that field alone is left out, once and from then on, for this model only', async () => {
    const place = await clouds.place(access)
    const gateway = await clouds.gateway([place.upstream])
    const body = (extra: object, model = 'claude-opus-4-8') => JSON.stringify({ ...JSON.parse(claudeCodeBody({ model })), ...extra })
    const refuse = fail(anthropicError(400, 'invalid_request_error', 'metadata.house_field: Extra inputs are not permitted', 'req_x'))
    if (provider !== 'bedrock' && provider !== 'vertex') place.cloud.script(refuse)
    const metadata = { user_id: 'u', house_field: { deep: [1.0] } }
    const first = await sendAsClient(gateway, body({ metadata }))
    expect(first.status).toBe(200)
    expect(last(place).body.metadata).toEqual({ user_id: 'u' })
    expect(linesOf(gateway, first).some((line) => line.includes('left out: metadata.house_field'))).toBe(true)
    expect(place.cloud.requests).toHaveLength(2)
    const second = await sendAsClient(gateway, body({ metadata }))
    expect(second.status).toBe(200)
    expect(last(place).body.metadata).toEqual({ user_id: 'u' })
    expect(place.cloud.requests).toHaveLength(3)
    // Another model starts anew.
    await sendAsClient(gateway, body({ metadata }, 'claude-fable-5'))
    expect(place.cloud.requests[3]?.body.metadata).toEqual(metadata)
  })

  test('refuses the same request for ever: it is sent twice, and the client hears it once', async () => {
    const place = await clouds.place(access)
    const gateway = await clouds.gateway([place.upstream])
    const refuse = fail(anthropicError(400, 'invalid_request_error', 'metadata.odd: Extra inputs are not permitted', 'req_x'))
    place.cloud.script(refuse, refuse, refuse)
    const response = await sendAsClient(gateway, JSON.stringify({ ...JSON.parse(claudeCodeBody()), metadata: { user_id: 'u', odd: 1 } }))
    expect(response.status).toBe(400)
    expect(place.cloud.requests).toHaveLength(2)
    expect((await reportOf(gateway, response)).outcome).toBe('failed')
  })

  // B5, B6
  test('counts the client’s tokens with tools, betas and all', async () => {
    const place = await clouds.place(access)
    const gateway = await clouds.gateway([place.upstream])
    const { model, messages, tools } = JSON.parse(claudeCodeBody())
    const headers = { 'anthropic-beta': `${CLAUDE_CODE_HEADERS['anthropic-beta']},token-counting-2024-11-01` }
    const response = await sendAsClient(gateway, JSON.stringify({ model, messages, tools }), headers, '/v1/messages/count_tokens?beta=true')
    expect({ status: response.status, refused: place.cloud.requests.map(({ refusal }) => refusal?.body).filter((words) => words !== undefined) }).toEqual({ status: 200, refused: [] })
    expect(await response.json()).toEqual({ input_tokens: place.cloud.counted[0] })
    if (provider === 'vertex') expect(last(place).headers).not.toHaveProperty('anthropic-beta')
    // What counting needs is no fact about the model: the next message goes out whole.
    await sendAsClient(gateway, claudeCodeBody())
    expect(last(place).body).toEqual(expectedBody(provider, JSON.parse(claudeCodeBody())))
  })
})

const ADMIN = { admin: { read_keys: [{ id: 'ops', key: 'an-admin-key-of-more-than-thirty-two-characters' }] } }
async function leftOut(gateway: TestGateway): Promise<object[]> {
  const response = await fetch(`${gateway.url}/readyz?verbose=1`, { headers: { 'x-api-key': ADMIN.admin.read_keys[0]?.key ?? '' } })
  const { upstreams } = (await response.json()) as { upstreams: { left_out: object[] }[] }
  return upstreams.flatMap(({ left_out }) => left_out)
}

function takesAllBut(provider: string, beta: string): ReadonlySet<string> {
  const known = provider === 'bedrock' ? BEDROCK_BETAS : provider === 'vertex' ? VERTEX_BETAS : CLAUDE_CODE_HEADERS['anthropic-beta']?.split(',')
  return new Set([...(known ?? [])].filter((one) => one !== beta))
}

/** The documented filters: everything else arrives. */
function expectedBody(provider: string, { model, stream, ...body }: any): any {
  if (provider === 'mantle') return { ...body, model: `anthropic.${model}`, stream }
  if (provider !== 'bedrock' && provider !== 'vertex') return { ...body, model, stream }
  const filtered = without(body, (path) => /^\.(system|tools|messages\.\*\.content)\.\*\.cache_control\.scope$/.test(path))
  if (provider === 'vertex') return { ...filtered, stream, anthropic_version: 'vertex-2023-10-16' }
  const anthropic_beta = (CLAUDE_CODE_HEADERS['anthropic-beta'] ?? '').split(',').filter((beta) => !['thinking-token-count-2026-05-13', 'prompt-caching-scope-2026-01-05'].includes(beta))
  return { ...filtered, anthropic_version: 'bedrock-2023-05-31', anthropic_beta }
}

describe('what a cloud’s model cannot do', () => {
  test.each(['bedrock with keys', 'vertex with a key file'])('is said on %s in the words that the client recovers from, and nothing is left out for it', async (name) => {
    const place = await clouds.place(accessOf(name))
    const gateway = await clouds.gateway([place.upstream], ADMIN)
    const body = JSON.parse(claudeCodeBody({ model: 'claude-sonnet-5' }))
    for (const [request, words] of [
      [body, name.startsWith('bedrock') ? 'capability_rejected: mid_conv_system' : "messages.1.role: Input should be 'user' or 'assistant'"],
      [{ ...body, messages: body.messages.slice(0, 1), safeguards: [{ type: 'dangerous_tool_use' }] }, name.startsWith('bedrock') ? 'safeguards: not supported by this upstream' : 'safeguards: Extra inputs are not permitted'],
    ]) {
      const response = await sendAsClient(gateway, JSON.stringify(request))
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', message: words } })
    }
    expect(place.cloud.requests).toHaveLength(2)
    expect(await leftOut(gateway)).toEqual([])
  })
})

describe('on bedrock', () => {
  const start = async (options: Parameters<CloudWorld['place']>[1] = {}) => {
    const place = await clouds.place(accessOf('bedrock with keys'), options)
    return { place, gateway: await clouds.gateway([place.upstream]) }
  }
  const ask = { model: 'claude-opus-5-5', max_tokens: 8, messages: [{ role: 'user', content: 'ping' }] }

  // B2
  test('advanced tool use becomes tool search, and what is deferred stays deferred', async () => {
    const { place, gateway } = await start()
    const tools = [{ name: 't', input_schema: {}, defer_loading: true }]
    const response = await gateway.post('/v1/messages', { ...ask, tools }, clouds.alice, { 'anthropic-beta': 'advanced-tool-use-2025-11-20,of-the-future-2030-01-01,of-the-future-2030-01-01' })
    expect(response.status).toBe(200)
    expect(last(place).body).toMatchObject({ anthropic_beta: ['tool-search-tool-2025-10-19'], tools })
    expect(place.cloud.requests).toHaveLength(1)
  })

  test('deferring without its beta is left out before it is refused, and no beta is made up', async () => {
    const { place, gateway } = await start()
    const response = await gateway.post('/v1/messages', { ...ask, tools: [{ name: 't', input_schema: { defer_loading: 1 }, defer_loading: true }] }, clouds.alice)
    expect(response.status).toBe(200)
    expect(last(place).body).toEqual({ max_tokens: 8, messages: ask.messages, tools: [{ name: 't', input_schema: { defer_loading: 1 } }], anthropic_version: 'bedrock-2023-05-31' })
  })

  test('a model that takes no tool search refuses the field by its path and gets the request without it', async () => {
    const { place, gateway } = await start()
    place.cloud.script(fail({ status: 400, headers: { 'x-amzn-errortype': 'ValidationException' }, body: '{"message":"tools.1.custom.defer_loading: Extra inputs are not permitted"}' }))
    const tools = [{ name: 'a', input_schema: {} }, { name: 'b', input_schema: {}, defer_loading: true }]
    const response = await gateway.post('/v1/messages', { ...ask, tools }, clouds.alice, { 'anthropic-beta': 'tool-search-tool-2025-10-19' })
    expect(response.status).toBe(200)
    expect(last(place).body.tools).toEqual([{ name: 'a', input_schema: {} }, { name: 'b', input_schema: {} }])
    expect(linesOf(gateway, response).at(-1)).toMatch(/^info upstream bedrock: us\.anthropic\.claude-opus-5-5: left out: tools\.\*\S*\.defer_loading$/)
  })

  // B6
  test.each(['/v1/messages/count_tokens', '/v1/messages/count_tokens?beta=true'])('a model that cannot be counted is 501 at %s, so that the client counts by itself', async (path) => {
    const { place, gateway } = await start({ cloud: { countable: new Set() } })
    const { max_tokens: _, ...counted } = ask
    const response = await gateway.post(path, counted, clouds.alice)
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([501, 'false'])
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'not_supported', message: 'upstream does not support this endpoint' } })
    expect(place.cloud.requests).toHaveLength(1)
  })

  test('the version of the body follows the client’s header and the model', async () => {
    const { place, gateway } = await start()
    for (const [version, model, said] of [
      ['2023-06-01', 'claude-opus-5-5', 'bedrock-2023-05-31'],
      ['2026-10-21', 'claude-opus-5-5', '2026-10-21'],
      ['2026-10-21', 'claude-opus-4-7', '2026-10-21'],
      ['2026-10-21', 'claude-sonnet-4-6', 'bedrock-2023-05-31'],
      ['2026-10-21', 'claude-haiku-4-5', 'bedrock-2023-05-31'],
      ['2031-01-01', 'claude-opus-5-5', 'bedrock-2023-05-31'],
    ] as const) {
      const response = await gateway.post('/v1/messages', { ...ask, model }, clouds.alice, { 'anthropic-version': version })
      expect([response.status, last(place).body.anthropic_version]).toEqual([200, said])
    }
  })
})
