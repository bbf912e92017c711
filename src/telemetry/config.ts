import * as v from 'valibot'
import { boolean, described, list, secret, url } from '../std/fields.ts'

export const telemetrySchema = v.strictObject({
  forward_to: described(
    v.optional(
      list(
        v.strictObject({
          url: url(),
          headers: v.optional(v.record(v.string(), secret(), 'must be a mapping'), {}),
          metrics: v.optional(boolean(), true),
          logs: v.optional(boolean(), false),
          traces: v.optional(boolean(), false),
          allow_http: v.optional(boolean(), false),
        }),
      ),
      [],
    ),
    'Collectors that telemetry of clients is relayed to.',
  ),
  resource_attributes: described(v.optional(v.record(v.string(), v.string('must be text'), 'must be a mapping')), 'Attributes pushed to clients.'),
  stamp_identity: described(v.optional(boolean(), false), 'Add the person where an export does not name one.'),
})

export type TelemetryConfig = v.InferOutput<typeof telemetrySchema>
