// What administrators do, and are refused, is in the trail: once, with who, from where, what and why.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, READ_KEY, until, WRITE_KEY } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'

const LIMITS = '/v1/organizations/spend_limits'
const LEVEL = '/v1/organizations/log_level'
/** What redact.ts knows the form of. */
const KEY = 'sk-ant-api03-canary-that-somebody-pasted-here'

let world: World
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN, audit: { store: true } } })
}, 20_000)
afterAll(() => world.stop(), 20_000)

async function call(method: string, path: string, body: object | undefined, key = WRITE_KEY) {
  const response = await fetch(world.gateway.url + path, { method, headers: { 'x-api-key': key, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) })
  return { status: response.status, requestId: response.headers.get('x-request-id') as string, body: (await response.json()) as Record<string, any> }
}

/** The stored events of a request; at least one comes. */
async function eventsOf(requestId: string): Promise<Record<string, unknown>[]> {
  const read = async () => (await world.database.sql`select line from audit_event where request_id = ${requestId} order by day, seq`).map(({ line }) => JSON.parse(line as string) as Record<string, unknown>)
  await until(async () => (await read()).length > 0)
  return read()
}

const limit = (amount: string, more: object = {}) => ({ scope: { type: 'user', user_id: 'alice' }, amount, ...more })

/** Every way in which an administrator changes something. */
const CHANGES: readonly [name: string, method: string, path: () => Promise<string>, body: object | undefined, event: object][] = [
  ['sets a limit', 'POST', async () => LIMITS, limit('100', { reason: 'starts today' }), { evt: 'admin.limit.upsert', scope: 'user', scope_id: 'alice', amount: '100', reason: 'starts today' }],
  ['changes a limit', 'POST', async () => LIMITS, limit('200'), { evt: 'admin.limit.upsert', scope_id: 'alice', amount: '200', amount_before: '100' }],
  ['deletes a limit', 'DELETE', async () => `${LIMITS}/${(await call('POST', LIMITS, limit('200'))).body.id}?reason=has%20left`, undefined, { evt: 'admin.limit.delete', scope_id: 'alice', amount_before: '200', reason: 'has left' }],
  ['changes the level of the log', 'PUT', async () => LEVEL, { level: 'warn', reason: 'too much' }, { evt: 'admin.log_level', level: 'warn', level_before: 'info', reason: 'too much' }],
]

// T234
describe('whoever', () => {
  test.each(CHANGES)('%s is in the trail once, with who and from where', async (_, method, path, body, event) => {
    const { status, requestId } = await call(method, await path(), body)
    expect(status).toBe(200)
    expect(await eventsOf(requestId)).toEqual([expect.objectContaining({ ...event, actor: 'admin-key:ops', client_ip: '127.0.0.1', request_id: requestId })])
  })

  test.each(CHANGES)('%s with a key that may only read is refused, and that is in the trail once', async (_, method, path, body) => {
    const target = await path()
    const { status, requestId } = await call(method, target, body, READ_KEY)
    expect(status).toBe(403)
    expect(await eventsOf(requestId)).toEqual([expect.objectContaining({ evt: 'admin.denied', actor: 'admin-key:watch', method, path: target.split('?')[0], client_ip: '127.0.0.1' })])
  })

  test.each(CHANGES)('%s with a key that is nobody’s is refused, and that is in the trail once', async (_, method, path, body) => {
    const target = await path()
    const { status, requestId } = await call(method, target, body, 'k'.repeat(40))
    expect(status).toBe(401)
    expect(await eventsOf(requestId)).toEqual([expect.objectContaining({ evt: 'admin.denied', method, path: target.split('?')[0], client_ip: '127.0.0.1' })])
  })
})

// T235
describe('what an administrator writes', () => {
  test.each([
    ['a limit', 'POST', LIMITS, (reason: string) => limit('300', { reason })],
    ['the level of the log', 'PUT', LEVEL, (reason: string) => ({ level: 'info', reason })],
  ])('as the reason of %s holds no credential in the trail', async (_, method, path, body) => {
    const { status, requestId } = await call(method, path, body(`as ${KEY} says`))
    expect(status).toBe(200)
    expect(await eventsOf(requestId)).toEqual([expect.objectContaining({ reason: 'as [redacted] says' })])
    const everywhere = await world.database.sql`select 1 from audit_event where line like ${`%${KEY}%`} union all select 1 from spend_limit_audit where reason like ${`%${KEY}%`}`
    expect(everywhere).toHaveLength(0)
  })

  test.each([
    ['a line end', 'a\nb'],
    ['a terminal’s escape', '\u001b[31mred'],
    ['another direction', 'abc\u202edef'],
    ['NUL', 'a\u0000b'],
    ['too much', 'x'.repeat(1001)],
  ])('and holds %s is refused, and nothing is changed', async (_, reason) => {
    const before = await world.database.sql`select count(*)::int as n from spend_limit_audit`
    expect((await call('POST', LIMITS, limit('400', { reason }))).status).toBe(400)
    expect((await call('PUT', LEVEL, { level: 'debug', reason })).status).toBe(400)
    expect(await world.database.sql`select count(*)::int as n from spend_limit_audit`).toEqual(before)
    expect((await call('GET', LEVEL, undefined)).body.level).toBe('info')
  })
})
