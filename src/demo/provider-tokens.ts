// What the demonstration's identity provider signs. The keys are made at start and known to nobody afterwards.
import { calculateJwkThumbprint, exportJWK, generateKeyPair, generateSecret, jwtVerify, SignJWT, type JWK, type JWTHeaderParameters, type JWTPayload } from 'jose'
import { findPerson, type Person } from './people.ts'

const ID_TOKEN_SECONDS = 300
const ACCESS_TOKEN_SECONDS = 300
const REFRESH_TOKEN_SECONDS = 7 * 86_400

type Use = 'access' | 'refresh'

export interface ProviderTokens {
  readonly jwks: { keys: JWK[] }
  idToken(person: Person, nonce: string | undefined): Promise<string>
  /** A token for this provider's own eyes. */
  own(person: Person, use: Use): Promise<string>
  /** Whose token this is, or undefined. */
  read(token: string, use: Use): Promise<Person | undefined>
}

export async function createProviderTokens(issuer: string, clientId: string): Promise<ProviderTokens> {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  // What nobody else has to verify needs no signature of a pair, which takes a hundred times as long.
  const ownKey = await generateSecret('HS256')
  const sign = (key: CryptoKey, header: JWTHeaderParameters, claims: JWTPayload, audience: string, seconds: number) =>
    new SignJWT(claims)
      .setProtectedHeader(header)
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
      .sign(key)
  const ownAudience = (use: Use) => `${issuer}/${use}`
  return {
    jwks: { keys: [{ ...publicJwk, kid, use: 'sig', alg: 'RS256' }] },
    idToken: (person, nonce) => sign(privateKey, { alg: 'RS256', kid, typ: 'JWT' }, { ...claimsOf(person), ...(nonce === undefined ? {} : { nonce }) }, clientId, ID_TOKEN_SECONDS),
    own: (person, use) => sign(ownKey, { alg: 'HS256', typ: 'JWT' }, { sub: subjectOf(person), login: person.login }, ownAudience(use), use === 'refresh' ? REFRESH_TOKEN_SECONDS : ACCESS_TOKEN_SECONDS),
    async read(token, use) {
      const verified = await jwtVerify(token, ownKey, { issuer, audience: ownAudience(use), algorithms: ['HS256'] }).catch(() => undefined)
      return findPerson(verified?.payload.login as string | undefined)
    },
  }
}

/** The claims of an id_token and of userinfo. */
export function claimsOf(person: Person): JWTPayload {
  const { name, email, groups } = person
  return { sub: subjectOf(person), name, email, email_verified: true, groups: [...groups] }
}

function subjectOf({ login }: Person): string {
  return `demo-${login}`
}
