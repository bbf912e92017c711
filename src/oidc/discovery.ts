// Discovery at boot: fail-closed, with one sentence for the operator.
import { BootError } from '../errors.ts'
import { fetchDocument, type ProviderFetch } from './provider-fetch.ts'
import { judgeMetadata, type ProviderMetadata } from './provider-metadata.ts'

/** Throws BootError that names the issuer. `discoveryUrl` overrides where the document is, not what it must say. */
export async function discover(issuer: string, discoveryUrl: string | undefined, fetch: ProviderFetch): Promise<ProviderMetadata> {
  // Discovery §4: a terminating slash of the issuer is removed before the well-known path is appended.
  const url = discoveryUrl ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const document = await fetchDocument(fetch, url, { headers: { accept: 'application/json' } })
  if (!document.ok) throw new BootError(`oidc.issuer ${issuer}: its discovery document could not be read: ${document.detail}`)
  const metadata = judgeMetadata(document.value, issuer)
  if (!metadata.ok) throw new BootError(`oidc.issuer ${issuer}: its discovery document ${metadata.detail}`)
  return metadata.value
}
