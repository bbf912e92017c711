// What a virtual machine, a pod or an app finds at its metadata address: Google's server, Azure's IMDS, App Service's endpoint.

export interface MetadataRequest {
  path: string
  query: Record<string, string>
  headers: Record<string, string>
}

export interface TestMetadata {
  url: string
  /** Host and port. */
  host: string
  requests: MetadataRequest[]
  /** Answers the next request. */
  enqueue(...answers: (() => Response)[]): void
  stop(): Promise<void>
}

const APP_SERVICE_HEADER = 'app-service-secret'
const GOOGLE_PATH = '/computeMetadata/v1/instance/service-accounts/default/token'

/** Tokens are called `metadata-1`, `metadata-2`, ... */
export function startMetadata({ lifetimeSeconds = 3600, now = () => new Date() }: { lifetimeSeconds?: number; now?: () => Date } = {}): TestMetadata {
  const queue: (() => Response)[] = []
  const requests: MetadataRequest[] = []
  let issued = 0

  function google({ headers, query }: MetadataRequest): Response {
    if (headers['metadata-flavor'] !== 'Google') return new Response('Missing Metadata-Flavor:Google header.', { status: 403 })
    if (query.scopes !== 'https://www.googleapis.com/auth/cloud-platform') return new Response('bad scopes', { status: 400 })
    return Response.json({ access_token: `metadata-${++issued}`, expires_in: lifetimeSeconds, token_type: 'Bearer' }, { headers: { 'metadata-flavor': 'Google' } })
  }

  const azure = (query: Record<string, string>, version: string) => {
    if (query['api-version'] !== version || query.resource !== 'https://ai.azure.com') return Response.json({ error: 'invalid_request' }, { status: 400 })
    const expiresOn = String(Math.floor(now().getTime() / 1000) + lifetimeSeconds)
    return Response.json({ access_token: `metadata-${++issued}`, expires_on: expiresOn, resource: query.resource, token_type: 'Bearer' })
  }

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(incoming) {
      const { pathname: path, searchParams } = new URL(incoming.url)
      const request = { path, query: Object.fromEntries(searchParams), headers: incoming.headers.toJSON() as Record<string, string> }
      requests.push(request)
      const scripted = queue.shift()
      if (scripted !== undefined) return scripted()
      if (path === GOOGLE_PATH) return google(request)
      if (path === '/metadata/identity/oauth2/token') return request.headers.metadata === 'true' ? azure(request.query, '2018-02-01') : Response.json({ error: 'invalid_request' }, { status: 400 })
      if (path === '/msi/token') return request.headers['x-identity-header'] === APP_SERVICE_HEADER ? azure(request.query, '2019-08-01') : new Response(null, { status: 401 })
      return new Response(null, { status: 404 })
    },
  })
  const host = `127.0.0.1:${server.port}`
  return { url: `http://${host}`, host, requests, enqueue: (...answers) => void queue.push(...answers), stop: () => server.stop(true) }
}

/** What App Service sets in the environment of an app. */
export function appServiceVariables(metadata: TestMetadata): Record<string, string> {
  return { IDENTITY_ENDPOINT: `${metadata.url}/msi/token`, IDENTITY_HEADER: APP_SERVICE_HEADER }
}
