import { describe, expect, test } from 'bun:test'
import { alertId, passedThresholds, type AlertCounter, type PassedThreshold } from '../../src/alert/alert.ts'
import { headersFor, signature, toDestination } from '../../src/alert/destination.ts'
import { sentence, slackBody, webhookBody } from '../../src/alert/message.ts'
import { dollarsAndCents } from '../../src/spend/amounts.ts'
import { exhaustedAt } from '../../src/alert/projection.ts'
import { mayPass, retryAfterSeconds } from '../../src/alert/retry.ts'
import type { AppliedLimit, Period } from '../../src/spend/limit.ts'
import { Secret } from '../../src/std/secret.ts'

const USD = 1_000_000_000n
const NOW = Date.parse('2026-08-12T12:00:00Z')
/** A Wednesday. */
const MOMENT = { nowMs: NOW, starts: { daily: '2026-08-12', weekly: '2026-08-10', monthly: '2026-08-01' } } as const
const ALICE: AlertCounter = { scope: 'user', scopeId: 'https://i alice', person: { issuer: 'https://i', sub: 'alice', email: 'alice@example.com', name: 'Alice A', groups: [] } }
const limit = (amount: bigint, period: Period = 'daily'): AppliedLimit => ({ limitId: 'spl_1', period, amount, source: 'user' })
const passed = (spent: bigint, amount = 50n * USD, period: Period = 'daily', thresholds = [75, 90, 100], counter = ALICE) =>
  passedThresholds({ counter, spent: { daily: 0n, weekly: 0n, monthly: 0n, [period]: spent } }, [limit(amount, period)], thresholds, MOMENT)
const highest = (...given: Parameters<typeof passed>): PassedThreshold => passed(...given).find(({ isHighest }) => isHighest) as PassedThreshold

describe('thresholds', () => {
  test.each<[string, bigint, bigint, number[], (number | string)[]]>([
    ['none below the first', 74_999_999_999n, 100n * USD, [75, 90, 100], []],
    ['the first exactly at it', 75n * USD, 100n * USD, [75, 90, 100], ['75']],
    ['the highest of those that are jumped over, and the lower ones silently', 95n * USD, 100n * USD, [75, 90, 100], [75, '90']],
    ['all of them far above', 300n * USD, 100n * USD, [75, 90, 100], [75, 90, '100']],
    ['the highest in whatever order they are written', 95n * USD, 100n * USD, [90, 75], ['90', 75]],
    ['a threshold above the limit', 150n * USD, 100n * USD, [150], ['150']],
    ['a threshold with decimals', 99_500_000_000n, 100n * USD, [99.5, 99.6], ['99.5']],
    ['none of a limit of nothing', 5n * USD, 0n, [75], []],
    ['amounts beyond 2^53', 9_007_199_254_740_993n, 9_007_199_254_740_994n, [99.999, 100], ['99.999']],
  ])('passed: %s', (_, spent, amount, thresholds, expected) => {
    expect(passed(spent, amount, 'daily', thresholds).map(({ threshold, isHighest }) => (isHighest ? String(threshold) : threshold))).toEqual(expected)
  })

  test('are judged by the window of the limit', () => {
    const movement = { counter: ALICE, spent: { daily: 1n * USD, weekly: 8n * USD, monthly: 20n * USD } }
    const limits = (['daily', 'weekly', 'monthly'] as const).map((period) => limit(10n * USD, period))
    expect(passedThresholds(movement, limits, [75], MOMENT).map(({ limit: { period }, windowStart, percent, resetsAtMs }) => [period, windowStart, percent, new Date(resetsAtMs).toISOString()])).toEqual([
      ['weekly', '2026-08-10', 80, '2026-08-17T00:00:00.000Z'],
      ['monthly', '2026-08-01', 200, '2026-09-01T00:00:00.000Z'],
    ])
  })

  test('have one name for every replica, and another for another window or amount', () => {
    const ids = [highest(40n * USD), highest(41n * USD), highest(48n * USD), highest(75n * USD, 100n * USD), highest(40n * USD, 50n * USD, 'weekly')].map(alertId)
    expect(ids[0]).toBe(ids[1] as string)
    expect(new Set(ids).size).toBe(4)
    expect(ids[0]).toMatch(/^alt_[0-9a-f]{32}$/)
  })
})

