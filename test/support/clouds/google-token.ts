// Google's token endpoints on 127.0.0.1: OAuth (keys and users), the token exchange, and impersonation. It verifies what it is sent.
import { jwtVerify } from 'jose'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'

const AUDIENCE = 'https://oauth2.googleapis.com/token'
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'

export interface GoogleRequest {
  path: string
  form: Record<string, string>
  authorization: string | undefined
  json: Record<string, unknown> | undefined
}

export interface TestGoogle {
  url: string
  requests: GoogleRequest[]
  /** A key file's content; the key is known to the endpoint from now on. */
  createKey(email?: string): Record<string, string>
  /** Answers the next request, before anything is verified. */
  enqueue(...answers: (() => Response)[]): void
  stop(): Promise<void>
}

/** Tokens are called `google-1`, `google-2`, ... `now` is the clock that assertions are judged by. */
export function startGoogle({ now = () => new Date(), lifetimeSeconds = 3600 }: { now?: () => Date; lifetimeSeconds?: number } = {}): TestGoogle {
  const keys = new Map<string, { email: string; publicKey: KeyObject }>()
  const queue: (() => Response)[] = []
  const requests: GoogleRequest[] = []
  const issued = new Set<string>()

  const issue = () => {
    const token = `google-${issued.size + 1}`
    issued.add(token)
    return token
  }
  const grant = () => Response.json({ access_token: issue(), expires_in: lifetimeSeconds, token_type: 'Bearer' })
  const refuse = (error: string, error_description: string) => Response.json({ error, error_description }, { status: 400 })

  async function verifyAssertion(assertion: string): Promise<Response> {
    const find = ({ kid = '' }: { kid?: string }) => {
      const key = keys.get(kid)
      if (key === undefined) throw new Error('unknown kid')
      return key.publicKey
    }
    try {
      const { payload, protectedHeader } = await jwtVerify(assertion, find, { algorithms: ['RS256'], audience: AUDIENCE, currentDate: now(), clockTolerance: 1, requiredClaims: ['iat', 'exp'] })
      const isOwner = payload.iss === keys.get(protectedHeader.kid ?? '')?.email
      const isShort = (payload.exp ?? 0) - (payload.iat ?? 0) <= 3600 && (payload.iat ?? 0) * 1000 <= now().getTime() + 1000
      return isOwner && isShort && payload.scope === SCOPE && payload.sub === undefined ? grant() : refuse('invalid_grant', 'Invalid JWT: a claim is wrong.')
    } catch {
      return refuse('invalid_grant', 'Invalid JWT Signature.')
    }
  }

  function oauth(form: Record<string, string>): Response | Promise<Response> {
    if (form.grant_type === 'urn:ietf:params:oauth:grant-type:jwt-bearer') return verifyAssertion(form.assertion ?? '')
    const isUser = form.grant_type === 'refresh_token' && form.client_id === 'a-client' && form.client_secret === 'a-client-secret' && form.refresh_token === '1//a-refresh-token'
    return isUser ? grant() : refuse('invalid_grant', 'Bad Request')
  }

  function exchange(form: Record<string, string>): Response {
    const expected = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster',
      scope: SCOPE,
    }
    const isRight = Object.entries(expected).every(([name, value]) => form[name] === value)
    return isRight && form.subject_token?.startsWith('subject-') ? grant() : refuse('invalid_request', 'The exchange is not understood.')
  }

  function impersonate({ authorization, json }: GoogleRequest): Response {
    if (!issued.has(authorization?.replace('Bearer ', '') ?? '')) return Response.json({ error: { code: 401, status: 'UNAUTHENTICATED', message: 'Who are you?' } }, { status: 401 })
    if (!Bun.deepEquals(json?.scope, [SCOPE]) || json?.lifetime !== '3600s') return Response.json({ error: { code: 400, status: 'INVALID_ARGUMENT', message: 'Bad scope.' } }, { status: 400 })
    return Response.json({ accessToken: `impersonated-by-${authorization?.replace('Bearer ', '')}`, expireTime: new Date(now().getTime() + lifetimeSeconds * 1000).toISOString() })
  }

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(incoming) {
      const text = await incoming.text()
      const isJson = incoming.headers.get('content-type')?.startsWith('application/json') ?? false
      const path = new URL(incoming.url).pathname
      const request = {
        path,
        authorization: incoming.headers.get('authorization') ?? undefined,
        form: isJson ? {} : Object.fromEntries(new URLSearchParams(text)),
        json: isJson ? JSON.parse(text) : undefined,
      }
      requests.push(request)
      const scripted = queue.shift()
      if (scripted !== undefined) return scripted()
      if (incoming.method !== 'POST') return new Response(null, { status: 405 })
      if (path === '/token') return oauth(request.form)
      if (path === '/v1/token') return exchange(request.form)
      return path.endsWith(':generateAccessToken') ? impersonate(request) : new Response(null, { status: 404 })
    },
  })
  const url = `http://127.0.0.1:${server.port}`

  return {
    url,
    requests,
    createKey(email = 'gateway@project.iam.gserviceaccount.com') {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const kid = `kid-${keys.size + 1}`
      keys.set(kid, { email, publicKey })
      return { type: 'service_account', project_id: 'project', private_key_id: kid, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, client_email: email, token_uri: `${url}/token` }
    },
    enqueue: (...answers) => void queue.push(...answers),
    stop: () => server.stop(true),
  }
}
