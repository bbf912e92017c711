import { describe, expect, test } from 'bun:test'
import type { GuardedFetch } from '../../src/egress/guarded-fetch.ts'
import type { RequestContext } from '../../src/http/request-context.ts'
import { keptCharge } from '../support/charge.ts'
import { createModelTable } from '../../src/models/resolve.ts'
import type { Observation } from '../../src/observe/events.ts'
import { createRelay } from '../../src/relay/relay.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'

// What no socket can be made to do at a given moment: a client that leaves between two steps of the relay.

const PRINCIPAL = { issuer: 'https://i', sub: 'alice', email: undefined, name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0 }
const CONTEXT: RequestContext = { requestId: 'r', clientIp: '127.0.0.1', principal: PRINCIPAL, receivedAt: 0, receivedMs: 0, idleLimit: { lift() {}, restore() {} } }

function setup(fetch: GuardedFetch, changes: Partial<Upstream> = {}) {
  const upstream: Upstream = {
    name: 'only', provider: 'anthropic', models: undefined, ttfbMs: 1000, proxy: undefined, failoverOn: new Set(), priority: 0, weight: 1, maxConcurrency: 1,
    prepare: async () => ({ url: 'http://127.0.0.1/', headers: new Headers(), body: new Uint8Array() }),
    requestId: () => undefined,
    ...changes,
  }
  const observed: Observation[] = []
  const relay = createRelay({
    models: createModelTable({ autoInclude: true, models: [], upstreams: [upstream] }), judgeModel: () => undefined, upstreams: [upstream], charge: keptCharge(), fetch,
    maxRequestBytes: 1000, observe: (one) => void observed.push(one), debug: () => {}, policyIndex: () => undefined, version: '0', nowMs: () => 0,
  })
  const leaving = new AbortController()
  const ask = () => relay.messages(new Request('http://gateway/v1/messages', { method: 'POST', body: '{"model":"claude-sonnet-5"}', signal: leaving.signal }), CONTEXT)
  return { ask, leaving, observed, inFlight: () => relay.lanes()[0]?.inFlight, stop: relay.stop }
}

describe('a client that leaves', () => {
  test('in the moment in which the answer begins takes the answer with it, and gives its place back', async () => {
    const cancelled = Promise.withResolvers<void>()
    const body = new ReadableStream({ cancel: () => cancelled.resolve() })
    const { ask, leaving, observed, inFlight, stop } = setup(async () => {
      leaving.abort()
      return new Response(body)
    })
    expect((await ask()).status).toBe(499)
    await cancelled.promise
    expect(inFlight()).toBe(0)
    expect(observed).toMatchObject([{ evt: 'inference', outcome: 'client_gone', status: 499, attempts: 1 }])
    stop()
  })

  test('before its request has been read to the end has nothing sent for it', async () => {
    let sent = 0
    const { ask, leaving, observed, stop } = setup(async () => {
      sent++
      return new Response('{}')
    })
    leaving.abort()
    expect((await ask()).status).toBe(499)
    expect(sent).toBe(0)
    expect(observed).toMatchObject([{ evt: 'inference', outcome: 'client_gone', status: 499, attempts: 0 }])
    stop()
  })
})

test('a fault of ours in the middle of an attempt does not keep the place', async () => {
  const { ask, inFlight, stop } = setup(async () => new Response('no', { status: 500 }), {
    explain: () => {
      throw new Error('a fault')
    },
  })
  expect(ask()).rejects.toThrow('a fault')
  await ask().catch(() => {})
  expect(inFlight()).toBe(0)
  stop()
})
