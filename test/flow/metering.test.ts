// What the ledger says of requests is what the upstreams did, whatever became of each.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { answerError, answerJson, answerStream, messageEvents, startUpstream, type Script, type TestUpstream } from '../support/upstream.ts'
import { startWorld, type Tokens, type World } from '../support/gateway.ts'

let world: World
let second: TestUpstream
let alice: Tokens
beforeAll(async () => {
  second = await startUpstream()
  world = await startWorld()
  // The first upstream of the world, and one behind it; `patient` waits for them as long as it takes.
  const upstreams = [world.upstream, second].map(({ url }, n) => ({ name: `up${n + 1}`, provider: 'anthropic', base_url: url, auth: { api_key: 'sk-upstream-canary' } }))
  both = await world.replica({ upstreams, timeouts: { upstream_ttfb_ms: 400 } })
  patient = await world.replica({ upstreams })
  alice = await world.signIn('alice', both)
}, 30_000)
let both: World['gateway']
let patient: World['gateway']
afterAll(async () => {
  await world.stop()
  await second.stop()
})
afterEach(async () => {
  await settled()
  await world.database.sql`truncate usage, usage_hour, usage_day, usage_hold, spend_day`
})

const ask = (changes: object = {}) => ({ model: 'claude-sonnet-5', max_tokens: 1000, messages: [], stream: true, ...changes })
/** Sonnet 5: 1000 in, 200 written, 300 read, 500 out, in nano-dollars. */
const WHOLE = 1000 * 2000 + 200 * 2500 + 300 * 200 + 500 * 10_000

