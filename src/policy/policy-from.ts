import type { GatewayConfig } from '../config/schema.ts'
import { modelNames } from '../models/names.ts'
import { createModelTable } from '../models/resolve.ts'
import { clientPricing } from './client-pricing.ts'
import { createPolicy, type Policy } from './policy.ts'

/** The policy of a configuration: what serves requests, and what explains it, is one. */
export function policyFrom({ managed, models, upstreams, pricing, auto_include_builtin_models: autoInclude }: GatewayConfig): Policy {
  const served = createModelTable({ autoInclude, models, upstreams }).list()
  return createPolicy(managed, modelNames(models), clientPricing(pricing, served, upstreams))
}
