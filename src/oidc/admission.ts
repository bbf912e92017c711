// Who of the people the provider knows may come in. Pure. Every rule that is configured must admit.
import type { Result } from '../std/result.ts'
import type { EmailClaim } from './claims.ts'
import type { AdmissionFault } from './refusal.ts'

export interface AdmissionRules {
  readonly allowed_email_domains?: readonly string[] | undefined
  readonly allowed_groups?: readonly string[] | undefined
}

export function judgeAdmission(person: { email: EmailClaim; groups: readonly string[] }, rules: AdmissionRules): Result<true, AdmissionFault> {
  const fault = judgeDomain(person.email, rules.allowed_email_domains) ?? judgeGroups(person.groups, rules.allowed_groups)
  return fault === undefined ? { ok: true, value: true } : { ok: false, reason: fault }
}

function judgeDomain(email: EmailClaim, domains: readonly string[] | undefined): AdmissionFault | undefined {
  if (domains === undefined) return undefined
  if (email.kind === 'absent') return 'email_missing'
  if (email.kind === 'malformed') return 'email_malformed'
  return domains.some((domain) => domain.toLowerCase() === email.domain) ? undefined : 'email_domain'
}

/** Exact and case-sensitive: `Admins` is another group than `admins`. */
function judgeGroups(groups: readonly string[], allowed: readonly string[] | undefined): AdmissionFault | undefined {
  if (allowed === undefined) return undefined
  return groups.some((group) => allowed.includes(group)) ? undefined : 'group'
}
