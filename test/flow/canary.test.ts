// T257: a word of its own in every secret, prompt, answer and token; everything is driven through the gateway, and no word
// comes out where it does not belong.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSink } from '../../src/observe/sink.ts'
import { until } from '../support/admin.ts'
import { startCollector, type TestCollector } from '../support/collector.ts'
import { startWorld, type TestGateway, type Tokens, type World } from '../support/gateway.ts'
import { answerError, answerStream, messageEvents } from '../support/upstream.ts'

/** None of them looks like a credential: what keeps them in is that nobody writes them, not that they are cut out. */
const SECRETS = {
  jwt: 'zebra-jwt-secret-of-more-than-thirty-two-bytes',
  write: 'zebra-write-key-of-more-than-thirty-two-bytes',
  read: 'zebra-read-key-of-more-than-thirty-two-bytes',
  upstream: 'zebra-upstream-key',
  hook: 'zebra-hook-path',
  hookSecret: 'zebra-hook-secret-of-bytes',
  collector: 'zebra-collector-key',
}
const PROMPTS = ['zebra-prompt', 'zebra-system', 'zebra-tool-argument', 'zebra-tool-description', 'zebra-attachment', 'zebra-metadata', 'zebra-telemetry']
/** All begin like this, whole and in pieces. */
const ANIMAL = 'zebra'
const ANSWERS = ['zebra-answer', 'zebra-thinking']
const PRESENTED = ['zebra-bearer-that-nobody-gave', 'zebra-admin-key-that-nobody-gave-of-bytes', 'zebra-refresh-token', 'zebra-device-code', 'zebra-query']

