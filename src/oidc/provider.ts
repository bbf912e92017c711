// One identity provider, as the configuration names it: discovered, with its client, its keys and its directories.
import { BootError } from '../errors.ts'
import { createClientAuthentication } from './client-authentication.ts'
import { discover } from './discovery.ts'
import { createEntraGroups, graphOrigin } from './entra-groups.ts'
import { createGoogleGroups } from './google-groups.ts'
import type { GroupLookup } from './group-lookup.ts'
import { createKeySet, type KeySetState } from './key-set.ts'
import { createProviderClient, type ProviderClient } from './provider-client.ts'
import { createProviderFetch } from './provider-fetch.ts'
import type { ProviderMetadata } from './provider-metadata.ts'
import { recordProvider, type ProviderAnswers } from './provider-record.ts'
import type { RelyingPartyOptions } from './relying-party.ts'
import { createIdTokenVerifier, type VerifyIdToken } from './verify-id-token.ts'

export interface GroupLookups {
  entra: GroupLookup | undefined
  google: GroupLookup | undefined
}

export interface Provider {
  metadata: ProviderMetadata
  client: ProviderClient
  verifyIdToken: VerifyIdToken
  lookups: GroupLookups
  state(): ProviderState
}

export interface ProviderState extends ProviderAnswers {
  readonly issuer: string
  /** When the discovery document was read: once, at boot. Milliseconds since the epoch. */
  readonly discoveredAtMs: number
  readonly keys: KeySetState
}

/** Throws BootError. */
export async function connectProvider(options: RelyingPartyOptions & { now: () => Date }, redirectUri: string): Promise<Provider> {
  const { config, timeoutMs } = options
  const proxy = proxyOf(options)
  const record = recordProvider(createProviderFetch({ fetch: options.fetch, proxy, ca: config.ca_cert_pem, timeoutMs }), options.now)
  const { fetch } = record
  const metadata = await discover(config.issuer, config.discovery_url, fetch)
  if (config.userinfo_fallback && metadata.userinfo_endpoint === undefined) {
    throw new BootError(`oidc.userinfo_fallback: the discovery document of ${config.issuer} has no userinfo_endpoint`)
  }
  const discoveredAtMs = options.now().getTime()
  const algorithm = config.id_token_signed_response_alg
  const keySet = createKeySet({ url: metadata.jwks_uri, algorithm, fetch })
  return {
    metadata,
    client: createProviderClient({
      metadata,
      clientId: config.client_id,
      authentication: await createClientAuthentication(config, metadata.token_endpoint_auth_methods_supported),
      redirectUri,
      fetch,
    }),
    verifyIdToken: createIdTokenVerifier({
      keySet,
      algorithm,
      issuer: config.issuer,
      clientId: config.client_id,
      trustedParties: config.additional_authorized_parties,
      clockSkewSeconds: config.clock_skew_seconds,
    }),
    lookups: await createLookups(options, proxy),
    state: () => ({ issuer: config.issuer, discoveredAtMs, keys: keySet.state(), ...record.state() }),
  }
}

/** The directories belong to Microsoft and Google, so the provider's own certificate authority does not apply to them. */
async function createLookups({ config, fetch: guarded, now, timeoutMs, directories }: RelyingPartyOptions & { now: () => Date }, proxy: string | undefined): Promise<GroupLookups> {
  const fetch = createProviderFetch({ fetch: guarded, proxy, timeoutMs })
  const { entra_groups_overage, google_groups } = config
  return {
    entra: entra_groups_overage ? createEntraGroups({ origin: directories?.graphOrigin ?? graphOrigin(config.issuer), fetch }) : undefined,
    google:
      google_groups === undefined
        ? undefined
        : await createGoogleGroups({
            serviceAccountPath: google_groups.service_account_json_path,
            adminEmail: google_groups.admin_email,
            fetch,
            now,
            endpoints: directories?.google,
          }),
  }
}

function proxyOf({ config: { use_proxy }, proxyUrl }: RelyingPartyOptions): string | undefined {
  if (use_proxy === false) return undefined
  const proxy = use_proxy === true ? proxyUrl : use_proxy
  if (proxy === undefined) throw new BootError('oidc.use_proxy: true needs a proxy in the environment (HTTPS_PROXY); or write its URL here')
  return proxy
}
