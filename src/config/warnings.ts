// What an operator should hear of although it stops nothing. Pure.
import { mappingWarnings } from '../models/mapping-warnings.ts'
import { policyWarnings } from '../policy/policy-warnings.ts'
import { formatCidr } from '../std/cidr.ts'
import type { ConfiguredRange } from '../std/fields.ts'
import { isLoopbackHost } from '../std/loopback.ts'
import type { GatewayConfig } from './schema.ts'

/** Anybody can get an address there, so the domain says nothing about who somebody works for. */
const PUBLIC_MAIL = new Set([
  'gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'msn.com', 'yahoo.com', 'ymail.com', 'icloud.com', 'me.com', 'mac.com', 'aol.com',
  'proton.me', 'protonmail.com', 'pm.me', 'fastmail.com', 'zoho.com', 'mail.com', 'gmx.com', 'gmx.de', 'gmx.net', 'web.de', 't-online.de', 'yandex.ru', 'yandex.com',
  'mail.ru', 'qq.com', '163.com', '126.com', 'orange.fr', 'free.fr', 'laposte.net', 'libero.it', 'naver.com', 'tutanota.com', 'hey.com',
])
/** The `state` and the code of an identity provider have to fit into the callback's URL. */
const SMALLEST_USEFUL_URL = 900
/** What the program's own HTTP parser takes. */
const LARGEST_HEADERS = 128 * 1024
/** A secret of fewer different characters was not drawn at random. */
const FEWEST_CHARACTERS = 10

export interface WarningOptions {
  readonly allowLoopback: boolean
}

export function warningsOf(config: GatewayConfig, { allowLoopback }: WarningOptions): string[] {
  return [...admission(config), ...secrets(config), ...ranges(config), ...limits(config), ...metrics(config), ...urls(config, allowLoopback), ...mappings(config), ...policyWarnings(config)]
}

function admission({ oidc }: GatewayConfig): string[] {
  return oidc.flatMap(({ issuer, allowed_email_domains, allowed_groups }) => [
    ...(allowed_email_domains ?? []).filter((domain) => PUBLIC_MAIL.has(domain.toLowerCase())).map((domain) => `oidc.allowed_email_domains: anybody can have an address at ${domain}; admit by allowed_groups instead`),
    ...(allowed_email_domains === undefined && allowed_groups === undefined ? [`oidc: everybody whom ${issuer} signs in is admitted; allowed_email_domains or allowed_groups would narrow it`] : []),
  ])
}

function secrets({ session, admin }: GatewayConfig): string[] {
  const isWeak = session.jwt_secret.some((secret) => new Set(secret.reveal()).size < FEWEST_CHARACTERS)
  const keys = [...(admin?.write_keys ?? []), ...(admin?.read_keys ?? [])].map(({ key }) => key.reveal())
  return [
    ...(isWeak ? ['session.jwt_secret: can be guessed; make one with `openssl rand -base64 48`'] : []),
    ...(new Set(keys).size < keys.length ? ['admin: two keys are the same, so that the audit log cannot tell who used it'] : []),
  ]
}

function ranges({ listen, access_control }: GatewayConfig): string[] {
  const lists: [string, readonly ConfiguredRange[]][] = [
    ['listen.trusted_proxies', listen.trusted_proxies],
    ['access_control.allow_cidrs', access_control.allow_cidrs],
    ['access_control.deny_cidrs', access_control.deny_cidrs],
  ]
  const corrected = lists.flatMap(([key, list]) => list.flatMap((range) => (range.written === undefined ? [] : [`${key}: ${range.written} has bits beyond its prefix and is read as ${formatCidr(range)}`])))
  const everybody = listen.trusted_proxies.some(({ prefix }) => prefix === 0) ? ['listen.trusted_proxies: a range of every address lets anybody say who they are; name the proxy alone'] : []
  return [...corrected, ...everybody]
}

function metrics({ listen }: GatewayConfig): string[] {
  const host = listen.metrics?.host
  return host === undefined || isLoopbackHost(host) ? [] : [`listen.metrics: everybody who reaches ${host}:${listen.metrics?.port} can read the metrics; there is no key on that listener`]
}

function limits({ limits: { max_url_length, max_request_header_bytes } }: GatewayConfig): string[] {
  return [
    ...(max_url_length < SMALLEST_USEFUL_URL ? [`limits.max_url_length: below ${SMALLEST_USEFUL_URL} the identity provider's way back may not fit, and nobody can sign in`] : []),
    ...(max_request_header_bytes > LARGEST_HEADERS ? [`limits.max_request_header_bytes: above ${LARGEST_HEADERS} requests are refused all the same`] : []),
  ]
}

function urls({ oidc, upstreams, telemetry }: GatewayConfig, allowLoopback: boolean): string[] {
  const configured: [string, string | undefined][] = [
    ...oidc.flatMap(({ issuer, discovery_url }): [string, string | undefined][] => [['oidc.issuer', issuer], ['oidc.discovery_url', discovery_url]]),
    ...upstreams.map(({ name, base_url }): [string, string | undefined] => [`upstreams: base_url of ${name}`, base_url]),
    ...(telemetry?.forward_to ?? []).map(({ url }): [string, string] => ['telemetry.forward_to', url]),
  ]
  return configured.flatMap(([key, text]) => {
    if (text === undefined) return []
    const { protocol, hostname, host } = new URL(text)
    if (isLoopbackHost(hostname)) return allowLoopback ? [] : [`${key}: ${host} is this machine, which requests do not reach unless GATEHOUSE_ALLOW_LOOPBACK=1 is set`]
    return protocol === 'http:' ? [`${key}: ${host} is reached without TLS: whoever is on the way can read and change everything`] : []
  })
}

function mappings({ auto_include_builtin_models, models, upstreams, pricing }: GatewayConfig): string[] {
  return mappingWarnings({ autoInclude: auto_include_builtin_models, models, upstreams, overrides: pricing.overrides })
}
