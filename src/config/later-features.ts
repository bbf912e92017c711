import type { GatewayConfig } from './schema.ts'

/** Sentences about sections that are read and checked, and do nothing yet. */
export function laterFeatures(config: GatewayConfig): string[] {
  const { service_identities, oidc } = config
  const sentences: [unknown, string][] = [
    [service_identities.length, 'service_identities: accepted; workload sign-in is not served by this version'],
    [oidc.length > 1, `oidc: accepted; this version signs in with the first issuer, ${oidc[0]?.issuer}, alone`],
  ]
  return sentences.filter(([applies]) => Boolean(applies)).map(([, sentence]) => sentence)
}
