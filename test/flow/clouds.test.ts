// Every provider and every way to prove oneself there, through the whole gateway.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ACCESSES, ONE_EACH, ROLE, SECRETS, linesOf, reportOf, startCloudWorld, tampered, type Access, type CloudWorld, type Place } from '../support/cloud-world.ts'
import { stallAfter, type Cloud, type CloudRequest, type Served } from '../support/clouds/cloud.ts'
import type { TestGateway } from '../support/gateway.ts'
import { isWholeBlock, readMessageEvents } from '../support/message-events.ts'

let clouds: CloudWorld
beforeAll(async () => void (clouds = await startCloudWorld()))
afterAll(() => clouds.stop())

const ROUNDS = 50
const MODEL = 'claude-opus-5-5'
const ask = { model: MODEL, max_tokens: 64, system: 'Be brief. ✓', messages: [{ role: 'user', content: 'ping — “ünï” 🦊' }] }
const { max_tokens: _, ...counted } = ask
/** What the provider calls a request, best first. */
const idOf = (sent: Record<string, string>) => sent['request-id'] ?? sent['x-amzn-requestid']

/** Everything a client may see among the headers of an answer. */
const OURS = ['cache-control', 'content-length', 'content-type', 'cross-origin-opener-policy', 'date', 'referrer-policy', 'request-id', 'transfer-encoding', 'x-content-type-options', 'x-frame-options', 'x-request-id']
/** Facts about the account that some hop adds. */
const TELLING = { server: 'canary-envoy', via: '1.1 canary', 'set-cookie': 'canary=1', 'strict-transport-security': 'max-age=7', 'x-amzn-trace-id': 'canary', 'apim-request-id': 'canary', 'anthropic-organization-id': 'canary', 'anthropic-ratelimit-requests-limit': 'canary', connection: 'x-canary', 'x-canary': 'canary' }

function expectHeaders(response: Response, contentType: string): void {
  expect(response.headers.get('content-type')).toStartWith(contentType)
  expect([...response.headers.keys()].filter((name) => !OURS.includes(name))).toEqual([])
  expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'))
}

async function expectReport(gateway: TestGateway, response: Response, cloud: Cloud, sent: Record<string, string>[]): Promise<void> {
  const report = await reportOf(gateway, response)
  expect(report).toMatchObject({ outcome: 'completed', status: 200, attempts: 1, model: MODEL, sub: 'alice', upstream_request_id: idOf(sent.at(-1) ?? {}) as string })
  // An upstream that does not split its writes has told no number for the longer ones.
  const { input_tokens: input, output_tokens: output, cache_read_tokens: cacheRead, cache_write_5m_tokens: cacheWrite5m, cache_write_1h_tokens: cacheWrite1h = 0 } = report
  expect({ input, output, cacheRead, cacheWrite5m, cacheWrite1h, complete: true }).toEqual(withoutModel(cloud.served.at(-1)) as never)
}

const withoutModel = ({ model: _, ...served }: Partial<Served> = {}) => served

