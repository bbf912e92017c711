// From a token as the provider sent it to claims that may be believed. The signature is verified although the token
// came over TLS (OpenID Connect Core §3.1.3.7 rule 6 would let us skip that).
import { createHash } from 'node:crypto'
import { compactVerify, type CryptoKey } from 'jose'
import type { Result } from '../std/result.ts'
import { judgeClaims, readClaims, readHeader, type Claims } from './id-token.ts'
import type { KeySet, KeySetFault } from './key-set.ts'
import type { IdTokenFault } from './refusal.ts'

export interface IdTokenCheck {
  token: string | undefined
  accessToken: string
  /** Undefined at a refresh. */
  nonce: string | undefined
  nowSeconds: number
}

export type VerifyIdToken = (check: IdTokenCheck) => Promise<Result<{ sub: string; claims: Claims }, IdTokenFault | KeySetFault>>

export interface IdTokenVerifierOptions {
  keySet: KeySet
  algorithm: string
  issuer: string
  clientId: string
  trustedParties: readonly string[]
  clockSkewSeconds: number
}

export function createIdTokenVerifier({ keySet, algorithm, ...rules }: IdTokenVerifierOptions): VerifyIdToken {
  return async ({ token, accessToken, nonce, nowSeconds }) => {
    if (token === undefined) return { ok: false, reason: 'id_token_missing' }
    const header = readHeader(token, algorithm)
    if (!header.ok) return header
    const payload = await verifySignature(token, header.value.kid, keySet, algorithm)
    if (!payload.ok) return payload
    const claims = readClaims(payload.value)
    if (!claims.ok) return claims
    return judgeClaims(claims.value, { ...rules, nonce, accessTokenHash: halfHash(accessToken, algorithm) }, nowSeconds)
  }
}

/** Tries the fitting keys; when none fits, the provider may just have rotated them: once more with the set of now. */
async function verifySignature(token: string, kid: string | undefined, keySet: KeySet, algorithm: string): Promise<Result<Uint8Array, 'id_token_signature' | KeySetFault>> {
  for (let attempt = 0; ; attempt++) {
    const keys = await keySet.keysFor(kid)
    if (!keys.ok) return keys
    for (const key of keys.value) {
      const payload = await payloadSignedBy(key, token, algorithm)
      if (payload !== undefined) return { ok: true, value: payload }
    }
    // A named key that is there and did not sign is a forgery, not a rotation.
    const mayHaveRotated = attempt === 0 && (kid === undefined || keys.value.length === 0)
    const renewed = mayHaveRotated ? await keySet.renew() : { ok: true as const, value: false }
    if (!renewed.ok) return renewed
    if (!renewed.value) return { ok: false, reason: 'id_token_signature', detail: keys.value.length === 0 ? 'no such key' : 'no key fits' }
  }
}

async function payloadSignedBy(key: CryptoKey, token: string, algorithm: string): Promise<Uint8Array | undefined> {
  try {
    return (await compactVerify(token, key, { algorithms: [algorithm] })).payload
  } catch {
    return undefined
  }
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash, in the hash function of the token's own algorithm. */
function halfHash(text: string, algorithm: string): string {
  const bits = algorithm === 'EdDSA' ? '512' : algorithm.slice(-3)
  const digest = createHash(`sha${bits}`).update(text).digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
