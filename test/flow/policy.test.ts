// What the policy of a person gives their clients, over the wire.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startWorld, type World } from '../support/gateway.ts'

const DESKTOP_SESSION = { 'user-agent': 'claude-cli/2.1.330 (external, claude-desktop)' }

let world: World
let alice: string
let bob: string
let carol: string
beforeAll(async () => {
  world = await startWorld({
    config: {
      managed: {
        policies: [
          { match: { groups: ['engineering'] }, cli: { availableModels: ['claude-haiku-4-5'], permissions: { deny: ['WebFetch'] } }, desktop: { banner: { text: 'Hello' } } },
          { match: { groups: ['contractors'] }, cli: { model: 'haiku' }, serve_to_desktop: false },
        ],
      },
    },
  })
  world.idp.setClaims('carol', { email: 'carol@example.com', email_verified: true, groups: ['guests'] })
  ;[alice, bob, carol] = (await Promise.all(['alice', 'bob', 'carol'].map((name) => world.signIn(name)))).map(({ access_token }) => access_token) as [string, string, string]
})
afterAll(() => world.stop())

const message = async (response: Response) => [response.status, ((await response.json()) as { error: { message: string } }).error.message]

describe('Claude Desktop', () => {
  test('is told how to reach the gateway and what the policy gives the person, and that is audited', async () => {
    const before = Math.floor(Date.now() / 1000)
    const response = await world.gateway.get('/user/bootstrap', alice)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const { expiresAt, ...answer } = (await response.json()) as { expiresAt: number }
    expect(answer).toEqual({
      inferenceProvider: 'gateway',
      inferenceGatewayBaseUrl: world.gateway.url,
      inferenceCredentialKind: 'interactive',
      inferenceModels: [{ name: 'claude-haiku-4-5', labelOverride: 'Claude Haiku 4.5' }],
      banner: { text: 'Hello' },
      disabledBuiltinTools: ['WebFetch'],
    } as never)
    expect(expiresAt).toBeGreaterThanOrEqual(before + 3600)
    expect(await world.gateway.saw('desktop_bootstrap.serve')).toMatchObject({ request_id: response.headers.get('x-request-id'), sub: 'alice', policy: 0 })
  })

  test.each([
    ['does not opt in', () => bob, 'the policy matching this user does not opt into desktop: add a "desktop:" block to it', 'policy_not_opted_in'],
    ['is not there', () => carol, 'no policy matched', 'no_policy_matched'],
  ] as const)('is refused where the policy %s, and that is audited', async (_, token, text, reason) => {
    const response = await world.gateway.get('/user/bootstrap', token())
    expect(response.headers.get('cache-control')).toBe('no-store')
    const requestId = response.headers.get('x-request-id')
    expect(await message(response)).toEqual([404, text])
    expect(await world.gateway.saw('desktop_bootstrap.denied', ({ request_id }) => request_id === requestId)).toMatchObject({ reason })
  })

  test('gets nothing without a bearer', async () => {
    expect((await world.gateway.get('/user/bootstrap')).status).toBe(401)
    expect((await world.gateway.post('/user/bootstrap', {}, alice)).status).toBe(404)
  })
})

describe('the Code tab', () => {
  test('is offered the settings of Claude Code unless the policy keeps them from it', async () => {
    expect((await world.gateway.get('/managed/settings', alice, DESKTOP_SESSION)).status).toBe(200)
    expect(await message(await world.gateway.get('/managed/settings', bob, DESKTOP_SESSION))).toEqual([404, 'not served to Claude Desktop sessions'])
    expect((await world.gateway.get('/managed/settings', bob)).status).toBe(200)
  })
})

describe('managed settings', () => {
  // B17
  test('are there at once for each of many who have just signed in', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { access_token } = await world.signIn('alice')
        return (await world.gateway.get('/managed/settings', access_token)).json() as Promise<{ checksum: string }>
      }),
    )
    expect(new Set(answers.map(({ checksum }) => checksum)).size).toBe(1)
    expect(answers[0]?.checksum).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  // B41
  test('name the cause when the credential is stale, and are never an empty document', async () => {
    const response = await world.gateway.get('/managed/settings', `${alice}x`)
    expect(response.headers.get('x-should-retry')).toBe('false')
    expect(await message(response)).toEqual([401, 'invalid token'])
  })

  test('are audited with the policy and the checksum of what was served', async () => {
    const response = await world.gateway.get('/managed/settings', bob)
    const { checksum } = (await response.json()) as { checksum: string }
    expect(await world.gateway.saw('managed.serve', ({ request_id }) => request_id === response.headers.get('x-request-id'))).toMatchObject({ policy: 1, checksum, status: 200, sub: 'bob' })
  })

  test('are 404 for whom no policy means', async () => {
    expect(await message(await world.gateway.get('/managed/settings', carol))).toEqual([404, 'no managed settings for this account'])
  })
})

describe('a refusal', () => {
  const refused = async (model: string) => message(await world.gateway.post('/v1/messages', { model, max_tokens: 10, messages: [] }, alice))

  test('of the model that Claude Code starts with says what to do', async () => {
    expect(await refused('claude-opus-4-7')).toEqual([400, "model claude-opus-4-7 is not in your role's availableModels allowlist. Claude Code starts with it unless told otherwise: choose another with /model, such as claude-haiku-4-5"])
  })

  test('of a model that somebody chose names the list', async () => {
    expect(await refused('claude-opus-5-5')).toEqual([400, "model claude-opus-5-5 is not in your role's availableModels allowlist"])
  })
})

// B33: a client gives its discovery three seconds, follows no redirect and takes an empty list for none.
describe('the models', () => {
  test('are listed whatever the client adds to the path, without asking an upstream', async () => {
    const before = world.upstream.requests.length
    const response = await world.gateway.get('/v1/models?limit=1000', alice)
    expect([response.status, response.redirected]).toEqual([200, false])
    expect(((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id)).toEqual(['claude-haiku-4-5'])
    expect(world.upstream.requests.length).toBe(before)
  })
})
