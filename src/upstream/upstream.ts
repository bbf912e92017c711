// What the relay knows of a provider. One file per provider implements it.
import type { Principal } from '../principal.ts'

export interface UpstreamRequest {
  readonly surface: 'messages' | 'count_tokens'
  /** The Messages body, with the model called as this upstream calls it. */
  readonly body: Uint8Array
  readonly model: string
  readonly stream: boolean
  /** What the client may say to an upstream. */
  readonly headers: Headers
  /** With its `?`, or empty. */
  readonly query: string
  readonly principal: Principal
}

/** One request, ready to be sent: translated, signed. */
export interface PreparedRequest {
  readonly url: string
  readonly headers: Headers
  readonly body: Uint8Array
}

export interface Upstream {
  readonly name: string
  readonly provider: string
  /** Patterns of what it serves; all when absent. */
  readonly models: readonly string[] | undefined
  /** Longest wait for response headers. */
  readonly ttfbMs: number
  /** URL of a forward proxy on the way to it. */
  readonly proxy: string | undefined
  /** Statuses that move on to the next upstream besides the usual ones. */
  readonly failoverOn: ReadonlySet<number>
  /** Throws CredentialError when no credential can be had; nothing was sent then. */
  prepare(request: UpstreamRequest): Promise<PreparedRequest>
  /** The upstream's own name of a request, for the audit log. */
  requestId(headers: Headers): string | undefined
}

/** The gateway cannot authenticate to the upstream; the message is for the operator. */
export class CredentialError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CredentialError'
  }
}
