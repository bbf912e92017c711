// What the relay knows of a provider. One file per provider implements it.
import type { JsonObject } from '../json/scan.ts'
import type { Principal } from '../principal.ts'
import type { CredentialKind } from './credential-kind.ts'
import type { CredentialTrouble } from './credential.ts'

export type Surface = 'messages' | 'count_tokens'

export interface UpstreamRequest {
  readonly surface: Surface
  /** The Messages body as the client sent it, each name once. */
  readonly body: JsonObject
  /** What its `model` says. */
  readonly modelAsked: string
  /** What this upstream calls the model. */
  readonly model: string
  /** What this gateway calls it: the catalogue's id, or one of the operator's own. */
  readonly servedModel: string
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

/** An answer that is no success, with as much of its body as errors have. */
export interface Refusal {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

/** An error in the Anthropic envelope, in words that a client may read. */
export interface ClientError {
  readonly status: number
  readonly type: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
  /** Another upstream may do better although the status does not say so. */
  readonly movesOn?: boolean
}

/** Turns the bytes of an answer into the Messages API's, as they come. */
export interface Decoder {
  /** Perhaps nothing yet. */
  decode(chunk: Uint8Array): Uint8Array
  /** What is left to say when the upstream has ended; `isWhole` is false when the answer broke off. */
  end(): { readonly bytes: Uint8Array; readonly isWhole: boolean }
  /** A usage object that the upstream reported beside the answer; undefined when it did not. */
  usage(): unknown
}

export interface CredentialState {
  /** Milliseconds since the epoch. */
  readonly obtainedAtMs: number
  /** Infinity for what does not end by itself. */
  readonly expiresAtMs: number
}

export interface Upstream {
  readonly name: string
  readonly provider: string
  /** The cloud's region or location, where there is one. */
  readonly region?: string | undefined
  /** Patterns of what it serves; all when absent. */
  readonly models: readonly string[] | undefined
  /** Longest wait for response headers. */
  readonly ttfbMs: number
  /** URL of a forward proxy on the way to it. */
  readonly proxy: string | undefined
  /** Statuses that move on to the next upstream besides the usual ones. */
  readonly failoverOn: ReadonlySet<number>
  /** Lower is tried first. */
  readonly priority: number
  /** Share of the people among upstreams of one priority. */
  readonly weight: number
  /** Requests at once; no limit when absent. */
  readonly maxConcurrency: number | undefined
  /** Each person's requests go under a credential of their own, so that its refusal speaks of the person alone. */
  readonly hasPersonalCredentials?: boolean
  /** Throws CredentialError, or rejects with it, when no credential can be had; nothing was sent then. At once where nothing has to be waited for. */
  prepare(request: UpstreamRequest): PreparedRequest | Promise<PreparedRequest>
  /** Why a request is not worth sending there at all. */
  impossible?(request: UpstreamRequest): ClientError | undefined
  /**
   * Whether the same request is worth sending once more at once, because what it was refused for is now left out or
   * renewed: the reason, for log and counter.
   */
  amend?(refusal: Refusal, request: UpstreamRequest): string | undefined
  /** A refusal in the Anthropic envelope. Absent where an upstream's own words may reach the client unchanged. */
  explain?(refusal: Refusal, request: UpstreamRequest): ClientError
  /**
   * For answers that may turn out a refusal after their head: what gets one chunk after the other and says the refusal,
   * or `begun` when it is none, or undefined while more is needed.
   */
  opening?(answer: Response, request: UpstreamRequest): (chunk: Uint8Array) => Refusal | 'begun' | undefined
  /** A successful answer begins: how to read it, where it is not in the Messages API's form. `note` is for the operator. */
  receive?(answer: Response, request: UpstreamRequest, note: (text: string) => void): Decoder | undefined
  /** The upstream's own name of a request, for the audit log. */
  requestId(headers: Headers): string | undefined
  /** Undefined before a first credential was needed, and where there is nothing to renew. */
  credential?(): CredentialState | undefined
  readonly credentialKind?: CredentialKind
  /** Why no credential could be had; undefined where the last attempt brought one, or none was needed. */
  credentialTrouble?(): CredentialTrouble | undefined
  /** What is left out of requests because this upstream refused it. */
  leftOut?(): readonly LeftOut[]
}

export interface LeftOut {
  readonly model: string
  /** `beta:<value>`, or the path of a field. */
  readonly item: string
  /** How often the upstream refused it. */
  readonly refusals: number
}

/** The gateway cannot authenticate to the upstream; the message is for the operator. */
export class CredentialError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CredentialError'
  }
}
