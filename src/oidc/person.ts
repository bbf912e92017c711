// Gathers what is known of a person after the id_token has been judged: userinfo and directories where the
// configuration asks for them. Never before.
import type { Observe } from '../observe/events.ts'
import type { Identity } from '../principal.ts'
import type { Result } from '../std/result.ts'
import { hasGroupsOverage, readEmail, readGroups } from './claims.ts'
import type { OidcConfig } from './config.ts'
import type { Claims } from './id-token.ts'
import { admitPerson, lacksClaims, type Evidence } from './identity.ts'
import type { GroupLookups } from './provider.ts'
import type { ProviderClient } from './provider-client.ts'
import type { AdmissionFault } from './refusal.ts'

export type PersonFault = AdmissionFault | 'idp_unavailable' | 'userinfo_failed' | 'userinfo_subject' | 'group_lookup'

export interface PersonReader {
  atSignIn(verified: { sub: string; claims: Claims }, accessToken: string): Promise<Result<Identity, PersonFault>>
  /** `claims` of the new id_token, if one came. */
  atRefresh(claims: Claims | undefined, accessToken: string, previous: Identity): Promise<Result<Identity, PersonFault>>
}

export interface PersonReaderOptions {
  config: OidcConfig
  client: ProviderClient
  lookups: GroupLookups
  observe: Observe
}

export function createPersonReader({ config, client, lookups, observe }: PersonReaderOptions): PersonReader {
  async function withUserinfo(sources: readonly Claims[], accessToken: string, sub: string): Promise<Result<readonly Claims[], PersonFault>> {
    const userinfo = await client.userinfo(accessToken, sub)
    return userinfo.ok ? { ok: true, value: [...sources, userinfo.value] } : userinfo
  }

  async function directoryGroups({ sources, fallback }: Evidence, accessToken: string): Promise<Result<readonly string[], PersonFault>> {
    const isOverage = sources.some(hasGroupsOverage)
    if (isOverage && lookups.entra === undefined) {
      observe({ op: 'warn', message: 'the id_token only points to the groups of a person in too many of them: set oidc.entra_groups_overage', repeat: 'groups-overage' })
    }
    const email = readEmail(sources, config.email_claim)
    const person = { email: email.kind === 'address' ? email.address : fallback.email, accessToken }
    const groups: string[] = []
    for (const lookup of [isOverage ? lookups.entra : undefined, lookups.google]) {
      const found = await lookup?.(person)
      if (found?.ok === false) return found
      groups.push(...(found?.value ?? []))
    }
    return { ok: true, value: groups }
  }

  async function admit(evidence: Evidence, accessToken: string): Promise<Result<Identity, PersonFault>> {
    const found = await directoryGroups(evidence, accessToken)
    return found.ok ? admitPerson({ ...evidence, directoryGroups: found.value }, config) : found
  }

  /**
   * A refresh may bring no id_token, or one with fewer claims than at sign-in; then userinfo is the fresh word. Asked
   * only where it matters: groups that came from a directory are not missed in a token.
   */
  function isSilent(claims: Claims | undefined, previousGroups: readonly string[]): boolean {
    if (claims === undefined) return true
    return lookups.google === undefined && previousGroups.length > 0 && !hasGroupsOverage(claims) && readGroups([claims], config.groups_claim) === undefined
  }

  return {
    async atSignIn({ sub, claims }, accessToken) {
      const sources = config.userinfo_fallback && lacksClaims([claims], config) ? await withUserinfo([claims], accessToken, sub) : { ok: true as const, value: [claims] }
      if (!sources.ok) return sources
      return admit({ issuer: config.issuer, sub, sources: sources.value, directoryGroups: [], fallback: {} }, accessToken)
    },

    async atRefresh(claims, accessToken, { issuer, sub, email, name, groups }) {
      const known = claims === undefined ? [] : [claims]
      const asksUserinfo = (config.userinfo_fallback && lacksClaims(known, config)) || (client.hasUserinfo && isSilent(claims, groups))
      const sources = asksUserinfo ? await withUserinfo(known, accessToken, sub) : { ok: true as const, value: known }
      if (!sources.ok) return sources
      // A new id_token without groups means that there are none any more: removal must take effect. The groups of a
      // directory are asked anew in any case.
      const keepsGroups = claims === undefined && lookups.google === undefined
      return admit({ issuer, sub, sources: sources.value, directoryGroups: [], fallback: { email, name, ...(keepsGroups && { groups }) } }, accessToken)
    },
  }
}
