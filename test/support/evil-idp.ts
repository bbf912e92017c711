// An OpenID provider that can say anything. Honest until a fault is set; records every request, so that a test can see
// what was not asked. Answers the authorization request itself: no browser, no pages.
import { createHash, generateKeyPairSync, randomBytes, sign as signBytes, type KeyObject } from 'node:crypto'

export interface EvilKey {
  kid: string | undefined
  privateKey: KeyObject
  jwk: Record<string, unknown>
}

export interface RecordedRequest {
  path: string
  method: string
  headers: Headers
  body: URLSearchParams
}

/** What an override hands back: a document to be sent as JSON, or a whole response. */
type Answer = unknown
type Claims = Record<string, unknown>

/** Each gets the honest document and gives the one that is sent. */
export interface Faults {
  discovery?: (document: Claims) => Answer
  jwks?: (document: { keys: unknown[] }) => Answer
  /** The claims of the next id_token; text is signed as it stands. */
  claims?: (claims: Claims) => Claims | string
  header?: (header: Claims) => Claims
  /** The finished token, to break or replace it. */
  idToken?: (token: string, claims: Claims) => string | undefined
  tokenResponse?: (document: Claims, form: URLSearchParams) => Answer
  userinfo?: (claims: Claims) => Answer
}

export interface EvilIdp {
  issuer: string
  clientId: string
  clientSecret: string
  faults: Faults
  /** The key that signs; `keys` are published. */
  key: EvilKey
  keys: EvilKey[]
  /** Claims of everybody who signs in, in the id_token. */
  person: Claims
  userinfo: Claims
  requests: RecordedRequest[]
  count(path: string): number
  last(path: string): RecordedRequest
  /** What the browser brings back after the person has agreed. */
  authorize(url: URL): URL
  stop(): void
}

interface Grant {
  nonce: string | null
  challenge: string | null
}

export const CALLBACK = 'https://gateway.example/oauth/callback'

export function rsaKey(kid: string | undefined, modulusLength = 2048): EvilKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), ...(kid !== undefined && { kid }), use: 'sig' } }
}

export function ecKey(kid: string): EvilKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } }
}

export const encode = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A compact JWS; the header's alg decides how it is signed. */
export function signToken(header: Claims, payload: Claims | string, { privateKey }: Pick<EvilKey, 'privateKey'>): string {
  const input = `${encode(header)}.${encode(payload)}`
  const bits = String(header.alg).slice(-3)
  const options = String(header.alg).startsWith('ES') ? { key: privateKey, dsaEncoding: 'ieee-p1363' as const } : privateKey
  return `${input}.${signBytes(`sha${bits}`, Buffer.from(input), options).toString('base64url')}`
}

const firstKey = rsaKey('key-1')

export function startEvilIdp(): EvilIdp {
  const grants = new Map<string, Grant>()
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 0, fetch: (request) => serve(request) })
  const issuer = `http://127.0.0.1:${server.port}`

  const idp: EvilIdp = {
    issuer,
    clientId: 'gatehouse',
    clientSecret: 'client-secret-canary',
    faults: {},
    key: firstKey,
    keys: [firstKey],
    person: { sub: 'alice', email: 'alice@corp.example', email_verified: true },
    userinfo: { sub: 'alice', name: 'Alice', groups: ['staff'] },
    requests: [],
    count: (path) => idp.requests.filter((request) => request.path === path).length,
    last: (path) => idp.requests.findLast((request) => request.path === path) as RecordedRequest,
    authorize(url) {
      const code = randomBytes(16).toString('hex')
      grants.set(code, { nonce: url.searchParams.get('nonce'), challenge: url.searchParams.get('code_challenge') })
      const callback = new URL(url.searchParams.get('redirect_uri') ?? CALLBACK)
      callback.searchParams.set('code', code)
      callback.searchParams.set('state', url.searchParams.get('state') ?? '')
      return callback
    },
    stop: () => void server.stop(true),
  }

  async function serve(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname
    const body = new URLSearchParams(await request.text())
    idp.requests.push({ path, method: request.method, headers: request.headers, body })
    const { faults } = idp
    switch (path) {
      case '/.well-known/openid-configuration':
      case '/elsewhere':
        return respond(apply(faults.discovery, discoveryDocument(issuer)))
      case '/jwks':
        return respond(apply(faults.jwks, { keys: idp.keys.map(({ jwk }) => jwk) }))
      case '/token':
        return respond(token(body))
      case '/userinfo':
        return respond(apply(faults.userinfo, { ...idp.userinfo }))
      default:
        return new Response(null, { status: 404 })
    }
  }

  function token(form: URLSearchParams): Answer {
    const grant = grants.get(form.get('code') ?? '')
    const isRefresh = form.get('grant_type') === 'refresh_token'
    if (!isRefresh && !isRedeemable(grant, form)) return Response.json({ error: 'invalid_grant' }, { status: 400 })
    grants.delete(form.get('code') ?? '')
    const id_token = idToken(isRefresh ? null : (grant?.nonce ?? null))
    const document = { access_token: 'access-token-canary', token_type: 'Bearer', expires_in: 3600, refresh_token: 'refresh-token-canary', ...(id_token !== undefined && { id_token }) }
    return idp.faults.tokenResponse === undefined ? document : idp.faults.tokenResponse(document, form)
  }

  function idToken(nonce: string | null): string | undefined {
    const now = Math.floor(Date.now() / 1000)
    const honest = { iss: issuer, aud: idp.clientId, iat: now, exp: now + 300, ...(nonce !== null && { nonce }), ...idp.person }
    const claims = idp.faults.claims?.(honest) ?? honest
    const header = apply(idp.faults.header, { alg: 'RS256', typ: 'JWT', ...(idp.key.kid !== undefined && { kid: idp.key.kid }) }) as Claims
    const signed = signToken(header, claims, idp.key)
    return idp.faults.idToken === undefined ? signed : idp.faults.idToken(signed, honest)
  }

  return idp
}

function apply<document>(fault: ((document: document) => Answer) | undefined, document: document): Answer {
  return fault === undefined ? document : fault(document)
}

async function respond(answer: Answer): Promise<Response> {
  const settled = await answer
  return settled instanceof Response ? settled : Response.json(settled)
}

/** RFC 7636 §4.6, as a provider that means it. */
function isRedeemable(grant: Grant | undefined, form: URLSearchParams): boolean {
  if (grant === undefined || form.get('redirect_uri') !== CALLBACK) return false
  if (grant.challenge === null) return true
  return createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url') === grant.challenge
}

function discoveryDocument(issuer: string): Claims {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
  }
}
