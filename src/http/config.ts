import * as v from 'valibot'
import { boolean, cidr, described, integer, list, mapping, origin, text } from '../std/fields.ts'
import { isLoopbackHost } from '../std/loopback.ts'

const publicUrl = () => v.pipe(origin(), v.check(isHttpsOrLoopback, 'must be https; http is for loopback addresses only'))

function isHttpsOrLoopback(value: string): boolean {
  const { protocol, hostname } = new URL(value)
  return protocol === 'https:' || isLoopbackHost(hostname)
}

export const listenSchema = v.pipe(
  mapping({
    host: described(v.optional(text(), '0.0.0.0'), 'Address to listen on.'),
    port: described(v.optional(integer(0, 65_535), 8080), 'Port to listen on; text that is a number is accepted.'),
    reuse_port: described(v.optional(boolean(), false), 'Several instances of one user on this machine share the port, and the kernel deals connections out to them (SO_REUSEPORT): [operations.md](operations.md#several-instances-on-one-machine).'),
    public_url: described(v.optional(publicUrl()), 'The external origin, https. Never taken from forwarded headers; http is for loopback addresses only.', '`host` is not a loopback address'),
    tls: described(
      v.optional(mapping({ cert: described(text(), 'Path of the certificate chain, PEM.'), key: described(text(), 'Path of its private key, PEM.') })),
      'End TLS here. The files are read again when they change.',
    ),
    trusted_proxies: described(v.optional(list(cidr({ allowPort: true })), []), 'Proxies whose `X-Forwarded-For` is believed. An entry may carry a port, which means nothing.'),
    metrics: described(
      v.optional(mapping({ host: described(v.optional(text(), '127.0.0.1'), 'Address of that listener.'), port: described(integer(0, 65_535), 'Its port.') })),
      'Listener for Prometheus, `GET /metrics`, without a credential; `/readyz` and `/healthz` of this instance, too; off unless given. Administrators read the same at `/metrics` of the gateway itself.',
    ),
    drain_seconds: described(v.optional(integer(0, 86_400), 60), 'How long streams may finish after SIGTERM.'),
  }),
  v.forward(
    v.partialCheck([['host'], ['public_url']], ({ host, public_url }) => public_url !== undefined || isLoopbackHost(host), 'is required unless listen.host is a loopback address'),
    ['public_url'],
  ),
)

export const accessControlSchema = mapping({
  allow_cidrs: described(v.optional(list(cidr()), []), 'Only these addresses may connect; health endpoints are exempt. Empty: everybody.'),
  deny_cidrs: described(v.optional(list(cidr()), []), 'These addresses may not connect; checked first.'),
})

/** A bearer may be 16 KiB long and is sent twice by some clients. */
const HEADER_BYTES = 64 * 1024
/** What the scan of a body can count (json/wasm/scan.ts), and far more than an upstream takes. */
const MOST_BYTES = 1_000_000_000

export const limitsSchema = mapping({
  max_request_bytes: described(v.optional(integer(1, MOST_BYTES), 32 * 1024 * 1024), 'Largest request body; 413 beyond it.'),
  max_request_header_bytes: described(v.optional(integer(1), HEADER_BYTES), 'Largest header block; 431 beyond it.'),
  max_url_length: described(v.optional(integer(1), 8192), 'Longest URL path and query; 414 beyond it.'),
})

export type ListenConfig = v.InferOutput<typeof listenSchema>
export type AccessControlConfig = v.InferOutput<typeof accessControlSchema>
export type LimitsConfig = v.InferOutput<typeof limitsSchema>
