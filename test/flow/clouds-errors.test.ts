// Every recorded refusal of every provider, played by a fake cloud: what the client hears when there is no other upstream,
// whether another one answers when there is, and what stays with the operator.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { upstreamWords } from '../../src/upstream/upstream-words.ts'
import { answerAll, linesOf, ONE_EACH, reportOf, startCloudWorld, type CloudWorld, type Place } from '../support/cloud-world.ts'
import { breakOff, type CloudScript, type HttpError } from '../support/clouds/cloud.ts'
import { errorsOf, RECORDED_STREAM_ERRORS, type RecordedError } from '../support/clouds/recorded-errors.ts'
import type { TestGateway } from '../support/gateway.ts'
import { readMessageEvents } from '../support/message-events.ts'
import { startUpstream, type TestUpstream } from '../support/upstream.ts'

let clouds: CloudWorld
beforeAll(async () => void (clouds = await startCloudWorld()))
afterAll(() => clouds.stop())

interface Heard {
  status: number
  type: string
  message: string
}

const hears = (status: number, type: string, message: string): Heard => ({ status, type, message })
const REJECTED = 'upstream rejected the request'
const rejected = (what: string) => hears(400, 'invalid_request_error', what)
const capability = (name: string) => rejected(`capability_rejected: ${name}`)

/** What the contract says of a status alone (contract.md §4.1): cloud errors name accounts, roles and projects. */
const GENERAL: Readonly<Record<number, Heard>> = {
  400: rejected(REJECTED),
  401: hears(401, 'authentication_error', 'upstream authentication failed — check the gateway operator'),
  403: hears(403, 'permission_error', 'upstream denied the request — check the gateway operator'),
  404: hears(404, 'not_found_error', 'upstream resource not found'),
  408: hears(408, 'timeout_error', 'upstream error'),
  413: hears(413, 'request_too_large', 'request too large for this upstream'),
  422: hears(422, 'api_error', 'upstream error'),
  424: hears(424, 'api_error', 'upstream error'),
  429: hears(429, 'rate_limit_error', 'upstream rate limit exceeded'),
  529: hears(529, 'overloaded_error', 'upstream overloaded'),
}
const ALL_FAILED = hears(502, 'api_error', 'all upstreams failed (1 attempted)')
const MOVES_ON = [401, 402, 403, 404, 429, 500, 501, 502, 503, 504, 529]

/** The model's words in AWS's shape become the class of what was rejected: the client recovers by itself on that. */
const BEDROCK: Readonly<Record<string, Heard>> = {
  'prompt too long': capability('prompt_too_long'),
  'input and max_tokens exceed the context': capability('max_tokens_context_overflow'),
  'thinking signature': capability('thinking_signature'),
  'thinking signature missing': capability('thinking_signature'),
  'thinking blocks modified': capability('thinking_signature'),
  'thinking field unknown': capability('thinking_type:adaptive'),
  'thinking enabled not supported': capability('thinking_type:enabled'),
  'mid-conversation system message': capability('mid_conv_system'),
  'tool field defer_loading': rejected('tools.0.custom.defer_loading: Extra inputs are not permitted'),
  'tool field strict': rejected('tools.2.custom.strict: Extra inputs are not permitted'),
  'tool field eager_input_streaming': rejected('tools.0.custom.eager_input_streaming: Extra inputs are not permitted'),
  'cache scope': rejected('system.1.cache_control.ephemeral.scope: Extra inputs are not permitted'),
  context_management: rejected('context_management: Extra inputs are not permitted'),
  output_config: capability('effort_unsupported'),
  'image dimensions': capability('image_block'),
  // B1: the client compacts the conversation on these.
  'input too long': capability('prompt_too_long'),
  'input too long, short form': rejected('Input is too long.'),
  'Anthropic envelope inside the message': capability('prompt_too_long'),
  'model identifier invalid': rejected('model claude-opus-5-5 is not available on bedrock'),
  'on-demand not supported': rejected('model claude-opus-5-5 is not available on bedrock'),
  ServiceQuotaExceededException: GENERAL[429] as Heard,
  'invalid beta flag': rejected('invalid beta flag'),
  'server tool unknown': rejected("Input tag 'web_search_20250305'"),
}
const GOOGLE: Readonly<Record<string, Heard>> = {
  'payload too large': rejected('Input is too long.'),
  'prompt too long in Google’s shape': hears(413, 'request_too_large', 'capability_rejected: prompt_too_long'),
}
/** Of our mapping or our account with the provider, although the status does not say so. */
const MOVES_ON_ALL_THE_SAME = /model identifier invalid|on-demand not supported|ServiceQuotaExceeded/

