// The table of contents of gateway.yaml. Each section is owned by the folder of its feature.
import * as v from 'valibot'
import { accessControlSchema, limitsSchema, listenSchema } from '../http/config.ts'
import { modelSchema } from '../models/config.ts'
import { rateLimitsSchema } from '../oauth/config.ts'
import { oidcSchema } from '../oidc/config.ts'
import { managedSchema } from '../policy/config.ts'
import { serviceIdentitySchema, sessionSchema } from '../session/config.ts'
import { adminSchema, enforcementSchema, pricingSchema, quotaSchema } from '../spend/config.ts'
import { boolean, described, list } from '../std/fields.ts'
import { storeSchema } from '../db/config.ts'
import { telemetrySchema } from '../telemetry/config.ts'
import { timeoutsSchema, upstreamsSchema } from '../upstream/config.ts'

export const gatewaySchema = v.strictObject({
  listen: listenSchema,
  oidc: oidcSchema,
  session: sessionSchema,
  service_identities: v.optional(list(serviceIdentitySchema), []),
  store: storeSchema,
  upstreams: upstreamsSchema,
  auto_include_builtin_models: described(v.optional(boolean(), true), 'Serve every model of the catalogue, besides `models`.'),
  models: v.optional(list(modelSchema), []),
  managed: v.optional(managedSchema),
  telemetry: v.optional(telemetrySchema),
  admin: v.optional(adminSchema),
  enforcement: v.optional(enforcementSchema, {}),
  pricing: v.optional(pricingSchema, {}),
  quotas: v.optional(list(quotaSchema), []),
  access_control: v.optional(accessControlSchema, {}),
  limits: v.optional(limitsSchema, {}),
  timeouts: v.optional(timeoutsSchema, {}),
  rate_limits: v.optional(rateLimitsSchema, {}),
})

export type GatewayConfig = v.InferOutput<typeof gatewaySchema>
