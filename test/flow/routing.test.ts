import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '../support/clouds/random.ts'
import { startWorld, type TestGateway, type World } from '../support/gateway.ts'
import { createPeople, SESSION_SECRET } from '../support/people.ts'
import { answerError, answerJson, answerStream, messageEvents, startUpstream, type Script, type TestUpstream } from '../support/upstream.ts'

const MODELS = ['claude-sonnet-5', 'claude-sonnet-4-6', 'claude-opus-5', 'claude-opus-4-8', 'claude-haiku-4-5', 'claude-haiku-5-5']
const [SONNET, HAIKU] = ['claude-sonnet-5', 'claude-haiku-5-5'] as const

let world: World
let tokenOf: (login: string) => Promise<string>
let token: string
let bob: string
/** Seconds pass for breakers when a test says so. */
let passedMs = 0
const pass = (seconds: number) => void (passedMs += seconds * 1000)
const upstreams: TestUpstream[] = []

beforeAll(async () => {
  world = await startWorld({
    nowMs: () => passedMs,
    config: { session: { jwt_secret: SESSION_SECRET }, managed: { policies: [{ match: {}, cli: { availableModels: MODELS } }] } },
  })
  tokenOf = createPeople(world.gateway.url)
  token = await tokenOf('alice')
  bob = await tokenOf('bob')
})
afterAll(async () => {
  await Promise.all(upstreams.map((upstream) => upstream.stop()))
  await world.stop()
})

async function newUpstream(script?: Script): Promise<TestUpstream> {
  const upstream = await startUpstream(script)
  upstreams.push(upstream)
  return upstream
}

/** A gateway of its own before these upstreams, each with what its configuration says beside its address. */
async function gatewayBefore(settings: Record<string, object>, { sections = {}, script }: { sections?: object; script?: Script } = {}) {
  const names = Object.keys(settings)
  const started = await Promise.all(names.map(() => newUpstream(script)))
  const gateway = await world.replica({
    ...sections,
    upstreams: names.map((name, at) => ({ name, provider: 'anthropic', base_url: started[at]?.url, auth: { api_key: `sk-${name}` }, ...settings[name] })),
  })
  return { gateway, at: Object.fromEntries(names.map((name, at) => [name, started[at] as TestUpstream])) as Record<string, TestUpstream> }
}

const question = { model: SONNET as string, max_tokens: 10, messages: [{ role: 'user', content: 'ping' }] }
const send = (gateway: TestGateway, changes: object = {}, bearer = token) => gateway.post('/v1/messages?beta=true', { ...question, ...changes }, bearer)
const count = (gateway: TestGateway) => gateway.post('/v1/messages/count_tokens?beta=true', { model: question.model, messages: question.messages }, token)
const error = async (response: Response) => ((await response.json()) as { error: { type: string; message: string } }).error
const inferences = ({ observed }: TestGateway) => observed.filter((observation) => 'evt' in observation && observation.evt === 'inference')
/** The audit line of an answer, once its stream has ended. */
async function reportOf(gateway: TestGateway, response: Response) {
  await response.arrayBuffer()
  const id = response.headers.get('x-request-id')
  return gateway.saw('inference', ({ request_id }) => request_id === id)
}
const servedBy = async (gateway: TestGateway, changes: object = {}, bearer = token) => (await reportOf(gateway, await send(gateway, changes, bearer))).upstream
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

/** An answer that waits for its release. */
function held(answer: Script = answerJson(200, { held: true })) {
  const gate = Promise.withResolvers<void>()
  const script: Script = async (...args) => {
    await gate.promise
    return answer(...args)
  }
  return { script, release: () => gate.resolve() }
}

/** Leaves when `arrived` says that the request is where it should be. */
async function sendAndLeave(gateway: TestGateway, arrived: () => boolean, changes: object = {}): Promise<void> {
  const before = inferences(gateway).length
  const leaving = new AbortController()
  const sent = fetch(`${gateway.url}/v1/messages`, { method: 'POST', body: JSON.stringify({ ...question, ...changes }), headers: { authorization: `Bearer ${token}` }, signal: leaving.signal })
    .then((response) => response.arrayBuffer())
    .catch(() => {})
  await until(arrived)
  leaving.abort()
  await sent
  await until(() => inferences(gateway).length > before)
}

