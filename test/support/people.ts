// Many people who have signed in, without a browser for each: tokens signed with the gateway's own secret.
import { createTokens } from '../../src/session/token.ts'
import { Secret } from '../../src/std/secret.ts'

export const SESSION_SECRET = 'the-secret-of-people-who-signed-in-elsewhere'

/** A world configured with `session: { jwt_secret: SESSION_SECRET }` at this public URL takes these people's tokens. */
export function createPeople(publicUrl: string): (login: string) => Promise<string> {
  const tokens = createTokens({ secrets: [new Secret(SESSION_SECRET)], issuer: publicUrl, ttlSeconds: 3600 })
  return async (login) => {
    const identity = { issuer: 'https://idp.example.com', sub: login, email: `${login}@example.com`, name: login, groups: [] }
    return tokens.mint(identity, `session-of-${login}`, Math.floor(Date.now() / 1000)).token
  }
}
