// Fetching credentials: the one kind of request that may reach the platform's metadata services.
import { createGuardedFetch, type GuardedFetch } from './guarded-fetch.ts'
import { platformHosts } from './platform-hosts.ts'

export interface CredentialFetchOptions {
  allowLoopback: boolean
  /** The process's own: platforms say in it where their metadata services are. */
  environment: Readonly<Record<string, string | undefined>>
}

/**
 * Gives the fetch for the credentials of an upstream behind `proxy`: token services may have no other way either, while a
 * metadata service is on this machine's own link and would be the proxy's own through it.
 */
export function createCredentialFetch({ allowLoopback, environment }: CredentialFetchOptions): (proxy: string | undefined) => GuardedFetch {
  const platform = platformHosts(environment)
  const direct = createGuardedFetch({ allowLoopback, exempt: platform })
  return (proxy) => (proxy === undefined ? direct : (url, init) => direct(url, platform.has(hostOf(url)) ? init : { ...init, proxy }))
}

function hostOf(url: string | URL): string {
  return (URL.parse(String(url))?.hostname ?? '').replace(/^\[|\]$/g, '')
}
