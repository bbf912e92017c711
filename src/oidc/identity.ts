// From judged claims to a person who may come in. Pure.
import type { Identity } from '../principal.ts'
import type { Result } from '../std/result.ts'
import { judgeAdmission, type AdmissionRules } from './admission.ts'
import { isEmailUnverified, readEmail, readGroups, readName, type EmailClaim } from './claims.ts'
import { emailDomain } from './email-address.ts'
import type { Claims } from './id-token.ts'
import type { AdmissionFault } from './refusal.ts'

export interface IdentityRules extends AdmissionRules {
  readonly groups_claim: string
  readonly email_claim: string | readonly string[]
}

export interface Evidence {
  issuer: string
  sub: string
  /** In order of trust: the id_token's claims, then userinfo's. */
  sources: readonly Claims[]
  /** Groups from a directory, besides those of the claims. */
  directoryGroups: readonly string[]
  /** What stands where the sources are silent. */
  fallback: Partial<Pick<Identity, 'email' | 'name' | 'groups'>>
}

/** True when a claim that we read is in none of the sources. */
export function lacksClaims(sources: readonly Claims[], rules: IdentityRules): boolean {
  return readEmail(sources, rules.email_claim).kind === 'absent' || readName(sources) === undefined || readGroups(sources, rules.groups_claim) === undefined
}

/** Identity is (issuer, sub): an e-mail address can change hands, so it only describes and admits. */
export function admitPerson(evidence: Evidence, rules: IdentityRules): Result<Identity, AdmissionFault> {
  const { issuer, sub, sources, directoryGroups, fallback } = evidence
  if (isEmailUnverified(sources)) return { ok: false, reason: 'email_unverified' }
  const email = emailOf(readEmail(sources, rules.email_claim), fallback.email)
  const groups = [...new Set([...(readGroups(sources, rules.groups_claim) ?? fallback.groups ?? []), ...directoryGroups])]
  const admission = judgeAdmission({ email, groups }, rules)
  if (!admission.ok) return admission
  const address = email.kind === 'address' ? email.address : undefined
  return { ok: true, value: { issuer, sub, email: address, name: readName(sources) ?? fallback.name, groups } }
}

function emailOf(claim: EmailClaim, fallback: string | undefined): EmailClaim {
  const domain = claim.kind === 'absent' && fallback !== undefined ? emailDomain(fallback) : undefined
  return domain === undefined ? claim : { kind: 'address', address: fallback as string, domain }
}
