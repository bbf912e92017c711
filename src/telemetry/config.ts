import * as v from 'valibot'
import { baseUrl, boolean, described, headers, integer, list, mapping, text, textMap } from '../std/fields.ts'

const destination = mapping({
  url: described(baseUrl(), 'A collector that takes OTLP over HTTP. One that ends in `/v1/metrics` is understood.'),
  headers: described(v.optional(headers(), {}), 'Sent with every export.'),
  metrics: described(v.optional(boolean(), true), 'Relay metrics to it.'),
  logs: described(v.optional(boolean(), false), 'Relay logs to it. They can hold commands and file names.'),
  traces: described(v.optional(boolean(), false), 'Relay traces to it. They can hold commands and file names.'),
  stamp_identity: described(v.optional(boolean(), false), 'Put `user.id`, `user.email` and `user.groups` on what does not carry them, unless it carries one of them with another value. Else every byte stays as it came.'),
  allow_http: described(v.optional(boolean(), false), 'Let a collector on a private address be reached without TLS.'),
})

/** Names that the gateway or the client sets, OpenTelemetry and Claude Code. */
const RESERVED = /^(?:service\.(?:name|version)|claude\.deployment_mode|host\.arch|os\.(?:type|version)|wsl\.version|(?:enduser|user|identity)\..*)$/i
/** They travel in one variable of the environment: https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable */
const attributes = () =>
  v.pipe(
    textMap('mapping of names to text'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return
      for (const [name, value] of Object.entries(dataset.value)) {
        const message = attributeFault(name, value)
        if (message !== undefined) addIssue({ message, path: [{ type: 'object', origin: 'value', input: dataset.value, key: name, value }] })
      }
    }),
  )

function attributeFault(name: string, value: string): string | undefined {
  if (!/^[A-Za-z0-9._-]{1,255}$/.test(name)) return 'is not the name of an attribute: letters, digits, ".", "_" and "-", 255 at most'
  if (RESERVED.test(name)) return 'is set by Claude or the gateway; use another name'
  if (!/^[\x21-\x7e]+$/.test(value) || /[,;=\\"%]/.test(value)) return 'must be printable ASCII without space and without , ; = \\ " %'
  return encodeURIComponent(value).length > 255 ? 'must not be longer than 255 characters, of which / : @ count as three' : undefined
}

const DEFAULT_SPOOL_BYTES = 1024 ** 3

const spool = mapping({
  dir: described(text(), 'A directory of this gateway alone, made when it is not there. Two gateways never share one.'),
  max_bytes: described(v.optional(integer(1024 ** 2), DEFAULT_SPOOL_BYTES), 'Of disk for each collector, as its files take it; beyond it, and beyond 65536 exports, the oldest are dropped.'),
})

export const telemetrySchema = mapping({
  forward_to: described(v.optional(list(destination), []), 'Collectors that telemetry of clients is relayed to. Clients are told to send it.'),
  spool: described(v.optional(spool), 'Keeps exports on disk until a collector has them, so that they outlive a restart and an outage of hours. In memory alone unless given.'),
  resource_attributes: described(v.optional(attributes()), 'Attributes that clients put on all they send, such as a department.'),
})

export type TelemetryConfig = v.InferOutput<typeof telemetrySchema>
