// Admission by one process; what replicas know of each other is in test/flow/quotas.test.ts.
import { describe, expect, test } from 'bun:test'
import { load, complete } from '../support/config-texts.ts'
import { exposition } from '../../src/observe/metrics.ts'
import type { Principal } from '../../src/principal.ts'
import { createQuotas, type QuotaRefusal, type Quotas } from '../../src/quota/quotas.ts'

const person = (sub: string, changes: Partial<Principal> = {}): Principal => ({ issuer: 'https://idp.example.com', sub, email: `${sub}@example.com`, name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0, ...changes })
const alice = person('alice')
const bob = person('bob')
const away = { run: async () => Promise.reject(new Error('the database is away')) } as never

function setUp(quotas: object[]): { quotas: Quotas; at: (ms: number) => void; ask: (who?: Principal) => ReturnType<Quotas['admit']> } {
  let nowMs = 0
  const made = createQuotas(load(complete({ quotas })).config.quotas, { db: away, observe: () => {}, nowMs: () => nowMs })
  return { quotas: made, at: (ms) => void (nowMs = ms), ask: (who = alice) => made.admit(who, nowMs) }
}
const told = (answer: ReturnType<Quotas['admit']>) => (answer as QuotaRefusal).error.message
const times = (n: number, ask: () => ReturnType<Quotas['admit']>) => Array.from({ length: n }, ask).filter(({ ok }) => ok).length

describe('whom an entry means', () => {
  test.each<[string, object, Principal, boolean]>([
    ['everybody', {}, alice, true],
    ['a member of one of its groups', { groups: ['a', 'b'] }, person('x', { groups: ['b'] }), true],
    ['nobody else', { groups: ['a'] }, person('x', { groups: ['A', 'ab'] }), false],
    ['people of a domain, in any case', { email_domain: 'Example.COM' }, alice, true],
    ['no subdomain', { email_domain: 'example.com' }, person('x', { email: 'x@sub.example.com' }), false],
    ['nobody whose address is not known', { email_domain: 'example.com' }, person('x', { email: undefined }), false],
    ['one person by sub', { user_id: 'alice' }, alice, true],
    ['no other person', { user_id: 'alice' }, bob, false],
    ['who is everything that it asks for', { groups: ['a'], user_id: 'alice' }, alice, false],
  ])('%s', (_, match, who, isMeant) => {
    const { ask } = setUp([{ match, requests_per_minute: 1 }])
    ask(who)
    expect(ask(who).ok).toBe(!isMeant)
  })
})

describe('a quota', () => {
  test('is each person\'s own, and says what was too much and when there is room', () => {
    const { ask, at } = setUp([{ match: {}, requests_per_minute: 20 }])
    expect(times(25, ask)).toBe(20)
    at(54_000)
    const refused = ask() as QuotaRefusal
    expect(refused.error.message).toMatch(/^more than 20 requests a minute; try again in [678] s$/)
    expect(refused.error).toMatchObject({ kind: 'rate_limited', headers: { 'retry-after': refused.error.message.match(/\d+(?= s$)/)?.[0] } })
    expect(ask(bob).ok).toBe(true)
    at(61_000)
    expect(times(25, ask)).toBe(20)
  })

  test('that is shared is one amount for all it means, and says for whom', () => {
    const { ask } = setUp([{ match: { groups: ['contractors'] }, shared: true, requests_per_minute: 3 }])
    const member = (sub: string) => person(sub, { groups: ['contractors'] })
    expect(times(2, () => ask(member('x'))) + times(2, () => ask(member('y')))).toBe(3)
    expect(told(ask(member('z')))).toMatch(/^more than 3 requests a minute by members of contractors together; try again in \d+ s$/)
    expect(ask(bob).ok).toBe(true)
  })

  test('holds beside every other that means the person: the strictest decides', () => {
    const { ask } = setUp([{ match: {}, requests_per_minute: 5 }, { match: { user_id: 'alice' }, requests_per_minute: 2 }, { match: {}, shared: true, requests_per_minute: 6 }])
    expect(times(9, () => ask(alice))).toBe(2)
    expect(times(9, () => ask(bob))).toBe(4)
    expect(told(ask(person('carol')))).toMatch(/by everybody together/)
  })

  test('of one person is not another\'s who has the same sub elsewhere', () => {
    const { ask } = setUp([{ match: {}, requests_per_minute: 1 }])
    expect([ask(alice).ok, ask(person('alice', { issuer: 'https://other.example.com' })).ok, ask(alice).ok]).toEqual([true, true, false])
  })

  test('does not count what it refused', () => {
    const { ask, at } = setUp([{ match: {}, requests_per_minute: 1 }])
    expect(times(50, ask)).toBe(1)
    at(62_000)
    expect(ask().ok).toBe(true)
  })

  test('of tokens keeps the next request out, and never the one that they belong to', () => {
    const { ask } = setUp([{ match: {}, input_tokens_per_minute: 1000, output_tokens_per_minute: 100 }])
    const first = ask()
    const second = ask()
    if (!first.ok || !second.ok) throw new Error('refused too early')
    first.answered(5000, 10)
    first.answered(5000, 5000)
    expect(told(ask())).toMatch(/^more than 1000 input tokens a minute/)
    second.answered(0, 90)
    expect(ask()).toMatchObject({ ok: false })
  })

  test('of tokens received is told as such', () => {
    const { ask } = setUp([{ match: {}, output_tokens_per_minute: 100 }])
    const first = ask()
    if (first.ok) first.answered(0, 100)
    expect(told(ask())).toMatch(/^more than 100 output tokens a minute/)
  })

  test('of requests at once has its place back when one ends, once', () => {
    const { ask } = setUp([{ match: {}, concurrent: 2 }])
    const [first, second] = [ask(), ask()]
    expect(told(ask())).toBe('more than 2 requests at once; try again in 1 s')
    if (!first.ok || !second.ok) throw new Error('refused too early')
    first.done()
    first.done()
    expect([ask().ok, ask().ok]).toEqual([true, false])
  })

  test('that nobody is in the way of costs nothing: without entries nothing is counted', async () => {
    const { quotas, ask } = setUp([])
    await quotas.start()
    expect(times(10_000, ask)).toBe(10_000)
    expect(quotas.metrics()).toEqual([])
  })

  test('is watched by kind, with nobody\'s name', async () => {
    const { quotas, ask } = setUp([{ match: {}, requests_per_minute: 1 }])
    await quotas.start()
    times(3, ask)
    const text = exposition(quotas.metrics())
    expect(text).toContain('gatehouse_quota_refusals_total{kind="requests_per_minute"} 2\n')
    expect(text).toContain('gatehouse_quota_counted 1\n')
    expect(text).toContain('gatehouse_quota_exchange_failures_total 1\n')
    expect(text).not.toContain('alice')
    await quotas.stop()
  })
})