describe('the day on which a limit is used up', () => {
  const startMs = Date.parse('2026-08-01T00:00:00Z')
  const endMs = Date.parse('2026-09-01T00:00:00Z')
  test.each<[string, bigint, string, string | undefined]>([
    ['follows from the pace so far', 50n, '2026-08-11T00:00:00Z', '2026-08-21T00:00:00.000Z'],
    ['is none when it lasts until the window ends', 30n, '2026-08-11T00:00:00Z', undefined],
    ['is none at the very end', 99n, '2026-08-31T23:00:00Z', undefined],
    ['is none when it is used up already', 100n, '2026-08-11T00:00:00Z', undefined],
    ['is none while nothing is spent', 0n, '2026-08-11T00:00:00Z', undefined],
    ['is none at the first moment', 50n, '2026-08-01T00:00:00Z', undefined],
  ])('%s', (_, spent, now, expected) => {
    const atMs = exhaustedAt({ spent, amount: 100n, startMs, endMs, nowMs: Date.parse(now) })
    expect(atMs === undefined ? undefined : new Date(atMs).toISOString()).toBe(expected as string)
  })
})

describe('what an alert says', () => {
  const GROUP: AlertCounter = { scope: 'rbac_group', scopeId: 'contractors' }
  const EVERYBODY: AlertCounter = { scope: 'organization', scopeId: '' }
  test.each<[string, PassedThreshold, string]>([
    ['of a person, whose limit ends today', highest(46_129_999_999n), 'alice@example.com has used 92 % of the daily spend limit: $46.12 of $50.00. At this pace it is used up today at about 13:00 UTC. A new daily window begins on 2026-08-13 00:00 UTC.'],
    ['of a person without an address', highest(46n * USD, 50n * USD, 'daily', [90], { ...ALICE, person: { issuer: 'https://i', sub: 'sub-7', email: undefined, name: undefined, groups: [] } }), 'sub-7 has used 92 % of the daily spend limit: $46.00 of $50.00. At this pace it is used up today at about 13:00 UTC. A new daily window begins on 2026-08-13 00:00 UTC.'],
    ['of a group, whose limit ends another day', highest(1000n * USD, 1250n * USD, 'weekly', [75], GROUP), 'The group contractors has used 80 % of the shared weekly spend limit: $1,000.00 of $1,250.00. At this pace it is used up on 2026-08-13. A new weekly window begins on 2026-08-17 00:00 UTC.'],
    ['of everybody, whose limit lasts', highest(3_000_000n * USD, 10_000_000n * USD, 'monthly', [25], EVERYBODY), 'The organisation has used 30 % of the shared monthly spend limit: $3,000,000.00 of $10,000,000.00. At this pace it lasts until the window ends. A new monthly window begins on 2026-09-01 00:00 UTC.'],
    ['of a limit that is used up', highest(51n * USD), 'alice@example.com has used up the daily spend limit: $51.00 of $50.00 (102 %). A new daily window begins on 2026-08-13 00:00 UTC.'],
  ])('%s', (_, alert, words) => {
    expect(sentence(alert, NOW)).toBe(words)
  })

  test('is JSON with the names and amounts of the admin API', () => {
    const alert = highest(46_123_456_789n)
    expect(JSON.parse(webhookBody(alert, NOW))).toEqual({
      type: 'spend_alert',
      id: alertId(alert),
      created_at: '2026-08-12T12:00:00.000Z',
      scope: { type: 'user', user_id: 'alice' },
      actor: { type: 'user_actor', user_id: 'alice', name: 'Alice A', email_address: 'alice@example.com' },
      spend_limit_id: 'spl_1',
      source: 'user',
      period: 'daily',
      currency: 'USD',
      amount: '5000',
      period_to_date_spend: '4612.3456789',
      threshold: 90,
      percent: 92,
      period_started_at: '2026-08-12T00:00:00.000Z',
      resets_at: '2026-08-13T00:00:00.000Z',
      projected_exhaustion: '2026-08-12T13:00:30.835Z',
      text: sentence(alert, NOW),
    })
    expect(JSON.parse(webhookBody(highest(51n * USD, 50n * USD, 'daily', [100], GROUP), NOW))).toMatchObject({ scope: { type: 'rbac_group', rbac_group_id: 'contractors' }, actor: null, projected_exhaustion: null })
  })

  // Slack reads <!channel> as a call to everybody.
  test('holds no command for Slack and no second line, whatever a group is called', () => {
    const { text } = JSON.parse(slackBody(highest(46n * USD, 50n * USD, 'daily', [90], { scope: 'rbac_group', scopeId: 'a<!channel>&\u202e\nb' }), NOW)) as { text: string }
    expect(text).toStartWith('The group a&lt;!channel&gt;&amp; b has used 92 %')
    expect(Object.keys(JSON.parse(slackBody(highest(46n * USD), NOW)))).toEqual(['text'])
  })

  test.each<[bigint, string]>([[0n, '$0.00'], [9_999_999n, '$0.00'], [10_000_000n, '$0.01'], [1_234_567n * USD, '$1,234,567.00'], [999n * USD, '$999.00']])('%p nano-dollars are %s', (nano, words) => {
    expect(dollarsAndCents(nano)).toBe(words)
  })
})

