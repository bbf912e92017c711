// Rules that need more than one section. Pure.
import type { GatewayConfig } from './schema.ts'
import type { Problem } from './problem.ts'

/** What stops the boot although each section alone is right. */
export function crossCheck(config: GatewayConfig): Problem[] {
  return [...modelMappings(config), ...modelIds(config), ...pricingNames(config), ...enforcementNeedsAdmin(config), ...telemetryUrls(config)]
}

function modelMappings({ models, upstreams }: GatewayConfig): Problem[] {
  const names = new Set(upstreams.map(({ name }) => name))
  return models.flatMap(({ upstream_model }, at) =>
    Object.keys(upstream_model)
      .filter((name) => !names.has(name))
      .map((name) => ({ path: ['models', at, 'upstream_model', name], message: `no upstream is called ${name}; there is ${[...names].join(', ')}`, atKey: true })),
  )
}

function modelIds({ models }: GatewayConfig): Problem[] {
  const seen = new Set<string>()
  return models.flatMap(({ id }, at) => {
    const again = seen.has(id)
    seen.add(id)
    return again ? [{ path: ['models', at, 'id'], message: `the model ${id} is defined twice` }] : []
  })
}

function pricingNames({ pricing, upstreams }: GatewayConfig): Problem[] {
  const names = new Set(upstreams.map(({ name }) => name))
  return pricing.overrides.flatMap(({ upstream }, at) =>
    upstream === undefined || names.has(upstream) ? [] : [{ path: ['pricing', 'overrides', at, 'upstream'], message: `no upstream is called ${upstream}` }],
  )
}

function enforcementNeedsAdmin({ enforcement, admin }: GatewayConfig): Problem[] {
  const wanted = (['fail_closed_on_error', 'reserve'] as const).filter((key) => enforcement[key])
  return admin === undefined ? wanted.map((key) => ({ path: ['enforcement', key], message: 'needs the admin section, where spend is kept' })) : []
}

function telemetryUrls({ telemetry }: GatewayConfig): Problem[] {
  return (telemetry?.forward_to ?? []).flatMap(({ url, allow_http }, at) => {
    const { protocol, hostname } = new URL(url)
    const isLoopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
    return protocol === 'https:' || allow_http || isLoopback ? [] : [{ path: ['telemetry', 'forward_to', at, 'url'], message: 'must be https; a collector on a private address may have allow_http: true' }]
  })
}
