// The limits of people who are at work: worked out once for each of their tokens and each list of limits.
import type { Principal } from '../principal.ts'
import type { PersonLimits } from './limit.ts'
import { limitsOf, type LimitIndex, type LimitRules } from './limits-of.ts'

/** `current`: the list that holds now; another object whenever it has changed. */
export function createKnownLimits(current: () => LimitIndex, rules: LimitRules): (person: Principal) => PersonLimits {
  let list: LimitIndex | undefined
  let known = new WeakMap<Principal, PersonLimits>()
  return (person) => {
    if (current() !== list) {
      list = current()
      known = new WeakMap()
    }
    const before = known.get(person)
    if (before !== undefined) return before
    const made = limitsOf(person, current(), rules)
    known.set(person, made)
    return made
  }
}
