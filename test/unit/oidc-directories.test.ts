import { afterAll, describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader, importSPKI, jwtVerify } from 'jose'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { createEntraGroups, graphOrigin } from '../../src/oidc/entra-groups.ts'
import { createGoogleGroups } from '../../src/oidc/google-groups.ts'
import { createProviderFetch } from '../../src/oidc/provider-fetch.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-directories-'))
const closers = [() => rmSync(directory, { recursive: true })]
afterAll(() => closers.forEach((close) => close()))

const provider = createProviderFetch({ fetch: createGuardedFetch({ allowLoopback: true }), timeoutMs: 2_000 })

interface Seen {
  url: URL
  method: string
  headers: Headers
  body: string
}

/** A directory of ours: `answer` for each request, in order of arrival. */
function startDirectory(answer: (request: Seen, index: number) => Response) {
  const seen: Seen[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const entry = { url: new URL(request.url), method: request.method, headers: request.headers, body: await request.text() }
      seen.push(entry)
      return answer(entry, seen.length - 1)
    },
  })
  closers.push(() => server.stop(true))
  return { origin: `http://127.0.0.1:${server.port}`, seen }
}

describe('Entra groups', () => {
  const person = { email: undefined, accessToken: 'graph-token' }

  test('come from Graph in one answer, asked with the access token of the person', async () => {
    const graph = startDirectory(() => Response.json({ '@odata.context': 'x', value: ['id-1', 'id-2'] }))
    const lookup = createEntraGroups({ origin: graph.origin, fetch: provider })
    expect(await lookup(person)).toEqual({ ok: true, value: ['id-1', 'id-2'] })
    const [request] = graph.seen
    expect(`${request?.method} ${request?.url.pathname}`).toBe('POST /v1.0/me/getMemberObjects')
    expect(request?.headers.get('authorization')).toBe('Bearer graph-token')
    expect(JSON.parse(request?.body ?? '')).toEqual({ securityEnabledOnly: false })
  })

  test.each([
    ['a list that goes on elsewhere', () => Response.json({ value: ['id-1'], '@odata.nextLink': 'https://evil.example/next' }), 'group_lookup'],
    ['something that is no list', () => Response.json({ value: 'id-1' }), 'group_lookup'],
    ['objects instead of ids', () => Response.json({ value: [{ id: 'id-1' }] }), 'group_lookup'],
    ['a page', () => new Response('<html>'), 'group_lookup'],
    ['a refusal', () => Response.json({ error: {} }, { status: 403 }), 'group_lookup'],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }), 'group_lookup'],
    ['too many requests', () => new Response(null, { status: 429 }), 'idp_unavailable'],
    ['a failure', () => new Response(null, { status: 503 }), 'idp_unavailable'],
  ])('are refused when Graph answers %s', async (_, answer, reason) => {
    const graph = startDirectory(answer)
    expect(await createEntraGroups({ origin: graph.origin, fetch: provider })(person)).toMatchObject({ ok: false, reason })
    expect(graph.seen).toHaveLength(1)
  })

  test('are asked in the cloud of the issuer, and nowhere for another provider', () => {
    expect(graphOrigin('https://login.microsoftonline.com/tenant/v2.0')).toBe('https://graph.microsoft.com')
    expect(graphOrigin('https://login.microsoftonline.us/tenant/v2.0')).toBe('https://graph.microsoft.us')
    expect(graphOrigin('https://sts.windows.net/tenant/')).toBe('https://graph.microsoft.com')
    expect(() => graphOrigin('https://login.microsoftonline.com.evil.example/')).toThrow(/oidc\.entra_groups_overage/)
  })
})