function envelopeOf({ body }: RecordedError): { type: string; message: string } | undefined {
  if (!body.startsWith('{"type":"error"')) return undefined
  return JSON.parse(body).error
}

function expectedOf(row: RecordedError): Heard {
  const name = row.name.replace(/^\S+ \d+ /, '')
  const own = row.provider === 'bedrock' ? BEDROCK[name] : GOOGLE[name]
  if (own !== undefined) return own
  const envelope = envelopeOf(row)
  if (envelope !== undefined && (row.status === 400 || row.status === 413)) return { status: row.status, ...envelope }
  return GENERAL[row.status] ?? ALL_FAILED
}

/** Accounts, roles, projects, principals and names of requests in the recorded texts. */
const PRIVATE = /123456789012|arn:aws|i-0abc|acme-prod|projects\/|acme-foundry|6f1e0c7a|b2f0a8de|req_01Recorded|8c3c1d6a|2b0e9d5e|aiplatform|anthropic-claude-opus|amazon|coral|www-authenticate/i
/** Of a request, as the log has it. */
const ID = / \([\w-]{20,}\)/
const ask = { model: 'claude-opus-5-5', max_tokens: 8, messages: [{ role: 'user', content: 'ping' }] }

describe.each(ONE_EACH.map((access) => [access.provider, access] as const))('%s', (provider, access) => {
  let first: Place
  let second: Place
  let alone: TestGateway
  let pair: TestGateway
  let refusal: HttpError | undefined
  let secondRefusal: HttpError | undefined
  let asked = 0
  beforeAll(async () => {
    ;[first, second] = [await clouds.place(access, { upstream: { name: 'first' } }), await clouds.place(access, { upstream: { name: 'second' } })]
    answerAll(first.cloud, () => {
      asked++
      return refusal
    })
    answerAll(second.cloud, () => secondRefusal)
    alone = await clouds.gateway([first.upstream])
    pair = await clouds.gateway([first.upstream, second.upstream])
  })

  /** Breakers close by a success: the first upstream gets one even when it would be asked last. */
  async function heal(): Promise<void> {
    ;[refusal, secondRefusal] = [undefined, { status: 500, headers: {}, body: '' }]
    for (const gateway of [alone, pair]) expect((await gateway.post('/v1/messages', ask, clouds.alice)).status).toBe(200)
    secondRefusal = undefined
    expect((await pair.post('/v1/messages', ask, clouds.alice)).status).toBe(200)
    asked = 0
  }

  test.each(errorsOf(provider).map((row) => [row.name, row] as const))('%s', async (_, row) => {
    await heal()
    const expected = expectedOf(row)
    for (const stream of [true, false]) {
      refusal = row
      const response = await alone.post('/v1/messages', { ...ask, stream }, clouds.alice)
      const body = (await response.json()) as { type: string; request_id: string; error: object }
      expect<unknown>({ status: response.status, ...body.error }).toEqual(expected)
      expect(body).toEqual({ type: 'error', request_id: response.headers.get('x-request-id') as string, error: body.error })
      expect(response.headers.get('content-type')).toStartWith('application/json')
      expect(response.headers.get('request-id')).toBe(body.request_id)
      if (expected.status === 429) expect(response.headers.get('retry-after')).toBe(row.headers['retry-after'] ?? null)
      expect(JSON.stringify([[...response.headers], body])).not.toMatch(PRIVATE)
      const warnings = linesOf(alone, response).filter((line) => line.startsWith('warn '))
      expect(warnings.at(-1)?.replace(ID, '')).toBe(`warn upstream first: ${upstreamWords({ status: row.status, headers: new Headers(row.headers), body: Buffer.from(row.body) }, undefined)}`)
      expect(await reportOf(alone, response)).toMatchObject({ outcome: 'failed', status: expected.status, attempts: 1 })
    }

    await heal()
    refusal = row
    const response = await pair.post('/v1/messages', ask, clouds.alice)
    const moves = MOVES_ON.includes(row.status) || MOVES_ON_ALL_THE_SAME.test(row.name)
    expect(response.status).toBe(moves ? 200 : expected.status)
    const text = await response.text()
    expect(JSON.stringify([[...response.headers], text])).not.toMatch(PRIVATE)
    if (moves) expect(text).toBe(second.cloud.messages.at(-1)?.json as string)
    expect(await reportOf(pair, response)).toMatchObject(moves ? { upstream: 'second', attempts: 2, outcome: 'completed' } : { upstream: 'first', attempts: 1, outcome: 'failed' })
    expect(asked).toBeGreaterThan(0)
  })

  test('a refusal of counting is 501 on Bedrock, else what it is for messages', async () => {
    await heal()
    refusal = { status: 400, headers: { 'content-type': 'application/json' }, body: '{"message":"no"}' }
    const { max_tokens: _, ...counted } = ask
    const response = await alone.post('/v1/messages/count_tokens?beta=true', counted, clouds.alice)
    expect(((await response.json()) as { error: object }).error).toEqual(provider === 'bedrock' ? { type: 'not_supported', message: 'upstream does not support this endpoint' } : { type: 'invalid_request_error', message: REJECTED })
    expect([response.status, response.headers.get('x-should-retry')]).toEqual(provider === 'bedrock' ? [501, 'false'] : [400, null])
  })

  const STREAM: Readonly<Record<string, { type: string; message: string }>> = {
    'bedrock stream throttling': { type: 'rate_limit_error', message: 'upstream rate limit exceeded' },
    'bedrock stream validation': { type: 'invalid_request_error', message: 'capability_rejected: prompt_too_long' },
    'bedrock stream model error': { type: 'api_error', message: 'upstream error' },
    'bedrock stream model timeout': { type: 'timeout_error', message: 'upstream error' },
    'bedrock stream internal': { type: 'api_error', message: 'upstream error' },
    'bedrock stream unavailable': { type: 'overloaded_error', message: 'upstream overloaded' },
    'bedrock stream exception of an unknown type': { type: 'api_error', message: 'upstream error' },
    'bedrock stream error frame': { type: 'api_error', message: 'upstream error' },
  }
  test.each(RECORDED_STREAM_ERRORS.filter((row) => row.provider === provider).map((row) => [row.name, row] as const))('%s', async (_, { name, bytes }) => {
    await heal()
    for (const after of [1, 3, 6]) {
      first.cloud.script(breakOff(after, bytes))
      // The first script in line belongs to `answerAll`: it gives way to the one behind it.
      await alone.post('/v1/messages', ask, clouds.alice)
      const response = await alone.post('/v1/messages', { ...ask, stream: true }, clouds.alice)
      const text = await response.text()
      const read = readMessageEvents(text)
      expect(read.error).toEqual(STREAM[name] ?? (name.endsWith('internal') ? { type: 'api_error', message: 'Internal server error' } : { type: 'overloaded_error', message: 'Overloaded' }))
      expect(text).not.toMatch(PRIVATE)
      expect(await reportOf(alone, response)).toMatchObject({ input_tokens: first.cloud.served.at(-1)?.input as number })
      if (provider === 'bedrock' && STREAM[name] !== undefined) expect(linesOf(alone, response).some((line) => line.startsWith('warn upstream first: '))).toBe(true)
    }
  })
})