describe('a delivery', () => {
  const secret = new Secret('a-secret-of-a-webhook')

  test('is signed with its time', () => {
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac a-secret-of-a-webhook
    expect(signature(secret, '{"a":1}', 1_700_000_000)).toBe('t=1700000000,v1=5e08fc369ec13299ed278355eaf0556ba832ac1f0a21e6d1f349508682d36afd')
  })

  test('carries its id, and no signature without a secret', () => {
    const destination = toDestination({ url: new Secret('https://hooks.example.com/T0/B0'), kind: 'webhook' })
    expect(headersFor(destination, 'id-1', '{}', NOW)).toEqual({ 'content-type': 'application/json', 'x-gatehouse-delivery': 'id-1' })
    expect(headersFor({ ...destination, secret }, 'id-1', '{}', NOW)).toHaveProperty('x-gatehouse-signature', signature(secret, '{}', NOW / 1000))
  })

  test('is known by a hash of where it goes', () => {
    const url = new Secret('https://hooks.example.com/T0/B0')
    const [webhook, slack] = (['webhook', 'slack'] as const).map((kind) => toDestination({ url, kind }))
    expect(webhook?.id).toMatch(/^[\w-]{43}$/)
    expect(webhook?.id).not.toBe(slack?.id as string)
    expect(webhook?.host).toBe('hooks.example.com')
  })

  test.each<[string, number, string | null, number, number]>([
    ['after five seconds', 1, null, 0.5, 5],
    ['after twice as long each time', 4, null, 0.5, 40],
    ['spread, so that not all come at once', 1, null, 0, 3.75],
    ['spread, later', 1, null, 1, 6.25],
    ['after an hour at most', 60, null, 0.5, 3600],
    ['not before it is asked for', 1, '120', 0.5, 120],
    ['not before a date', 1, 'Wed, 12 Aug 2026 12:01:40 GMT', 0.5, 100],
    ['after an hour at most, whatever is asked for', 1, '999999', 0.5, 3600],
    ['as if nothing was asked for by what cannot be read', 1, 'soon', 0.5, 5],
    ['as if nothing was asked for by a date that is over', 1, 'Wed, 12 Aug 2026 11:00:00 GMT', 0.5, 5],
  ])('is tried again %s', (_, attempts, retryAfter, random, expected) => {
    expect(retryAfterSeconds(attempts, retryAfter, NOW, random)).toBe(expected)
  })

  test.each([[200, false], [301, false], [400, false], [404, false], [408, true], [410, false], [429, true], [500, true], [503, true]])('answered with %d may pass: %p', (status, expected) => {
    expect(mayPass(status)).toBe(expected)
  })
})
