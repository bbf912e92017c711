import { describe, expect, test } from 'bun:test'
import type { GatewayFacts } from '../../src/status/facts.ts'
import { span } from '../../src/status/span.ts'
import { troublesOf, verdictOf } from '../../src/status/verdict.ts'
import { credentialKind } from '../../src/upstream/credential-kind.ts'
import type { UpstreamConfig } from '../../src/upstream/config.ts'

const UPSTREAM: GatewayFacts['upstreams'][number] = { name: 'bedrock', provider: 'bedrock', priority: 0, weight: 1, in_flight: 0, breakers: [], requests: { succeeded: 3, failed: 0, undecided: 0 }, left_out: [] }
const WELL: GatewayFacts = {
  ready: true, version: '1', replica: { id: 'r' }, taken_at: '2026-08-01T00:00:00.000Z', uptime_seconds: 1, draining: false, requests_in_flight: 0,
  store: { reachable: true, grace_seconds: 30, schema: '0001', pools: [] },
  idp: { issuer: 'https://idp.example.com', discovery_read_seconds_ago: 9, answered_seconds_ago: 9, answers: true },
  upstreams: [UPSTREAM],
  ledger: { requests_held: 0, settlements_waiting: 0, lag_seconds: 0, set_aside: 0, checks_unanswered: 0 },
  audit: { events_waiting: 0, lag_seconds: 0, lost: 0, blocking: false },
  collectors: [], alerts: [], revocations: { age_seconds: 0 }, log_level: { level: 'info', level_at_start: 'info' }, config: { loaded_at: '' },
}

describe('the verdict', () => {
  test.each<[string, Partial<GatewayFacts>, string[]]>([
    ['nothing', {}, []],
    ['a start a moment ago', { upstreams: [{ ...UPSTREAM, requests: { succeeded: 0, failed: 0, undecided: 0 } }] }, []],
    ['an old trouble of the provider', { idp: { ...WELL.idp, trouble: { words: 'it answered 503', seconds_ago: 90 } } }, []],
    ['a model that failed once', { upstreams: [{ ...UPSTREAM, breakers: [{ model: 'm', state: 'closed', failures: 1 }] }] }, []],
    ['an idle queue', { ledger: { ...WELL.ledger, settlements_waiting: 9, lag_seconds: 10 } }, []],
    ['a store away', { store: { ...WELL.store, reachable: false, away_seconds: 12 } }, ['Store: PostgreSQL has not answered for 12 s; nobody can sign in, and in 18 s the gateway is not ready']],
    ['a store away for long', { store: { ...WELL.store, reachable: false, away_seconds: 300 } }, ['Store: PostgreSQL has not answered for 5 min; nobody can sign in']],
    ['a provider away', { idp: { ...WELL.idp, answers: false, trouble: { words: 'idp.example.com answered 503', seconds_ago: 4 } } }, ['Identity provider: idp.example.com answered 503, 4 s ago; nobody may be able to sign in']],
    ['keys that cannot be read', { idp: { ...WELL.idp, keys_trouble: 'key set: it is not JSON' } }, ['Identity provider: its keys could not be read: key set: it is not JSON; nobody can sign in']],
    [
      'an upstream that fails',
      { upstreams: [{ ...UPSTREAM, breakers: [{ model: 'a', state: 'open', failures: 3 }, { model: 'b', state: 'half_open', failures: 3 }], last_failure: { words: 'it answered 429', seconds_ago: 7 } }] },
      ['Upstream bedrock is left alone for a, b: it answered 429, 7 s ago'],
    ],
    ['a credential that fails', { upstreams: [{ ...UPSTREAM, credential: { failure: { words: 'STS refused', seconds_ago: 1 } } }] }, ['Upstream bedrock: no credential can be had: STS refused']],
    ['a credential that cannot be renewed yet', { upstreams: [{ ...UPSTREAM, credential: { age_seconds: 3400, expires_in_seconds: 200, failure: { words: 'STS refused', seconds_ago: 1 } } }] }, ['Upstream bedrock: its credential could not be renewed: STS refused']],
    ['a credential that is about to end', { upstreams: [{ ...UPSTREAM, credential: { age_seconds: 3580, expires_in_seconds: 20, failure: { words: 'STS refused', seconds_ago: 1 } } }] }, ['Upstream bedrock: no credential can be had: STS refused']],
    [
      'exports and alerts that were lost a while ago',
      { collectors: [{ name: 'otel:4318', delivered: 1, lost: 2, lost_seconds_ago: 300, held: 0, held_bytes: 0 }], alerts: [{ name: 'hooks.example.com', delivered: 1, lost: 1, lost_seconds_ago: 3600 }] },
      ['Collector otel:4318 has lost 2 exports since the start, the last one 5 min ago', 'Alerts to hooks.example.com: 1 lost since the start, the last one 60 min ago'],
    ],
    [
      'exports and alerts that were lost long ago',
      { collectors: [{ name: 'otel:4318', delivered: 1, lost: 2, lost_seconds_ago: 3601, held: 0, held_bytes: 0 }], alerts: [{ name: 'hooks.example.com', delivered: 1, lost: 1, lost_seconds_ago: 90_000 }] },
      [],
    ],
    ['an upstream that is full', { upstreams: [{ ...UPSTREAM, in_flight: 4, max_concurrency: 4 }] }, ['Upstream bedrock has as many requests as it may: 4']],
    ['settlements that wait', { ledger: { ...WELL.ledger, settlements_waiting: 9, lag_seconds: 11, set_aside: 2 } }, ['Usage ledger: 9 settlements wait for the store, the oldest for 11 s', 'Usage ledger: 2 settlements could not be written since the start; the log says which']],
    [
      'events that wait',
      { audit: { events_waiting: 5, lag_seconds: 40, lost: 1, blocking: true } },
      ['Audit trail: requests are refused, because their events cannot be stored', 'Audit trail: 5 events wait for the store, the oldest for 40 s', 'Audit trail: 1 events are on standard error alone since the start'],
    ],
    ['a collector away', { collectors: [{ name: 'otel:4318', delivered: 1, lost: 0, held: 1, held_bytes: 9, trouble: 'it answered 503', trouble_seconds: 8000 }] }, ['Collector otel:4318 has taken no export for 2 h: it answered 503']],
    ['alerts that are not taken', { alerts: [{ name: 'hooks.example.com', delivered: 1, lost: 0, trouble: 'answered 500' }] }, ['Alerts to hooks.example.com: the last one was not taken: answered 500']],
    ['an old list', { revocations: { age_seconds: 11 } }, ['The list of revoked sessions is 11 s old: one revoked at another replica still works here']],
    ['the end', { draining: true }, ['The gateway is stopping: what runs is finished, new work is refused']],
  ])('of %s', (_, changes, troubles) => {
    expect(troublesOf({ ...WELL, ...changes })).toEqual(troubles)
  })

  test('is one sentence by how many there are, and whether the gateway is ready', () => {
    expect([[true, 0], [true, 1], [true, 3], [false, 1]].map(([ready, count]) => verdictOf({ ...WELL, ready: ready as boolean }, Array.from({ length: count as number }, () => '')))).toEqual([
      'Ready. Everything works.', 'Ready, but one thing needs attention.', 'Ready, but 3 things need attention.', 'Not ready.',
    ])
  })
})

