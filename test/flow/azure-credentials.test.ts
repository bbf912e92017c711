import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import type { Observation } from '../../src/observe/events.ts'
import { createAzureCredential } from '../../src/upstream/azure/credentials.ts'
import { CLIENT, CLIENT_SECRET, refusal, startEntra, TENANT, type TestEntra } from '../support/clouds/entra.ts'
import { appServiceVariables, startMetadata, type TestMetadata } from '../support/clouds/instance-metadata.ts'

const root = mkdtempSync(join(tmpdir(), 'gatehouse-azure-'))
const ca = await Bun.file(new URL('../fixtures/tls/authority.pem', import.meta.url)).text()
// No other name leads anywhere, and the machine's own metadata service stays blocked.
const guarded = createGuardedFetch({ allowLoopback: true, resolve: async (host) => (host === 'upstream.test' ? ['127.0.0.1'] : []) })

let aheadMs = 0
const now = () => new Date(Date.now() + aheadMs)
let entra: TestEntra
let metadata: TestMetadata

/** The library reads the process's own environment: what could name a credential is put aside for the time of a test. */
const FOREIGN = /^(AZURE_|MSI_|IDENTITY_|IMDS_|HOME$|PATH$|AZURE_CONFIG_DIR$)/
const before = Object.entries(process.env)
function useEnvironment(variables: Record<string, string>): void {
  for (const name of Object.keys(process.env)) if (FOREIGN.test(name)) delete process.env[name]
  Object.assign(process.env, { HOME: root, AZURE_CONFIG_DIR: root, PATH: root }, variables)
}
function restoreEnvironment(): void {
  for (const name of Object.keys(process.env)) if (FOREIGN.test(name)) delete process.env[name]
  for (const [name, value] of before) if (FOREIGN.test(name)) process.env[name] = value
}

beforeEach(async () => {
  aheadMs = 0
  entra = await startEntra()
  metadata = startMetadata()
})
afterEach(async () => {
  restoreEnvironment()
  await entra.stop()
  await metadata.stop()
})
afterAll(() => rmSync(root, { recursive: true }))

const pass = (seconds: number) => void (aheadMs += seconds * 1000)
const nextTurn = () => new Promise(setImmediate)
/** The token after the next renewal. The library counts from the system's clock, so ours goes back: it would renew once more. */
async function renewed(credential: ReturnType<typeof createAzureCredential>): Promise<string> {
  const before = credential.state()?.obtainedAtMs
  while (credential.state()?.obtainedAtMs === before) await nextTurn()
  aheadMs = 0
  return credential.get()
}
const clientVariables = (more: Record<string, string> = {}) => ({ AZURE_AUTHORITY_HOST: entra.authority, AZURE_TENANT_ID: TENANT, AZURE_CLIENT_ID: CLIENT, ...more })

function setup(variables: Record<string, string>) {
  useEnvironment(variables)
  const observed: Observation[] = []
  const asked: string[] = []
  const fetch: typeof guarded = (url, init) => {
    asked.push(String(url))
    return guarded(String(url).replace('http://169.254.169.254', metadata.url), { ...init, tls: { ca } })
  }
  const credential = createAzureCredential({ name: 'upstream foundry', fetch, environment: process.env, now, observe: (one) => void observed.push(one) })
  const failure = () => credential.get().then(() => 'no failure', (error: Error) => `${error.name}: ${error.message}`)
  return { credential, observed, asked, failure }
}

