import type { GatewayConfig } from './schema.ts'

/** Sentences about sections that are read and checked, and do nothing yet. */
export function laterFeatures(config: GatewayConfig): string[] {
  const { admin, enforcement, pricing, service_identities, oidc } = config
  const sentences: [unknown, string][] = [
    [admin, 'admin: spend limits are kept; this version does not enforce them, and has no reports and no alerts'],
    [enforcement.reserve || enforcement.fail_closed_on_error, 'enforcement: accepted; caps are not enforced by this version'],
    [pricing.multiplier !== 1 || pricing.overrides.length > 0, 'pricing: accepted; spend is not counted by this version'],
    [service_identities.length, 'service_identities: accepted; workload sign-in is not served by this version'],
    [oidc.length > 1, `oidc: accepted; this version signs in with the first issuer, ${oidc[0]?.issuer}, alone`],
  ]
  return sentences.filter(([applies]) => Boolean(applies)).map(([, sentence]) => sentence)
}
