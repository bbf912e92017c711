// A small OpenID provider that signs in anybody, for the demonstration alone. It listens on 127.0.0.1, knows one client
// and is made by demo.ts and nothing else.
import { timingSafeEqual } from 'node:crypto'
import { answerTo, createCodes, readAuthorizationRequest, type Client, type Codes } from './authorization.ts'
import { findPerson, type Person } from './people.ts'
import { claimsOf, createProviderTokens, type ProviderTokens } from './provider-tokens.ts'
import { badRequestPage, choosePersonPage } from './sign-in-page.ts'

export interface IdentityProvider {
  readonly issuer: string
  stop(): Promise<void>
}

interface Provider {
  issuer: string
  client: Client
  codes: Codes
  tokens: ProviderTokens
}

type Endpoint = (provider: Provider, request: Request) => Response | Promise<Response>

const ENDPOINTS: Record<string, Endpoint> = {
  'GET /.well-known/openid-configuration': ({ issuer }) => Response.json(metadata(issuer)),
  'GET /jwks': ({ tokens }) => Response.json(tokens.jwks),
  'GET /authorize': (provider, request) => authorize(provider, new URL(request.url).searchParams),
  'POST /authorize': async (provider, request) => authorize(provider, await form(request)),
  'POST /token': async (provider, request) => exchange(provider, await form(request), request.headers),
  'GET /userinfo': (provider, request) => userinfo(provider, request.headers),
}

export async function startIdentityProvider(client: Client): Promise<IdentityProvider> {
  let provider: Provider | undefined
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => (provider === undefined ? new Response(null, { status: 503 }) : answer(provider, request)),
  })
  const issuer = `http://127.0.0.1:${server.port}`
  provider = { issuer, client, codes: createCodes(), tokens: await createProviderTokens(issuer, client.clientId) }
  return { issuer, stop: () => server.stop(true) }
}

function answer(provider: Provider, request: Request): Response | Promise<Response> {
  // A page elsewhere whose name was made to resolve to 127.0.0.1 would send its own name.
  if (request.headers.get('host') !== new URL(provider.issuer).host) return new Response('unknown host\n', { status: 421 })
  const endpoint = ENDPOINTS[`${request.method} ${new URL(request.url).pathname}`]
  return endpoint === undefined ? new Response('not found\n', { status: 404 }) : endpoint(provider, request)
}

/** Shows the people, or answers the client once one is chosen. `login_hint` chooses without the page (OpenID Connect Core §3.1.2.1). */
function authorize({ issuer, client, codes }: Provider, parameters: URLSearchParams): Response {
  const reading = readAuthorizationRequest(parameters, client)
  if (!reading.ok) return 'message' in reading ? badRequestPage(reading.message) : seeOther(answerTo(reading, issuer, { error: reading.error }))
  const chosen = parameters.get('person') ?? parameters.get('login_hint')
  if (chosen === null) return choosePersonPage(parameters, new URL(client.redirectUri).origin)
  const person = findPerson(chosen)
  if (person === undefined) return seeOther(answerTo(reading.request, issuer, { error: 'access_denied' }))
  return seeOther(answerTo(reading.request, issuer, { code: codes.issue({ person, request: reading.request }, Date.now()) }))
}

async function exchange(provider: Provider, parameters: URLSearchParams, headers: Headers): Promise<Response> {
  if (!isClient(provider.client, parameters, headers)) return refusal(401, 'invalid_client')
  const get = (name: string) => parameters.get(name) ?? ''
  switch (get('grant_type')) {
    case 'authorization_code': {
      const grant = provider.codes.redeem(get('code'), get('code_verifier'), Date.now())
      if (grant === undefined || get('redirect_uri') !== grant.request.redirectUri) return refusal(400, 'invalid_grant')
      return tokenAnswer(provider, grant.person, grant.request.nonce, grant.request.scopes.includes('offline_access'))
    }
    case 'refresh_token': {
      const person = await provider.tokens.read(get('refresh_token'), 'refresh')
      return person === undefined ? refusal(400, 'invalid_grant') : tokenAnswer(provider, person, undefined, true)
    }
    default:
      return refusal(400, 'unsupported_grant_type')
  }
}

async function tokenAnswer({ tokens }: Provider, person: Person, nonce: string | undefined, offline: boolean): Promise<Response> {
  const [idToken, accessToken, refreshToken] = await Promise.all([tokens.idToken(person, nonce), tokens.own(person, 'access'), tokens.own(person, 'refresh')])
  const answer = { access_token: accessToken, token_type: 'Bearer', expires_in: 300, id_token: idToken, ...(offline ? { refresh_token: refreshToken } : {}) }
  return Response.json(answer, { headers: { 'cache-control': 'no-store' } })
}

async function userinfo({ tokens }: Provider, headers: Headers): Promise<Response> {
  const person = await tokens.read(/^Bearer (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? '', 'access')
  return person === undefined ? refusal(401, 'invalid_token') : Response.json(claimsOf(person))
}

/** RFC 6749 §2.3.1: the secret in the Authorization header, form-encoded there, or in the form. */
function isClient(client: Client, parameters: URLSearchParams, headers: Headers): boolean {
  const basic = /^Basic (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  const presented = basic === undefined ? `${parameters.get('client_id')}:${parameters.get('client_secret')}` : formDecoded(Buffer.from(basic, 'base64').toString())
  const [given, expected] = [presented, `${client.clientId}:${client.clientSecret}`].map((text) => Buffer.from(text))
  return given !== undefined && expected !== undefined && given.length === expected.length && timingSafeEqual(given, expected)
}

function metadata(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    claims_supported: ['sub', 'name', 'email', 'email_verified', 'groups'],
    authorization_response_iss_parameter_supported: true,
  }
}

function formDecoded(text: string): string {
  return new URLSearchParams(`text=${text.replaceAll('&', '')}`).get('text') ?? ''
}

async function form(request: Request): Promise<URLSearchParams> {
  return new URLSearchParams(await request.text())
}

function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location, 'cache-control': 'no-store' } })
}

function refusal(status: number, error: string): Response {
  return Response.json({ error }, { status, headers: { 'cache-control': 'no-store' } })
}