/** What upstreams and what stands in front of them make of a request in an error. */
const OFTEN_QUOTED = {
  mcp_servers: [{ type: 'url', url: 'https://zebra-mcp.invalid', name: 'zebra-mcp', authorization_token: 'zebra-mcp-token' }],
  stop_sequences: ['zebra-stop'],
  messages: [{ role: 'user', content: `zebra-prompt zebra-größe <zebra> & "zebra-quoted"${'-'.repeat(1_000_000)}` }, { role: 'assistant', content: [{ type: 'tool_use', id: 'zebra-id', name: 'zebra-name', input: { name: 'zebra-input', type: 'zebra-type' } }] }],
}
const QUOTES: ((request: any, headers: Record<string, string | string[] | undefined>) => string)[] = [
  ({ mcp_servers: [server] }) => `mcp_servers.0: authorization_token '${server.authorization_token}' was refused by ${server.url}`,
  ({ stop_sequences }) => `stop_sequences.0: "${stop_sequences[0]}" is too long`,
  ({ messages }) => `messages.1: tool input ${JSON.stringify(messages[1].content[0].input)} of ${messages[1].content[0].name} does not match ${messages[1].content[0].id}`,
  ({ messages }) => messages[0].content.slice(0, 60_000),
  ({ messages }) => `bad line ${messages[0].content.slice(-600)}`,
  ({ messages }) => JSON.stringify(messages[0].content.slice(0, 60)).replaceAll(/[\u0080-\uffff<>&]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`),
  ({ messages }) => `invalid prompt: "${messages[0].content.slice(0, 20)}..."`,
  (request, headers) => JSON.stringify({ detail: [{ loc: ['body'], input: JSON.stringify(request).slice(0, 30_000) }], key: headers['x-api-key'] }),
]

let world: World
/** A replica that sends with a key of ours. */
let subject: TestGateway
let collector: TestCollector
let alice: Tokens
/** What a client was told, and what an administrator was. */
const told: string[] = []
const toldAdmin: string[] = []

const admin = (path: string, init: RequestInit = {}) => fetch(world.gateway.url + path, { ...init, headers: { 'x-api-key': SECRETS.write, 'content-type': 'application/json', ...init.headers } })
const hear = async (into: string[], answer: Response | Promise<Response>) => {
  const response = await answer
  into.push(`${JSON.stringify([...response.headers])}\n${await response.text()}`)
  return response.status
}

const ask = (more: object = {}) => ({
  model: 'claude-sonnet-5',
  max_tokens: 100,
  system: 'zebra-system',
  metadata: { user_id: 'zebra-metadata' },
  tools: [{ name: 'search', description: 'zebra-tool-description', input_schema: { type: 'object' } }],
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'zebra-prompt' }, { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'zebra-attachment' } }] },
    { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'search', input: { q: 'zebra-tool-argument' } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'zebra-prompt' }] },
  ],
  ...more,
})

beforeAll(async () => {
  collector = startCollector()
  world = await startWorld({
    config: {
      session: { jwt_secret: SECRETS.jwt },
      audit: { store: true },
      admin: {
        write_keys: [{ id: 'ops', key: SECRETS.write }],
        read_keys: [{ id: 'watch', key: SECRETS.read }],
        alerts: { thresholds: [1], destinations: [{ url: `https://hooks.invalid/${SECRETS.hook}`, secret: SECRETS.hookSecret }] },
      },
      telemetry: { forward_to: [{ url: collector.url, headers: { authorization: `Bearer ${SECRETS.collector}` }, logs: true, traces: true }] },
    },
  })
  subject = await world.replica({ upstreams: [{ provider: 'anthropic', base_url: world.upstream.url, auth: { api_key: SECRETS.upstream } }] })
  alice = await world.signIn('alice')
  const token = alice.access_token

  // The log says all it can.
  for (const gateway of [world.gateway, subject]) expect(await hear(toldAdmin, fetch(`${gateway.url}/v1/organizations/log_level`, { method: 'PUT', headers: { 'x-api-key': SECRETS.write }, body: '{"level":"debug"}' }))).toBe(200)

  // Requests that succeed, that fail in every way, that break off, that nobody may make.
  const deltas = messageEvents('claude-sonnet-5', ['zebra-answer '])
  world.upstream.enqueue(answerStream(deltas))
  expect(await hear([], world.gateway.post('/v1/messages', ask({ stream: true }), token))).toBe(200)
  expect(await hear([], subject.post('/v1/messages', ask({ stream: true }), token))).toBe(200)
  world.upstream.enqueue(async (answer) => {
    answer.head(200, { 'content-type': 'text/event-stream' })
    for (const event of deltas.slice(0, 4)) await answer.chunk(event)
    answer.reset()
  })
  await world.gateway.post('/v1/messages', ask({ stream: true }), token).then((response) => response.text()).catch(() => {})
  for (const status of [400, 401, 403, 404, 429, 500, 529]) {
    // Upstreams quote what they were sent.
    world.upstream.enqueue((answer, request) => answerError(status, `refused: ${JSON.stringify(request.json().messages)} of ${request.headers['x-api-key']}`)(answer, request))
    await hear([], subject.post('/v1/messages', ask(), token))
  }
  for (const quote of QUOTES) {
    world.upstream.enqueue((answer, request) => answerError(429, quote(request.json(), request.headers))(answer, request))
    await hear([], subject.post('/v1/messages', ask({ ...OFTEN_QUOTED }), token))
  }
  for (const body of ['{"zebra-prompt', JSON.stringify(ask({ model: 'claude-opus-5-5' })), JSON.stringify(ask({ max_tokens: 'zebra-prompt' })), '[]']) await hear([], world.gateway.post('/v1/messages', body, token))
  await hear([], world.gateway.post('/v1/messages/count_tokens', ask(), token))

  // Tokens that nobody gave, and all that is done with those somebody did.
  for (const path of ['/', '/status', '/v1/messages', '/v1/models', '/managed/settings', '/nowhere?code=zebra-query&state=zebra-query', '/oauth/callback?code=zebra-query&state=zebra-query']) {
    await hear(told, world.gateway.get(path, PRESENTED[0]))
    await hear(told, world.gateway.get(path, undefined, { 'x-api-key': PRESENTED[1] as string }))
  }
  const form = (path: string, fields: Record<string, string>) => hear(told, world.gateway.form(path, fields))
  await form('/oauth/token', { grant_type: 'refresh_token', refresh_token: 'zebra-refresh-token' })
  await form('/oauth/token', { grant_type: 'refresh_token', refresh_token: 'ghr_zebra-refresh-token' })
  await form('/oauth/token', { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: 'zebra-device-code' })
  await form('/oauth/revoke', { token: 'ghr_zebra-refresh-token' })
  await form('/device', { user_code: 'zebra-device-code' })
  const refreshed = (await (await world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: alice.refresh_token })).json()) as Tokens
  await hear(told, world.gateway.get('/managed/settings', token))
  await hear(told, world.gateway.get('/api/oauth/usage', token))

  // Administrators, those that are and those that are not; a limit that fills, so that somebody hears of it.
  for (const key of [PRESENTED[1] as string, SECRETS.read]) {
    await hear(told, fetch(`${world.gateway.url}/v1/organizations/spend_limits`, { method: 'POST', headers: { 'x-api-key': key }, body: JSON.stringify({ scope: { type: 'organization' }, amount: '1' }) }))
  }
  expect(await hear(toldAdmin, admin('/v1/organizations/spend_limits', { method: 'POST', body: JSON.stringify({ scope: { type: 'organization' }, amount_usd: '1' }) }))).toBe(200)
  await hear([], world.gateway.post('/v1/messages', ask(), token))
  await world.gateway.saw('spend.alert')

  // Telemetry as clients send it, and as nobody should.
  const logs = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'zebra-telemetry' } }] }] }] }
  for (const body of [JSON.stringify(logs), '{"zebra-telemetry']) await hear(told, world.gateway.post('/v1/logs', body, token))
  await collector.arrived(1)

  // Sessions that end.
  await form('/oauth/revoke', { token: refreshed.refresh_token })
  await until(async () => Number((await world.database.sql`select count(*)::int as n from audit_event where evt = 'session.revoke'`)[0]?.n) === 1)

  for (const path of ['/metrics', '/readyz?verbose=1', '/status', '/v1/organizations/log_level', '/v1/organizations/audit_events?limit=1000', '/v1/organizations/audit_events?format=csv', '/v1/organizations/audit_events?format=ndjson', '/v1/organizations/spend_limits/audit', '/v1/organizations/spend_limits/effective',
    '/v1/organizations/usage_report/messages?starting_at=2020-01-01T00:00:00Z&format=csv&bucket_width=1d&group_by[]=user', '/v1/organizations/policies/effective?user_id=alice', '/v1/organizations/spend_limits/zebra-query', '/v1/organizations/audit_events?page=zebra-query']) {
    await hear(toldAdmin, admin(path))
  }
  TOKENS.push(token, alice.refresh_token, refreshed.access_token, refreshed.refresh_token)
}, 60_000)
afterAll(async () => {
  await world.stop()
  await collector.stop()
}, 20_000)

