// How much the log says, changed while the program runs: by call, by signal, for a while.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { hostname } from 'node:os'
import { ADMIN, READ_KEY, until, WRITE_KEY } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'
import { startServing } from '../support/serving-process.ts'
import { answerError } from '../support/upstream.ts'

const PATH = '/v1/organizations/log_level'

let world: World
let token: string
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN, audit: { store: true } } })
  token = (await world.signIn()).access_token
}, 30_000)
afterAll(() => world.stop(), 20_000)

async function call(method: 'GET' | 'PUT', body?: unknown, key = WRITE_KEY, at = world.gateway) {
  const response = await fetch(at.url + PATH, { method, headers: { 'x-api-key': key }, ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }) })
  return { status: response.status, id: response.headers.get('x-request-id'), body: (await response.json()) as Record<string, any> }
}
const level = async () => (await call('GET', undefined, READ_KEY)).body.level
const linesOf = (id: string | null) => world.gateway.observed.flatMap((one) => ('op' in one && one.op === 'debug' && one.request_id === id ? [one.message] : []))
const stored = async (id: string | null) => (await world.database.sql`select line from audit_event where request_id = ${id}`).map(({ line }) => JSON.parse(line as string))

describe('the admin call', () => {
  test('changes the level, and stores the event with who, from what, and why', async () => {
    const { status, id, body } = await call('PUT', { level: 'debug', reason: 'sign-ins fail' })
    expect([status, body]).toEqual([200, { type: 'log_level', level: 'debug', level_at_start: 'info' }])
    const event = { evt: 'admin.log_level', actor: 'admin-key:ops', level: 'debug', level_before: 'info', reason: 'sign-ins fail', client_ip: '127.0.0.1', request_id: id }
    expect(await stored(id)).toEqual([expect.objectContaining(event)])
    expect(world.gateway.observed.filter((one) => 'evt' in one && one.evt === 'admin.log_level' && one.request_id === id)).toEqual([expect.objectContaining(event)])
    expect(await level()).toBe('debug')
    await call('PUT', { level: 'info' })
  })

  test('for a while goes back by itself, which is an event, too', async () => {
    const { body } = await call('PUT', { level: 'debug', for_seconds: 1 })
    expect(body).toMatchObject({ level: 'debug', level_after: 'info', until: expect.stringMatching(/Z$/) })
    expect((await (await world.gateway.get('/readyz?verbose=1', undefined, { 'x-api-key': READ_KEY })).json() as Record<string, any>).log_level).toMatchObject({ level: 'debug', level_at_start: 'info', level_after: 'info' })
    expect(await world.gateway.saw('admin.log_level', ({ actor }) => actor === 'gateway')).toMatchObject({ level: 'info', level_before: 'debug' })
    expect(await level()).toBe('info')
    await until(async () => (await world.database.sql`select from audit_event where evt = 'admin.log_level' and line like '%"actor":"gateway"%'`).length === 1)
  })

  test('with a key that reads may look and not change, and that is in the audit log', async () => {
    expect((await call('GET', undefined, READ_KEY)).status).toBe(200)
    const { status, id, body } = await call('PUT', { level: 'debug' }, READ_KEY)
    expect([status, body.error.message, await level()]).toEqual([403, 'requires write:log_level', 'info'])
    expect(await world.gateway.saw('admin.denied', ({ request_id }) => request_id === id)).toMatchObject({ actor: 'admin-key:watch', method: 'PUT', path: PATH })
  })

  // T225
  test('is refused to everybody else, and nothing changes', async () => {
    for (const headers of [{}, { authorization: `Bearer ${token}` }, { 'x-api-key': 'wrong-key-canary-of-more-than-32-bytes' }] as Record<string, string>[]) {
      expect((await fetch(world.gateway.url + PATH, { method: 'PUT', headers, body: '{"level":"debug"}' })).status).toBe(401)
    }
    expect(await level()).toBe('info')
  })

  test.each<[unknown, string]>([
    ['', 'body: is not JSON'],
    ['[]', 'body: must be a JSON object'],
    ['{}', 'level: must be one of error, warn, info, debug'],
    [{ level: 'trace' }, 'level: must be one of error, warn, info, debug'],
    [{ level: ['debug'] }, 'level: must be one of error, warn, info, debug'],
    ['{"level":"debug","level":"info"}', 'level: is given twice'],
    [{ level: 'debug', for_second: 5 }, 'for_second: unknown'],
    ...[0, -1, 1.5, '60', 604_801, 1e300].map((for_seconds): [unknown, string] => [{ level: 'debug', for_seconds }, 'for_seconds: must be a whole number from 1 to 604800']),
    [{ level: 'debug', reason: 7 }, 'reason: must be text'],
    [{ level: 'debug', reason: 'a\u0000b' }, 'reason: has a character that cannot be printed'],
    [{ level: 'debug', reason: 'x'.repeat(1001) }, 'reason: is longer than 1000 characters'],
  ])('refuses %j and changes nothing', async (body, message) => {
    const answer = await call('PUT', body)
    expect([answer.status, answer.body.error.message, await level()]).toEqual([400, message, 'info'])
  })

  // T231
  test('changes nothing when its event cannot be stored', async () => {
    const { sql } = world.database
    await sql.unsafe(`create function full_disk() returns trigger language plpgsql as $$ begin raise exception 'disk full' using errcode = 'disk_full'; end $$;
      create trigger full_disk before insert on audit_event for each row when (new.evt = 'admin.log_level') execute function full_disk()`)
    const { status, id } = await call('PUT', { level: 'debug' })
    expect([status >= 500, await level()]).toEqual([true, 'info'])
    expect(world.gateway.observed.some((one) => 'evt' in one && one.evt === 'admin.log_level' && one.request_id === id)).toBe(false)
    await sql.unsafe('drop trigger full_disk on audit_event; drop function full_disk')
  })

  test('of many at once tells each what was before it, and the last event says what holds', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => call('PUT', { level: (['debug', 'warn', 'error'] as const)[n % 3] as string })))
    const ids = new Set(answers.map(({ id }) => id))
    const events = (await world.database.sql`select line from audit_event where evt = 'admin.log_level' order by day, seq`).map(({ line }) => JSON.parse(line as string)).filter(({ request_id }) => ids.has(request_id))
    expect(events).toHaveLength(12)
    for (const [at, event] of events.entries()) if (at > 0) expect(event.level_before).toBe(events[at - 1].level)
    expect(await level()).toBe(events.at(-1).level)
    await call('PUT', { level: 'info' })
  })

  test('concerns the replica that answers', async () => {
    const other = await world.replica()
    expect((await call('PUT', { level: 'debug' }, WRITE_KEY, other)).body.level).toBe('debug')
    expect(await level()).toBe('info')
  })
})

