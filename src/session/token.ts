// The bearer token: an HS256 JWT with everything pinned. Libraries accept too much by default (any HMAC size, any
// type, no expiry), so every property of RFC 8725 that matters is asked for here, by name.
import { jwtVerify } from 'jose'
import { createHash, createHmac } from 'node:crypto'
import type { Identity, Principal } from '../principal.ts'
import type { Result } from '../std/result.ts'
import type { Secret } from '../std/secret.ts'
import { fittingGroups, type RelevantGroups } from './fitting-groups.ts'

export const AUDIENCE = 'claude-gateway'
/** RFC 9068 §2.1: says that this is an access token and not any other JWT signed with the same secret. */
const TYPE = 'at+jwt'
const CLOCK_SKEW_SECONDS = 60
/** No configuration mints a longer-lived token, so a longer-lived one is a forgery. */
const MAX_LIFETIME_SECONDS = 24 * 3600
/** The client drops a credential of more than 16,384 characters. */
const MAX_TOKEN_CHARACTERS = 16_384
/** The server takes 16 KiB of headers, and a client may send the token in two of them. */
const MAX_GROUP_CHARACTERS = 4500
const MAX_CACHED = 20_000

export type VerifyReason = 'malformed' | 'unknown_key' | 'bad_signature_or_claims' | 'expired' | 'bad_claims'

export interface Tokens {
  readonly ttlSeconds: number
  /** Signs a token for one sign-in. `expiresIn` is in seconds. */
  mint(identity: Identity, sid: string, nowSeconds: number): { token: string; jti: string; expiresIn: number }
  /** Judges a token; says nothing of revocation. */
  verify(token: string, nowSeconds: number): Promise<Result<Principal, VerifyReason>>
}

export interface TokenOptions {
  /** At least one; the first signs, all verify. */
  secrets: readonly Secret[]
  /** `listen.public_url`. */
  issuer: string
  ttlSeconds: number
  /** Groups that some rule names; kept first when a person has more groups than fit. */
  relevantGroups?: RelevantGroups
}

export function createTokens({ secrets, issuer, ttlSeconds, relevantGroups = new Set<string>() }: TokenOptions): Tokens {
  const keys = new Map(secrets.map((secret) => [keyId(secret), new TextEncoder().encode(secret.reveal())]))
  const [signingKid, signingKey] = keys.entries().next().value as [string, Uint8Array]
  const header = encoded({ alg: 'HS256', typ: TYPE, kid: signingKid })
  const verified = new Map<string, Principal>()

  async function judge(token: string, nowSeconds: number): Promise<Result<Principal, VerifyReason>> {
    const kid = readKid(token)
    if (kid === undefined) return { ok: false, reason: 'malformed' }
    const key = keys.get(kid)
    if (key === undefined) return { ok: false, reason: 'unknown_key' }
    const checked = await jwtVerify(token, key, {
      algorithms: ['HS256'],
      typ: TYPE,
      issuer,
      audience: AUDIENCE,
      clockTolerance: 0,
      currentDate: new Date(nowSeconds * 1000),
      requiredClaims: ['sub', 'exp', 'iat', 'jti', 'sid'],
    }).catch((error: { code?: string }) => error.code ?? 'ERR')
    if (typeof checked === 'string') return { ok: false, reason: checked === 'ERR_JWT_EXPIRED' ? 'expired' : 'bad_signature_or_claims' }
    const principal = toPrincipal(checked.payload, nowSeconds)
    return principal === undefined ? { ok: false, reason: 'bad_claims' } : { ok: true, value: principal }
  }

  return {
    ttlSeconds,
    mint(identity, sid, nowSeconds) {
      const jti = crypto.randomUUID()
      const claims = {
        idp: identity.issuer,
        sid,
        ...(identity.email === undefined ? {} : { email: identity.email }),
        ...(identity.name === undefined ? {} : { name: identity.name.slice(0, 256) }),
        groups: fittingGroups(identity.groups, relevantGroups, MAX_GROUP_CHARACTERS),
        iss: issuer,
        aud: AUDIENCE,
        sub: identity.sub,
        jti,
        iat: nowSeconds,
        exp: nowSeconds + ttlSeconds,
      }
      return { token: sign(header, claims, signingKey), jti, expiresIn: ttlSeconds }
    },
    async verify(token, nowSeconds) {
      const known = verified.get(token)
      if (known !== undefined) return known.expiresAt > nowSeconds ? { ok: true, value: known } : { ok: false, reason: 'expired' }
      const result = await judge(token, nowSeconds)
      if (result.ok) remember(verified, token, result.value)
      return result
    },
  }
}

/**
 * RFC 7515 §7.1 with RFC 7518 §3.2. Here and not in the library that verifies, because that one goes through WebCrypto: a
 * thread of its own and thirty times the time, for a hash of half a kilobyte.
 */
function sign(header: string, claims: object, key: Uint8Array): string {
  const input = `${header}.${encoded(claims)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

/** The cache's key is the whole token: a prefix would answer with somebody else's identity. */
function remember(verified: Map<string, Principal>, token: string, principal: Principal): void {
  verified.set(token, principal)
  if (verified.size > MAX_CACHED) verified.delete(verified.keys().next().value as string)
}

/** Depends on the secret, so that a rotated secret gets another id; reveals nothing of it. */
function keyId(secret: Secret): string {
  return createHash('sha256').update('gatehouse kid').update(secret.reveal()).digest('base64url').slice(0, 11)
}

/** Only the canonical spelling of a token is a token: padding, blanks and spare bits are refused. */
function readKid(token: string): string | undefined {
  if (token.length > MAX_TOKEN_CHARACTERS || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return undefined
  const [head = '', payload = '', signature = ''] = token.split('.')
  if (![head, payload, signature].every(isCanonical)) return undefined
  try {
    const text = Buffer.from(payload, 'base64url').toString('utf8')
    // A payload with a name twice reads differently to different parsers.
    if (JSON.stringify(JSON.parse(text)) !== text) return undefined
    const kid: unknown = JSON.parse(Buffer.from(head, 'base64url').toString('utf8')).kid
    return typeof kid === 'string' ? kid : undefined
  } catch {
    return undefined
  }
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

function toPrincipal(claims: Record<string, unknown>, nowSeconds: number): Principal | undefined {
  const { sub, exp, iat, jti, sid, idp, email, name, groups } = claims
  if (!isText(sub, 255) || !isText(jti, 64) || !isText(sid, 64) || !isText(idp, 2048)) return undefined
  if (!Number.isSafeInteger(exp) || !Number.isSafeInteger(iat)) return undefined
  const [expiresAt, issuedAt] = [exp as number, iat as number]
  if (issuedAt > nowSeconds + CLOCK_SKEW_SECONDS || expiresAt - issuedAt > MAX_LIFETIME_SECONDS) return undefined
  if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string')) return undefined
  return {
    issuer: idp,
    sub,
    email: typeof email === 'string' ? email : undefined,
    name: typeof name === 'string' ? name : undefined,
    groups,
    sid,
    jti,
    expiresAt,
  }
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxLength
}
