// Which policy is a person's. Pure.

export interface Match {
  readonly groups?: readonly string[] | undefined
  readonly email_domain?: string | undefined
}

export interface Person {
  readonly email: string | undefined
  readonly groups: readonly string[]
}

/** The first policy that matches, by position; undefined when none does. `{}` matches everybody. */
export function matchPolicy(policies: readonly { readonly match: Match }[], person: Person): number | undefined {
  const index = policies.findIndex(({ match }) => matches(match, person))
  return index < 0 ? undefined : index
}

/** The catch-all is the policy whose matcher asks for nothing. */
export function isCatchAll(match: Match): boolean {
  return match.groups === undefined && match.email_domain === undefined
}

/** Groups are exact and case-sensitive, any one suffices; the domain is what follows the last `@`, in any case. */
function matches(match: Match, person: Person): boolean {
  if (match.groups !== undefined && !match.groups.some((group) => group !== '' && person.groups.includes(group))) return false
  if (match.email_domain !== undefined && domainOf(person.email) !== match.email_domain.toLowerCase()) return false
  return true
}

function domainOf(email: string | undefined): string | undefined {
  const at = email?.lastIndexOf('@') ?? -1
  return at < 1 ? undefined : email?.slice(at + 1).toLowerCase() || undefined
}