async function send(body: object = ask(), options: { signal?: AbortSignal; headers?: Record<string, string>; at?: World['gateway'] } = {}): Promise<Response> {
  return fetch(`${(options.at ?? both).url}/v1/messages?beta=true`, { method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${alice.access_token}`, 'content-type': 'application/json', ...options.headers }, ...(options.signal && { signal: options.signal }) })
}

/** Nothing is held any more. */
async function settled(): Promise<void> {
  for (let count = 1; count > 0; ) count = (await world.database.sql`select count(*)::int as count from usage_hold`)[0]?.count
}

/** The rows of the ledger once nothing is held any more. */
async function ledger() {
  for (;;) {
    await settled()
    const rows = await world.database.sql`select upstream, status, outcome, estimated, input_tokens::int as input, output_tokens::int as output, cost::int from usage order by started_at, request_id, seq`
    if (rows.length > 0) {
      const [day] = await world.database.sql`select sum(spent)::int as spent, sum(held)::int as held from spend_day where scope = 'user'`
      expect([day?.spent ?? 0, day?.held ?? 0]).toEqual([rows.reduce((sum, row) => sum + row.cost, 0), 0])
      return [...rows] as unknown as { upstream: string; status: number; outcome: string; estimated: boolean; input: number; output: number; cost: number }[]
    }
    await Bun.sleep(5)
  }
}

/** Reads on after that too where `then` is given. */
async function readUntil(response: Response, words: string, then?: () => void): Promise<void> {
  const reader = response.body?.getReader()
  let text = ''
  while (!text.includes(words)) text += Buffer.from((await reader?.read())?.value ?? []).toString()
  then?.()
  while (then !== undefined && (await reader?.read())?.done === false);
}

describe('a request', () => {
  test.each([true, false])('that is answered is one row with the usage of the answer (stream: %p)', async (stream) => {
    await (await send(ask({ stream }))).text()
    expect(await ledger()).toEqual([{ upstream: 'up1', status: 200, outcome: 'completed', estimated: false, input: 1000, output: 500, cost: WHOLE }])
  })

  test('says who, with which groups, client and session, and which rates were applied', async () => {
    await (await send(ask(), { headers: { 'user-agent': 'claude-cli/2.1.330 (external, cli)', 'x-claude-code-session-id': 'b7c1' } })).text()
    await ledger()
    const [row] = await world.database.sql`
      select issuer, sub, groups, session, client, client_version, model_asked, model, provider, upstream_model, upstream_request_id, rate_input, rate_output, rate_cache_read, rate_cache_write_5m,
        rate_cache_write_1h, rate_web_search, cost, priced_by, ttfb_ms >= 0 and duration_ms >= ttfb_ms as timed from usage join group_set on id = group_set`
    expect(row as unknown).toEqual({
      issuer: world.idp.issuer, sub: 'alice', groups: ['engineering'], session: 'b7c1', client: 'claude-cli', client_version: '2.1.330', model_asked: 'claude-sonnet-5', model: 'claude-sonnet-5',
      provider: 'anthropic', upstream_model: 'claude-sonnet-5', upstream_request_id: 'req_upstream', rate_input: '2000000000', rate_output: '10000000000', rate_cache_read: '200000000',
      rate_cache_write_5m: '2500000000', rate_cache_write_1h: '4000000000', rate_web_search: '10000000', cost: String(WHOLE), priced_by: 'list', timed: true,
    })
    expect(await both.saw('inference')).toMatchObject({ cost_usd: '0.00756' })
  })

  // T210, T215
  test('cannot say who pays, nor what it costs', async () => {
    const forged = { metadata: { user_id: 'bob', reservation: 'none', cost: 0 }, user_id: 'bob', usage: { input_tokens: 0 }, billing: { user: 'bob' } }
    await (await send(ask(forged), { headers: { 'x-user-id': 'bob', 'x-request-id': '00000000-0000-4000-8000-000000000000', 'x-claude-code-user': 'bob' } })).text()
    expect(await ledger()).toMatchObject([{ cost: WHOLE }])
    const rows = await world.database.sql`select scope_id from spend_day where scope = 'user'`
    expect([...rows] as unknown).toEqual([{ scope_id: `${world.idp.issuer} alice` }])
  })

  // T217
  test('that moves on is a row for each upstream that it was sent to', async () => {
    world.upstream.enqueue(answerError(529, 'overloaded'))
    await (await send()).text()
    expect(await ledger()).toEqual([
      { upstream: 'up1', status: 529, outcome: 'failed', estimated: false, input: 0, output: 0, cost: 0 },
      { upstream: 'up2', status: 200, outcome: 'completed', estimated: false, input: 1000, output: 500, cost: WHOLE },
    ])
  })

  test.each<[string, Script, object]>([
    ['takes too long', () => {}, { status: 0, outcome: 'failed', estimated: true }],
    ['hangs up', (answer) => answer.reset(), { status: 0, outcome: 'failed', estimated: true }],
    ['redirects', (answer) => answer.send(302, { location: 'http://169.254.169.254/' }, ''), { status: 302, outcome: 'failed', estimated: true }],
  ])('that moves on from an upstream that %s says that nobody knows what it came to', async (_, script, expected) => {
    world.upstream.enqueue(script)
    await (await send()).text()
    expect(await ledger()).toMatchObject([{ upstream: 'up1', cost: 0, ...expected }, { upstream: 'up2', status: 200, cost: WHOLE }])
  })

  test('that is refused costs nothing', async () => {
    world.upstream.enqueue(answerJson(400, { type: 'error', error: { type: 'invalid_request_error', message: 'no' } }))
    expect((await send()).status).toBe(400)
    expect(await ledger()).toMatchObject([{ status: 400, estimated: false, cost: 0 }])
  })

  test('that every upstream fails is a row for each', async () => {
    world.upstream.enqueue(answerError(500, 'no'))
    second.enqueue(answerError(429, 'slower'))
    expect((await send()).status).toBe(429)
    expect(await ledger()).toMatchObject([{ upstream: 'up1', status: 500, cost: 0 }, { upstream: 'up2', status: 429, cost: 0 }])
  })

  // B23, T212
  test('that its client leaves in the middle is billed its input and what was sent on', async () => {
    const events = messageEvents('claude-sonnet-5', ['x'.repeat(400)])
    const until = events.findIndex((event) => event.includes('content_block_stop'))
    const left = Promise.withResolvers<void>()
    world.upstream.enqueue(async (answer, request) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      for (const event of events.slice(0, until)) await answer.chunk(event)
      await request.closed
      left.resolve()
    })
    const leaving = new AbortController()
    const response = await send(ask(), { signal: leaving.signal })
    await readUntil(response, 'xxx')
    leaving.abort()
    await left.promise
    expect(await ledger()).toMatchObject([{ outcome: 'client_gone', status: 200, estimated: true, input: 1000, output: 100, cost: 1000 * 2000 + 200 * 2500 + 300 * 200 + 100 * 10_000 }])
  })

  test('that its client leaves before the answer begins is billed about what it sent', async () => {
    const arrived = Promise.withResolvers<void>()
    world.upstream.enqueue(() => arrived.resolve())
    const leaving = new AbortController()
    const body = ask({ system: 'x'.repeat(4000) })
    const failed = send(body, { signal: leaving.signal }).catch((error: Error) => error.name)
    await arrived.promise
    leaving.abort()
    expect(await failed).toBe('AbortError')
    const input = Math.ceil(Buffer.byteLength(JSON.stringify(body)) / 4)
    expect(await ledger()).toMatchObject([{ outcome: 'client_gone', status: 0, estimated: true, input, output: 0, cost: input * 2000 }])
  })

  test('that is not streamed, and whose client leaves in the middle of the answer, is billed what it got', async () => {
    const left = Promise.withResolvers<void>()
    world.upstream.enqueue(async (answer, request) => {
      answer.head(200, { 'content-type': 'application/json' })
      await answer.chunk(`{"type":"message","content":[{"type":"text","text":"${'z'.repeat(40_000)}`)
      await request.closed
      left.resolve()
    })
    const leaving = new AbortController()
    await readUntil(await send(ask({ stream: false }), { signal: leaving.signal }), 'z'.repeat(100))
    leaving.abort()
    await left.promise
    const [row] = await ledger()
    expect(row).toMatchObject({ outcome: 'client_gone', estimated: true })
    expect([row?.input === 0, (row?.output ?? 0) > 5000]).toEqual([false, true])
  })

  test('whose answer does not say what it used is judged by its size', async () => {
    world.upstream.enqueue(answerJson(200, { type: 'message', content: [{ type: 'text', text: 'w'.repeat(4000) }] }))
    await (await send(ask({ stream: false, system: 'x'.repeat(4000) }))).text()
    const [row] = await ledger()
    expect(row).toMatchObject({ outcome: 'completed', estimated: true })
    expect([(row?.input ?? 0) > 1000, (row?.output ?? 0) > 1000]).toEqual([true, true])
  })

  test('whose upstream breaks off is billed what it said, and says that this is an estimate', async () => {
    const read = Promise.withResolvers<void>()
    world.upstream.enqueue(async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      for (const event of messageEvents('claude-sonnet-5', ['y'.repeat(40)]).slice(0, 4)) await answer.chunk(event)
      await read.promise
      answer.reset()
    })
    await readUntil(await send(), 'yyy', read.resolve)
    expect(await ledger()).toMatchObject([{ outcome: 'upstream_broke', estimated: true, input: 1000, output: 10 }])
  })

  test('whose upstream breaks off before it said anything is flagged, and costs nothing', async () => {
    world.upstream.enqueue(async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      await answer.chunk(': hello\n\n')
      answer.reset()
    })
    await (await send()).text()
    expect(await ledger()).toMatchObject([{ outcome: 'upstream_broke', estimated: true, cost: 0 }])
  })

  // B8
  test('has its own usage passed on as it came', async () => {
    const text = await (await send()).text()
    expect(text).toContain(messageEvents('claude-sonnet-5')[0] as string)
  })

  // T216
  test('that counts tokens is in no ledger', async () => {
    expect((await both.post('/v1/messages/count_tokens', ask(), alice.access_token)).status).toBe(200)
    await (await send()).text()
    expect(await ledger()).toHaveLength(1)
  })

  test('that names a model nobody serves is held nowhere', async () => {
    expect((await send(ask({ model: 'claude-nobody' }))).status).toBe(400)
    const [holds] = await world.database.sql`select count(*)::int as count from usage_hold`
    expect(holds?.count).toBe(0)
  })
})

