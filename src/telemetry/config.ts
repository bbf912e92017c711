import * as v from 'valibot'
import { boolean, described, headers, list, mapping, textMap, url } from '../std/fields.ts'

const destination = mapping({
  url: described(url(), 'A collector that takes OTLP over HTTP. One that ends in `/v1/metrics` is understood.'),
  headers: described(v.optional(headers(), {}), 'Sent with every export.'),
  metrics: described(v.optional(boolean(), true), 'Relay metrics to it.'),
  logs: described(v.optional(boolean(), false), 'Relay logs to it. They can hold commands and file names.'),
  traces: described(v.optional(boolean(), false), 'Relay traces to it. They can hold commands and file names.'),
  allow_http: described(v.optional(boolean(), false), 'Let a collector on a private address be reached without TLS.'),
})

export const telemetrySchema = mapping({
  forward_to: described(v.optional(list(destination), []), 'Collectors that telemetry of clients is relayed to. Not served yet.'),
  resource_attributes: described(v.optional(textMap()), 'Attributes pushed to clients.'),
})

export type TelemetryConfig = v.InferOutput<typeof telemetrySchema>