describe('the order in which upstreams are tried', () => {
  test('is that of their priorities, whatever their place in the list', async () => {
    const { gateway, at } = await gatewayBefore({ late: { priority: 7 }, early: { priority: 1 }, middle: { priority: 4 } })
    at.early?.enqueue(answerError(500, 'away'), answerError(500, 'away'))
    at.middle?.enqueue(answerJson(200, {}), answerError(503, 'away'))
    const reports = [await reportOf(gateway, await send(gateway)), await reportOf(gateway, await send(gateway)), await reportOf(gateway, await send(gateway))]
    expect(reports.map(({ upstream, attempts }) => [upstream, attempts])).toEqual([['middle', 2], ['late', 3], ['early', 1]])
  })

  test('shares people among those of one priority by weight, and each person stays with theirs', async () => {
    const { gateway, at } = await gatewayBefore({ heavy: { priority: 0, weight: 3 }, light: { priority: 0, weight: 1 }, spare: { priority: 0, weight: 0 } })
    const people = await Promise.all(Array.from({ length: 240 }, (_, n) => tokenOf(`person-${n}`)))
    const homes: (string | undefined)[] = []
    for (let from = 0; from < people.length; from += 20) homes.push(...(await Promise.all(people.slice(from, from + 20).map((bearer) => servedBy(gateway, {}, bearer)))))
    const share = (name: string) => homes.filter((home) => home === name).length / homes.length
    expect(share('heavy')).toBeGreaterThan(0.68)
    expect(share('heavy')).toBeLessThan(0.82)
    expect(share('heavy') + share('light')).toBe(1)
    for (let round = 0; round < 3; round++) expect(await Promise.all(people.slice(0, 40).map((bearer) => servedBy(gateway, {}, bearer)))).toEqual(homes.slice(0, 40))
    // Another model of the same person goes the same way.
    expect(await Promise.all(people.slice(0, 40).map((bearer) => servedBy(gateway, { model: HAIKU }, bearer)))).toEqual(homes.slice(0, 40))
    expect(at.spare?.requests).toHaveLength(0)
  })

  test('sends the people of one that fails to the others and back again, and moves nobody else', async () => {
    let isAway = false
    const script: Script = (answer, request) => (isAway && request.headers['x-api-key'] === 'sk-two' ? answerError(503, 'away') : answerJson(200, {}))(answer, request)
    const { gateway } = await gatewayBefore({ one: { priority: 0 }, two: { priority: 0 }, three: { priority: 0 } }, { script })
    const people = await Promise.all(Array.from({ length: 60 }, (_, n) => tokenOf(`person-${n}`)))
    const all = () => Promise.all(people.map((bearer) => servedBy(gateway, {}, bearer)))
    const homes = await all()
    isAway = true
    const meanwhile = await all()
    expect(meanwhile.map((name, n) => (homes[n] === 'two' ? name !== 'two' : name === homes[n]))).toEqual(homes.map(() => true))
    expect(new Set(meanwhile)).toEqual(new Set(['one', 'three']))
    isAway = false
    pass(15)
    // One of them finds out that it is back.
    expect(await servedBy(gateway, {}, people[homes.indexOf('two')] as string)).toBe('two')
    expect(await all()).toEqual(homes)
  })

  test('leaves out who does not serve the model by its patterns', async () => {
    const { gateway, at } = await gatewayBefore({ haikus: { models: ['claude-haiku-*'] }, exact: { models: ['claude-sonnet-5', 'claude-opus-4-8'] }, rest: {} })
    const served = await Promise.all(MODELS.map((model) => servedBy(gateway, { model })))
    expect(Object.fromEntries(MODELS.map((model, n) => [model, served[n]]))).toEqual({
      'claude-sonnet-5': 'exact',
      'claude-sonnet-4-6': 'rest',
      'claude-opus-5': 'rest',
      'claude-opus-4-8': 'exact',
      'claude-haiku-4-5': 'haikus',
      'claude-haiku-5-5': 'haikus',
    })
    at.haikus?.enqueue(answerError(500, 'away'))
    // One that was passed over counts as attempted.
    expect(await reportOf(gateway, await send(gateway, { model: HAIKU }))).toMatchObject({ upstream: 'rest', attempts: 3 })
    expect(at.exact?.requests).toHaveLength(2)
  })

  test('goes on after a 409 where `failover_on` says so, and there alone', async () => {
    const { gateway, at } = await gatewayBefore({ first: { failover_on: [409] }, second: {}, third: {} })
    at.first?.enqueue(answerError(409, 'conflict at the first'))
    at.second?.enqueue(answerError(409, 'conflict at the second'))
    const response = await send(gateway)
    expect([response.status, (await error(response)).message]).toEqual([409, 'conflict at the second'])
    expect(at.third?.requests).toHaveLength(0)
  })

  test('goes on after the time of that upstream, which holds for no other', async () => {
    const patience = { patient: { models: [SONNET], timeouts: { upstream_ttfb_ms: 3_600_000 } }, hasty: { models: [HAIKU] }, next: {} }
    const { gateway, at } = await gatewayBefore(patience, { sections: { timeouts: { upstream_ttfb_ms: 150 } } })
    const { script, release } = held()
    at.patient?.enqueue(script)
    at.hasty?.enqueue(() => {})
    const slow = send(gateway)
    await until(() => at.patient?.requests.length === 1)
    // Sent later, and given up earlier.
    expect(await reportOf(gateway, await send(gateway, { model: HAIKU }))).toMatchObject({ upstream: 'next', attempts: 3 })
    release()
    expect(await reportOf(gateway, await slow)).toMatchObject({ upstream: 'patient', attempts: 1 })
  })
})

