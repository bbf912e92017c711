// The limits of people who are at work: worked out once for each of their tokens and each list of limits.
import type { Principal } from '../principal.ts'
import { onceEach } from '../std/once-each.ts'
import type { PersonLimits } from './limit.ts'
import { limitsOf, type LimitIndex, type LimitRules } from './limits-of.ts'

/** `current`: the list that holds now; another object whenever it has changed. */
export function createKnownLimits(current: () => LimitIndex, rules: LimitRules): (person: Principal) => PersonLimits {
  let list: LimitIndex | undefined
  let known: (person: Principal) => PersonLimits
  return (person) => {
    const now = current()
    if (now !== list) {
      list = now
      known = onceEach((person) => limitsOf(person, now, rules))
    }
    return known(person)
  }
}