test('a span is said in the largest unit that says enough', () => {
  expect([0, 119, 120, 7199, 7200, 172_799, 172_800].map(span)).toEqual(['0 s', '119 s', '2 min', '119 min', '2 h', '47 h', '2 days'])
})

test.each<[object, string]>([
  [{ provider: 'anthropic', auth: { api_key: 'x' } }, 'static'],
  [{ provider: 'anthropic', auth: { oauth_token: 'x' } }, 'static'],
  [{ provider: 'anthropic', auth: { federation_rule_id: 'x' } }, 'federation'],
  [{ provider: 'bedrock', auth: {} }, 'aws_default_chain'],
  [{ provider: 'bedrock', auth: { aws_access_key_id: 'x' } }, 'static'],
  [{ provider: 'bedrock', auth: { aws_bearer_token: 'x' }, assume_role: { role_arn: 'r', session_per_person: false } }, 'static'],
  [{ provider: 'mantle', auth: {}, assume_role: { role_arn: 'r', session_per_person: false } }, 'aws_role'],
  [{ provider: 'mantle', auth: { aws_access_key_id: 'x' }, assume_role: { role_arn: 'r', session_per_person: true } }, 'aws_role_per_person'],
  [{ provider: 'anthropicAws', auth: { api_key: 'x', aws_access_key_id: 'x' }, assume_role: { role_arn: 'r' } }, 'static'],
  [{ provider: 'vertex', auth: {} }, 'google_default'],
  [{ provider: 'anthropicGoogleCloud', auth: { service_account_json: 'x' } }, 'google_key_file'],
  [{ provider: 'foundry', auth: { api_key: 'x' } }, 'static'],
  [{ provider: 'foundry', auth: { use_azure_ad: true } }, 'azure_default'],
])('the credential of %j is %s', (config, kind) => {
  expect(credentialKind(config as UpstreamConfig)).toBe(kind as never)
})
