import { personOfKey } from '../ledger/counters.ts'
import { limitsOf, type LimitIndex, type LimitRules } from '../spend/limits-of.ts'
import type { LimitsOfCounter } from './alert.ts'

/** What limits a counter: a person's own limits, wherever they come from, or those of a pool. */
export function limitsOfCounter(limits: { current(): LimitIndex }, rules: LimitRules): LimitsOfCounter {
  return ({ scope, scopeId, person }) => {
    const index = limits.current()
    if (scope === 'organization') return index.organizationPool?.limits ?? []
    if (scope === 'rbac_group') return index.groupPools.get(scopeId)?.pool.limits ?? []
    return limitsOf(person ?? { ...personOfKey(scopeId), email: undefined, groups: [] }, index, rules).own
  }
}
