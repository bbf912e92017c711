// The only error thrown on purpose. Anything else that is thrown is a bug, becomes `internal`, and its text stays in the log.

/** Closed set; each rendering in http/errors maps every one of them. */
export type ErrorKind =
  | 'invalid_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'too_large'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'spend_limited'
  | 'not_supported'
  | 'upstream_failed'
  | 'overloaded'
  | 'unavailable'
  | 'internal'

export interface GatewayErrorOptions {
  /** Overrides the kind's own HTTP status. */
  status?: number
  headers?: Record<string, string>
  /** For the log only: never reaches a client. */
  reason?: string
  cause?: unknown
}

/** `message` is what the caller may read; `reason` and `cause` are what the operator may read. */
export class GatewayError extends Error {
  readonly kind: ErrorKind
  readonly status: number | undefined
  readonly headers: Record<string, string>
  readonly reason: string | undefined

  constructor(kind: ErrorKind, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.kind = kind
    this.status = options.status
    this.headers = options.headers ?? {}
    this.reason = options.reason
  }
}

/** Stops the program before it serves anything: one sentence for the operator, printed without a stack. */
export class BootError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'BootError'
  }
}
