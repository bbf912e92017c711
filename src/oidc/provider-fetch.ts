// How this folder speaks to the identity provider: small answers, within one deadline, through the guarded fetch.
import { EgressError } from '../egress/egress-error.ts'
import type { EgressInit, GuardedFetch } from '../egress/guarded-fetch.ts'
import { readSmallBody } from '../egress/small-body.ts'
import type { Result } from '../std/result.ts'

/** A provider's documents are a few kilobytes; an id_token with many groups some dozens. */
export const MAX_DOCUMENT_BYTES = 256 * 1024
const TIMEOUT_MS = 10_000

export interface ProviderInit extends Omit<EgressInit, 'tls' | 'proxy' | 'headersTimeoutMs' | 'maxResponseBytes'> {
  maxBytes?: number
}

/** Answers with the body already read and decoded. Throws EgressError. */
export type ProviderFetch = (url: string | URL, init?: ProviderInit) => Promise<Response>

export interface ProviderFetchOptions {
  fetch: GuardedFetch
  /** URL of a forward proxy. */
  proxy?: string | undefined
  /** PEM of the authorities to trust instead of the built-in ones. */
  ca?: string | undefined
  /** For head and body together. */
  timeoutMs?: number | undefined
}

export function createProviderFetch({ fetch: send, proxy, ca, timeoutMs = TIMEOUT_MS }: ProviderFetchOptions): ProviderFetch {
  return async (url, { maxBytes = MAX_DOCUMENT_BYTES, ...init } = {}) => {
    const startedMs = performance.now()
    const response = await send(url, {
      ...init,
      headersTimeoutMs: timeoutMs,
      ...(ca !== undefined && { tls: { ca } }),
      ...(proxy !== undefined && { proxy }),
    })
    const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
    const body = await readSmallBody(response, maxBytes, leftMs)
    const headers = new Headers(response.headers)
    // The body is decoded: its coding and length are no longer those of the header.
    headers.delete('content-encoding')
    headers.delete('content-length')
    return new Response(body.byteLength === 0 ? null : body, { status: response.status, headers })
  }
}

/** `unavailable` for what may pass, `unusable` for an answer that is not the document asked for. */
export type DocumentFault = 'unavailable' | 'unusable'

/** A JSON object, with the reason in words for the operator when there is none. */
export async function fetchDocument(send: ProviderFetch, url: string | URL, init?: ProviderInit): Promise<Result<Record<string, unknown>, DocumentFault>> {
  try {
    const response = await send(url, init)
    if (response.status !== 200) return { ok: false, reason: isPassing(response.status) ? 'unavailable' : 'unusable', detail: `it answered ${response.status}` }
    const document: unknown = await response.json()
    if (typeof document !== 'object' || document === null || Array.isArray(document)) return { ok: false, reason: 'unusable', detail: 'it is not a JSON object' }
    return { ok: true, value: document as Record<string, unknown> }
  } catch (error) {
    if (!(error instanceof EgressError)) return { ok: false, reason: 'unusable', detail: 'it is not JSON' }
    return { ok: false, reason: isUnusable(error) ? 'unusable' : 'unavailable', detail: error.message }
  }
}

/** Statuses that say "later" and nothing about the question. */
export function isPassing(status: number): boolean {
  return status === 429 || status >= 500
}

/** An answer came, but not one to work with. */
export function isUnusable(error: EgressError): boolean {
  return error.code === 'too_large' || error.code === 'protocol'
}
