import { describe, expect, test } from 'bun:test'
import { PERIODS, type SpendLimit } from '../../src/spend/limit.ts'
import { decidingLimits, indexLimits, limitsOf, type LimitRules } from '../../src/spend/limits-of.ts'

const MIN: LimitRules = { groupLimitMode: 'min', billingGroupTag: undefined }
const MAX: LimitRules = { ...MIN, groupLimitMode: 'max' }
const ALICE = { issuer: 'https://idp.example', sub: 'alice', email: 'Alice@Example.com', groups: ['eng', 'ops'] }

let made = 0
/** In order of creation. */
function limit(scope: SpendLimit['scope'], scopeId: string, amount: bigint | null, changes: Partial<SpendLimit> = {}): SpendLimit {
  return { id: `spl_${String(made++).padStart(32, '0')}`, scope, scopeId, userEmail: undefined, isShared: false, period: 'monthly', amount, ...changes }
}
const user = (amount: bigint | null, changes?: Partial<SpendLimit>) => limit('user', 'alice', amount, changes)
const group = (name: string, amount: bigint | null, changes?: Partial<SpendLimit>) => limit('rbac_group', name, amount, changes)
const organization = (amount: bigint | null, changes?: Partial<SpendLimit>) => limit('organization', '', amount, changes)
const waiting = (userEmail: string, amount: bigint | null, changes?: Partial<SpendLimit>) => limit('user', '', amount, { userEmail, ...changes })
const pool = (name: string, amount: bigint | null, changes?: Partial<SpendLimit>) => group(name, amount, { isShared: true, ...changes })

/** `<scope> <cents>` of the monthly limit that decides; `none` where no limit does, `free` where one says there is none. */
function decided(limits: SpendLimit[], rules = MIN, person = ALICE): string {
  const { monthly } = decidingLimits(person, indexLimits(limits), rules)
  return monthly === undefined ? 'none' : monthly.amount === null ? `${monthly.scope} free` : `${monthly.scope} ${monthly.amount}`
}

describe('the limit that decides', () => {
  test.each<[string, SpendLimit[], LimitRules, string]>([
    ['nobody set one', [], MIN, 'none'],
    ['their own', [user(5n), group('eng', 1n), organization(2n)], MIN, 'user 5'],
    ['their own of zero', [user(0n), group('eng', 9n)], MIN, 'user 0'],
    ['their own without an amount ends the search', [user(null), group('eng', 1n), organization(2n)], MIN, 'user free'],
    ['somebody else’s is not theirs', [limit('user', 'bob', 1n)], MIN, 'none'],
    ['a sub is exact', [limit('user', 'Alice', 1n)], MIN, 'none'],
    ['their group’s', [group('eng', 7n), organization(2n)], MIN, 'rbac_group 7'],
    ['the name of a group is exact', [group('Eng', 7n), group('en', 6n)], MIN, 'none'],
    ['the most restrictive of their groups', [group('eng', 7n), group('ops', 3n), group('sales', 1n)], MIN, 'rbac_group 3'],
    ['the least restrictive with max', [group('eng', 7n), group('ops', 3n), group('sales', 9n)], MAX, 'rbac_group 7'],
    ['a group without an amount is the least restrictive', [group('eng', null), group('ops', 3n)], MIN, 'rbac_group 3'],
    ['and wins with max', [group('eng', 3n), group('ops', null)], MAX, 'rbac_group free'],
    ['a zero of a group is the most restrictive', [group('eng', null), group('ops', 0n)], MIN, 'rbac_group 0'],
    ['groups without an amount end the search', [group('eng', null), organization(2n)], MIN, 'rbac_group free'],
    ['the organisation’s', [organization(2n), group('sales', 1n)], MIN, 'organization 2'],
    ['the organisation’s without an amount', [organization(null)], MIN, 'organization free'],
    ['by address, in any case', [waiting('alice@example.com', 4n), group('eng', 1n)], MIN, 'user 4'],
    ['their own before one by address', [waiting('alice@example.com', 4n), user(5n)], MIN, 'user 5'],
    ['another address is not theirs', [waiting('alice@example.org', 4n)], MIN, 'none'],
    ['a pool is nobody’s own limit', [pool('eng', 1n), organization(1n, { isShared: true })], MIN, 'none'],
    ['another period says nothing', [user(1n, { period: 'daily' }), organization(2n)], MIN, 'organization 2'],
  ])('%s', (_, limits, rules, expected) => {
    expect(decided(limits, rules)).toBe(expected)
  })

  test('is looked for in each period alone', () => {
    const limits = [user(5n, { period: 'daily' }), group('ops', 6n, { period: 'weekly' }), organization(7n)]
    expect(limitsOf(ALICE, indexLimits(limits), MIN).own.map(({ period, source, amount }) => [period, source, amount])).toEqual([
      ['daily', 'user', 50_000_000n],
      ['weekly', 'rbac_group', 60_000_000n],
      ['monthly', 'organization', 70_000_000n],
    ])
  })

  test('of equal ones is the oldest, whatever the order of the person’s groups', () => {
    const [first, second] = [group('ops', 3n), group('eng', 3n)]
    for (const rules of [MIN, MAX]) expect(decidingLimits(ALICE, indexLimits([first, second]), rules).monthly?.id).toBe(first.id)
  })

  test('without an amount limits nobody', () => {
    expect(limitsOf(ALICE, indexLimits([user(null), organization(2n)]), MIN)).toEqual({ own: [], pools: [] })
  })

  test('is found without an address and without groups', () => {
    expect(decided([organization(2n), waiting('alice@example.com', 1n)], MIN, { ...ALICE, email: undefined, groups: [] } as never)).toBe('organization 2')
  })

  // A name that every object has must not be found in an index of names.
  test.each(['__proto__', 'constructor', 'toString'])('is not invented for a group called %s', (name) => {
    expect(decided([group('eng', 1n)], MIN, { ...ALICE, sub: name, groups: [name] })).toBe('none')
  })
})

