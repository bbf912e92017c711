// What an operator should hear of although it stops nothing. Pure.
import type { GatewayConfig } from './schema.ts'

/** Anybody can get an address there, so the domain says nothing about who somebody works for. */
const PUBLIC_MAIL = new Set(['gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'yahoo.com', 'icloud.com', 'proton.me', 'protonmail.com', 'gmx.de', 'gmx.net', 'web.de', 'aol.com'])
/** The `state` and the code of an identity provider have to fit into the callback's URL. */
const SMALLEST_USEFUL_URL = 900

export function warningsOf(config: GatewayConfig): string[] {
  return [...admission(config), ...network(config), ...limits(config), ...policies(config)]
}

/** Sections that are read and checked, and do nothing yet. */
export function laterFeatures(config: GatewayConfig): string[] {
  const sentences: [unknown, string][] = [
    [config.admin, 'admin: accepted; spend limits, reports and the admin API are not served by this version'],
    [config.enforcement.reserve || config.enforcement.fail_closed_on_error, 'enforcement: accepted; caps are not enforced by this version'],
    [config.quotas.length, 'quotas: accepted; not enforced by this version'],
    [config.telemetry?.forward_to.length, 'telemetry.forward_to: accepted; telemetry is not relayed by this version, and clients are not told to send it'],
    [config.service_identities.length, 'service_identities: accepted; workload sign-in is not served by this version'],
    [config.listen.metrics, 'listen.metrics: accepted; metrics are not served by this version'],
    [config.oidc.length > 1, `oidc: accepted; this version signs in with the first issuer, ${config.oidc[0]?.issuer}, alone`],
    [config.managed?.policies.some(({ desktop, code }) => desktop ?? code), 'managed.policies: desktop and code are accepted; this version serves cli alone'],
    ...config.upstreams.filter(({ provider }) => provider !== 'anthropic').map(({ name, provider }): [unknown, string] => [true, `upstreams: ${name} is accepted; this version does not speak ${provider} and skips it`]),
    [config.upstreams.some(({ weight, max_concurrency, priority }) => weight !== 1 || max_concurrency !== undefined || priority !== undefined), 'upstreams: weight, priority and max_concurrency are accepted; this version goes by order alone'],
  ]
  return sentences.filter(([applies]) => Boolean(applies)).map(([, sentence]) => sentence)
}

function admission({ oidc }: GatewayConfig): string[] {
  return oidc.flatMap(({ issuer, allowed_email_domains, allowed_groups }) => [
    ...(allowed_email_domains ?? []).filter((domain) => PUBLIC_MAIL.has(domain.toLowerCase())).map((domain) => `oidc.allowed_email_domains: anybody can have an address at ${domain}; admit by allowed_groups instead`),
    ...(allowed_email_domains === undefined && allowed_groups === undefined ? [`oidc: everybody whom ${issuer} signs in is admitted; allowed_email_domains or allowed_groups would narrow it`] : []),
  ])
}

function network({ listen, access_control }: GatewayConfig): string[] {
  const warnings: string[] = []
  if (listen.trusted_proxies.some(({ prefix }) => prefix === 0)) warnings.push('listen.trusted_proxies: a range of every address lets anybody say who they are; name the proxy alone')
  if (access_control.allow_cidrs.length === 0) warnings.push('access_control.allow_cidrs is empty: every address may connect')
  return warnings
}

function limits({ limits: { max_url_length } }: GatewayConfig): string[] {
  return max_url_length < SMALLEST_USEFUL_URL ? [`limits.max_url_length: below ${SMALLEST_USEFUL_URL} the identity provider's way back may not fit, and nobody can sign in`] : []
}

function policies({ managed }: GatewayConfig): string[] {
  if (managed === undefined || managed.default === 'deny') return []
  const hasCatchAll = managed.policies.some(({ match }) => match.groups === undefined && match.email_domain === undefined)
  return hasCatchAll ? [] : ['managed: a person whom no policy matches may use every model and gets no settings; add a policy with match: {} or default: deny']
}
