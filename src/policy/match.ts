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
  const own = factsOf(person)
  const index = policies.findIndex(({ match }) => lacking(match, own) === undefined)
  return index < 0 ? undefined : index
}

/** The catch-all is the policy whose matcher asks for nothing. */
export function isCatchAll(match: Match): boolean {
  return match.groups === undefined && match.email_domain === undefined
}

/** Each policy with the one that it is merged onto: the first catch-all, and none for a catch-all itself. */
export function withBase<policy extends { readonly match: Match }>(policies: readonly policy[]): { policy: policy; base: policy | undefined }[] {
  const base = policies.find(({ match }) => isCatchAll(match))
  return policies.map((policy) => ({ policy, base: isCatchAll(policy.match) ? undefined : base }))
}

/** Why a policy is not the person's, or undefined when it is. */
export function mismatch(match: Match, person: Person): string | undefined {
  const own = factsOf(person)
  switch (lacking(match, own)) {
    case 'group':
      return `in none of its groups: ${match.groups?.join(', ')}`
    case 'domain':
      return `the e-mail's domain is ${own.domain ?? 'not known'}, not ${match.email_domain?.toLowerCase()}`
    default:
      return undefined
  }
}

/** A person may be in hundreds of groups, and hundreds of policies name some. */
interface Facts {
  readonly groups: ReadonlySet<string>
  readonly domain: string | undefined
}

function factsOf({ email, groups }: Person): Facts {
  return { groups: new Set(groups), domain: domainOf(email) }
}

/** Groups are exact and case-sensitive, any one suffices; the domain is what follows the last `@`, in any case. */
function lacking({ groups, email_domain: domain }: Match, own: Facts): 'group' | 'domain' | undefined {
  if (groups !== undefined && !groups.some((group) => group !== '' && own.groups.has(group))) return 'group'
  return domain !== undefined && domain.toLowerCase() !== own.domain ? 'domain' : undefined
}

function domainOf(email: string | undefined): string | undefined {
  const at = email?.lastIndexOf('@') ?? -1
  return at < 1 ? undefined : email?.slice(at + 1).toLowerCase() || undefined
}
