import * as v from 'valibot'
import { cidr, described, integer, list, text, url } from '../std/fields.ts'

const isLoopbackHost = (host: string) => host === 'localhost' || host === '::1' || /^127\./.test(host)

const publicUrl = () =>
  v.pipe(
    url(),
    v.check(isOrigin, 'must be an origin: no path and no query'),
    v.check(isHttpsOrLoopback, 'must be https; http is for loopback addresses only'),
  )

export const listenSchema = v.pipe(
  v.strictObject({
    host: described(v.optional(text(), '0.0.0.0'), 'Address to listen on.'),
    port: described(v.optional(integer(0, 65_535), 8080), 'Port to listen on; text that is a number is accepted.'),
    public_url: described(v.optional(publicUrl()), 'The external origin, https. Required unless `host` is loopback; never taken from forwarded headers.'),
    tls: described(v.optional(v.strictObject({ cert: text(), key: text() })), 'PEM files; read again when they change.'),
    trusted_proxies: described(v.optional(list(cidr({ allowPort: true })), []), 'Proxies whose `X-Forwarded-For` is believed.'),
    metrics: described(
      v.optional(v.strictObject({ host: v.optional(text(), '127.0.0.1'), port: integer(0, 65_535) })),
      'Listener for Prometheus; off unless given.',
    ),
    drain_seconds: described(v.optional(integer(0, 86_400), 60), 'How long streams may finish after SIGTERM.'),
  }),
  v.forward(
    v.partialCheck([['host'], ['public_url']], ({ host, public_url }) => public_url !== undefined || isLoopbackHost(host), 'is required unless listen.host is a loopback address'),
    ['public_url'],
  ),
)

function isOrigin(value: string): boolean {
  return new URL(value).origin === value
}

function isHttpsOrLoopback(value: string): boolean {
  const { protocol, hostname } = new URL(value)
  return protocol === 'https:' || isLoopbackHost(hostname.replace(/^\[|\]$/g, ''))
}

export const accessControlSchema = v.strictObject({
  allow_cidrs: described(v.optional(list(cidr()), []), 'Only these addresses may connect; health endpoints are exempt. Empty: everybody.'),
  deny_cidrs: described(v.optional(list(cidr()), []), 'These addresses may not connect; checked first.'),
})

export const limitsSchema = v.strictObject({
  max_request_bytes: described(v.optional(integer(1024), 32 * 1024 * 1024), 'Largest request body; 413 beyond it.'),
  max_request_header_bytes: described(v.optional(integer(1024, 65_536), 32 * 1024), 'Largest header block; 431 beyond it.'),
  max_url_length: described(v.optional(integer(64, 65_536), 8192), 'Longest URL path and query; 414 beyond it.'),
})

export type ListenConfig = v.InferOutput<typeof listenSchema>
export type AccessControlConfig = v.InferOutput<typeof accessControlSchema>
export type LimitsConfig = v.InferOutput<typeof limitsSchema>