describe('Google groups', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
  const serviceAccountPath = join(directory, 'service-account.json')
  const written = Bun.write(serviceAccountPath, JSON.stringify({ client_email: 'reader@project.iam.example', private_key: privateKey, private_key_id: 'key-1', token_uri: 'https://evil.example/token' }))

  /** A lookup against `google`, with a clock that the test moves. */
  async function setup(answer: (request: Seen, index: number) => Response) {
    await written
    const google = startDirectory(answer)
    const clock = { now: new Date('2026-08-01T12:00:00Z') }
    const endpoints = { token: `${google.origin}/token`, directory: `${google.origin}/groups` }
    const lookup = await createGoogleGroups({ serviceAccountPath, adminEmail: 'admin@corp.example', fetch: provider, now: () => clock.now, endpoints })
    return { lookup: () => lookup({ email: 'alice@corp.example', accessToken: 'unused' }), google, clock, raw: lookup }
  }
  const token = () => Response.json({ access_token: 'directory-token', expires_in: 3600 })

  test('come from the Directory API, page by page', async () => {
    const { lookup, google } = await setup(({ url }) => {
      if (url.pathname === '/token') return token()
      if (url.searchParams.get('pageToken') === null) return Response.json({ groups: [{ email: 'a@corp.example' }, { id: 'no address' }], nextPageToken: 'p&2' })
      return Response.json({ groups: [{ email: 'b@corp.example' }] })
    })
    expect(await lookup()).toEqual({ ok: true, value: ['a@corp.example', 'b@corp.example'] })
    const [, first, second] = google.seen
    expect(first?.url.searchParams.get('userKey')).toBe('alice@corp.example')
    expect(first?.headers.get('authorization')).toBe('Bearer directory-token')
    expect(second?.url.searchParams.get('pageToken')).toBe('p&2')
  })

  test('are asked by a service account that acts for the administrator', async () => {
    const { lookup, google } = await setup(({ url }) => (url.pathname === '/token' ? token() : Response.json({})))
    expect(await lookup()).toEqual({ ok: true, value: [] })
    const form = new URLSearchParams(google.seen[0]?.body)
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const assertion = form.get('assertion') ?? ''
    await jwtVerify(assertion, await importSPKI(publicKey, 'RS256'), { currentDate: new Date('2026-08-01T12:00:00Z') })
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'key-1' })
    const seconds = Date.parse('2026-08-01T12:00:00Z') / 1000
    expect(decodeJwt(assertion)).toEqual({
      iss: 'reader@project.iam.example',
      sub: 'admin@corp.example',
      aud: 'https://oauth2.googleapis.com/token',
      scope: 'https://www.googleapis.com/auth/admin.directory.group.readonly',
      iat: seconds,
      exp: seconds + 600,
    })
  })

  test('reuse the token until its last minute', async () => {
    const { lookup, google, clock } = await setup(({ url }) => (url.pathname === '/token' ? token() : Response.json({})))
    const tokenRequests = () => google.seen.filter(({ url }) => url.pathname === '/token').length
    await lookup()
    clock.now = new Date('2026-08-01T12:58:59Z')
    await lookup()
    expect(tokenRequests()).toBe(1)
    clock.now = new Date('2026-08-01T12:59:00Z')
    await lookup()
    expect(tokenRequests()).toBe(2)
  })

  test('are none for a person without address, without asking', async () => {
    const { raw, google } = await setup(() => token())
    expect(await raw({ email: undefined, accessToken: 'x' })).toEqual({ ok: true, value: [] })
    expect(google.seen).toEqual([])
  })

  test.each([
    ['the token is refused', (path: string) => (path === '/token' ? Response.json({ error: 'unauthorized_client' }, { status: 401 }) : token()), 'group_lookup'],
    ['the token answer is none', (path: string) => (path === '/token' ? Response.json({ access_token: 7 }) : token()), 'group_lookup'],
    ['the token endpoint is down', (path: string) => (path === '/token' ? new Response(null, { status: 500 }) : token()), 'idp_unavailable'],
    ['the person is unknown', (path: string) => (path === '/token' ? token() : Response.json({}, { status: 404 })), 'group_lookup'],
    ['the directory is busy', (path: string) => (path === '/token' ? token() : new Response(null, { status: 429 })), 'idp_unavailable'],
    ['the list is none', (path: string) => (path === '/token' ? token() : Response.json({ groups: 'a' })), 'group_lookup'],
    ['the pages never end', (path: string) => (path === '/token' ? token() : Response.json({ groups: [], nextPageToken: 'again' })), 'group_lookup'],
  ])('are refused when %s', async (_, answer, reason) => {
    const { lookup, google } = await setup(({ url }) => answer(url.pathname))
    expect(await lookup()).toMatchObject({ ok: false, reason })
    expect(google.seen.length).toBeLessThanOrEqual(51)
  })

  test('stop the boot when the key file cannot be used, without quoting it', async () => {
    const path = join(directory, 'broken.json')
    await Bun.write(path, JSON.stringify({ client_email: 'x', private_key: 'hunter2' }))
    const options = { adminEmail: 'admin@corp.example', fetch: provider, now: () => new Date() }
    for (const serviceAccountPath of [path, join(directory, 'missing.json')]) {
      const error = await createGoogleGroups({ ...options, serviceAccountPath }).catch((thrown) => thrown)
      expect(error.name).toBe('BootError')
      expect(error.message).toContain(serviceAccountPath)
      expect(Bun.inspect(error)).not.toContain('hunter2')
    }
  })
})
