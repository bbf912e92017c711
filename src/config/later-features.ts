import type { GatewayConfig } from './schema.ts'

/** Sentences about sections that are read and checked, and do nothing yet. */
export function laterFeatures(config: GatewayConfig): string[] {
  const { admin, enforcement, pricing, quotas, telemetry, service_identities, oidc } = config
  const sentences: [unknown, string][] = [
    [admin, 'admin: accepted; spend limits, reports and the admin API are not served by this version'],
    [enforcement.reserve || enforcement.fail_closed_on_error, 'enforcement: accepted; caps are not enforced by this version'],
    [pricing.multiplier !== 1 || pricing.overrides.length > 0, 'pricing: accepted; spend is not counted by this version'],
    [quotas.length, 'quotas: accepted; not enforced by this version'],
    [telemetry?.forward_to.length, 'telemetry.forward_to: accepted; telemetry is not relayed by this version, and clients are not told to send it'],
    [telemetry?.resource_attributes, 'telemetry.resource_attributes: accepted; not pushed to clients by this version'],
    [service_identities.length, 'service_identities: accepted; workload sign-in is not served by this version'],
    [oidc.length > 1, `oidc: accepted; this version signs in with the first issuer, ${oidc[0]?.issuer}, alone`],
  ]
  return sentences.filter(([applies]) => Boolean(applies)).map(([, sentence]) => sentence)
}