describe('the pools of a person', () => {
  const poolNames = (limits: SpendLimit[], billingGroupTag?: string, groups = ALICE.groups) =>
    limitsOf({ ...ALICE, groups }, indexLimits(limits), { ...MIN, billingGroupTag }).pools.map(({ scope, scopeId }) => (scopeId === '' ? scope : scopeId))

  test.each<[string, string[], SpendLimit[], string | undefined, string[]]>([
    ['none', ['eng'], [group('eng', 1n)], undefined, []],
    ['of a group they are not in', ['eng'], [pool('ops', 1n)], undefined, []],
    ['one', ['eng'], [pool('eng', 1n)], undefined, ['eng']],
    ['of several, the oldest', ['eng', 'ops'], [pool('ops', 1n), pool('eng', 1n)], undefined, ['ops']],
    ['of several, the tagged one', ['eng', 'ops', 'cc-2', 'cc-1'], [pool('ops', 1n), pool('cc-1', 1n), pool('cc-2', 1n)], 'cc-', ['cc-2']],
    ['a tag that has no pool', ['cc-1', 'ops', 'eng'], [pool('eng', 1n), pool('ops', 1n)], 'cc-', ['eng']],
    ['the organisation’s besides', ['eng'], [organization(9n, { isShared: true }), pool('eng', 1n)], undefined, ['eng', 'organization']],
    ['the organisation’s alone', [], [organization(9n, { isShared: true }), pool('eng', 1n)], undefined, ['organization']],
    ['one without an amount is charged', ['eng'], [pool('eng', null)], undefined, ['eng']],
  ])('%s', (_, groups, limits, tag, expected) => {
    expect(poolNames(limits, tag, groups)).toEqual(expected)
  })

  test('have one limit a period, beside what is the person’s own', () => {
    const limits = [pool('eng', 100n), pool('eng', 10n, { period: 'daily' }), pool('eng', null, { period: 'weekly' }), user(5n)]
    const { own, pools } = limitsOf(ALICE, indexLimits(limits), MIN)
    expect(own).toHaveLength(1)
    expect(pools).toEqual([
      {
        scope: 'rbac_group',
        scopeId: 'eng',
        limits: [
          { limitId: limits[0]?.id as string, period: 'monthly', amount: 1_000_000_000n, source: 'rbac_group' },
          { limitId: limits[1]?.id as string, period: 'daily', amount: 100_000_000n, source: 'rbac_group' },
        ],
      },
    ])
  })
})

test('a person of many groups among many limits is judged without walking the list', () => {
  const groups = Array.from({ length: 300 }, (_, at) => `group-${at}`)
  const limits = Array.from({ length: 20_000 }, (_, at) => limit(at % 2 === 0 ? 'user' : 'rbac_group', `${at % 2 === 0 ? 'person' : 'group'}-${at}`, BigInt(at), { period: PERIODS[at % 3] as never }))
  const index = indexLimits(limits)
  const started = performance.now()
  for (let round = 0; round < 1000; round++) limitsOf({ ...ALICE, groups }, index, MIN)
  // A walk over 20 000 limits a thousand times would take seconds.
  expect(performance.now() - started).toBeLessThan(1000)
})
