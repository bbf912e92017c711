import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import type { Observation } from '../../src/observe/events.ts'
import { createGoogleCredential } from '../../src/upstream/google/credentials.ts'
import { startGoogle, type TestGoogle } from '../support/clouds/google-token.ts'
import { startMetadata, type TestMetadata } from '../support/clouds/instance-metadata.ts'

const root = mkdtempSync(join(tmpdir(), 'gatehouse-google-'))
const guarded = createGuardedFetch({ allowLoopback: true })
let aheadMs = 0
const now = () => new Date(Date.now() + aheadMs)
let google: TestGoogle
let metadata: TestMetadata
let home: string

beforeEach(() => {
  aheadMs = 0
  home = mkdtempSync(join(root, 'home-'))
  google = startGoogle({ now })
  metadata = startMetadata()
})
afterEach(async () => {
  await google.stop()
  await metadata.stop()
})
afterAll(() => rmSync(root, { recursive: true }))

const pass = (seconds: number) => void (aheadMs += seconds * 1000)
const nextTurn = () => new Promise(setImmediate)

function write(name: string, content: unknown): string {
  const path = join(home, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

function setup({ file, environment = {} }: { file?: string; environment?: Record<string, string> } = {}) {
  const observed: Observation[] = []
  const asked: string[] = []
  const fetch: typeof guarded = (url, init) => {
    asked.push(String(url))
    return guarded(url, init)
  }
  const deps = { name: 'upstream vertex', fetch, environment: { HOME: home, GCE_METADATA_HOST: metadata.host, ...environment }, now, observe: (one: Observation) => void observed.push(one) }
  const credential = createGoogleCredential(file === undefined ? {} : { service_account_json: file }, deps)
  const failure = () => credential.get().then(() => 'no failure', (error: Error) => `${error.name}: ${error.message}`)
  return { credential, observed, asked, failure }
}

describe('a service account of Google', () => {
  test('signs an assertion that the token endpoint accepts, once for many requests', async () => {
    const { credential } = setup({ file: write('key.json', google.createKey()) })
    const all = await Promise.all(Array.from({ length: 20 }, () => credential.get()))
    expect(new Set(all.map(({ token }) => token))).toEqual(new Set(['google-1']))
    expect(google.requests).toHaveLength(1)
    const { obtainedAtMs, expiresAtMs } = credential.state() ?? { obtainedAtMs: 0, expiresAtMs: 0 }
    expect(expiresAtMs - obtainedAtMs).toBeLessThanOrEqual(3_600_000)
    expect(expiresAtMs - obtainedAtMs).toBeGreaterThan(3_500_000)
  })

  test('is refused when the key is not the one of the account', async () => {
    const key = google.createKey()
    const stranger = google.createKey()
    const { failure } = setup({ file: write('key.json', { ...key, private_key: stranger.private_key }) })
    expect(await failure()).toBe(`CredentialError: ${new URL(google.url).host} answered 400: invalid_grant: Invalid JWT Signature.`)
  })

  test('names the project that pays when the file does', async () => {
    const { credential } = setup({ file: write('key.json', { ...google.createKey(), quota_project_id: 'payer' }) })
    expect(await credential.get()).toEqual({ token: 'google-1', quotaProject: 'payer' })
  })

  test('takes a rotated key file up at the next renewal, without making anybody wait', async () => {
    const file = write('key.json', google.createKey('old@project.iam.gserviceaccount.com'))
    const { credential } = setup({ file })
    await credential.get()
    write('key.json', google.createKey('new@project.iam.gserviceaccount.com'))
    pass(3600 - 200)
    expect((await credential.get()).token).toBe('google-1')
    while ((await credential.get()).token !== 'google-2') await nextTurn()
    const issuers = google.requests.map(({ form }) => JSON.parse(Buffer.from(form.assertion?.split('.')[1] ?? '', 'base64url').toString()).iss)
    expect(issuers).toEqual(['old@project.iam.gserviceaccount.com', 'new@project.iam.gserviceaccount.com'])
  })

  test('gets another token after the upstream refused one', async () => {
    const { credential } = setup({ file: write('key.json', google.createKey()) })
    await credential.get()
    credential.refused(await credential.get())
    expect((await credential.get()).token).toBe('google-2')
  })

  test('keeps the last good token while the token endpoint is away, and says so', async () => {
    const { credential, observed } = setup({ file: write('key.json', google.createKey()) })
    await credential.get()
    pass(3600 - 200)
    google.enqueue(() => new Response('<html>away</html>', { status: 503 }))
    for (let n = 0; n < 10; n++) expect((await credential.get()).token).toBe('google-1')
    while (observed.length === 0) await nextTurn()
    expect(google.requests).toHaveLength(2)
    expect(JSON.stringify(observed)).toContain('answered 503')
    await google.stop()
    pass(6)
    expect((await credential.get()).token).toBe('google-1')
    while (observed.length < 2) await nextTurn()
    expect(JSON.stringify(observed[1])).toContain('the connection to 127.0.0.1')
  })

  test('does not follow a redirect: the assertion reaches nobody else', async () => {
    const elsewhere = startGoogle()
    google.enqueue(() => Response.redirect(`${elsewhere.url}/token`, 307))
    const { failure } = setup({ file: write('key.json', google.createKey()) })
    expect(await failure()).toBe(`CredentialError: ${new URL(google.url).host} answered with a redirect, which is not followed`)
    expect(google.requests).toHaveLength(1)
    expect(elsewhere.requests).toEqual([])
    await elsewhere.stop()
  })

  test('never shows a secret that an answer repeats', async () => {
    const { failure, observed } = setup({ file: write('user.json', userFile()) })
    google.enqueue(() => Response.json({ error: 'invalid_grant', error_description: 'no 1//a-refresh-token with a-client-secret eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln' }, { status: 400 }))
    const said = `${await failure()}${JSON.stringify(observed)}`
    expect(said).toContain('invalid_grant: no [redacted] with [redacted] [redacted]')
    for (const secret of ['refresh-token', 'client-secret', 'eyJ']) expect(said).not.toContain(secret)
  })

  test.each([
    ['is missing', undefined, 'cannot read HOME/key.json (ENOENT)'],
    ['is not JSON', 'private canary', 'HOME/key.json is not a credential file: it is not JSON'],
    ['holds no key', { type: 'service_account', client_email: 'a@b' }, 'the credential file holds no private_key'],
    ['holds a broken key', { type: 'service_account', client_email: 'a@b', private_key: 'private canary' }, 'the private_key of the credential file is not an RSA key in PEM'],
    ['is of an unknown kind', { type: 'gdch_service_account' }, 'credentials of the type "gdch_service_account" are not supported'],
    ['is of another universe', { type: 'service_account', universe_domain: 'other.example' }, 'credentials of the universe other.example are not supported'],
    ['sends its secrets by plain HTTP', { ...userFile(), token_uri: 'http://oauth2.example/token' }, 'oauth2.example must be asked by https: a secret goes there'],
    ['names no address', { ...userFile(), token_uri: 'canary' }, 'the address to ask for a token is not a URL'],
  ])('says what is wrong with a file that %s', async (_, content, message) => {
    const file = content === undefined ? join(home, 'key.json') : write('key.json', content)
    const { failure } = setup({ file })
    expect(await failure()).toBe(`CredentialError: ${message.replace('HOME', home)}`)
  })

  test.each([
    ['no JSON', () => new Response('<html>')],
    ['no token', () => Response.json({ expires_in: 60 })],
    ['no lifetime', () => Response.json({ access_token: 'a' })],
    ['a token that would split a header', () => Response.json({ access_token: 'a\r\nx: y', expires_in: 60 })],
    ['more than a token response holds', () => new Response('x'.repeat(300_000))],
  ])('fails when the endpoint answers %s', async (_, answer) => {
    google.enqueue(answer)
    const { credential } = setup({ file: write('key.json', google.createKey()) })
    await expect(credential.get()).rejects.toThrow(/did not answer with JSON|answered without a token|is too large/)
  })
})

function userFile() {
  return { type: 'authorized_user', client_id: 'a-client', client_secret: 'a-client-secret', refresh_token: '1//a-refresh-token', token_uri: `${google?.url ?? 'https://unused.example'}/token` }
}

/** Another cluster's identity. `source` says where its token is. */
function federatedFile(source: object, more: object = {}) {
  return {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${google.url}/v1/token`,
    credential_source: source,
    ...more,
  }
}
const impersonationUrl = () => `${google.url}/v1/projects/-/serviceAccounts/target@project.iam.gserviceaccount.com:generateAccessToken`

describe('Application Default Credentials', () => {
  test('are a user who has signed in with gcloud', async () => {
    const directory = join(home, '.config', 'gcloud')
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'application_default_credentials.json'), JSON.stringify({ ...userFile(), quota_project_id: 'payer' }))
    expect(await setup().credential.get()).toEqual({ token: 'google-1', quotaProject: 'payer' })
    expect(await setup({ environment: { GOOGLE_CLOUD_QUOTA_PROJECT: 'other' } }).credential.get()).toEqual({ token: 'google-2', quotaProject: 'other' })
    expect(metadata.requests).toEqual([])
  })

  test('are in the directory of gcloud wherever it is', async () => {
    write('application_default_credentials.json', userFile())
    expect(await setup({ environment: { HOME: '/nonexistent', CLOUDSDK_CONFIG: home } }).credential.get()).toEqual({ token: 'google-1' })
  })

  test('are the file that the environment names, and nobody else when it is missing', async () => {
    const environment = { GOOGLE_APPLICATION_CREDENTIALS: join(home, 'named.json') }
    expect(await setup({ environment }).failure()).toBe(`CredentialError: cannot read ${home}/named.json (ENOENT)`)
    write('named.json', google.createKey())
    expect((await setup({ environment }).credential.get()).token).toBe('google-1')
    expect(metadata.requests).toEqual([])
  })

  test('act as another account when the file says so', async () => {
    const file = write('impersonated.json', { type: 'impersonated_service_account', source_credentials: userFile(), service_account_impersonation_url: impersonationUrl(), delegates: ['projects/-/serviceAccounts/between@project.iam.gserviceaccount.com'] })
    const { credential } = setup({ environment: { GOOGLE_APPLICATION_CREDENTIALS: file } })
    expect((await credential.get()).token).toBe('impersonated-by-google-1')
    expect(google.requests[1]?.json?.delegates).toEqual(['projects/-/serviceAccounts/between@project.iam.gserviceaccount.com'])
    expect(credential.state()?.expiresAtMs).toBeGreaterThan(now().getTime() + 3_500_000)
  })

  test('say why acting as another account was refused', async () => {
    const file = write('impersonated.json', { type: 'impersonated_service_account', source_credentials: userFile(), service_account_impersonation_url: impersonationUrl() })
    google.enqueue(() => Response.json({ access_token: 'canary', expires_in: 60 }), () => Response.json({ error: { code: 403, status: 'PERMISSION_DENIED', message: "Permission 'iam.serviceAccounts.getAccessToken' denied" } }, { status: 403 }))
    expect(await setup({ file }).failure()).toBe(`CredentialError: ${new URL(google.url).host} answered 403: PERMISSION_DENIED: Permission 'iam.serviceAccounts.getAccessToken' denied`)
  })
})

describe('workload identity federation of Google', () => {
  test('exchanges the projected token, impersonates, and reads the file again each time', async () => {
    const token = write('token', 'subject-1')
    const file = write('federated.json', federatedFile({ file: token }, { service_account_impersonation_url: impersonationUrl() }))
    const { credential, asked } = setup({ environment: { GOOGLE_APPLICATION_CREDENTIALS: file } })
    expect((await credential.get()).token).toBe('impersonated-by-google-1')
    write('token', 'subject-2')
    credential.refused(await credential.get())
    expect((await credential.get()).token).toBe('impersonated-by-google-2')
    expect(google.requests.filter(({ path }) => path === '/v1/token').map(({ form }) => form.subject_token)).toEqual(['subject-1', 'subject-2'])
    // Whatever arrived went through the guard.
    expect(asked.map((url) => new URL(url).pathname)).toEqual(google.requests.map(({ path }) => path))
  })

  test('gets the token of the other side from an address, and needs no impersonation', async () => {
    const file = write('federated.json', federatedFile({ url: `${google.url}/subject`, headers: { authorization: 'local' }, format: { type: 'json', subject_token_field_name: 'id' } }))
    google.enqueue(() => Response.json({ id: 'subject-from-url' }))
    const { credential, asked } = setup({ file })
    expect((await credential.get()).token).toBe('google-1')
    expect(credential.state()?.expiresAtMs).toBeGreaterThan(now().getTime() + 3_500_000)
    expect(google.requests.map(({ path, authorization, form }) => [path, authorization, form.subject_token])).toEqual([['/subject', 'local', undefined], ['/v1/token', undefined, 'subject-from-url']])
    expect(asked).toHaveLength(2)
  })

  test('signs for another cloud with what its metadata service gives, through the guard', async () => {
    const names = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
    const before = names.map((name) => [name, process.env[name]] as const)
    for (const name of names) delete process.env[name]
    try {
      const source = { environment_id: 'aws1', region_url: `${google.url}/zone`, url: `${google.url}/roles`, regional_cred_verification_url: 'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15' }
      google.enqueue(
        () => new Response('eu-west-1b'),
        () => new Response('role'),
        () => Response.json({ AccessKeyId: 'AKIDEXAMPLE', SecretAccessKey: 'secret', Token: 'session' }),
        () => Response.json({ access_token: 'from-aws', expires_in: 3600 }),
      )
      const { credential, asked } = setup({ file: write('federated.json', federatedFile(source)) })
      expect((await credential.get()).token).toBe('from-aws')
      expect(asked.map((url) => new URL(url).pathname)).toEqual(['/zone', '/roles', '/roles/role', '/v1/token'])
      const { url, headers } = JSON.parse(decodeURIComponent(google.requests[3]?.form.subject_token ?? ''))
      expect(url).toStartWith('https://sts.eu-west-1.amazonaws.com')
      expect(headers.find(({ key }: { key: string }) => key === 'authorization').value).toContain('Credential=AKIDEXAMPLE/')
    } finally {
      for (const [name, value] of before) if (value !== undefined) process.env[name] = value
    }
  })

  test('does not follow a redirect of the exchange, and asks once', async () => {
    const elsewhere = startGoogle()
    google.enqueue(() => Response.redirect(`${elsewhere.url}/v1/token`, 308))
    const { failure } = setup({ file: write('federated.json', federatedFile({ file: write('token', 'subject-1') })) })
    expect(await failure()).toBe(`CredentialError: ${new URL(google.url).host} answered with a redirect, which is not followed`)
    expect(google.requests).toHaveLength(1)
    expect(elsewhere.requests).toEqual([])
    await elsewhere.stop()
  })

  test('asks once when the exchange fails, and shows neither token nor request', async () => {
    google.enqueue(() => Response.json({ error: 'invalid_target', error_description: 'no such pool for subject-canary' }, { status: 500 }))
    const { failure } = setup({ file: write('federated.json', federatedFile({ file: write('token', 'subject-canary') })) })
    expect(await failure()).toBe(`CredentialError: ${new URL(google.url).host} answered 500: invalid_target: no such pool for [redacted]`)
    expect(google.requests).toHaveLength(1)
  })

  test.each([
    ['a program that nobody allowed', () => ({ executable: { command: `/bin/sh -c "touch ${home}/ran"` } }), /explicitly allowed/],
    ['a certificate', () => ({ certificate: { use_default_certificate_config: true } }), /certificate is not supported/],
    ['a file that is missing', () => ({ file: join(home, 'nowhere') }), /nowhere does not exist/],
    ['a file that is not the JSON it should be', () => ({ file: write('token', 'subject-canary'), format: { type: 'json', subject_token_field_name: 'id' } }), /^CredentialError: where the token comes from is no JSON$/],
  ])('does not take the token from %s', async (_, source, message) => {
    const { failure } = setup({ file: write('federated.json', federatedFile(source())) })
    expect(await failure()).toMatch(message)
    expect(await Bun.file(join(home, 'ran')).exists()).toBe(false)
    expect(google.requests).toEqual([])
  })
})

describe('the metadata server of Google', () => {
  test('is asked when there is no file, with the header that it demands', async () => {
    const { credential } = setup()
    expect(await credential.get()).toEqual({ token: 'metadata-1' })
    expect(metadata.requests).toMatchObject([{ headers: { 'metadata-flavor': 'Google' }, query: { scopes: 'https://www.googleapis.com/auth/cloud-platform' } }])
    expect(credential.state()?.expiresAtMs).toBeGreaterThan(now().getTime() + 3_500_000)
    pass(3600 - 200)
    while ((await credential.get()).token !== 'metadata-2') await nextTurn()
  })

  test('is not believed without the header on its answer', async () => {
    metadata.enqueue(() => Response.json({ access_token: 'forged', expires_in: 3600 }))
    expect(await setup().failure()).toEndWith(`and ${metadata.host} is not Google's metadata server`)
  })

  test('is not followed to another address', async () => {
    metadata.enqueue(() => new Response(null, { status: 302, headers: { location: `${google.url}/token`, 'metadata-flavor': 'Google' } }))
    expect(await setup().failure()).toEndWith('answered with a redirect, which is not followed')
    expect(google.requests).toEqual([])
  })

  test('may have no service account', async () => {
    metadata.enqueue(() => new Response('not found', { status: 404, headers: { 'metadata-flavor': 'Google' } }))
    expect(await setup().failure()).toBe('CredentialError: the metadata server knows no service account of this machine')
  })

  test('is left alone where the environment says there is none', async () => {
    expect(await setup({ environment: { METADATA_SERVER_DETECTION: 'none' } }).failure()).toBe(`CredentialError: no Application Default Credentials: GOOGLE_APPLICATION_CREDENTIALS is not set, ${home}/.config/gcloud/application_default_credentials.json does not exist`)
    expect(metadata.requests).toEqual([])
  })

  test('says all places that were looked at when it does not answer', async () => {
    await metadata.stop()
    expect(await setup().failure()).toMatch(/GOOGLE_APPLICATION_CREDENTIALS is not set, .*application_default_credentials.json does not exist, and of a metadata server: the connection to 127.0.0.1:\d+ failed/)
  })
})