test('an answer of another model than was asked for has the price of that', async () => {
  world.upstream.enqueue(answerStream(messageEvents('claude-haiku-4-5-20251001')))
  await (await send()).text()
  await ledger()
  const [row] = await world.database.sql`select model_asked, model, cost::int from usage`
  expect(row as unknown).toEqual({ model_asked: 'claude-sonnet-5', model: 'claude-haiku-4-5', cost: 1000 * 1000 + 200 * 1250 + 300 * 100 + 500 * 5000 })
})

// T207
test('of hundreds of mixed requests on two replicas each execution is one row, and no other', async () => {
  const kinds: Script[] = [
    answerStream(),
    answerError(529, 'overloaded'),
    (answer) => answer.reset(),
    async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      for (const event of messageEvents().slice(0, 4)) await answer.chunk(event)
      answer.reset()
    },
    answerJson(400, { type: 'error', error: { type: 'invalid_request_error', message: 'no' } }),
  ]
  const before = [world.upstream.requests.length, second.requests.length]
  const many = Array.from({ length: 300 }, (_, n) => n)
  // Breakers would keep requests from upstreams that fail so often; each request is some person's first failure.
  for (const n of many) world.upstream.enqueue(kinds[n % kinds.length] as Script)
  // Client and gateway share one process, and the places of its outbound requests.
  const waiting = [...many]
  const next = async () => {
    for (let n = waiting.shift(); n !== undefined; n = waiting.shift()) await one(n)
  }
  await Promise.all(Array.from({ length: 60 }, next))

  async function one(n: number) {
    const leaving = new AbortController()
    const headers = { 'x-claude-code-session-id': `s${n}` }
    const response = await send(ask({ metadata: { user_id: `s${n}` } }), { headers, at: patient, ...(n % 7 === 0 && { signal: leaving.signal }) }).catch(() => undefined)
    if (n % 7 === 0) leaving.abort()
    await response?.text().catch(() => '')
  }
  await ledger()
  const executed = [...world.upstream.requests.slice(before[0]).map((request) => `up1 ${request.json().metadata.user_id}`), ...second.requests.slice(before[1]).map((request) => `up2 ${request.json().metadata.user_id}`)].sort()
  const rows = await world.database.sql`select upstream || ' ' || session as execution from usage order by 1`
  expect(rows.map(({ execution }) => execution).sort()).toEqual(executed)
  const [sums] = await world.database.sql`select (select sum(cost) from usage) = (select sum(cost) from usage_hour) and (select sum(cost) from usage) = (select sum(cost) from usage_day) and (select sum(cost) from usage) = (select sum(spent) from spend_day where scope = 'organization') as equal`
  expect(sums?.equal).toBe(true)
}, 60_000)
