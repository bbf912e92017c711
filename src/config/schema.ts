// The table of contents of gateway.yaml. Each section is owned by the folder of its feature.
import * as v from 'valibot'
import { auditSchema } from '../audit/config.ts'
import { accessControlSchema, limitsSchema, listenSchema } from '../http/config.ts'
import { modelsSchema } from '../models/config.ts'
import { rateLimitsSchema } from '../oauth/config.ts'
import { oidcSchema } from '../oidc/config.ts'
import { managedSchema } from '../policy/config.ts'
import { quotaSchema } from '../quota/config.ts'
import { serviceIdentitiesSchema, sessionSchema } from '../session/config.ts'
import { adminSchema, enforcementSchema, pricingSchema } from '../spend/config.ts'
import { boolean, described, list, mapping } from '../std/fields.ts'
import { storeSchema } from '../db/config.ts'
import { telemetrySchema } from '../telemetry/config.ts'
import { timeoutsSchema, upstreamsSchema } from '../upstream/config.ts'

export const gatewaySchema = mapping({
  listen: described(listenSchema, 'Where the gateway listens, and what it is called from outside.'),
  oidc: described(oidcSchema, 'The identity provider, and who may sign in. A list of these for several issuers, of which this version serves the first.'),
  session: described(sessionSchema, 'The tokens people work with after they signed in.'),
  service_identities: described(v.optional(serviceIdentitiesSchema, []), 'Workloads that sign in with a token of their platform. Not served yet.'),
  store: described(storeSchema, 'PostgreSQL: sign-ins under way, sessions, revocations.'),
  upstreams: described(upstreamsSchema, 'Where requests go, in order: the next one is tried when one fails before its first byte.'),
  auto_include_builtin_models: described(v.optional(boolean(), true), 'Serve every model of the catalogue, besides `models`.'),
  models: described(v.optional(modelsSchema, []), "Models of your own, and other names for the catalogue's."),
  managed: described(v.optional(managedSchema), 'Who may use which models, and what settings their machines get. Without it everybody may use every model.'),
  telemetry: described(v.optional(telemetrySchema), 'OpenTelemetry of the clients, relayed to collectors of yours.'),
  admin: described(v.optional(adminSchema), 'Spend limits, and who sets them.'),
  audit: described(v.optional(auditSchema, {}), 'The audit trail beyond standard error.'),
  enforcement: described(v.optional(enforcementSchema, {}), 'How spend limits are enforced.'),
  pricing: described(v.optional(pricingSchema, {}), 'What tokens cost: what the ledger counts, and what clients are told.'),
  quotas: described(v.optional(list(quotaSchema), []), 'How much people may send in a minute and at once. Every entry that means somebody holds for them.'),
  access_control: described(v.optional(accessControlSchema, {}), 'Which addresses may connect, as `listen.trusted_proxies` tells them.'),
  limits: described(v.optional(limitsSchema, {}), 'How large a request may be.'),
  timeouts: described(v.optional(timeoutsSchema, {}), 'How long an upstream may take.'),
  rate_limits: described(v.optional(rateLimitsSchema, {}), 'How often an address may try to sign in.'),
})

export type GatewayConfig = v.InferOutput<typeof gatewaySchema>
