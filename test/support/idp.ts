// A real OpenID provider: oidc-provider, with two people.
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

export interface TestIdp {
  issuer: string
  clientId: string
  clientSecret: string
  /** The account is gone: no sign-in, no refresh. */
  disable(sub: string): void
  enable(sub: string): void
  setClaims(sub: string, claims: Record<string, unknown>): void
  stop(): Promise<void>
}

const CLIENT = { id: 'gatehouse', secret: 'a-client-secret-of-the-test-provider' }

export async function startIdp({ redirectUri, refreshTokens = true }: { redirectUri: string; refreshTokens?: boolean }): Promise<TestIdp> {
  const people = new Map<string, Record<string, unknown>>([
    ['alice', { email: 'alice@example.com', email_verified: true, name: 'Alice A', groups: ['engineering'] }],
    ['bob', { email: 'bob@example.com', email_verified: true, name: 'Bob B', groups: ['contractors'] }],
  ])
  const disabled = new Set<string>()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const provider = new Provider(issuer, {
    clients: [
      { client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access', 'email', 'profile'],
    features: { devInteractions: { enabled: true } },
    findAccount: async (_: unknown, id: string) => (disabled.has(id) ? undefined : { accountId: id, claims: async () => ({ sub: id, ...people.get(id) }) }),
    issueRefreshToken: async () => refreshTokens,
    cookies: { keys: ['test'] },
    ttl: { AccessToken: 3600, IdToken: 3600, RefreshToken: 86_400, Session: 3600, Grant: 3600, Interaction: 3600 },
  })
  server.on('request', provider.callback())
  return {
    issuer,
    clientId: CLIENT.id,
    clientSecret: CLIENT.secret,
    disable: (sub) => void disabled.add(sub),
    enable: (sub) => void disabled.delete(sub),
    setClaims: (sub, claims) => void people.set(sub, { ...people.get(sub), ...claims }),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