/** Those of this run. */
const TOKENS: string[] = []

function logOf(format: 'text' | 'json'): string {
  const lines: string[] = []
  const sink = createSink({ level: () => 'debug', format, write: (line) => lines.push(line), now: () => new Date() })
  for (const observation of [...world.gateway.observed, ...subject.observed]) sink(observation)
  return lines.join('')
}

async function databaseText(): Promise<string> {
  const { sql } = world.database
  const tables = await sql`select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`
  const rows = await Promise.all(tables.map(({ name }) => sql.unsafe(`select '${name} ' || t::text as row from "${name}" t`)))
  return rows.flat().map(({ row }) => row as string).join('\n')
}

const everyWord = () => [...Object.values(SECRETS), ...PROMPTS, ...ANSWERS, ...PRESENTED, ...TOKENS]
const found = (text: string, words: readonly string[]) => words.filter((word) => text.includes(word))

describe('no secret, prompt, answer or token is in', () => {
  test.each(['text', 'json'] as const)('the log, at its lowest level, as %s', (format) => {
    const log = logOf(format)
    expect(log).toMatch(/claude-sonnet-5 for alice: policy \d+; spend: /)
    for (const evt of ['inference', 'auth.denied', 'admin.denied', 'session.revoke', 'spend.alert', 'admin.limit.upsert', 'inference.denied', 'session.refresh']) expect(log).toContain(`"evt":"${evt}"`)
    expect(log).toContain("429 api_error (req_upstream): mcp_servers.0: authorization_token '[…]' was refused by […]")
    expect(found(log, everyWord())).toEqual([])
    const lines = log.split('\n').filter((line) => line.includes('upstream ') && line.includes(ANIMAL))
    expect(lines).toEqual([])
  })

  test('the stored trail, or anything else in the database', async () => {
    const text = await databaseText()
    expect(text).toContain('audit_event (')
    expect(text).toContain('usage_')
    expect(found(text, everyWord())).toEqual([])
  })

  test('what an administrator reads: metrics, readiness, exports, reports, errors', () => {
    expect(toldAdmin.length).toBe(16)
    expect(toldAdmin.filter((answer) => answer.includes('gatehouse_audit_events_stored_total') || answer.includes('"evt":"inference"') || answer.includes('""evt"":""inference""'))).toHaveLength(4)
    expect(found(toldAdmin.join('\n'), everyWord())).toEqual([])
  })

  test('what is told to somebody who holds none of it', () => {
    expect(told.length).toBeGreaterThan(15)
    expect(found(told.join('\n'), everyWord())).toEqual([])
  })
})

test('the words went where they belong, so that finding none means something', () => {
  const sent = world.upstream.requests.map(({ body, headers }) => `${body}${JSON.stringify(headers)}`).join('\n')
  expect(found(sent, [...PROMPTS, SECRETS.upstream]).sort()).toEqual([...PROMPTS.filter((word) => word !== 'zebra-telemetry'), SECRETS.upstream].sort())
  const exported = collector.received.map(({ body, headers }) => `${new TextDecoder().decode(body)}${JSON.stringify([...headers])}`).join('\n')
  expect(found(exported, ['zebra-telemetry', SECRETS.collector])).toEqual(['zebra-telemetry', SECRETS.collector])
})
