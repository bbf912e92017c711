import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import type { Observation } from '../../src/observe/events.ts'
import { createAnthropic } from '../../src/upstream/anthropic/anthropic.ts'
import { answerError, answerJson, startUpstream, type Script, type TestUpstream } from '../support/upstream.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-wif-'))
let server: TestUpstream
beforeAll(async () => {
  server = await startUpstream()
})
afterAll(async () => {
  rmSync(directory, { recursive: true })
  await server.stop()
})

const PRINCIPAL = { issuer: 'https://i', sub: 'alice', email: 'alice@example.com', name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0 }

/** An upstream that authenticates by Workload Identity Federation, with its clock in the test's hands. */
function setup() {
  const file = join(directory, 'token')
  writeFileSync(file, 'first-assertion\n')
  server.requests.length = 0
  const observed: Observation[] = []
  let nowMs = 1_800_000_000_000
  const guarded = createGuardedFetch({ allowLoopback: true })
  const upstream = createAnthropic(
    {
      provider: 'anthropic', name: 'wif', base_url: server.url, headers: {}, weight: 1, failover_on: [], forward_user_identity: false,
      auth: { federation_rule_id: 'fdrl_1', organization_id: 'org', identity_token_file: file, workspace_id: 'wrkspc_1' },
    },
    0,
    { fetch: guarded, credentialFetch: () => guarded, environment: {}, timeouts: { upstream_ttfb_ms: 1000 }, observe: (one) => void observed.push(one), now: () => new Date(nowMs) },
  )
  const authorization = async () => {
    const request = { surface: 'messages', body: { bytes: new Uint8Array(), members: [] }, modelAsked: 'm', model: 'm', servedModel: 'm', stream: false, headers: new Headers({ 'anthropic-beta': 'a' }), query: '', principal: PRINCIPAL } as const
    const { headers } = await upstream.prepare(request)
    return [headers.get('authorization'), headers.get('anthropic-beta')]
  }
  return { file, observed, authorization, pass: (seconds: number) => void (nowMs += seconds * 1000) }
}

const issue = (token: string, seconds = 3600): Script => answerJson(200, { access_token: token, token_type: 'Bearer', expires_in: seconds })

describe('an upstream that authenticates with a projected identity', () => {
  test('exchanges the assertion once for many requests at once', async () => {
    const { authorization } = setup()
    server.enqueue(issue('sk-ant-oat01-one'))
    const all = await Promise.all(Array.from({ length: 20 }, authorization))
    expect(new Set(all.map(String))).toEqual(new Set(['Bearer sk-ant-oat01-one,a,oauth-2025-04-20']))
    expect(server.requests).toHaveLength(1)
    const [request] = server.requests
    expect(request).toMatchObject({ method: 'POST', path: '/v1/oauth/token' })
    expect(request?.headers['anthropic-beta']).toBe('oauth-2025-04-20,oidc-federation-2026-04-01')
    expect(request?.json()).toEqual({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'first-assertion', federation_rule_id: 'fdrl_1', organization_id: 'org', workspace_id: 'wrkspc_1' })
  })

  test('renews ahead of expiry without making anybody wait, with the file as it is then', async () => {
    const { file, authorization, pass } = setup()
    server.enqueue(issue('one'), issue('two'))
    await authorization()
    writeFileSync(file, 'second-assertion')
    pass(3600 - 100)
    expect((await authorization())[0]).toBe('Bearer one')
    while ((await authorization())[0] !== 'Bearer two') await new Promise(setImmediate)
    expect(server.requests[1]?.json().assertion).toBe('second-assertion')
    expect(server.requests).toHaveLength(2)
  })

  test('keeps the last good token while renewal fails, does not hammer, and says so without showing it', async () => {
    const { authorization, pass, observed } = setup()
    server.enqueue(issue('kept-canary'), answerError(500, 'away'), issue('next'))
    await authorization()
    pass(3600 - 100)
    for (let n = 0; n < 10; n++) expect((await authorization())[0]).toBe('Bearer kept-canary')
    while (observed.length === 0) await new Promise(setImmediate)
    expect(server.requests).toHaveLength(2)
    expect(JSON.stringify(observed)).toContain('the token exchange was answered with 500')
    expect(JSON.stringify(observed)).not.toContain('canary')
    pass(6)
    while ((await authorization())[0] !== 'Bearer next') await new Promise(setImmediate)
  })

  test.each([
    ['no JSON', (answer: Parameters<Script>[0]) => answer.send(200, {}, '<html>')],
    ['no token', answerJson(200, { expires_in: 60 })],
    ['no lifetime', answerJson(200, { access_token: 'a' })],
    ['a token that would split a header', answerJson(200, { access_token: 'a\r\nx: y', expires_in: 60 })],
    ['a redirect', answerJson(302, {}, { location: 'http://127.0.0.1:1/' })],
  ])('sends nothing when the exchange answers %s', async (_, script) => {
    const { authorization } = setup()
    server.enqueue(script as Script)
    const error = await authorization().then(() => undefined, (failure: Error) => failure)
    expect(error?.name).toBe('CredentialError')
  })
})
