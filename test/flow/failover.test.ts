import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { AuditEvent } from '../../src/observe/events.ts'
import { bedrockError, startBedrock } from '../support/clouds/bedrock.ts'
import { fail, neverAnswer, type Cloud, type CloudRequest, type CloudScript } from '../support/clouds/cloud.ts'
import { corrupt, chunkFrame, exceptionFrame } from '../support/clouds/event-stream.ts'
import type { GeneratedMessage, Tokens } from '../support/clouds/generate-message.ts'
import { startMessagesApi } from '../support/clouds/messages-api.ts'
import { createRandom } from '../support/clouds/random.ts'
import type { AwsKey } from '../support/clouds/sigv4.ts'
import { freePort } from '../support/free-port.ts'
import { startWorld, type TestGateway, type World } from '../support/gateway.ts'
import { createPeople, SESSION_SECRET } from '../support/people.ts'
import { startListener, type RestartableListener } from '../support/restartable-listener.ts'

/** Each has a breaker of its own, so that failures of the first cloud do not soon keep everything away from it. */
const MODELS = ['fable-5-2', 'fable-5-1', 'fable-5', 'opus-5-5', 'opus-5', 'opus-4-8', 'opus-4-7', 'opus-4-6', 'sonnet-5-5', 'sonnet-5', 'sonnet-4-6', 'haiku-5-5'].map((name) => `claude-${name}`)
const KEY_ID = 'AKIAFAILOVER'
/** Far longer than an answer of a fake cloud takes on a busy machine. */
const TTFB_MS = 4000

let world: World
let token: string
let passedMs = 0
let bedrock: Cloud
let second: Cloud
let listener: RestartableListener
let gateway: TestGateway
let key: AwsKey

beforeAll(async () => {
  world = await startWorld({
    nowMs: () => performance.now() + passedMs,
    config: { session: { jwt_secret: SESSION_SECRET }, managed: { policies: [{ match: {}, cli: { availableModels: MODELS } }] } },
  })
  token = await createPeople(world.gateway.url)('alice')
})
afterAll(() => world.stop())

beforeEach(async () => {
  key = { secret: 'bedrock-secret-canary' }
  bedrock = await startBedrock({ keys: new Map([[KEY_ID, key]]), seed: 11 })
  second = await startMessagesApi({ kind: 'anthropicAws', workspace: 'wrkspc_1', apiKeys: ['sk-second'], seed: 22 })
  listener = await startListener(bedrock.url)
  gateway = await world.replica({
    timeouts: { upstream_ttfb_ms: TTFB_MS },
    upstreams: [
      // Nobody listens there.
      { name: 'gone', provider: 'anthropic', base_url: `http://127.0.0.1:${await freePort()}`, auth: { api_key: 'sk-gone' }, models: ['claude-haiku-*'] },
      { name: 'bedrock', provider: 'bedrock', region: 'us-east-1', base_url: listener.url, auth: { aws_access_key_id: KEY_ID, aws_secret_access_key: key.secret } },
      { name: 'second', provider: 'anthropicAws', region: 'us-east-1', workspace_id: 'wrkspc_1', base_url: second.url, auth: { api_key: 'sk-second' } },
    ],
  })
})
afterEach(async () => {
  await gateway.stop()
  await listener.kill()
  await Promise.all([bedrock.stop(), second.stop()])
})

interface Answer {
  n: number
  status: number
  id: string
  text: string
}

/** What each client has received so far; nothing before the head. */
const received = new Map<number, string>()

async function ask(n: number): Promise<Answer> {
  received.delete(n)
  const model = MODELS[n % MODELS.length] as string
  const response = await gateway.post('/v1/messages?beta=true', { model, max_tokens: 100, stream: true, messages: [{ role: 'user', content: `request ${n}` }] }, token)
  const decoder = new TextDecoder()
  received.set(n, '')
  for await (const chunk of response.body ?? []) received.set(n, (received.get(n) ?? '') + decoder.decode(chunk, { stream: true }))
  return { n, status: response.status, id: response.headers.get('x-request-id') ?? '', text: received.get(n) ?? '' }
}