describe.each(ACCESSES.map((access, at) => [access.name, access, at * 100 + 1] as const))('%s', (_, access, seed) => {
  let place: Place
  let gateway: TestGateway
  const send = (body: object, path = '/v1/messages?beta=true') => gateway.post(path, body, clouds.alice, { 'anthropic-beta': 'claude-code-20250219' })
  beforeAll(async () => {
    place = await clouds.place(access, { seed })
    gateway = await clouds.gateway([place.upstream])
  })

  // B8, B9, B44
  test('streams every event as the cloud said it, however it was cut, and reports exactly its tokens', async () => {
    const sent: Record<string, string>[] = []
    for (let round = 0; round < ROUNDS; round++) {
      place.cloud.script(tampered({ seed: seed + round, sent, headers: (headers) => ({ ...TELLING, ...headers }) }))
      const response = await send({ ...ask, stream: true })
      expect(response.status).toBe(200)
      expectHeaders(response, 'text/event-stream')
      const read = readMessageEvents(await response.text())
      const said = place.cloud.messages.at(-1)
      expect(read.events).toEqual((said?.events ?? []).filter(({ type }) => type !== 'ping').map(({ json }) => json))
      expect(read).toMatchObject({ text: said?.text as string, thinking: said?.thinking as string, toolInput: said?.toolInput as string, error: undefined })
      await expectReport(gateway, response, place.cloud, sent)
    }
    expect(place.cloud.requests).toHaveLength(ROUNDS)
    expect(place.cloud.requests.every(({ operation, refusal }) => operation === 'stream' && refusal === undefined)).toBe(true)
  }, 60_000)

  test('answers whole as the cloud said it, and reports exactly its tokens', async () => {
    const sent: Record<string, string>[] = []
    for (let round = 0; round < ROUNDS; round++) {
      place.cloud.script(tampered({ sent, headers: (headers) => ({ ...TELLING, ...headers }) }))
      const response = await send(ask)
      expectHeaders(response, 'application/json')
      const text = await response.text()
      expect(text).toBe(place.cloud.messages.at(-1)?.json as string)
      expect(JSON.parse(text).content.every(isWholeBlock)).toBe(true)
      await expectReport(gateway, response, place.cloud, sent)
    }
  }, 60_000)

  test('counts tokens, and meters nothing for it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const sent: Record<string, string>[] = []
      place.cloud.script(tampered({ sent, headers: (headers) => ({ ...TELLING, ...headers }) }))
      const response = await send(counted, '/v1/messages/count_tokens?beta=true')
      expectHeaders(response, 'application/json')
      expect(await response.text()).toBe(JSON.stringify({ input_tokens: place.cloud.counted.at(-1) }))
      const report = await reportOf(gateway, response)
      expect(report).toMatchObject({ path: '/v1/messages/count_tokens', outcome: 'completed', upstream_request_id: idOf(sent[0] ?? {}) as string })
      expect(report).not.toHaveProperty('input_tokens')
    }
  }, 60_000)

  // B42
  test.each(['', 'application/octet-stream', 'text/plain', 'application/vnd.amazon.eventstream', 'text/event-stream'])('streams events as such when the upstream says %j', async (type) => {
    place.cloud.script(tampered({ seed, headers: ({ 'content-type': _, 'X-Amzn-Bedrock-Content-Type': __, ...headers }) => ({ ...headers, ...(type !== '' && { 'content-type': type }) }) }))
    const response = await send({ ...ask, stream: true })
    expectHeaders(response, 'text/event-stream')
    expect(readMessageEvents(await response.text()).text).toBe(place.cloud.messages.at(-1)?.text as string)
  })

  test('is told to compress nothing, and hands nothing on compressed when it does', async () => {
    place.cloud.script(({ answer, message, request }) => {
      expect(request.headers['accept-encoding']).toBe('identity')
      const body = Bun.gzipSync(Buffer.from(message.json))
      answer.raw(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`)
      answer.raw(body)
    })
    const response = await send(ask)
    expectHeaders(response, 'application/json')
    expect(await response.text()).toBe(place.cloud.messages.at(-1)?.json as string)
  })

  test('is reached with the credential of the gateway alone, and nobody else sees it', async () => {
    const response = await send(ask)
    const shown = JSON.stringify([[...response.headers], await response.text(), gateway.observed])
    for (const secret of SECRETS) expect(shown).not.toContain(secret)
    const { headers } = place.cloud.requests.at(-1) as CloudRequest
    expect(JSON.stringify(headers)).not.toContain(clouds.alice)
    for (const name of Object.keys(headers)) expect(name).not.toMatch(/^(cookie|x-claude-code|x-gateway|x-request-id|x-forwarded)/)
    expect(headers['user-agent']).toMatch(/ gatehouse\/\d/)
  })
})

// B30 of the needs: the bill names people.
describe('a role', () => {
  test('has one session for everybody, and with session_per_person one for each, by their names', async () => {
    const { sts } = clouds.sources
    for (const [name, sessions] of [['bedrock as a role', ['gatehouse']], ['bedrock as a role, a session per person', ['alice@example.com', 'bob@example.com']]] as const) {
      const place = await clouds.place(ACCESSES.find((access) => access.name === name) as Access)
      const gateway = await clouds.gateway([place.upstream])
      const before = sts.requests.length
      for (const token of [clouds.alice, clouds.bob, clouds.alice, clouds.bob]) expect((await gateway.post('/v1/messages', ask, token)).status).toBe(200)
      const asked = sts.requests.slice(before)
      expect(asked.map(({ RoleSessionName }) => RoleSessionName as string)).toEqual([...sessions])
      expect(new Set(asked.map(({ RoleArn }) => RoleArn))).toEqual(new Set([ROLE]))
      const keys = place.cloud.requests.map(({ principal }) => principal)
      expect(new Set(keys).size).toBe(sessions.length)
      expect(keys.slice(2)).toEqual(keys.slice(0, 2))
    }
  })
})

async function readUntil(response: Response, words: string): Promise<void> {
  const reader = response.body!.getReader()
  let text = ''
  while (!text.includes(words)) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`the answer ended: ${text}`)
    text += Buffer.from(value).toString()
  }
}

describe.each(ONE_EACH.map((access) => [access.provider, access] as const))('%s', (_, access) => {
  test('hears within a second that its client has gone, and that is reported once', async () => {
    const place = await clouds.place(access, { seed: 77 })
    const gateway = await clouds.gateway([place.upstream])
    for (const events of [1, 4, 6]) {
      place.cloud.script(stallAfter(events))
      const leaving = new AbortController()
      const response = await fetch(`${gateway.url}/v1/messages?beta=true`, { method: 'POST', body: JSON.stringify({ ...ask, stream: true }), headers: { authorization: `Bearer ${clouds.alice}`, 'anthropic-version': '2023-06-01' }, signal: leaving.signal })
      await readUntil(response, 'message_start')
      leaving.abort()
      await place.cloud.requests.at(-1)?.closed
      const report = await reportOf(gateway, response)
      const served = place.cloud.served.at(-1)
      expect(report).toMatchObject({ outcome: 'client_gone', input_tokens: served?.input as number, cache_read_tokens: served?.cacheRead as number })
      expect(gateway.observed.filter((one) => 'evt' in one && one.evt === 'inference' && one.request_id === report.request_id)).toHaveLength(1)
      expect(linesOf(gateway, response)).toEqual([])
    }
    expect(place.cloud.connections()).toBe(0)
  })

  test('that breaks off ends in an error event after whole events, with the tokens that were told', async () => {
    const place = await clouds.place(access, { seed: 78 })
    const gateway = await clouds.gateway([place.upstream])
    for (let events = 1; events < 12; events++) {
      const arrived = Promise.withResolvers<void>()
      place.cloud.script(async ({ answer, stream }) => {
        await stream(events)
        await arrived.promise
        answer.reset()
      })
      const response = await gateway.post('/v1/messages', { ...ask, stream: true }, clouds.alice)
      let text = ''
      for await (const chunk of response.body!) {
        text += Buffer.from(chunk).toString()
        if (text.includes('message_start')) arrived.resolve()
      }
      const read = readMessageEvents(text)
      expect(read.error).toEqual({ type: 'api_error', message: 'the upstream connection was lost' })
      expect(await reportOf(gateway, response)).toMatchObject({ outcome: 'upstream_broke', input_tokens: place.cloud.served.at(-1)?.input as number })
    }
  })
})
