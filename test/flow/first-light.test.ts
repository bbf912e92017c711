import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startWorld, type Tokens, type World } from '../support/gateway.ts'

let world: World
let alice: Tokens
beforeAll(async () => {
  world = await startWorld()
  alice = await world.signIn('alice')
})
afterAll(() => world.stop())

const ask = { model: 'claude-sonnet-5', max_tokens: 10, messages: [{ role: 'user', content: 'ping' }] }

describe('signing in from a laptop', () => {
  test('gives an hour of access, a refresh token and the address to confirm', () => {
    expect(alice).toMatchObject({ token_type: 'Bearer', expires_in: 3600, email: 'alice@example.com' })
    expect(alice.refresh_token).toStartWith('ghr_')
  })

  test('streams an answer and reports it once with its tokens', async () => {
    const response = await world.gateway.post('/v1/messages?beta=true', { ...ask, stream: true }, alice.access_token)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toContain('message_stop')
    const event = await world.gateway.saw('inference')
    expect(event).toMatchObject({ sub: 'alice', model: 'claude-sonnet-5', upstream: 'anthropic', status: 200, outcome: 'completed', attempts: 1, input_tokens: 1000, output_tokens: 500, cache_read_tokens: 300, cache_write_5m_tokens: 200, upstream_request_id: 'req_upstream' })
  })

  test('answers without a stream, and counts tokens', async () => {
    expect(await (await world.gateway.post('/v1/messages', ask, alice.access_token)).json()).toMatchObject({ content: [{ text: 'pong' }] })
    expect(await (await world.gateway.post('/v1/messages/count_tokens', ask, alice.access_token)).json()).toEqual({ input_tokens: 42 })
  })

  test('lists the models of the policy', async () => {
    const models = (await (await world.gateway.get('/v1/models?limit=1000', alice.access_token)).json()) as { data: { id: string }[] }
    expect(models.data.map(({ id }) => id).sort()).toEqual(['claude-haiku-4-5', 'claude-sonnet-5', 'claude-sonnet-5-5'])
  })

  test('serves managed settings and then 304', async () => {
    const first = await world.gateway.get('/managed/settings', alice.access_token)
    expect(first.status).toBe(200)
    const again = await world.gateway.get('/managed/settings', alice.access_token, { 'if-none-match': first.headers.get('etag') as string })
    expect(again.status).toBe(304)
  })

  test('refreshes with a rotated token', async () => {
    const { refresh_token } = await world.signIn('bob')
    const response = await world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token })
    expect(response.status).toBe(200)
    const fresh = (await response.json()) as Tokens
    expect(fresh.refresh_token).not.toBe(refresh_token)
    expect((await world.gateway.get('/v1/models', fresh.access_token)).status).toBe(200)
  })

  test('ends at once when the token is revoked', async () => {
    const bob = await world.signIn('bob')
    expect((await world.gateway.get('/v1/models', bob.access_token)).status).toBe(200)
    expect((await world.gateway.form('/oauth/revoke', { token: bob.access_token })).status).toBe(200)
    const refused = await world.gateway.get('/v1/models', bob.access_token)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('x-should-retry')).toBe('false')
    expect((await world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: bob.refresh_token })).status).toBe(401)
  })
})