/** Asks `total` times, `atOnce` at a time; `between` hears how many have been answered. */
async function askAll(total: number, atOnce: number, between: (answered: number) => unknown = () => {}): Promise<Answer[]> {
  const answers: Answer[] = []
  let next = 0
  const worker = async () => {
    while (next < total) {
      answers.push(await ask(next++))
      await between(answers.length)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return answers.toSorted((a, b) => a.n - b.n)
}

/** The data of the events, pings and comments left out. */
const dataOf = (text: string) => text.split('\n\n').map((event) => event.split('\n')).filter(([type, data]) => type !== 'event: ping' && data !== undefined).map(([, data]) => data?.slice('data: '.length) ?? '')
const typesOf = (text: string) => dataOf(text).map((data) => (JSON.parse(data) as { type: string }).type)
const charactersIn = (text: string) => dataOf(text).map((data) => JSON.parse(data)).reduce((sum, { delta = {} }) => sum + (delta.text ?? delta.thinking ?? delta.partial_json ?? '').length, 0)
const saidBy = (message: GeneratedMessage) => message.events.filter(({ type }) => type !== 'ping').map(({ json }) => json)

/** The message whose id the answer begins with, and whose it is. */
function origin(text: string): { upstream: string; message: GeneratedMessage } {
  const { id } = (JSON.parse(dataOf(text)[0] ?? '{}') as { message: { id: string } }).message
  const found = Object.entries({ bedrock, second }).flatMap(([upstream, { messages }]) => messages.filter(({ events }) => events[0]?.json.includes(`"${id}"`)).map((message) => ({ upstream, message })))
  expect(found).toHaveLength(1)
  return found[0] as { upstream: string; message: GeneratedMessage }
}

/** The audit lines of inference, by request. */
async function reportsOf(count: number) {
  const all = () => gateway.observed.filter((observation) => 'evt' in observation).filter((event) => event.evt === 'inference')
  while (all().length < count) await new Promise(setImmediate)
  expect(all()).toHaveLength(count)
  const byId = new Map(all().map((event) => [event.request_id, event]))
  expect(byId.size).toBe(count)
  return byId
}

type Report = Extract<AuditEvent, { evt: 'inference' }>
const metered = (report: Report | undefined): Tokens => ({
  input: report?.input_tokens ?? -1,
  output: report?.output_tokens ?? -1,
  cacheRead: report?.cache_read_tokens ?? -1,
  cacheWrite5m: report?.cache_write_5m_tokens ?? -1,
  cacheWrite1h: report?.cache_write_1h_tokens ?? 0,
})
const total = (all: readonly Tokens[]) =>
  all.reduce<Tokens>((sum, { input, output, cacheRead, cacheWrite5m, cacheWrite1h }) => ({ input: sum.input + input, output: sum.output + output, cacheRead: sum.cacheRead + cacheRead, cacheWrite5m: sum.cacheWrite5m + cacheWrite5m, cacheWrite1h: sum.cacheWrite1h + cacheWrite1h }), { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 })

/** How often each client's request was sent to a cloud. */
function timesSent({ requests }: Cloud): Map<number, number> {
  const times = new Map<number, number>()
  for (const request of requests) times.set(numberOf(request), (times.get(numberOf(request)) ?? 0) + 1)
  return times
}

const numberOf = ({ body }: CloudRequest) => Number(/request (\d+)/.exec(body.messages[0].content)?.[1])

const CANARY = 'account 123456789012 canary'
const FAILURES: Record<string, CloudScript> = {
  throttled: fail(bedrockError(429, 'ThrottlingException', CANARY)),
  'throttled for a while': fail({ ...bedrockError(429, 'ThrottlingException', CANARY), headers: { 'content-type': 'application/json', 'retry-after': '1' } }),
  broken: fail(bedrockError(500, 'InternalServerException', CANARY)),
  unavailable: fail(bedrockError(503, 'ServiceUnavailableException', CANARY)),
  denied: fail(bedrockError(403, 'AccessDeniedException', CANARY)),
  unknown: fail(bedrockError(404, 'ResourceNotFoundException', CANARY)),
  'without the model': fail(bedrockError(400, 'ValidationException', 'The provided model identifier is invalid.')),
  html: ({ answer }) => answer.send(502, { 'content-type': 'text/html' }, `<html>${CANARY}</html>`),
  'cut in an error': ({ answer }) => {
    answer.raw(`HTTP/1.1 500 X\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"message":"${CANARY}`)
    answer.reset()
  },
  redirect: ({ answer }) => answer.send(307, { location: 'http://127.0.0.1:1/canary' }, ''),
  reset: ({ answer }) => answer.reset(),
  closed: ({ answer }) => answer.close(),
  'cut in its head': ({ answer }) => {
    answer.raw('HTTP/1.1 200 X\r\ncontent-ty')
    answer.reset()
  },
  'no HTTP': ({ answer }) => {
    answer.raw('canary\r\n\r\n')
    answer.close()
  },
  // Said 200, and nothing of it has reached the client yet.
  'throttled in its first frame': async ({ answer, stream }) => {
    await stream(0)
    await answer.chunk(exceptionFrame('throttlingException', { message: CANARY }))
    answer.end()
  },
  'broken in its first frame': async ({ answer, stream }) => {
    await stream(0)
    await answer.chunk(exceptionFrame('internalServerException', { message: CANARY }))
    answer.end()
  },
  'cut after its head': async ({ answer, stream }) => {
    await stream(0)
    answer.reset()
  },
}

describe('500 streams while the first cloud fails in every way', () => {
  test('each client gets one whole answer of one cloud, and each is metered once', async () => {
    const random = createRandom(5)
    const seen: Record<string, number> = {}
    const script = (name: string, run: CloudScript): CloudScript => (turn) => {
      seen[name] = (seen[name] ?? 0) + 1
      return run(turn)
    }
    const failures = Object.entries(FAILURES)
    for (let at = 0; at < 600; at++) {
      const [name, run] = random.oneOf(failures)
      if (at % 70 === 30) bedrock.script(script('silent', neverAnswer))
      else bedrock.script(random.between(1, 100) <= 35 ? script(name, run) : ({ whole }) => whole())
    }
    const answers = await askAll(500, 50, (answered) => {
      if (answered === 200) key.expired = true
      if (answered === 260) key.expired = false
    })

    // The run was what it says it was.
    expect(Object.keys(seen).toSorted()).toEqual([...Object.keys(FAILURES), 'silent'].toSorted())
    const expired = bedrock.requests.filter(({ refusal }) => refusal !== undefined)
    expect(expired.length).toBeGreaterThan(10)

    const reports = await reportsOf(500)
    const [toBedrock, toSecond] = [timesSent(bedrock), timesSent(second)]
    const amended = new Set(expired.map(numberOf))
    for (const { n, status, id, text } of answers) {
      expect(status).toBe(200)
      const { upstream, message } = origin(text)
      expect(dataOf(text)).toEqual(saidBy(message))
      expect(text).not.toMatch(/canary|event: error/)
      const report = reports.get(id)
      // Upstreams that were passed over count.
      expect([report?.upstream, report?.outcome, report?.attempts, report?.status]).toEqual([upstream, 'completed', upstream === 'second' ? 3 : 2, 200])
      expect(metered(report)).toEqual(message.tokens)
      expect(toSecond.get(n) ?? 0).toBe(upstream === 'second' ? 1 : 0)
      // A second time alone where the credential was over.
      expect(toBedrock.get(n) ?? 0).toBeLessThanOrEqual(amended.has(n) ? 2 : 1)
      if (upstream === 'bedrock') expect(toBedrock.get(n)).toBe(amended.has(n) ? 2 : 1)
    }
    const served = [...bedrock.served, ...second.served]
    expect(served.every(({ complete }) => complete)).toBe(true)
    expect(served).toHaveLength(500)
    expect(total([...reports.values()].map(metered))).toEqual(total(served))
    expect(bedrock.served.length).toBeGreaterThan(100)
    expect(second.served.length).toBeGreaterThan(100)
  }, 120_000)
})

describe('a failure after the first byte', () => {
  /** Once the client has all of them: a reset destroys what is still under way. */
  const resetAfter = (count: number): CloudScript => async ({ answer, request, message, stream }) => {
    const expected = message.events.slice(0, count).filter(({ type }) => type !== 'ping').length
    await stream(count)
    while (dataOf(received.get(numberOf(request)) ?? '').length < expected || !received.has(numberOf(request))) await new Promise(setImmediate)
    answer.reset()
  }
  const afterHead: [string, CloudScript][] = [
    ['a reset after some events', resetAfter(4)],
    ['a reset after the head', resetAfter(0)],
    ['throttling in mid-stream', async ({ answer, stream }) => {
      await stream(4)
      await answer.chunk(exceptionFrame('throttlingException', { message: CANARY }))
      answer.end()
    }],
    ['a frame whose checksum is wrong', async ({ answer, stream }) => {
      await stream(4)
      await answer.chunk(corrupt(chunkFrame({ type: 'ping' })))
      answer.end()
    }],
    ['an end before its time', async ({ answer, stream }) => {
      await stream(4)
      answer.end()
    }],
  ]
  test.each(afterHead)('is told as an error event and never tried again: %s', async (_, script) => {
    bedrock.script(script)
    const { text, id, status } = await ask(0)
    expect(status).toBe(200)
    const types = typesOf(text)
    expect([types.at(-1), types.filter((type) => type === 'error').length, types.includes('message_stop')]).toEqual(['error', 1, false])
    expect(text).not.toContain('canary')
    expect([bedrock.requests.length, second.requests.length]).toEqual([1, 0])
    const report = (await reportsOf(1)).get(id)
    expect(report).toMatchObject({ upstream: 'bedrock', outcome: 'upstream_broke' })
    const { complete, model, ...said } = bedrock.served[0] ?? { complete: undefined, model: '', input: -1, output: -1, cacheRead: -1, cacheWrite5m: -1, cacheWrite1h: 0 }
    // B23: what was sent is billed, four characters a token
    if (complete !== undefined) expect(metered(report)).toEqual({ ...said, output: Math.max(said.output, Math.ceil(charactersIn(text) / 4)) })
  })

  test('of many streams at once touches none of the others', async () => {
    const random = createRandom(9)
    for (let at = 0; at < 120; at++) bedrock.script(at % 4 === 0 ? random.oneOf(afterHead)[1] : ({ whole }) => whole())
    const answers = await askAll(120, 40)
    const reports = await reportsOf(120)
    const sent = timesSent(bedrock)
    const broken = answers.filter(({ text }) => typesOf(text).at(-1) === 'error')
    expect(broken.length).toBe(30)
    for (const { n, id, text } of answers) {
      expect(sent.get(n)).toBe(1)
      const isBroken = typesOf(text).includes('error')
      expect(reports.get(id)).toMatchObject({ upstream: 'bedrock', outcome: isBroken ? 'upstream_broke' : 'completed' })
      if (!isBroken) expect(dataOf(text)).toEqual(saidBy(origin(text).message))
    }
    expect(second.requests).toHaveLength(0)
  })
})

describe('a cloud that is killed and comes back on the same port', () => {
  test('loses nobody: an answer is whole, or it had begun there and says that it broke', async () => {
    let atReturn = 0
    const answers = await askAll(300, 50, async (answered) => {
      if (answered === 80) await listener.kill()
      if (answered === 180) {
        await listener.restart()
        atReturn = bedrock.requests.length
        // The breakers let somebody find out.
        passedMs += 16_000
      }
    })
    const reports = await reportsOf(300)
    const byUpstream = { bedrock: 0, second: 0 }
    for (const { id, status, text } of answers) {
      expect(status).toBe(200)
      const report = reports.get(id)
      if (typesOf(text).at(-1) === 'error') {
        expect(report).toMatchObject({ upstream: 'bedrock', outcome: 'upstream_broke' })
        continue
      }
      const { upstream, message } = origin(text)
      expect(dataOf(text)).toEqual(saidBy(message))
      expect(report).toMatchObject({ upstream, outcome: 'completed' })
      expect(metered(report)).toEqual(message.tokens)
      byUpstream[upstream as 'bedrock' | 'second']++
    }
    expect(byUpstream.second).toBeGreaterThan(50)
    expect(byUpstream.bedrock).toBeGreaterThan(50)
    // After its return it serves again.
    expect(bedrock.requests.length).toBeGreaterThan(atReturn)
    for (const cloud of [bedrock, second]) expect(new Set(timesSent(cloud).values())).toEqual(new Set([1]))
    const { id } = await ask(0)
    expect(await gateway.saw('inference', ({ request_id }) => request_id === id)).toMatchObject({ upstream: 'bedrock' })
  }, 60_000)
})

describe('on the same upstream', () => {
  test('nothing is sent again whatever it answered', async () => {
    for (const [at, run] of Object.values(FAILURES).entries()) {
      bedrock.script(run)
      expect((await ask(at * MODELS.length)).status).toBe(200)
      // Whatever it opened is over.
      passedMs += 300_000
    }
    expect([...timesSent(bedrock).values()]).toEqual(Object.keys(FAILURES).map(() => 1))
    expect(second.requests).toHaveLength(Object.keys(FAILURES).length)
  })

  test('a request is not sent again when its keys are over and the configuration has no others', async () => {
    key.expired = true
    const { id } = await ask(0)
    expect(await gateway.saw('inference', ({ request_id }) => request_id === id)).toMatchObject({ upstream: 'second', attempts: 3 })
    expect(bedrock.requests).toHaveLength(1)
  })

  test('a request is sent once more without what was refused, and not a third time', async () => {
    const refused = fail(bedrockError(400, 'ValidationException', 'context_management: Extra inputs are not permitted'))
    bedrock.script(refused, fail(bedrockError(400, 'ValidationException', 'metadata: Extra inputs are not permitted')))
    const body = { model: MODELS[0], max_tokens: 100, stream: true, context_management: { edits: [] }, metadata: { user_id: 'u' }, messages: [{ role: 'user', content: 'request 0' }] }
    const response = await gateway.post('/v1/messages?beta=true', body, token, { 'anthropic-beta': 'context-management-2025-06-27' })
    expect(response.status).toBe(400)
    expect(bedrock.requests.map(({ body }) => Object.keys(body).includes('context_management'))).toEqual([true, false])
    expect(second.requests).toHaveLength(0)
  })
})

test('a cloud that refuses a request is there: its breaker counts from the beginning', async () => {
  const broken = FAILURES.broken as CloudScript
  const refused = fail(bedrockError(400, 'ValidationException', 'messages: at least one message is required'))
  bedrock.script(broken, broken, broken, broken, refused, broken, broken, broken, broken)
  const statuses: number[] = []
  for (let at = 0; at < 10; at++) statuses.push((await ask(at * MODELS.length)).status)
  expect(statuses).toEqual([200, 200, 200, 200, 400, 200, 200, 200, 200, 200])
  expect([bedrock.requests.length, second.requests.length]).toEqual([10, 8])
})
