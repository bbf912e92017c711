// Entra's groups overage: a token for a member of more than 200 groups only says where to ask. We ask Microsoft Graph,
// with the person's own access token, at an address of ours: the URL in the token is somebody else's text.
import { BootError } from '../errors.ts'
import type { Result } from '../std/result.ts'
import { MAX_GROUP_LIST_BYTES, type GroupLookup } from './group-lookup.ts'
import { fetchDocument, type ProviderFetch } from './provider-fetch.ts'

/** Sign-in host to Graph host, for the clouds that Microsoft runs. */
const GRAPH_OF: Readonly<Record<string, string>> = {
  'login.microsoftonline.com': 'https://graph.microsoft.com',
  'sts.windows.net': 'https://graph.microsoft.com',
  'login.microsoftonline.us': 'https://graph.microsoft.us',
  'login.partner.microsoftonline.cn': 'https://microsoftgraph.chinacloudapi.cn',
}

/** Throws BootError when `issuer` is no Entra issuer. */
export function graphOrigin(issuer: string): string {
  const origin = GRAPH_OF[new URL(issuer).hostname]
  if (origin === undefined) throw new BootError(`oidc.entra_groups_overage: ${issuer} is not an issuer of Microsoft Entra ID`)
  return origin
}

export function createEntraGroups({ origin, fetch }: { origin: string; fetch: ProviderFetch }): GroupLookup {
  return async ({ accessToken }) => {
    const answer = await fetchDocument(fetch, `${origin}/v1.0/me/getMemberObjects`, {
      method: 'POST',
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ securityEnabledOnly: false }),
      maxBytes: MAX_GROUP_LIST_BYTES,
    })
    if (!answer.ok) return { ok: false, reason: answer.reason === 'unavailable' ? 'idp_unavailable' : 'group_lookup', detail: `Microsoft Graph: ${answer.detail}` }
    return readMemberObjects(answer.value)
  }
}

/** All ids in one answer (Graph does not page this call); a further page would mean that some are missing. */
function readMemberObjects({ value, '@odata.nextLink': next }: Record<string, unknown>): Result<readonly string[], 'group_lookup'> {
  const isComplete = Array.isArray(value) && value.every((id) => typeof id === 'string') && next === undefined
  return isComplete ? { ok: true, value } : { ok: false, reason: 'group_lookup', detail: 'Microsoft Graph: not a list of ids' }
}
