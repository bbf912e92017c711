import { expect, test } from 'bun:test'
import type { RequestContext } from '../../src/http/request-context.ts'
import { keptCharge } from '../support/charge.ts'
import { createModelTable } from '../../src/models/resolve.ts'
import { createRelay } from '../../src/relay/relay.ts'
import { CredentialError, type Upstream } from '../../src/upstream/upstream.ts'

test.each([
  ['has none', true, 'undecided'],
  ['has none', false, 'failed'],
  [401, true, 'undecided'],
  [403, true, 'undecided'],
  [403, false, 'failed'],
  [500, true, 'failed'],
] as const)('a credential: %p, personal: %p, says of the upstream: %s', async (how, hasPersonalCredentials, outcome) => {
  const upstream: Upstream = {
    name: 'only', provider: 'anthropic', models: undefined, ttfbMs: 1000, proxy: undefined, failoverOn: new Set(), priority: 0, weight: 1, maxConcurrency: 1, hasPersonalCredentials,
    prepare: async () => {
      if (how === 'has none') throw new CredentialError('denied')
      return { url: 'http://127.0.0.1/', headers: new Headers(), body: new Uint8Array() }
    },
    requestId: () => undefined,
  }
  const principal = { issuer: 'https://i', sub: 'alice', email: undefined, name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0 }
  const context: RequestContext = { requestId: 'r', clientIp: '127.0.0.1', principal, receivedAt: 0, receivedMs: 0, idleLimit: { lift() {}, restore() {} } }
  const relay = createRelay({
    models: createModelTable({ autoInclude: true, models: [], upstreams: [upstream] }), judgeModel: () => undefined, upstreams: [upstream], charge: keptCharge(),
    fetch: async () => new Response('no', { status: typeof how === 'number' ? how : 200 }), maxRequestBytes: 1000, observe: () => {}, debug: () => {}, policyIndex: () => undefined, version: '0', nowMs: () => 0,
  })
  await relay.messages(new Request('http://gateway/v1/messages', { method: 'POST', body: '{"model":"claude-sonnet-5"}' }), context)
  expect(relay.lanes()[0]?.outcomes).toMatchObject({ [outcome]: 1 })
  relay.stop()
})