describe('anthropic', () => {
  const rows = errorsOf('anthropic')
  let upstream: TestUpstream
  let gateway: TestGateway
  let row: RecordedError
  beforeAll(async () => {
    upstream = await startUpstream((answer) => answer.send(row.status, { ...row.headers, 'anthropic-organization-id': 'canary', 'set-cookie': 'canary=1' }, row.body))
    gateway = await clouds.gateway([{ provider: 'anthropic', base_url: upstream.url, auth: { api_key: 'sk' } }])
  })
  afterAll(() => upstream.stop())

  test.each(rows.map((one) => [one.name, one] as const))('%s reaches the client as it is, without the account’s headers', async (_, one) => {
    row = one
    const response = await gateway.post('/v1/messages', ask, clouds.alice)
    const isGeneral = one.status >= 500 && one.status !== 529
    expect(response.status).toBe(isGeneral ? 502 : one.status)
    const text = await response.text()
    if (!isGeneral) expect(text).toBe(one.body)
    expect(JSON.stringify([...response.headers])).not.toMatch(/canary|ratelimit/)
    expect(response.headers.get('retry-after')).toBe(isGeneral ? null : (one.headers['retry-after'] ?? null))
  })
})

const never: CloudScript = ({ request }) => request.closed
test('an upstream that says nothing is left after its time, and the next one answers', async () => {
  const access = ONE_EACH[0] as (typeof ONE_EACH)[number]
  const [first, second] = [await clouds.place(access, { upstream: { name: 'first', timeouts: { upstream_ttfb_ms: 100 } } }), await clouds.place(access, { upstream: { name: 'second' } })]
  const gateway = await clouds.gateway([first.upstream, second.upstream])
  first.cloud.script(never)
  const response = await gateway.post('/v1/messages', ask, clouds.alice)
  expect(response.status).toBe(200)
  expect(await reportOf(gateway, response)).toMatchObject({ upstream: 'second', attempts: 2 })
  await first.cloud.requests[0]?.closed
})