describe('a request', () => {
  const ask = async () => {
    const response = await world.gateway.post('/v1/messages', { model: 'claude-sonnet-5', max_tokens: 1, messages: [] }, token)
    await response.text()
    return response.headers.get('x-request-id')
  }

  test('says at debug which policy and standing it had, whom it went to, and how it was answered, each line with its id', async () => {
    await call('PUT', { level: 'debug' })
    world.upstream.enqueue(answerError(503, 'away'))
    const lines = linesOf(await ask())
    expect(lines).toEqual([
      'claude-sonnet-5 for alice: policy 0; spend: no limit; upstreams in order: anthropic',
      'upstream anthropic: asked for claude-sonnet-5',
      expect.stringMatching(/^POST \/v1\/messages: 502 after \d+ ms, for 127\.0\.0\.1$/),
    ])
    // T263: no query, and of a path no more than names what was asked.
    for (const [path, shown] of [['/v1/models?secret=in-a-query', '/v1/models'], ['/v1/organizations/spend_limits/in-a-path', '/v1/organizations/spend_limits/…'], ['/in-a-path', '(no path of ours)']] as const) {
      const denied = await world.gateway.get(path)
      expect(linesOf(denied.headers.get('x-request-id'))).toEqual([expect.stringContaining(`GET ${shown}: 401 after`)])
    }
    await world.signIn('bob')
    expect(world.gateway.observed.some((one) => 'op' in one && /^sign-in: the identity provider took \d+ ms: it is bob, in 1 groups$/.test(one.message) && one.request_id !== undefined)).toBe(true)
    await call('PUT', { level: 'info' })
  })

  test('says none of it above', async () => {
    expect(linesOf(await ask())).toEqual([])
  })
})

test('a signal makes the running program say a step more or less, and is in the log and in the stored trail', async () => {
  const program = await startServing(world)
  const changes = () => program.stderr().split('\n').flatMap((line) => (line.includes('"evt":"admin.log_level"') ? [JSON.parse(line)] : []))
  const saysDebug = async () => {
    const before = program.stderr().length
    await fetch(`${program.url}/healthz`)
    // The line of a request is written before the next one is answered.
    await fetch(`${program.url}/healthz`)
    return program.stderr().slice(before).includes(' debug GET /healthz: 200')
  }
  try {
    // It says itself where it can be found.
    const { replica } = (await (await fetch(`${program.url}/readyz?verbose=1`, { headers: { 'x-api-key': READ_KEY } })).json()) as Record<string, any>
    expect(replica).toEqual({ id: expect.any(String), host: hostname(), pid: program.pid })
    expect(await saysDebug()).toBe(false)
    program.signal('SIGUSR1')
    await until(() => changes().length === 1)
    await until(saysDebug)
    program.signal('SIGUSR2')
    await until(() => changes().length === 2)
    expect(changes()).toMatchObject([{ actor: 'signal:SIGUSR1', level: 'debug', level_before: 'info' }, { actor: 'signal:SIGUSR2', level: 'info', level_before: 'debug' }])
    expect(await saysDebug()).toBe(false)
    await until(async () => (await world.database.sql`select from audit_event where evt = 'admin.log_level' and line like '%"actor":"signal:%'`).length === 2)
  } finally {
    program.signal('SIGTERM')
    expect(await program.exited).toBe(0)
  }
}, 30_000)
