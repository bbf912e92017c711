// Rules that need more than one section, or the environment. Pure.
import { isLoopbackHost } from '../std/loopback.ts'
import { parseCidr, matchesCidr, parseIp, type Cidr } from '../std/cidr.ts'
import type { GatewayConfig } from './schema.ts'
import type { Problem } from './problem.ts'

export interface CrossCheckOptions {
  /** Whether a section passed its own checks: a rule looks at whole ones alone. */
  isWhole(section: string): boolean
  readonly allowLoopback: boolean
}

interface Rule {
  readonly needs: readonly (keyof GatewayConfig)[]
  check(config: GatewayConfig, allowLoopback: boolean): Problem[]
}

const RULES: readonly Rule[] = [
  { needs: ['models', 'upstreams'], check: modelMappings },
  { needs: ['pricing', 'upstreams'], check: pricingNames },
  { needs: ['enforcement', 'admin'], check: enforcementNeedsAdmin },
  { needs: ['session', 'oidc'], check: signingSecretIsOwn },
  { needs: ['telemetry'], check: telemetryUrls },
  { needs: ['listen', 'store'], check: sharedPort },
]

/** What stops the boot although each section alone is right. */
export function crossCheck(config: GatewayConfig, { isWhole, allowLoopback }: CrossCheckOptions): Problem[] {
  return RULES.filter(({ needs }) => needs.every(isWhole)).flatMap(({ check }) => check(config, allowLoopback))
}

function modelMappings({ models, upstreams }: GatewayConfig): Problem[] {
  const names = new Set(upstreams.map(({ name }) => name))
  return models.flatMap(({ upstream_model }, at) =>
    Object.keys(upstream_model)
      .filter((name) => !names.has(name))
      .map((name) => ({ path: ['models', at, 'upstream_model', name], message: `no upstream is called ${name}; there is ${[...names].join(', ')}`, atKey: true })),
  )
}

function pricingNames({ pricing, upstreams }: GatewayConfig): Problem[] {
  const names = new Set(upstreams.map(({ name }) => name))
  return pricing.overrides.flatMap(({ upstream }, at) =>
    names.has(upstream) ? [] : [{ path: ['pricing', 'overrides', at, 'upstream'], message: `no upstream is called ${upstream}; there is ${[...names].join(', ')}` }],
  )
}

function enforcementNeedsAdmin({ enforcement, admin }: GatewayConfig): Problem[] {
  const wanted = (['fail_closed_on_error', 'reserve'] as const).filter((key) => enforcement[key])
  return admin === undefined ? wanted.map((key) => ({ path: ['enforcement', key], message: 'needs the admin section, where spend is kept' })) : []
}

/** Whoever knows the client secret, the provider for one, could otherwise sign our tokens. */
function signingSecretIsOwn({ session, oidc }: GatewayConfig): Problem[] {
  const shared = new Set(oidc.flatMap(({ client_secret }) => client_secret?.reveal() ?? []))
  return session.jwt_secret.some((secret) => shared.has(secret.reveal())) ? [{ path: ['session', 'jwt_secret'], message: 'is the client_secret of oidc, too; it must be a secret of its own' }] : []
}

/** Each instance would have people and sessions that the others do not know. */
function sharedPort({ listen, store }: GatewayConfig): Problem[] {
  return [
    ...(listen.reuse_port && store.embedded !== undefined ? [{ path: ['listen', 'reuse_port'], message: 'needs store.postgres_url: an embedded database belongs to one process' }] : []),
    ...(listen.reuse_port && listen.port === 0 ? [{ path: ['listen', 'port'], message: 'must be given where listen.reuse_port is set: 0 is another port for each instance' }] : []),
  ]
}

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'].map((range) => parseCidr(range) as Cidr)

function telemetryUrls({ telemetry }: GatewayConfig, allowLoopback: boolean): Problem[] {
  return (telemetry?.forward_to ?? []).flatMap(({ url, allow_http }, at) => {
    const message = faultOfCollector(new URL(url), allow_http, allowLoopback)
    return message === undefined ? [] : [{ path: ['telemetry', 'forward_to', at, 'url'], message }]
  })
}

function faultOfCollector({ protocol, hostname }: URL, allowHttp: boolean, allowLoopback: boolean): string | undefined {
  const ip = parseIp(hostname.replace(/^\[|\]$/g, ''))
  // The name localhost is warned about instead, as operators of the reference have it in files that boot.
  if (isLoopbackHost(hostname)) return allowLoopback || ip === undefined ? undefined : 'is a loopback address; set GATEHOUSE_ALLOW_LOOPBACK=1 to allow it'
  if (protocol === 'https:') return undefined
  if (!allowHttp) return 'must be https; a collector on a private address may have allow_http: true'
  return ip === undefined || PRIVATE.some((range) => matchesCidr(range, ip)) ? undefined : 'must be https: allow_http is for private addresses'
}
