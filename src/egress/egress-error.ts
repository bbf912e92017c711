// Why an outbound request failed, in words that are safe for the log: the host, never the path, the query or a header.

/** `connect` covers every failure of the connection itself, before and after the request was written. */
export type EgressErrorCode = 'blocked_address' | 'dns' | 'connect' | 'timeout' | 'tls' | 'aborted' | 'too_large' | 'protocol'

const SENTENCES: Record<EgressErrorCode, (host: string) => string> = {
  blocked_address: (host) => `${host} resolves to an address that outbound requests may not reach`,
  dns: (host) => `${host} could not be resolved`,
  connect: (host) => `the connection to ${host} failed`,
  timeout: (host) => `${host} did not answer in time`,
  tls: (host) => `the TLS certificate or handshake of ${host} was not accepted`,
  aborted: (host) => `the request to ${host} was given up`,
  too_large: (host) => `the answer of ${host} is too large`,
  protocol: (host) => `the request to ${host} or its answer is not valid HTTP`,
}

/** The runtime's own error is not kept as `cause`: its text holds the whole URL. */
export class EgressError extends Error {
  readonly code: EgressErrorCode
  readonly host: string
  /** The runtime's error code, e.g. `ECONNRESET`. */
  readonly detail: string | undefined

  constructor(code: EgressErrorCode, host: string, detail?: string) {
    super(SENTENCES[code](host) + (detail === undefined ? '' : ` (${detail})`))
    this.name = 'EgressError'
    this.code = code
    this.host = host
    this.detail = detail
  }
}

/** The name resolver's codes, as getaddrinfo reports them. */
const DNS_CODES = /^(ENOTFOUND|ENODATA|ESERVFAIL|EAI_[A-Z]+|ETIMEOUT|EREFUSED|EBADNAME|DNS_.+)$/
/** BoringSSL's verification verdicts and the handshake failures of Bun and Node. */
const TLS_CODES = /CERT|TLS|SSL|SELF_SIGNED|VERIFY|ISSUER|HOSTNAME_MISMATCH|^EPROTO$|SIGNATURE|CRL|UNTRUSTED|INVALID_CA/
const PROTOCOL_CODES = /^(Malformed_HTTP_Response|ResponseHeadersTooLarge|Invalid|Zlib|Brotli|Unexpected|HTTP|ERR_PROXY|ERR_INVALID|ERR_HTTP)/i

/** Translates whatever the runtime threw while sending to `host`. */
export function toEgressError(error: unknown, host: string): EgressError {
  if (error instanceof EgressError) return error
  const { name, code } = error as { name?: unknown; code?: unknown }
  if (name === 'TimeoutError') return new EgressError('timeout', host)
  if (name === 'AbortError') return new EgressError('aborted', host)
  // A TypeError without a code is the runtime refusing the request itself, such as a line feed in a header value.
  if (typeof code !== 'string') return new EgressError('protocol', host)
  if (DNS_CODES.test(code)) return new EgressError('dns', host, code)
  if (TLS_CODES.test(code)) return new EgressError('tls', host, code)
  if (PROTOCOL_CODES.test(code)) return new EgressError('protocol', host, code)
  return new EgressError('connect', host, code)
}

/** True when the connection was never made, so that nothing of the request has left and another address may be tried. */
export function neverConnected(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'ECONNREFUSED' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'EADDRNOTAVAIL'
}
