import type { GatewayConfig } from './schema.ts'

/** Sentences about sections that are read and checked, and do nothing yet. */
export function laterFeatures(config: GatewayConfig): string[] {
  const { admin, enforcement, pricing, quotas, service_identities, oidc } = config
  const sentences: [unknown, string][] = [
    [admin, 'admin: accepted; spend limits are not served by this version'],
    [enforcement.reserve || enforcement.fail_closed_on_error, 'enforcement: accepted; caps are not enforced by this version'],
    [pricing.multiplier !== 1 || pricing.overrides.length > 0, 'pricing: accepted; spend is not counted by this version'],
    [quotas.length, 'quotas: accepted; not enforced by this version'],
    [service_identities.length, 'service_identities: accepted; workload sign-in is not served by this version'],
    [oidc.length > 1, `oidc: accepted; this version signs in with the first issuer, ${oidc[0]?.issuer}, alone`],
  ]
  return sentences.filter(([applies]) => Boolean(applies)).map(([, sentence]) => sentence)
}
