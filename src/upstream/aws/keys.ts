// What every source of AWS credentials ends in, judged before it is used.
import { EgressError, type EgressErrorCode } from '../../egress/egress-error.ts'
import type { GuardedFetch } from '../../egress/guarded-fetch.ts'
import { readSmallBody } from '../../egress/small-body.ts'
import type { Environment, Expiring } from '../credential.ts'
import { CredentialError } from '../upstream.ts'

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Keys as a source spells them; nothing in here has been checked. */
export interface RawKeys {
  readonly accessKeyId: unknown
  readonly secretAccessKey: unknown
  readonly sessionToken: unknown
  /** A date in whatever form; undefined for what does not end by itself. */
  readonly expiration: unknown
}

/** What the sources need. */
export interface AwsContext {
  readonly environment: Environment
  /** Of STS, unless a profile says otherwise. */
  readonly region: string
  readonly fetch: GuardedFetch
  readonly now: () => Date
}

/** They end up in headers, which nothing in them may split. */
const PRINTABLE = /^[\x21-\x7e]{1,16384}$/
const MAX_ANSWER_BYTES = 64 * 1024

/** Throws CredentialError, which begins with `source`, for what is no key and for what has ended. */
export function toKeys(source: string, raw: RawKeys, nowMs: number): Expiring<AwsKeys> {
  const { accessKeyId, secretAccessKey, sessionToken } = raw
  if (!isPrintable(accessKeyId) || !isPrintable(secretAccessKey)) throw new CredentialError(`${source}: no keys in it`)
  if (sessionToken !== undefined && sessionToken !== '' && !isPrintable(sessionToken)) throw new CredentialError(`${source}: the session token is not usable in a header`)
  const expiresAtMs = raw.expiration === undefined ? Number.POSITIVE_INFINITY : new Date(raw.expiration as string | number | Date).getTime()
  if (Number.isNaN(expiresAtMs)) throw new CredentialError(`${source}: the keys do not say when they end`)
  if (expiresAtMs <= nowMs) throw new CredentialError(`${source}: the keys ended at ${new Date(expiresAtMs).toISOString()}`)
  return { value: { accessKeyId, secretAccessKey, ...(isPrintable(sessionToken) ? { sessionToken } : {}) }, expiresAtMs }
}

function isPrintable(value: unknown): value is string {
  return typeof value === 'string' && PRINTABLE.test(value)
}

/**
 * The beginning of a text that somebody else wrote, for the operator: its first line, because STS quotes the signed
 * headers (the session token among them) in the ones that follow, and without what is known to be secret.
 */
export function quote(text: string, secrets: readonly (string | undefined)[] = []): string {
  const line = text.trim().split(/[\r\n]/, 1)[0] ?? ''
  // A JSON parser quotes what it stumbles over.
  const said = line.replace(/JSON Parse error.*/, 'not valid JSON').replace(/[^\x20-\x7e]/g, '?')
  return secrets.reduce<string>((rest, secret) => (secret ? rest.replaceAll(secret, '[secret]') : rest), said).slice(0, 300)
}

export interface SmallAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface SmallRequest {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly headers?: Headers | Record<string, string>
  readonly body?: string
  /** For the head and for the body. */
  readonly timeoutMs: number
}

/** One request to a source, its answer bounded in size and time; a 3xx is an answer like any other. Throws SourceUnreachable. */
export async function askSource({ fetch: send }: Pick<AwsContext, 'fetch'>, source: string, url: string | URL, { timeoutMs, ...init }: SmallRequest): Promise<SmallAnswer> {
  try {
    const response = await send(url, { ...init, headersTimeoutMs: timeoutMs })
    return { status: response.status, headers: response.headers, text: Buffer.from(await readSmallBody(response, MAX_ANSWER_BYTES, timeoutMs)).toString('utf8') }
  } catch (error) {
    if (error instanceof EgressError) throw new SourceUnreachable(source, error)
    throw error
  }
}

export class SourceUnreachable extends CredentialError {
  readonly code: EgressErrorCode

  constructor(source: string, error: EgressError) {
    super(`${source}: ${error.message}`)
    this.code = error.code
  }
}