describe('a client of Entra with a secret', () => {
  const variables = () => clientVariables({ AZURE_CLIENT_SECRET: CLIENT_SECRET })

  test('gets one token for many requests, from the authority that the environment names, and tells nobody else', async () => {
    const { credential, asked } = setup(variables())
    const all = await Promise.all(Array.from({ length: 20 }, () => credential.get()))
    expect(new Set(all)).toEqual(new Set(['entra-1']))
    expect(entra.tokenRequests()).toHaveLength(1)
    expect(new Set(asked.map((url) => new URL(url).origin))).toEqual(new Set([entra.authority]))
    expect(asked).toHaveLength(entra.requests.length)
    const { obtainedAtMs, expiresAtMs } = credential.state() ?? { obtainedAtMs: 0, expiresAtMs: 0 }
    // The library counts in whole seconds, rounded.
    expect(expiresAtMs - obtainedAtMs).toBeLessThanOrEqual(3_601_000)
    expect(expiresAtMs - obtainedAtMs).toBeGreaterThan(3_500_000)
  })

  test('says nothing of the machine that it runs on', async () => {
    await setup(variables()).credential.get()
    const sent = entra.requests.flatMap(({ headers, form }) => [...Object.keys(headers), ...Object.keys(form)])
    expect(sent.filter((name) => name.startsWith('x-client'))).toEqual([])
    expect(entra.requests.map(({ headers }) => headers['user-agent'])).toEqual(entra.requests.map(() => `Bun/${Bun.version}`))
  })

  test('renews ahead of the end without making anybody wait, not from the cache of the library', async () => {
    const { credential } = setup(variables())
    await credential.get()
    pass(3600 - 200)
    expect(await credential.get()).toBe('entra-1')
    expect(await renewed(credential)).toBe('entra-2')
  })

  test('renews when Entra advises it', async () => {
    await entra.stop()
    entra = await startEntra({ refreshInSeconds: 1200 })
    const { credential } = setup(variables())
    await credential.get()
    pass(1100)
    expect(await credential.get()).toBe('entra-1')
    expect(entra.tokenRequests()).toHaveLength(1)
    pass(200)
    expect(await credential.get()).toBe('entra-1')
    expect(await renewed(credential)).toBe('entra-2')
  })

  test('gets another token after the upstream refused one', async () => {
    const { credential } = setup(variables())
    await credential.get()
    credential.refused(await credential.get())
    expect(await credential.get()).toBe('entra-2')
  })

  test('keeps the last good token while Entra is away, and asks it once', async () => {
    const { credential, observed } = setup(variables())
    await credential.get()
    pass(3600 - 200)
    entra.enqueue(() => new Response('<html>away</html>', { status: 503, headers: { 'retry-after': '1' } }))
    for (let n = 0; n < 10; n++) expect(await credential.get()).toBe('entra-1')
    while (observed.length === 0) await nextTurn()
    expect(entra.tokenRequests()).toHaveLength(2)
    expect(JSON.stringify(observed)).toContain(`upstream.test:${entra.port} answered 503`)
  })

  test.each([
    ['the secret is wrong', { AZURE_CLIENT_SECRET: 'canary-secret' }, "answered 401: AADSTS7000215: Invalid client secret provided."],
    ['nobody knows the application', { AZURE_CLIENT_ID: 'stranger' }, "answered 400: AADSTS700016: Application with identifier 'stranger' was not found in the directory 'Contoso Ltd.example'."],
  ])('says with code and sentence that %s, and nothing more', async (_, more, message) => {
    const { failure, observed } = setup({ ...variables(), ...more })
    expect(await failure()).toBe(`CredentialError: upstream.test:${entra.port} ${message}`)
    expect(JSON.stringify(observed)).not.toMatch(/canary|Trace ID|aka\.ms/)
  })

  test('never shows the secret, even when the answer repeats it', async () => {
    entra.enqueue(refusal(401, 'invalid_client', 7000215, `Not ${CLIENT_SECRET}.`))
    expect(await setup(variables()).failure()).toEndWith('answered 401: AADSTS7000215: Not [redacted].')
  })

  test('may sign with a certificate instead', async () => {
    const path = join(root, 'client.pem')
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(path, `${privateKey.export({ type: 'pkcs8', format: 'pem' })}\n${ca}`)
    entra.enqueue(() => Response.json({ token_type: 'Bearer', access_token: 'by-certificate', expires_in: 3600 }))
    const { credential, asked } = setup(clientVariables({ AZURE_CLIENT_CERTIFICATE_PATH: path }))
    expect(await credential.get()).toBe('by-certificate')
    const claims = JSON.parse(Buffer.from(entra.tokenRequests()[0]?.form.client_assertion?.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ iss: CLIENT, sub: CLIENT, aud: `${entra.authority}/${TENANT}/oauth2/v2.0/token` })
    expect(asked).toHaveLength(entra.requests.length)
  })

  test('says what is wrong with its certificate, and asks nobody', async () => {
    const path = join(root, 'broken.pem')
    writeFileSync(path, 'canary')
    expect(await setup(clientVariables({ AZURE_CLIENT_CERTIFICATE_PATH: path })).failure()).toBe('CredentialError: The file at the specified path does not contain a PEM-encoded certificate.')
    expect(entra.requests).toEqual([])
  })

  test('does not follow a redirect: the secret reaches nobody else', async () => {
    const elsewhere = await startEntra()
    entra.enqueue(() => Response.redirect(`${elsewhere.authority}/${TENANT}/oauth2/v2.0/token`, 307))
    expect(await setup(variables()).failure()).toBe(`CredentialError: upstream.test:${entra.port} answered with a redirect, which is not followed`)
    expect(elsewhere.requests).toEqual([])
    expect(entra.tokenRequests()).toHaveLength(1)
    await elsewhere.stop()
  })

  test.each([
    ['no JSON', () => new Response('<html>')],
    ['no token', () => Response.json({ token_type: 'Bearer', expires_in: 60 })],
    ['a token that would split a header', () => Response.json({ token_type: 'Bearer', access_token: 'a\r\nx: y', expires_in: 60 })],
    ['more than a token response holds', () => new Response('x'.repeat(300_000))],
  ])('fails when Entra answers %s', async (_, answer) => {
    entra.enqueue(answer)
    expect(await setup(variables()).failure()).toStartWith('CredentialError: ')
  })

  test('does not trust a certificate of an authority that nobody named', async () => {
    useEnvironment(variables())
    const credential = createAzureCredential({ name: 'upstream foundry', fetch: guarded, environment: process.env, now, observe: () => {} })
    await expect(credential.get()).rejects.toThrow(`the TLS certificate or handshake of upstream.test:${entra.port} was not accepted`)
    expect(entra.requests).toEqual([])
  })

  test('is told that the authority must be https', async () => {
    expect(await setup({ ...variables(), AZURE_AUTHORITY_HOST: `http://upstream.test:${entra.port}`, AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' }).failure()).toContain("must use the 'https' protocol")
    expect(entra.requests).toEqual([])
  })
})

describe('a workload identity of Entra', () => {
  const file = join(root, 'federated-token')
  const variables = () => clientVariables({ AZURE_FEDERATED_TOKEN_FILE: file })

  test('sends the projected token as it is at each renewal', async () => {
    writeFileSync(file, 'federated-1\n')
    const { credential } = setup(variables())
    expect(await credential.get()).toBe('entra-1')
    writeFileSync(file, 'federated-2\n')
    credential.refused(await credential.get())
    expect(await credential.get()).toBe('entra-2')
    expect(entra.tokenRequests().map(({ form }) => form.client_assertion)).toEqual(['federated-1', 'federated-2'])
  })

  test.each([[{}], [{ AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential' }]])('is refused once, within the guard, with %o', async (more) => {
    writeFileSync(file, 'federated-canary')
    entra.enqueue(refusal(401, 'invalid_client', 700213, "No matching federated identity record found for presented assertion subject 'system:serviceaccount:a:b'."))
    const { failure, asked, observed } = setup({ ...variables(), ...more })
    expect(await failure()).toBe(`CredentialError: upstream.test:${entra.port} answered 401: AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:a:b'.`)
    expect(entra.tokenRequests()).toHaveLength(1)
    // A second client, past the guard, would have asked the authority as well.
    expect(asked).toHaveLength(entra.requests.length)
    expect(JSON.stringify(observed)).not.toContain('canary')
  })

  test('says that the file is missing', async () => {
    rmSync(file, { force: true })
    expect(await setup(variables()).failure()).toContain(`ENOENT: no such file or directory, open '${file}'`)
    expect(metadata.requests).toEqual([])
  })
})

describe('a managed identity of Azure', () => {
  test('is asked for at the metadata service of the machine', async () => {
    const { credential, asked } = setup({})
    expect(await credential.get()).toBe('metadata-1')
    expect(metadata.requests.map(({ query, headers }) => [query, headers.metadata])).toEqual([
      [{}, undefined],
      [{ 'api-version': '2018-02-01', resource: 'https://ai.azure.com' }, 'true'],
    ])
    expect(asked.every((url) => url.startsWith('http://169.254.169.254/metadata/identity/'))).toBe(true)
    expect(credential.state()?.expiresAtMs).toBeGreaterThan(now().getTime() + 3_500_000)
  })

  test('may be one of several, named by its client id', async () => {
    await setup({ AZURE_CLIENT_ID: CLIENT }).credential.get()
    expect(metadata.requests[1]?.query.client_id).toBe(CLIENT)
  })

  test('gets another token after the upstream refused one, although the library keeps it', async () => {
    const { credential } = setup({})
    await credential.get()
    credential.refused(await credential.get())
    expect(await credential.get()).toBe('metadata-2')
  })

  test('renews a token of a day at half its life', async () => {
    await metadata.stop()
    metadata = startMetadata({ lifetimeSeconds: 86_400 })
    const { credential } = setup({})
    await credential.get()
    pass(12 * 3600 - 100)
    await credential.get()
    expect(metadata.requests).toHaveLength(2)
    pass(200)
    await credential.get()
    expect(await renewed(credential)).toBe('metadata-2')
  })

  test('is asked for at the endpoint of App Service where there is one', async () => {
    const { credential } = setup(appServiceVariables(metadata))
    expect(await credential.get()).toBe('metadata-1')
    expect(metadata.requests).toMatchObject([{ path: '/msi/token', query: { 'api-version': '2019-08-01', resource: 'https://ai.azure.com' } }])
    credential.refused(await credential.get())
    expect(await credential.get()).toBe('metadata-2')
  })

  test('may not exist', async () => {
    const answer = () => Response.json({ error: 'invalid_request', error_description: 'Identity not found' }, { status: 400 })
    metadata.enqueue(answer, answer)
    const { failure } = setup({ AZURE_TOKEN_CREDENTIALS: 'prod' })
    expect(await failure()).toStartWith('CredentialError: no credential of Azure: 169.254.169.254 answered 400: Identity not found. WorkloadIdentityCredential: is unavailable. EnvironmentCredential is unavailable.')
  })

  test('is not followed to another address', async () => {
    metadata.enqueue(() => new Response(null, { status: 400 }), () => Response.redirect(`${entra.authority}/elsewhere`, 302))
    expect(await setup({ AZURE_TOKEN_CREDENTIALS: 'prod' }).failure()).toContain('169.254.169.254 answered with a redirect, which is not followed')
    expect(entra.requests).toEqual([])
  })
})

test('a source that needs a person is not asked', async () => {
  expect(await setup({ AZURE_TOKEN_CREDENTIALS: 'VisualStudioCodeCredential' }).failure()).toBe('CredentialError: no credential of Azure: what AZURE_TOKEN_CREDENTIALS names needs a person')
})
