// The id_token: its form and its claims (OpenID Connect Core §3.1.3.7). Pure: no I/O, no clock; the signature is
// verified between the two halves, by verify-id-token.ts.
import type { Result } from '../std/result.ts'
import type { IdTokenFault } from './refusal.ts'

export type Claims = Readonly<Record<string, unknown>>

export interface IdTokenHeader {
  readonly kid: string | undefined
}

export interface IdTokenRules {
  readonly issuer: string
  readonly clientId: string
  /** Other audiences and authorized parties that the operator trusts. */
  readonly trustedParties: readonly string[]
  readonly clockSkewSeconds: number
  /** What was sent in the authorization request; undefined at a refresh, which has none of its own. */
  readonly nonce: string | undefined
  /** Base64url of the left half of the access token's hash, in the token's own algorithm. */
  readonly accessTokenHash: string
}

type Verdict<value> = Result<value, IdTokenFault>

/** Unix seconds of 9999-12-31: a larger number, such as JSON's 1e999, is no date. */
const LAST_NUMERIC_DATE = 253_402_300_799
/** OpenID Connect Core §2: sub must not exceed 255 ASCII characters. */
const MAX_SUB_BYTES = 255

/**
 * The header of a compact JWS of exactly `algorithm`. Keys that the token brings along (`jwk`, `jku`, `x5u`) are not
 * looked at (RFC 8725 §3.10).
 */
export function readHeader(token: string, algorithm: string): Verdict<IdTokenHeader> {
  const parts = token.split('.')
  const header = parts.length === 3 ? parseObject(Buffer.from(parts[0] as string, 'base64url')) : undefined
  if (header === undefined) return malformed('not a signed JWT')
  // RFC 8725 §3.1: the algorithm is ours to choose; `none` and the HMAC family never are.
  if (header.alg !== algorithm) return { ok: false, reason: 'id_token_algorithm', detail: `expected ${algorithm}` }
  // RFC 7515 §4.1.11: an extension that must be understood, and none is.
  if (Object.hasOwn(header, 'crit')) return malformed('crit')
  if (Object.hasOwn(header, 'kid') && typeof header.kid !== 'string') return malformed('kid')
  return { ok: true, value: { kid: header.kid as string | undefined } }
}

/** The claims, from the payload that the signature covers. */
export function readClaims(payload: Uint8Array): Verdict<Claims> {
  const claims = parseObject(payload)
  return claims === undefined ? malformed('claims') : { ok: true, value: claims }
}

/** Each check with its own reason, in the order of OpenID Connect Core §3.1.3.7. */
export function judgeClaims(claims: Claims, rules: IdTokenRules, nowSeconds: number): Verdict<{ sub: string; claims: Claims }> {
  const fault =
    judgeIssuer(claims, rules) ??
    judgeAudience(claims, rules) ??
    judgeTimes(claims, rules.clockSkewSeconds, nowSeconds) ??
    judgeNonce(claims, rules) ??
    judgeAccessTokenHash(claims, rules) ??
    judgeSubject(claims)
  return fault ?? { ok: true, value: { sub: claims.sub as string, claims } }
}

type Fault = { ok: false; reason: IdTokenFault; detail?: string } | undefined

function judgeIssuer({ iss }: Claims, { issuer }: IdTokenRules): Fault {
  return iss === issuer ? undefined : { ok: false, reason: 'id_token_issuer' }
}

/** Rules 3 to 5: we are in the audience, everybody else in it is trusted, and the token was made for us. */
function judgeAudience({ aud, azp }: Claims, { clientId, trustedParties }: IdTokenRules): Fault {
  const audiences = Array.isArray(aud) ? aud : [aud]
  const trusted = (party: unknown) => party === clientId || trustedParties.includes(party as string)
  if (!audiences.includes(clientId)) return { ok: false, reason: 'id_token_audience', detail: 'this client is not in it' }
  if (!audiences.every(trusted)) return { ok: false, reason: 'id_token_audience', detail: 'another audience is not trusted' }
  if (azp === undefined && audiences.length > 1) return { ok: false, reason: 'id_token_authorized_party', detail: 'azp is missing' }
  return azp === undefined || trusted(azp) ? undefined : { ok: false, reason: 'id_token_authorized_party' }
}

function judgeTimes({ exp, iat, nbf }: Claims, skew: number, now: number): Fault {
  if (!isDate(exp) || now >= exp + skew) return { ok: false, reason: 'id_token_expired' }
  if (!isDate(iat) || iat > now + skew) return { ok: false, reason: 'id_token_issued_at' }
  if (nbf !== undefined && (!isDate(nbf) || nbf > now + skew)) return { ok: false, reason: 'id_token_not_before' }
  return undefined
}

/** Rule 11: replay of a token from another sign-in. */
function judgeNonce({ nonce }: Claims, rules: IdTokenRules): Fault {
  return rules.nonce === undefined || nonce === rules.nonce ? undefined : { ok: false, reason: 'id_token_nonce' }
}

/** §3.1.3.8: optional in the code flow, but never wrong. */
function judgeAccessTokenHash({ at_hash }: Claims, { accessTokenHash }: IdTokenRules): Fault {
  return at_hash === undefined || at_hash === accessTokenHash ? undefined : { ok: false, reason: 'id_token_access_token_hash' }
}

function judgeSubject({ sub }: Claims): Fault {
  const isSubject = typeof sub === 'string' && sub.trim() !== '' && Buffer.byteLength(sub) <= MAX_SUB_BYTES && !/\p{Cc}/u.test(sub)
  return isSubject ? undefined : { ok: false, reason: 'id_token_subject' }
}

function isDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LAST_NUMERIC_DATE
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function malformed(detail: string): { ok: false; reason: IdTokenFault; detail: string } {
  return { ok: false, reason: 'id_token_malformed', detail }
}
