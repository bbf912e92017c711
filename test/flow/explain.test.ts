import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startWorld, type World } from '../support/gateway.ts'

const [WRITE, READ] = ['write-key-canary-of-more-than-32-bytes', 'read-key-canary-of-more-than-32-bytes']
const PATH = '/v1/organizations/policies/effective'

let world: World
let token: string
beforeAll(async () => {
  world = await startWorld({
    config: {
      admin: { write_keys: [{ id: 'ops', key: WRITE }], read_keys: [{ id: 'watch', key: READ }] },
      managed: { policies: [{ match: { email_domain: 'example.com' }, cli: { availableModels: ['claude-haiku-4-5'] } }, { match: {}, cli: { permissions: { deny: ['WebFetch'] } } }] },
    },
  })
  token = (await world.signIn('alice')).access_token
})
afterAll(() => world.stop())

const ask = (query: string, headers: Record<string, string> = { 'x-api-key': READ }) => world.gateway.get(`${PATH}${query}`, undefined, headers)
const fault = async (response: Response) => [response.status, ((await response.json()) as { error: { message: string } }).error.message]

describe('what somebody gets', () => {
  test.each(['?user_id=alice', '?user_email=alice%40example.com', '?user_email=Alice@Example.COM'])('is told to an administrator, by what was last known of them: %s', async (query) => {
    const response = await ask(query)
    expect(response.status).toBe(200)
    const settings = ((await (await world.gateway.get('/managed/settings', token)).json()) as { checksum: string; settings: object })
    expect(await response.json()).toMatchObject({
      person: { user_id: 'alice', email: 'alice@example.com', last_seen_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as never },
      policy: 0,
      policies: [{ index: 0, outcome: 'matches' }, { index: 1, outcome: 'base' }],
      cli: { checksum: settings.checksum, settings: settings.settings },
      models: [{ id: 'claude-haiku-4-5', routes: [{ upstream: 'anthropic', model: 'claude-haiku-4-5-20251001' }] }],
    })
  })

  test('is not known of who never signed in', async () => {
    expect(await fault(await ask('?user_id=nobody'))).toEqual([404, 'nobody of this name has signed in'])
    expect(await fault(await ask("?user_email=x'%20or%201=1--@example.com"))).toEqual([404, 'nobody of this name has signed in'])
  })

  test.each(['?user_id=%00', '?user_email=a%00@example.com', '?user_id=a%0ab'])('is not asked for by %p', async (query) => {
    expect(await fault(await ask(query))).toEqual([400, 'user_id or user_email: has a control character'])
  })

  test.each(['', '?user_id=', '?user_id=alice&user_email=alice@example.com'])('is asked for by one name: %p is refused', async (query) => {
    expect(await fault(await ask(query))).toEqual([400, 'user_id or user_email: name one of them'])
  })
})

describe('an administrator’s path', () => {
  test.each([
    ['without a credential', {}],
    ['with a wrong key', { 'x-api-key': 'wrong-key-canary-of-more-than-32-bytes' }],
    ['with a key as a bearer', { authorization: `Bearer ${READ}` }],
  ])('is refused %s, and that is in the audit log', async (_, headers) => {
    const response = await ask('?user_id=alice', headers)
    expect(await fault(response)).toEqual([401, 'missing or invalid admin credentials'])
    expect(await world.gateway.saw('admin.denied', ({ request_id }) => request_id === response.headers.get('x-request-id'))).toMatchObject({ method: 'GET', path: PATH })
  })

  test('is refused to somebody who is signed in and in no admin group', async () => {
    expect((await ask('?user_id=alice', { authorization: `Bearer ${token}` })).status).toBe(401)
  })

  test('that does not exist says so to an administrator alone', async () => {
    expect((await world.gateway.get('/v1/organizations/nothing', undefined, { 'x-api-key': WRITE })).status).toBe(404)
    expect((await world.gateway.get('/v1/organizations/nothing', token)).status).toBe(401)
  })

  test('takes keys that open nothing else', async () => {
    for (const path of ['/v1/models', '/managed/settings']) expect((await world.gateway.get(path, undefined, { 'x-api-key': WRITE })).status).toBe(401)
    expect((await world.gateway.post('/v1/messages', {}, undefined, { 'x-api-key': WRITE })).status).toBe(401)
  })
})

test('without administrators their paths are nobody’s', async () => {
  const plain = await world.replica({ admin: undefined })
  expect((await plain.get(`${PATH}?user_id=alice`, token)).status).toBe(404)
  expect((await plain.get(`${PATH}?user_id=alice`)).status).toBe(401)
})
