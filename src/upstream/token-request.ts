// One request to where credentials come from: bounded in time and size, not redirected, and its failure told without a secret.
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { readSmallBody } from '../egress/small-body.ts'
import { excerpt } from '../observe/redact.ts'
import { parseJsonObject } from '../std/json-object.ts'
import { isLoopbackHost } from '../std/loopback.ts'
import { CredentialError } from './upstream.ts'

export interface TokenRequest {
  readonly method?: string
  readonly headers?: Headers | Record<string, string>
  readonly body?: string
  /** For the head of the answer, and again for its body. */
  readonly timeoutMs?: number
}

export interface TokenAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 256 * 1024
/** Of an answer's own words. */
const MAX_REASON_LENGTH = 300
/** Fields of a form that must not come back in an error's text. */
const SECRET_FIELDS = ['assertion', 'client_assertion', 'client_secret', 'refresh_token', 'subject_token']

/**
 * The answer, whatever its status says, except a redirect: the secret in the request was meant for this address alone.
 * Throws CredentialError and EgressError; their texts name the host only.
 */
export async function requestToken(deps: { readonly fetch: GuardedFetch }, address: string | URL, { method = 'GET', headers, body, timeoutMs = TIMEOUT_MS }: TokenRequest = {}): Promise<TokenAnswer> {
  const url = URL.parse(String(address))
  if (url === null) throw new CredentialError('the address to ask for a token is not a URL')
  // Metadata services speak plain HTTP, to a GET that holds no secret.
  if (body !== undefined && url.protocol !== 'https:' && !isLoopbackHost(url.hostname)) throw new CredentialError(`${url.host} must be asked by https: a secret goes there`)
  const response = await deps.fetch(url, { method, headersTimeoutMs: timeoutMs, ...(headers !== undefined && { headers }), ...(body !== undefined && { body }) })
  const text = Buffer.from(await readSmallBody(response, MAX_ANSWER_BYTES, timeoutMs)).toString('utf8')
  if (response.status >= 300 && response.status < 400) throw new CredentialError(`${url.host} answered with a redirect, which is not followed`)
  return { status: response.status, headers: response.headers, text }
}

/** The JSON object of a 200. Throws CredentialError with the reason that the answer gives, in the OAuth or in Google's shape. */
export function requireObject({ status, text }: TokenAnswer, host: string, sent = ''): Record<string, unknown> {
  const answer = parseJsonObject(text)
  if (status === 200 && answer !== undefined) return answer
  if (status === 200) throw new CredentialError(`${host} did not answer with JSON`)
  const reason = reasonOf(answer)
  throw new CredentialError(`${host} answered ${status}${reason === '' ? '' : `: ${conceal(reason, sent)}`}`)
}

/** A token and its end from an OAuth token response (RFC 6749 §5.1). Throws CredentialError. */
export function readTokenResponse(answer: Record<string, unknown>, host: string, nowMs: number): { token: string; expiresAtMs: number } {
  const { access_token: token, expires_in: seconds } = answer
  if (!isHeaderSafe(token) || typeof seconds !== 'number' || !(seconds > 0)) throw new CredentialError(`${host} answered without a token and its lifetime`)
  return { token, expiresAtMs: nowMs + seconds * 1000 }
}

/** Printable and without spaces: anything else would split a header. */
export function isHeaderSafe(token: unknown): token is string {
  return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)
}

/** RFC 6749 §5.2: `error` and `error_description`; Google's other services: `error: {status, message}`. */
function reasonOf(answer: Record<string, unknown> | undefined): string {
  const { error, error_description: description } = answer ?? {}
  const words = typeof error === 'object' && error !== null ? [(error as { status?: unknown }).status, (error as { message?: unknown }).message] : [error, description]
  return words.filter((word) => typeof word === 'string').join(': ')
}

/** Somebody's words about a request, without the secrets of the form that was `sent` and whatever else looks like one. */
export function conceal(text: string, sent: string): string {
  const form = new URLSearchParams(sent)
  const secrets = SECRET_FIELDS.flatMap((name) => form.get(name) || [])
  const concealed = secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text)
  return excerpt(concealed, MAX_REASON_LENGTH)
}
