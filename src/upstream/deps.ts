// What every upstream is made from.
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { Observe } from '../observe/events.ts'
import type { TimeoutsConfig, UpstreamConfig } from './config.ts'
import type { CredentialDeps, CredentialTrouble, Environment } from './credential.ts'
import type { Upstream } from './upstream.ts'

export interface UpstreamDeps {
  fetch: GuardedFetch
  /** Reaches the platform's metadata services besides: for credentials alone. The URL is the upstream's forward proxy. */
  credentialFetch: (proxy: string | undefined) => GuardedFetch
  environment: Environment
  timeouts: TimeoutsConfig
  observe: Observe
  now: () => Date
  /** Hears how each attempt to get a credential of this upstream ended. */
  attempted?: (trouble: CredentialTrouble | undefined) => void
}

type Common = Pick<Upstream, 'name' | 'provider' | 'models' | 'ttfbMs' | 'proxy' | 'failoverOn' | 'priority' | 'weight' | 'maxConcurrency' | 'hasPersonalCredentials'>

/** What the configuration says of an upstream whatever its provider; `position` is its place in the list. */
export function commonOf(config: UpstreamConfig, position: number, deps: UpstreamDeps): Common {
  return {
    name: config.name,
    provider: config.provider,
    models: config.models,
    ttfbMs: config.timeouts?.upstream_ttfb_ms ?? deps.timeouts.upstream_ttfb_ms,
    proxy: config.proxy,
    failoverOn: new Set(config.failover_on),
    priority: config.priority ?? position,
    weight: config.weight,
    maxConcurrency: config.max_concurrency,
    hasPersonalCredentials: 'assume_role' in config && config.assume_role?.session_per_person === true,
  }
}

/** For the credentials of one upstream. */
export function credentialDeps(config: UpstreamConfig, deps: UpstreamDeps): CredentialDeps {
  return { name: `upstream ${config.name}`, fetch: deps.credentialFetch(config.proxy), environment: deps.environment, observe: deps.observe, now: deps.now, attempted: deps.attempted }
}

/** The operator's own headers. */
export function setStaticHeaders(headers: Headers, config: UpstreamConfig): void {
  for (const [name, value] of Object.entries(config.headers)) headers.set(name, value.reveal())
}
