import { describe, expect, test } from 'bun:test'
import { allowedHeaders, heldRefusal, spendRefusal, unreadableRefusal } from '../../src/spend/spend-answers.ts'
import { decisive, fullest, limitedCounters, percentUsed, usesOf, type Use } from '../../src/spend/standing.ts'
import { resetOf } from '../../src/spend/windows.ts'

const USD = 1_000_000_000n
const NOW = new Date('2026-08-07T15:30:00Z')
const use = (spent: bigint, limit: bigint, changes: Partial<Use> = {}): Use => ({ period: 'daily', limit, spent, held: 0n, resetsAt: resetOf('daily', NOW), isPool: false, ...changes })

describe('windows', () => {
  // T218
  test.each([
    ['daily', '2026-08-07T23:59:59.999Z', '2026-08-08T00:00:00.000Z'],
    ['daily', '2026-08-08T00:00:00.000Z', '2026-08-09T00:00:00.000Z'],
    ['daily', '2028-02-28T12:00:00.000Z', '2028-02-29T00:00:00.000Z'],
    ['weekly', '2026-08-09T23:59:59.999Z', '2026-08-10T00:00:00.000Z'],
    ['weekly', '2026-08-10T00:00:00.000Z', '2026-08-17T00:00:00.000Z'],
    ['weekly', '2026-12-31T12:00:00.000Z', '2027-01-04T00:00:00.000Z'],
    ['monthly', '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00.000Z'],
    ['monthly', '2026-12-15T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    // No summer time: windows are UTC.
    ['daily', '2026-03-29T00:30:00.000Z', '2026-03-30T00:00:00.000Z'],
  ] as const)('%s at %s ends at %s', (period, now, end) => {
    expect(resetOf(period, new Date(now)).toISOString()).toBe(end)
  })
})

describe('standing', () => {
  test.each([
    [0n, USD, 0],
    [USD / 2n, USD, 50],
    [USD - 1n, USD, 99],
    [USD, USD, 100],
    [USD * 3n / 2n, USD, 150],
    [0n, 0n, 100],
  ])('%p of %p is %p percent', (spent, limit, percent) => expect(percentUsed({ spent, limit })).toBe(percent))

  test('is decided by what resets last of everything that is spent, exactly at the limit too', () => {
    const weekly = use(USD, USD, { period: 'weekly', resetsAt: resetOf('weekly', NOW) })
    const monthly = use(USD - 1n, USD, { period: 'monthly', resetsAt: resetOf('monthly', NOW) })
    expect(decisive([use(2n * USD, USD), weekly, monthly])).toBe(weekly)
    expect(decisive([use(USD - 1n, USD), monthly])).toBeUndefined()
    expect(decisive([use(0n, 0n)])?.limit).toBe(0n)
  })

  test('is described by the fullest limit, as a share and not as an amount', () => {
    const small = use(60n, 100n)
    const large = use(500n * USD, 1000n * USD)
    expect(fullest([large, small])).toBe(small)
    expect(fullest([])).toBeUndefined()
  })

  test('adds what is not written yet, for each period of each counter', () => {
    const counters = limitedCounters(
      { issuer: 'https://i', sub: 'a' },
      { own: [{ limitId: 'spl_1', period: 'daily', amount: 10n, source: 'user' }], pools: [{ scope: 'rbac_group', scopeId: 'eng', limits: [{ limitId: 'spl_2', period: 'monthly', amount: 50n, source: 'rbac_group' }] }] },
    )
    expect(counters).toEqual([
      { scope: 'user', scopeId: 'https://i a', limits: { daily: 10n } },
      { scope: 'rbac_group', scopeId: 'eng', limits: { monthly: 50n } },
    ])
    const sum = { spent: { daily: 1n, weekly: 2n, monthly: 3n }, held: { daily: 4n, weekly: 5n, monthly: 6n } }
    expect(usesOf(counters, [sum, sum], NOW, 100n)).toEqual([
      { period: 'daily', limit: 10n, spent: 101n, held: 4n, resetsAt: new Date('2026-08-08T00:00:00Z'), isPool: false },
      { period: 'monthly', limit: 50n, spent: 103n, held: 6n, resetsAt: new Date('2026-09-01T00:00:00Z'), isPool: true },
    ])
  })
})

describe('headers while it goes on', () => {
  test.each([
    [0n, '0', undefined],
    [5000n, '0.5', undefined],
    [7499n, '0.74', undefined],
    [7500n, '0.75', '0.75'],
    [7600n, '0.76', '0.75'],
    [9500n, '0.95', '0.95'],
    [9999n, '0.99', '0.95'],
  ] as const)('%p of ten thousand: utilization %s, passed %p', (spent, utilization, passed) => {
    const status = passed === undefined ? 'allowed' : 'allowed_warning'
    expect(allowedHeaders(use(spent, 10_000n))).toEqual({
      'anthropic-ratelimit-unified-status': status,
      'anthropic-ratelimit-unified-representative-claim': 'overage',
      'anthropic-ratelimit-unified-reset': '1786147200',
      'anthropic-ratelimit-unified-overage-status': status,
      'anthropic-ratelimit-unified-overage-reset': '1786147200',
      'anthropic-ratelimit-unified-overage-utilization': utilization,
      ...(passed && { 'anthropic-ratelimit-unified-overage-surpassed-threshold': passed }),
    })
  })
})

describe('the refusal', () => {
  // T224
  test('names period and reset, says what to do, and tells the client not to try again', () => {
    const error = spendRefusal(use(15n, 10n), NOW, 'Ask #claude-budget.')
    expect([error.kind, error.message]).toEqual(['spend_limited', 'spend limit reached (daily; resets 2026-08-08 00:00 UTC) Ask #claude-budget.'])
    expect(error.headers).toEqual({
      'retry-after': '30600',
      'x-should-retry': 'false',
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': '1786147200',
      'anthropic-ratelimit-unified-overage-reset': '1786147200',
      'anthropic-ratelimit-unified-overage-utilization': '1.5',
      'anthropic-ratelimit-unified-overage-surpassed-threshold': '1',
      'anthropic-ratelimit-unified-overage-period': 'daily',
      'anthropic-ratelimit-unified-overage-disabled-reason': 'org_spend_cap_reached',
    })
  })

  test.each([
    [use(5n, 0n), 'Ask.', 'spend limit reached · Ask.', '1'],
    [use(5n, 0n), undefined, 'spend limit reached', '1'],
    [use(1172n, 100n), undefined, 'spend limit reached (daily; resets 2026-08-08 00:00 UTC)', '11.72'],
  ])('%#: of a zero limit has no reset time', (spent, blocked, message, utilization) => {
    const error = spendRefusal(spent, NOW, blocked)
    expect([error.message, error.headers['anthropic-ratelimit-unified-overage-utilization']]).toEqual([message, utilization])
  })

  test('of a pool says that it is one', () => {
    expect(spendRefusal(use(10n, 10n, { isPool: true }), NOW, undefined).headers['anthropic-ratelimit-unified-overage-scope']).toBe('group_pool')
  })

  test('for what is held may be tried again, and has no header of spend', () => {
    const error = heldRefusal(use(1n, 10n, { held: 9n }))
    expect([error.kind, error.headers]).toEqual(['rate_limited', { 'retry-after': '5' }])
  })

  test('for what cannot be read says so and nothing else', () => {
    const { message, headers } = unreadableRefusal()
    expect([message, headers]).toEqual(['spend limit unavailable', { 'x-should-retry': 'false', 'anthropic-ratelimit-unified-overage-disabled-reason': 'fetch_error' }])
  })
})