describe('max_concurrency', () => {
  test('sends what is too much to the next upstream; with none left the client hears 529 and when to come again', async () => {
    const { gateway, at } = await gatewayBefore({ first: { max_concurrency: 2 }, second: { max_concurrency: 1 } })
    const { script, release } = held()
    for (const upstream of [at.first, at.first, at.second]) upstream?.enqueue(script)
    const running = []
    for (const [n, bearer] of [[1, token], [2, bob], [3, token]] as const) {
      running.push(send(gateway, {}, bearer))
      await until(() => (at.first?.requests.length ?? 0) + (at.second?.requests.length ?? 0) === n)
    }
    expect([at.first?.requests.length, at.second?.requests.length]).toEqual([2, 1])
    const refused = await send(gateway)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([529, '1'])
    expect((await error(refused)).type).toBe('overloaded_error')
    const id = refused.headers.get('x-request-id')
    expect(await gateway.saw('inference', ({ request_id }) => request_id === id)).toMatchObject({ outcome: 'failed', status: 529, attempts: 2 })
    release()
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(await servedBy(gateway)).toBe('first')
  })

  test('leaves half of the places to others: who has the other half goes to the next upstream, as if it were full', async () => {
    const { gateway, at } = await gatewayBefore({ first: { max_concurrency: 8 }, second: { max_concurrency: 1 } })
    const { script, release } = held()
    for (const upstream of [at.first, at.first, at.first, at.first, at.second]) upstream?.enqueue(script)
    const running = []
    for (let n = 1; n <= 5; n++) {
      running.push(send(gateway))
      await until(() => (at.first?.requests.length ?? 0) + (at.second?.requests.length ?? 0) === n)
    }
    expect([at.first?.requests.length, at.second?.requests.length]).toEqual([4, 1])
    expect((await send(gateway)).status).toBe(529)
    expect(await servedBy(gateway, {}, bob)).toBe('first')
    release()
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(await servedBy(gateway)).toBe('first')
  })

  test('counts a stream until its end, not until its head', async () => {
    const { gateway, at } = await gatewayBefore({ only: { max_concurrency: 1 } })
    const gate = Promise.withResolvers<void>()
    at.only?.enqueue(async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      for (const event of messageEvents()) await answer.chunk(event)
      await gate.promise
      answer.end()
    })
    const response = await send(gateway, { stream: true })
    const reader = response.body!.getReader()
    let text = ''
    while (!text.includes('message_stop')) text += Buffer.from((await reader.read()).value as Uint8Array).toString()
    expect((await send(gateway)).status).toBe(529)
    gate.resolve()
    while (!(await reader.read()).done);
    expect((await send(gateway)).status).toBe(200)
  })

  test('is what the client hears of, when the upstreams that had a place failed', async () => {
    const { gateway, at } = await gatewayBefore({ broken: {}, full: { max_concurrency: 1 } })
    const { script, release } = held()
    at.broken?.enqueue(answerError(500, 'away'), answerError(401, 'our key is wrong'))
    at.full?.enqueue(script)
    const running = send(gateway)
    await until(() => at.full?.requests.length === 1)
    // A 401 would send a person to sign in again although a moment later the other one answers.
    expect((await send(gateway)).status).toBe(529)
    release()
    expect((await running).status).toBe(200)
  })
})

