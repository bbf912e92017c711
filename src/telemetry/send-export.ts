// One attempt to hand an export to its collector, and what the answer means.
import { EgressError } from '../egress/egress-error.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { readSmallBody } from '../egress/small-body.ts'
import type { CollectorConfig, Export } from './collector.ts'

/** What is neither delivered nor rejected is offered again. */
export interface Verdict {
  readonly kind: 'delivered' | 'rejected' | 'later'
  /** For the log; empty for a success. */
  readonly why: string
  /** The header. */
  readonly retryAfter: string | null
  /** The collector asks everybody to wait, not this export: OTLP 1.9 §otlphttp-throttling. */
  readonly isThrottled: boolean
}

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 64 * 1024
const ANSWER_MS = 2000
/** OTLP 1.9 §failures-1: these may pass; every other refusal is for good. */
const PASSING = new Set([429, 502, 503, 504])

/** Never throws. */
export async function sendExport(request: GuardedFetch, config: CollectorConfig, { signal, contentType, contentEncoding, body }: Export, abort: AbortSignal): Promise<Verdict> {
  const base = config.url.replace(/\/v1\/(?:metrics|logs|traces)$/, '')
  const headers = new Headers(Object.entries(config.headers).map(([header, value]): [string, string] => [header, typeof value === 'string' ? value : value.reveal()]))
  headers.set('content-type', contentType)
  headers.delete('content-encoding')
  if (contentEncoding !== undefined) headers.set('content-encoding', contentEncoding)
  try {
    const response = await request(`${base}/v1/${signal}`, { method: 'POST', headers, body, signal: abort, headersTimeoutMs: TIMEOUT_MS })
    // The status has said it all: whatever the collector has to add is read for the sake of the connection.
    void readSmallBody(response, MAX_ANSWER_BYTES, ANSWER_MS).catch(() => {})
    if (response.ok) return { kind: 'delivered', why: '', retryAfter: null, isThrottled: false }
    const why = `answered ${response.status} to ${signal}`
    if (!PASSING.has(response.status)) return { kind: 'rejected', why, retryAfter: null, isThrottled: false }
    const retryAfter = response.headers.get('retry-after')
    return { kind: 'later', why, retryAfter, isThrottled: response.status === 429 || (response.status === 503 && retryAfter !== null) }
  } catch (error) {
    return { kind: 'later', why: error instanceof EgressError ? error.message : 'the export could not be sent', retryAfter: null, isThrottled: false }
  }
}

const MAX_RETRY_AFTER_MS = 120_000

/** The delay, or what `Retry-After` asks for when it is longer; its form with a date is left to the delays. RFC 9110 §10.2.3. */
export function waitMs(delayMs: number, retryAfter: string | null): number {
  const seconds = /^\d{1,6}$/.test(retryAfter?.trim() ?? '') ? Number(retryAfter) : 0
  return Math.max(delayMs, Math.min(seconds * 1000, MAX_RETRY_AFTER_MS))
}
