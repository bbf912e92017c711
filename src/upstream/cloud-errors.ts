// A cloud's refusal in words that a client may read. Clouds name accounts, roles and projects in theirs: only what the
// model itself said of the request is passed on, as it is or as the class of what was rejected. Pure; the whole text goes
// to the operator's log elsewhere.
import { bufferOf } from '../std/buffer-of.ts'
import { rejectionClass } from './rejection-class.ts'
import type { ClientError, Refusal, UpstreamRequest } from './upstream.ts'

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  501: 'not_supported',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}
const MESSAGES: Readonly<Record<number, string>> = {
  400: 'upstream rejected the request',
  401: 'upstream authentication failed — check the gateway operator',
  403: 'upstream denied the request — check the gateway operator',
  404: 'upstream resource not found',
  413: 'request too large for this upstream',
  429: 'upstream rate limit exceeded',
  501: 'upstream does not support this endpoint',
  503: 'upstream overloaded',
  529: 'upstream overloaded',
}
/** Types of the Messages API's own errors: anything else in an envelope was put there by something on the way. */
const ENVELOPE_TYPES = new Set([...Object.values(TYPES), 'api_error', 'conflict_error'])
const MAX_MESSAGE = 1000

/** The Messages API's error of a status, in general words. */
export function generalError(status: number): ClientError {
  return { status, type: TYPES[status] ?? 'api_error', message: MESSAGES[status] ?? 'upstream error' }
}

/** `status` is what the refusal means, where the cloud's own status says something else. */
export function explainCloudError(refusal: Refusal, request: UpstreamRequest, status = refusal.status): ClientError {
  const general = generalError(status)
  if (status !== 400 && status !== 413) return general
  const said = readRefusal(refusal.body)
  if (said.envelope !== undefined) return { status, ...said.envelope, message: said.envelope.message.slice(0, MAX_MESSAGE) }
  const message = explainText(status, said.text, request)
  return message === undefined ? general : { ...general, message }
}

/** What may be said of a text that a model's endpoint wrote about a request with this status; undefined for the general words. */
export function explainText(status: number, text: string, { headers }: Pick<UpstreamRequest, 'headers'>): string | undefined {
  if (status === 400 && isSizeRefusal(text)) return 'Input is too long.'
  const rejected = rejectionClass(status, text, (headers.get('anthropic-beta') ?? '').split(',').map((beta) => beta.trim()).filter((beta) => beta !== ''))
  if (rejected !== undefined) return `capability_rejected: ${rejected}`
  if (status !== 400) return undefined
  // The client turns the safety check of its auto mode off there and runs it itself.
  if (/\bsafeguards\b/.test(text)) return 'safeguards: not supported by this upstream'
  for (const sentence of SAFE_SENTENCES) {
    const said = sentence.exec(text)?.[1]
    if (said !== undefined) return said
  }
  return undefined
}

/** By these the client knows what to leave out; they hold a path into its own request or a name of its own, and nothing else. */
const SAFE_SENTENCES = [
  /(?:^|[\s"])([A-Za-z_][\w.-]{0,200}: Extra inputs are not permitted)/,
  /(?:^|[\s"])(thinking\.(?:adaptive|enabled)\.display: Input should be )/,
  /(?:^|[\s":])(Input tag '[a-z_0-9]{1,60}')/,
  /\b(invalid beta flag)\b/,
]

/** Bedrock's and Vertex's words for a request of too many bytes; the client matches the whole sentence it is given. */
const SIZE_REFUSALS = [
  /^\s*input is too long\.?\s*$/i,
  /\bthe (?:request|message) size \(\d+ bytes\) exceeds [\d.]+ ?mb limit/i,
  /\brequest payload size exceeds the limit: \d+ bytes/i,
  /\bvalue at 'body' failed to satisfy constraint: member must have length less than or equal to \d+/i,
]

function isSizeRefusal(text: string): boolean {
  return SIZE_REFUSALS.some((words) => words.test(text))
}

export interface SaidRefusal {
  /** The text in whatever shape the cloud wrote it. */
  readonly text: string
  /** An error of the Messages API itself. */
  readonly envelope: { readonly type: string; readonly message: string } | undefined
  /** Of the body, where it is JSON. */
  readonly members: Readonly<Record<string, unknown>>
}

/** `{"message"}` (AWS), `{"error":{"message"}}` (Google, Azure; Google's also in a list), `{"type":"error",…}`; else the bare text. */
export function readRefusal(body: Uint8Array): SaidRefusal {
  const text = bufferOf(body).toString('utf8')
  const value = parseObject(text)
  if (value === undefined) return { text, envelope: undefined, members: {} }
  const envelope = envelopeOf(value)
  const said = envelope?.message ?? firstText(objectOf(value.error)?.message, value.message, value.Message, value.error) ?? text
  return { text: said, envelope, members: value }
}

function envelopeOf(value: Record<string, unknown>): SaidRefusal['envelope'] {
  const error = value.type === 'error' ? objectOf(value.error) : undefined
  const { type, message } = error ?? {}
  return typeof type === 'string' && typeof message === 'string' && message !== '' && ENVELOPE_TYPES.has(type) ? { type, message } : undefined
}

function parseObject(text: string): Record<string, unknown> | undefined {
  // Brackets over and over take the parser long.
  if (!/^\s*(?:\[\s*)?\{/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return objectOf(Array.isArray(value) ? value[0] : value)
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
}

function firstText(...values: unknown[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value !== '')
}
