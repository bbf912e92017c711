import { modelNames } from '../models/names.ts'
import { createModelTable, type ModelTableOptions } from '../models/resolve.ts'
import { clientPricing, type PricedUpstream, type Pricing } from './client-pricing.ts'
import { telemetryEnvironment, type ClientTelemetry } from './client-telemetry.ts'
import type { ManagedConfig } from './config.ts'
import { createPolicy, type Policy } from './policy.ts'

/** As much of the configuration as decides what somebody may use and is told. */
export interface PolicyOptions {
  readonly managed?: ManagedConfig | undefined
  readonly models: ModelTableOptions['models']
  readonly upstreams: readonly PricedUpstream[]
  readonly pricing: Pricing
  readonly telemetry?: ClientTelemetry | undefined
  readonly listen: { readonly public_url?: string | undefined }
  readonly auto_include_builtin_models: boolean
}

/** The policy of a configuration: what serves requests, and what explains it, is one. */
export function policyFrom({ managed, models, upstreams, pricing, telemetry, listen, auto_include_builtin_models: autoInclude }: PolicyOptions): Policy {
  const served = createModelTable({ autoInclude, models, upstreams }).list()
  return createPolicy(managed, modelNames(models), {
    pricing: clientPricing(pricing, served, upstreams),
    environment: telemetryEnvironment(telemetry, listen.public_url),
  })
}
