import type { GuardedFetch } from '../../src/egress/guarded-fetch.ts'
import type { RequestContext } from '../../src/http/request-context.ts'
import { createModelTable } from '../../src/models/resolve.ts'
import type { Observation } from '../../src/observe/events.ts'
import { createRelay } from '../../src/relay/relay.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { keptCharge } from './charge.ts'

const PRINCIPAL = { issuer: 'https://i', sub: 'alice', email: undefined, name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0 }
const CONTEXT: RequestContext = { requestId: 'r', clientIp: '127.0.0.1', principal: PRINCIPAL, receivedAt: 0, receivedMs: 0, idleLimit: { lift() {}, restore() {} } }

/** A relay with one upstream that is in the test's hands, as is the moment at which the client leaves. */
export function loneRelay(fetch: GuardedFetch, changes: Partial<Upstream> = {}) {
  const upstream: Upstream = {
    name: 'only', provider: 'anthropic', models: undefined, ttfbMs: 1000, proxy: undefined, failoverOn: new Set(), priority: 0, weight: 1, maxConcurrency: 1,
    prepare: async () => ({ url: 'http://127.0.0.1/', headers: new Headers(), body: new Uint8Array() }),
    requestId: () => undefined,
    ...changes,
  }
  const observed: Observation[] = []
  const relay = createRelay({
    models: createModelTable({ autoInclude: true, models: [], upstreams: [upstream] }), judgeModel: () => undefined, upstreams: [upstream], charge: keptCharge(), fetch,
    maxRequestBytes: 1_000_000, observe: (one) => void observed.push(one), debug: () => {}, policyIndex: () => undefined, version: '0', nowMs: () => 0,
  })
  const leaving = new AbortController()
  const ask = (words = '') => relay.messages(new Request('http://gateway/v1/messages', { method: 'POST', body: JSON.stringify({ model: 'claude-sonnet-5', words }), signal: leaving.signal }), CONTEXT)
  return { ask, leaving, observed, inFlight: () => relay.lanes()[0]?.inFlight, stop: relay.stop }
}
