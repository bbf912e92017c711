import { expect, test } from 'bun:test'
import { createKnownLimits } from '../../src/spend/known-limits.ts'
import { indexLimits } from '../../src/spend/limits-of.ts'
import type { SpendLimit } from '../../src/spend/limit.ts'
import type { Principal } from '../../src/principal.ts'

const alice: Principal = { issuer: 'https://idp.example.com', sub: 'alice', email: 'alice@example.com', name: 'Alice', groups: ['engineering'], sid: 's', jti: 'j', expiresAt: 0 }
const rules = { groupLimitMode: 'min', billingGroupTag: undefined } as const

function limit(changes: Partial<SpendLimit>): SpendLimit {
  return { id: 'spl_1', scope: 'organization', scopeId: '', userEmail: undefined, isShared: false, period: 'daily', amount: 1n, ...changes }
}

const amounts = (own: readonly { amount: bigint }[]) => own.map(({ amount }) => amount)

test('gives what a changed list says from then on, to whoever was asked for before', () => {
  let list = indexLimits([limit({ amount: 5n })])
  const limitsOf = createKnownLimits(() => list, rules)
  expect([amounts(limitsOf(alice).own), amounts(limitsOf(alice).own)]).toEqual([[50_000_000n], [50_000_000n]])
  list = indexLimits([limit({ amount: 7n })])
  expect(amounts(limitsOf(alice).own)).toEqual([70_000_000n])
})

test('tells people apart, and a person with other groups', () => {
  const list = indexLimits([limit({ amount: 5n }), limit({ id: 'spl_2', scope: 'rbac_group', scopeId: 'engineering', amount: 2n })])
  const limitsOf = createKnownLimits(() => list, rules)
  expect([amounts(limitsOf(alice).own), amounts(limitsOf({ ...alice, groups: [] }).own), amounts(limitsOf(alice).own)]).toEqual([[20_000_000n], [50_000_000n], [20_000_000n]])
})
