// Microsoft Entra's token endpoint, by TLS as upstream.test. It verifies the client that asks: a secret, or a federated token.

export interface EntraRequest {
  method: string
  path: string
  form: Record<string, string>
  headers: Record<string, string>
}

export interface TestEntra {
  /** `https://upstream.test:<port>`; the name leads here for whom the test tells so. */
  authority: string
  port: number
  requests: EntraRequest[]
  /** Those to the token endpoint. */
  tokenRequests(): EntraRequest[]
  /** Answers the next request to the token endpoint. */
  enqueue(...answers: (() => Response)[]): void
  stop(): Promise<void>
}

export const TENANT = '11111111-2222-3333-4444-555555555555'
export const CLIENT = '99999999-8888-7777-6666-555555555555'
export const CLIENT_SECRET = 'entra-client-secret'
const certificates = new URL('../../fixtures/tls/', import.meta.url)

/** What Entra adds to every refusal. */
const TRACE = ' Trace ID: 0b8dd8c5-1f2e-4d2e-8b9c-2f4b9a7c1a00 Correlation ID: 3c1d7a2e-6f3f-4c5b-9d0a-8e7f6a5b4c3d Timestamp: 2026-11-22 10:00:00Z'

/** A refusal in Entra's words. */
export function refusal(status: number, error: string, code: number, sentence: string): () => Response {
  return () => Response.json({ error, error_description: `AADSTS${code}: ${sentence} See https://aka.ms/more for details.${TRACE}`, error_codes: [code] }, { status })
}

/** Tokens are called `entra-1`, `entra-2`, ...; assertions must begin with `federated-`. */
export async function startEntra({ lifetimeSeconds = 3600, refreshInSeconds }: { lifetimeSeconds?: number; refreshInSeconds?: number } = {}): Promise<TestEntra> {
  const queue: (() => Response)[] = []
  const requests: EntraRequest[] = []
  let issued = 0

  function grant({ form }: EntraRequest): Response {
    if (form.grant_type !== 'client_credentials' || form.scope?.split(' ')[0] !== 'https://ai.azure.com/.default') return refusal(400, 'invalid_scope', 70011, 'The scope is not valid.')()
    if (form.client_id !== CLIENT) return refusal(400, 'unauthorized_client', 700016, `Application with identifier '${form.client_id}' was not found in the directory 'Contoso Ltd.example'.`)()
    const isFederated = form.client_assertion_type === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' && form.client_assertion?.startsWith('federated-')
    if (form.client_secret !== CLIENT_SECRET && !isFederated) return refusal(401, 'invalid_client', 7000215, 'Invalid client secret provided.')()
    return Response.json({ token_type: 'Bearer', access_token: `entra-${++issued}`, expires_in: lifetimeSeconds, ext_expires_in: lifetimeSeconds, ...(refreshInSeconds !== undefined && { refresh_in: refreshInSeconds }) })
  }

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: { cert: await Bun.file(new URL('upstream.pem', certificates)).text(), key: await Bun.file(new URL('upstream.key', certificates)).text() },
    async fetch(incoming) {
      const path = new URL(incoming.url).pathname
      const request = { method: incoming.method, path, form: Object.fromEntries(new URLSearchParams(await incoming.text())), headers: incoming.headers.toJSON() as Record<string, string> }
      requests.push(request)
      if (path === `/${TENANT}/v2.0/.well-known/openid-configuration`) return Response.json(metadata())
      if (path !== `/${TENANT}/oauth2/v2.0/token` || incoming.method !== 'POST') return new Response(null, { status: 404 })
      return queue.shift()?.() ?? grant(request)
    },
  })
  const port = server.port as number
  const authority = `https://upstream.test:${port}`
  const metadata = () => ({
    issuer: `${authority}/${TENANT}/v2.0`,
    authorization_endpoint: `${authority}/${TENANT}/oauth2/v2.0/authorize`,
    token_endpoint: `${authority}/${TENANT}/oauth2/v2.0/token`,
    jwks_uri: `${authority}/${TENANT}/discovery/v2.0/keys`,
  })

  return { authority, port, requests, tokenRequests: () => requests.filter(({ path }) => path.endsWith('/token')), enqueue: (...answers) => void queue.push(...answers), stop: () => server.stop(true) }
}
