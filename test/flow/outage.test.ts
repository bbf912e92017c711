import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { startWorld, type TestGateway, type Tokens, type World } from '../support/gateway.ts'

const READ_KEY = 'read-key-canary-of-more-than-32-bytes'

let world: World
let proxy: TcpProxy
/** The replica whose database goes away. */
let subject: TestGateway
let alice: Tokens
beforeAll(async () => {
  world = await startWorld({ config: { admin: { read_keys: [{ id: 'watch', key: READ_KEY }] } } })
  const { hostname, port } = new URL(world.database.url)
  proxy = await createTcpProxy(hostname, Number(port))
  const through = new URL(world.database.url)
  through.port = String(proxy.port)
  subject = await world.replica({ store: { postgres_url: through.href, readiness_grace_seconds: 1 } })
  alice = await world.signIn('alice', subject)
}, 20_000)
afterAll(async () => {
  await world.stop()
  proxy.stop()
}, 20_000)

const ask = { model: 'claude-sonnet-5', max_tokens: 10, messages: [] }

/** Asks until the answer has this status. */
async function until(path: string, status: number): Promise<Response> {
  for (;;) {
    const response = await subject.get(path)
    if (response.status === status) return response
    await Bun.sleep(50)
  }
}

describe.each(['refuse', 'black-hole'] as const)('while PostgreSQL does %s', (fault) => {
  test('signed-in people keep working, who is revoked does not, new sign-ins are told, readiness fails after its grace, and all comes back by itself', async () => {
    const bob = await world.signIn('bob', subject)
    proxy.set(fault)
    expect((await subject.post('/v1/messages', ask, alice.access_token)).status).toBe(200)
    expect((await subject.get('/managed/settings', alice.access_token)).status).toBe(200)

    const explained = await subject.get('/v1/organizations/policies/effective?user_id=alice', undefined, { 'x-api-key': READ_KEY })
    expect([explained.status, await explained.json()]).toEqual([503, expect.objectContaining({ error: { type: 'api_error', message: 'the gateway cannot reach its store; try again' } })])

    const started = await subject.form('/oauth/device_authorization', { surface: 'claude_code' })
    expect([started.status, started.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await started.json()).toMatchObject({ error: 'temporarily_unavailable' })
    const refreshed = await subject.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: alice.refresh_token })
    expect(refreshed.status).toBe(503)
    expect((await subject.form('/oauth/revoke', { token: bob.access_token })).status).toBe(503)
    expect((await subject.get('/v1/models', bob.access_token)).status).toBe(401)
    const page = await fetch(`${subject.url}/device`, { method: 'POST', body: new URLSearchParams({ user_code: 'BCDF-GHJK' }), headers: { 'sec-fetch-site': 'same-origin' } })
    expect([page.status, await page.text()]).toEqual([503, expect.stringContaining('Sign-in is not available now')])

    expect((await until('/readyz', 503)).status).toBe(503)
    expect((await subject.get('/healthz')).status).toBe(200)

    proxy.set('pass')
    await until('/readyz', 200)
    const again = await subject.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: alice.refresh_token })
    expect(again.status).toBe(200)
    alice = (await again.json()) as Tokens
  }, 60_000)
})