/** What requests that ask to be held wait for. */
let release = Promise.withResolvers<void>()

/** Answers in the way its request asks for. */
const asAsked: Script = async (answer, request) => {
  const { how } = request.json() as { how?: string }
  const begin = async (events: number) => {
    answer.head(200, { 'content-type': 'text/event-stream' })
    for (const event of messageEvents().slice(0, events)) await answer.chunk(event)
  }
  switch (how) {
    case 'stream':
      return answerStream()(answer, request)
    case 'reset':
      return answer.reset()
    case 'close':
      return answer.close()
    case 'break':
      await begin(3)
      return answer.reset()
    case 'break json':
      answer.raw('HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"half":')
      return answer.reset()
    case 'held':
      await release.promise
      return answerJson(200, {})(answer, request)
    case 'begin':
      await begin(3)
      return request.closed
    case 'silence':
      return request.closed
    case 'empty':
      return answer.raw('HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n')
    default:
      return how !== undefined && Number(how) > 0 ? answerError(Number(how), 'as asked')(answer, request) : answerJson(200, { id: 'msg' })(answer, request)
  }
}

/** Sends a request that ends in this way; who leaves does so at the first byte, or when the upstreams have the request. */
async function endIn(gateway: TestGateway, among: readonly TestUpstream[], how: string): Promise<void> {
  const leaves = how.startsWith('leave at ')
  const tag = crypto.randomUUID()
  const leaving = new AbortController()
  const body = { ...question, how: how.replace('leave at ', ''), tag, stream: leaves || how === 'stream' || how === 'break' }
  let isOver = false
  const ended = fetch(`${gateway.url}/v1/messages`, { method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${token}` }, signal: leaving.signal })
    .then(async (response) => {
      if (!leaves) return void (await response.arrayBuffer())
      await response.body?.getReader().read()
      leaving.abort()
    })
    .catch(() => {})
    .finally(() => (isOver = true))
  const hasArrived = () => among.some(({ requests }) => requests.some((request) => request.json().tag === tag))
  if (how === 'leave at silence') await until(() => isOver || hasArrived()).then(() => leaving.abort())
  await ended
}

const ENDINGS = ['', 'stream', 'empty', '400', '409', '429', '500', '529', 'reset', 'close', 'break', 'break json', 'silence', 'leave at begin', 'leave at silence']

/** How many requests of two people the upstreams take at once: sends until one of each is refused, then lets all of them end. */
async function places(gateway: TestGateway, among: readonly TestUpstream[]): Promise<number> {
  release = Promise.withResolvers()
  for (const upstream of among) upstream.requests.length = 0
  const arrived = () => among.reduce((sum, { requests }) => sum + requests.length, 0)
  const running: Promise<Response>[] = []
  for (const bearer of [token, bob]) {
    for (;;) {
      const sent = send(gateway, { how: 'held' }, bearer)
      const first = await Promise.race([sent.then(({ status }) => status), until(() => arrived() > running.length)])
      if (first !== undefined) {
        expect(first).toBe(529)
        break
      }
      running.push(sent)
    }
  }
  release.resolve()
  await Promise.all(running)
  return running.length
}

describe('a place at an upstream is given back', () => {
  test.each(ENDINGS)('after a request that ends in: %s', async (how) => {
    const { gateway, at } = await gatewayBefore({ only: { max_concurrency: 1, timeouts: { upstream_ttfb_ms: 300 } } }, { script: asAsked })
    await endIn(gateway, [at.only as TestUpstream], how)
    await until(() => inferences(gateway).length === 1)
    expect(await places(gateway, [at.only as TestUpstream])).toBe(1)
  })

  test('at once when the client leaves while a credential is waited for', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gatehouse-routing-'))
    writeFileSync(join(directory, 'token'), 'assertion')
    const { gateway, at } = await gatewayBefore({ only: { max_concurrency: 1, auth: { federation_rule_id: 'fdrl_1', organization_id: 'org', identity_token_file: join(directory, 'token') } } })
    const { script, release } = held(answerJson(200, { access_token: 'sk-ant-oat01-canary', token_type: 'Bearer', expires_in: 3600 }))
    at.only?.enqueue(script)
    await sendAndLeave(gateway, () => at.only?.requests.length === 1)
    expect(inferences(gateway)).toMatchObject([{ outcome: 'client_gone', status: 499 }])
    const next = send(gateway)
    release()
    expect((await next).status).toBe(200)
    expect(at.only?.requests.map(({ path }) => path)).toEqual(['/v1/oauth/token', '/v1/messages?beta=true'])
    rmSync(directory, { recursive: true })
  })

  test('after 200 requests that ended in every way at once: exactly as many fit as before', async () => {
    const settings = { timeouts: { upstream_ttfb_ms: 300 }, priority: 0 }
    const { gateway, at } = await gatewayBefore({ four: { ...settings, max_concurrency: 4 }, three: { ...settings, max_concurrency: 3 } }, { script: asAsked })
    const among = Object.values(at)
    expect(await places(gateway, among)).toBe(7)
    const before = inferences(gateway).length
    const random = createRandom(7)
    let left = 200
    const worker = async () => {
      while (left-- > 0) await endIn(gateway, among, random.oneOf(ENDINGS))
    }
    await Promise.all(Array.from({ length: 12 }, worker))
    await until(() => inferences(gateway).length >= before + 200)
    expect(inferences(gateway)).toHaveLength(before + 200)
    expect(new Set(inferences(gateway).map((event) => ('outcome' in event ? event.outcome : '')))).toEqual(new Set(['completed', 'failed', 'client_gone', 'upstream_broke']))
    expect(await places(gateway, among)).toBe(7)
  }, 60_000)
})

describe('the breaker', () => {
  const away = answerError(500, 'away')
  const times = (count: number, script: Script) => Array.from({ length: count }, () => script)
  const one = () => gatewayBefore({ first: {}, second: {} })

  test('opens after five failures in a row, for that model of that upstream alone', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(5, away))
    for (let n = 0; n < 5; n++) expect(await servedBy(gateway)).toBe('second')
    expect(at.first?.requests).toHaveLength(5)
    for (let n = 0; n < 5; n++) expect(await servedBy(gateway)).toBe('second')
    expect(at.first?.requests).toHaveLength(5)
    expect(await servedBy(gateway, { model: HAIKU })).toBe('first')
  })

  test.each<[string, Script]>([
    ['a success', answerJson(200, {})],
    ['a refusal of the request', answerError(400, 'prompt is too long')],
  ])('counts from the beginning after %s', async (_, between) => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(4, away), between, ...times(4, away))
    for (let n = 0; n < 9; n++) await servedBy(gateway)
    expect(await servedBy(gateway)).toBe('first')
  })

  test('counts connections that fail and credentials that cannot be had', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(5, (answer) => answer.reset()))
    for (let n = 0; n < 6; n++) expect(await servedBy(gateway)).toBe('second')
    expect(at.first?.requests).toHaveLength(5)
  })

  test('does not open by refused requests or by clients that leave', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(6, answerError(400, 'no')), ...times(6, () => {}))
    for (let n = 0; n < 6; n++) expect((await send(gateway)).status).toBe(400)
    for (let n = 0; n < 6; n++) await sendAndLeave(gateway, () => at.first?.requests.length === 7 + n)
    expect(await servedBy(gateway)).toBe('first')
  })

  test.each<[string, Record<string, string>, number]>([
    ['seconds', { 'retry-after': '40' }, 40],
    ['milliseconds', { 'retry-after-ms': '2500', 'retry-after': '40' }, 2.5],
    ['hours, of which it keeps five minutes', { 'retry-after': '7200' }, 300],
  ])('opens at once by a 429 that says when to come again, for that time: %s', async (_, headers, seconds) => {
    const { gateway, at } = await one()
    at.first?.enqueue(answerError(429, 'slow down', headers))
    expect(await servedBy(gateway)).toBe('second')
    pass(seconds - 0.1)
    expect(await servedBy(gateway)).toBe('second')
    expect(at.first?.requests).toHaveLength(1)
    pass(0.1)
    expect(await servedBy(gateway)).toBe('first')
  })

  // Each of these a person can bring about alone, with a request of their own making.
  const MANY: [string, Script, object?][] = [
    ['a credential that is refused for their header', answerError(403, 'The request signature we calculated does not match')],
    ['a 401', answerError(401, 'no')],
    ['a 500', answerError(500, 'away')],
    ['an answer that takes longer than the time to the first byte', () => {}, { timeouts: { upstream_ttfb_ms: 300 } }],
    ['a connection that breaks', (answer) => answer.reset()],
  ]
  test.each(MANY)('opened by one person is open to that person alone: %s', async (_, script, settings = {}) => {
    const { gateway, at } = await gatewayBefore({ first: settings, second: {} })
    at.first?.enqueue(...times(5, script))
    for (let n = 0; n < 6; n++) expect(await servedBy(gateway)).toBe('second')
    expect(at.first?.requests).toHaveLength(5)
    expect(await servedBy(gateway, {}, bob)).toBe('first')
    // What succeeds for one is well for all.
    expect(await servedBy(gateway)).toBe('first')
  })

  test('opened by one person opens to everybody with a failure of the next', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(6, away))
    for (let n = 0; n < 5; n++) await servedBy(gateway)
    expect(await servedBy(gateway, {}, bob)).toBe('second')
    expect(at.first?.requests).toHaveLength(6)
    for (const bearer of [token, bob, await tokenOf('carol')]) expect(await servedBy(gateway, {}, bearer)).toBe('second')
    expect(at.first?.requests).toHaveLength(6)
  })

  test('says nothing after a 404, which may be of a file that the request names', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(20, answerError(404, 'File not found')))
    for (let n = 0; n < 10; n++) for (const bearer of [token, bob]) expect(await servedBy(gateway, {}, bearer)).toBe('second')
    expect(at.first?.requests).toHaveLength(20)
    expect(await servedBy(gateway)).toBe('first')
  })

  test('opens to everybody for a minute by one person’s 429, and the next time to that person alone', async () => {
    const { gateway, at } = await one()
    const slowDown = answerError(429, 'slow down', { 'retry-after': '3600' })
    at.first?.enqueue(slowDown)
    await servedBy(gateway)
    pass(59.9)
    expect(await servedBy(gateway, {}, bob)).toBe('second')
    pass(0.1)
    expect(await servedBy(gateway, {}, bob)).toBe('first')
    at.first?.enqueue(slowDown)
    for (let n = 0; n < 2; n++) expect(await servedBy(gateway)).toBe('second')
    expect(await servedBy(gateway, {}, bob)).toBe('first')
  })

  test('opens to everybody for five minutes once two people were asked to wait', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(2, answerError(429, 'slow down', { 'retry-after': '3600' })))
    await servedBy(gateway)
    pass(60)
    expect(await servedBy(gateway, {}, bob)).toBe('second')
    expect(at.first?.requests).toHaveLength(2)
    const carol = await tokenOf('carol')
    pass(299)
    expect(await servedBy(gateway, {}, carol)).toBe('second')
    pass(1)
    expect(await servedBy(gateway, {}, carol)).toBe('first')
  })

  test('does not open by one 429 that does not say when to come again', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(answerError(429, 'slow down'))
    expect(await servedBy(gateway)).toBe('second')
    expect(await servedBy(gateway)).toBe('first')
  })

  test('lets one request find out, and everybody follow when it succeeds', async () => {
    const { gateway, at } = await one()
    const { script, release } = held()
    at.first?.enqueue(...times(5, away), script)
    for (let n = 0; n < 5; n++) await servedBy(gateway)
    pass(15)
    const probe = send(gateway)
    await until(() => at.first?.requests.length === 6)
    for (let n = 0; n < 3; n++) expect(await servedBy(gateway)).toBe('second')
    release()
    expect(await reportOf(gateway, await probe)).toMatchObject({ upstream: 'first', attempts: 1 })
    for (let n = 0; n < 3; n++) expect(await servedBy(gateway)).toBe('first')
  })

  test('stays open for twice as long each time the request that finds out fails', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(7, away))
    for (let n = 0; n < 5; n++) await servedBy(gateway)
    for (const seconds of [15, 30]) {
      pass(seconds - 1)
      expect(await servedBy(gateway)).toBe('second')
      pass(1)
      const before = at.first?.requests.length ?? 0
      expect(await servedBy(gateway)).toBe('second')
      expect(at.first?.requests).toHaveLength(before + 1)
    }
    pass(59)
    expect(await servedBy(gateway)).toBe('second')
    pass(1)
    expect(await servedBy(gateway)).toBe('first')
  })

  test('opens once for requests that fail together, not for longer with each of them', async () => {
    const { gateway, at } = await one()
    const { script, release } = held(away)
    at.first?.enqueue(...times(20, script))
    const burst = Array.from({ length: 20 }, () => servedBy(gateway))
    await until(() => at.first?.requests.length === 20)
    release()
    expect(new Set(await Promise.all(burst))).toEqual(new Set(['second']))
    pass(15)
    expect(await servedBy(gateway)).toBe('first')
  })

  test('is not closed by a request that was sent before it opened', async () => {
    const { gateway, at } = await one()
    const { script, release } = held()
    at.first?.enqueue(script, answerError(429, 'slow down', { 'retry-after': '60' }))
    const early = send(gateway)
    await until(() => at.first?.requests.length === 1)
    expect(await servedBy(gateway)).toBe('second')
    release()
    expect(await reportOf(gateway, await early)).toMatchObject({ upstream: 'first' })
    expect(await servedBy(gateway)).toBe('second')
  })

  test('lets the next one find out when the client of the first leaves', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(answerError(429, 'slow down', { 'retry-after': '5' }), () => {})
    await servedBy(gateway)
    pass(5)
    await sendAndLeave(gateway, () => at.first?.requests.length === 2)
    expect(await servedBy(gateway)).toBe('first')
  })

  test('of every upstream open refuses nothing: the request is tried, in order', async () => {
    const { gateway, at } = await one()
    for (const upstream of [at.first, at.second]) upstream?.enqueue(...times(5, away))
    for (let n = 0; n < 5; n++) expect((await send(gateway)).status).toBe(502)
    at.first?.enqueue(away)
    expect(await reportOf(gateway, await send(gateway))).toMatchObject({ upstream: 'second', attempts: 2, status: 200 })
    expect([at.first?.requests.length, at.second?.requests.length]).toEqual([6, 6])
  })

  test('does not open by counts that fail', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(...times(5, away), answerError(429, 'slow down', { 'retry-after': '60' }))
    for (let n = 0; n < 6; n++) expect((await count(gateway)).status).toBe(200)
    expect(at.first?.requests).toHaveLength(6)
    expect(await servedBy(gateway)).toBe('first')
  })

  test('is neither closed by a count nor kept waiting by one', async () => {
    const { gateway, at } = await one()
    at.first?.enqueue(answerError(429, 'slow down', { 'retry-after': '60' }))
    await servedBy(gateway)
    at.second?.enqueue(away)
    // The other one fails, so that this count reaches the one that is left alone.
    expect((await count(gateway)).status).toBe(200)
    expect(at.first?.requests).toHaveLength(2)
    expect(await servedBy(gateway)).toBe('second')
    pass(60)
    const { script, release } = held(answerJson(200, { input_tokens: 1 }))
    at.first?.enqueue(script)
    const counting = count(gateway)
    await until(() => at.first?.requests.length === 3)
    expect(await servedBy(gateway)).toBe('first')
    release()
    expect((await counting).status).toBe(200)
  })
})
