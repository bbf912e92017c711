// What the demonstration's identity provider signs. The key is made at start and known to nobody afterwards.
import { calculateJwkThumbprint, exportJWK, generateKeyPair, jwtVerify, SignJWT, type JWK, type JWTPayload } from 'jose'
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
  const sign = (claims: JWTPayload, audience: string, seconds: number) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
      .sign(privateKey)
  const ownAudience = (use: Use) => `${issuer}/${use}`
  return {
    jwks: { keys: [{ ...publicJwk, kid, use: 'sig', alg: 'RS256' }] },
    idToken: (person, nonce) => sign({ ...claimsOf(person), ...(nonce === undefined ? {} : { nonce }) }, clientId, ID_TOKEN_SECONDS),
    own: (person, use) => sign({ sub: subjectOf(person), login: person.login }, ownAudience(use), use === 'refresh' ? REFRESH_TOKEN_SECONDS : ACCESS_TOKEN_SECONDS),
    async read(token, use) {
      const verified = await jwtVerify(token, publicKey, { issuer, audience: ownAudience(use), algorithms: ['RS256'] }).catch(() => undefined)
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
