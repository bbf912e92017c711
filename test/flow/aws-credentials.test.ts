import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createGuardedFetch, type GuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { platformHosts } from '../../src/egress/platform-hosts.ts'
import type { Observation } from '../../src/observe/events.ts'
import type { Principal } from '../../src/principal.ts'
import { createAwsCredentials, type AwsKeys } from '../../src/upstream/aws/credentials.ts'
import { createSessions } from '../../src/upstream/aws/sessions.ts'
import type { AssumeRoleConfig } from '../../src/upstream/config.ts'
import type { Credential } from '../../src/upstream/credential.ts'
import { startMetadata, type FakeMetadata } from '../support/clouds/aws-metadata.ts'
import { startSts, stsError, type FakeSts } from '../support/clouds/sts.ts'
import { answerJson, startUpstream, type TestUpstream } from '../support/upstream.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-aws-'))
const REGION = 'eu-central-1'
const START_MS = 1_800_000_000_000
const ROLE: AssumeRoleConfig = { role_arn: 'arn:aws:iam::1:role/claude', session_per_person: false }
const KEYS: AwsKeys = { accessKeyId: 'AKIACONFIGURED', secretAccessKey: 'canary/configured' }
const MACHINE_KEYS: AwsKeys = { accessKeyId: 'ASIAMACHINE', secretAccessKey: 'canary-machine', sessionToken: 'canary-machine-token' }

let nowMs = START_MS
const now = () => new Date(nowMs)
const pass = (seconds: number) => void (nowMs += seconds * 1000)
const inSeconds = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString()

let sts: FakeSts
let metadata: FakeMetadata
let sso: TestUpstream
let kept: Record<string, string | undefined>

beforeAll(async () => {
  sso = await startUpstream()
})
afterAll(async () => {
  await sso.stop()
  rmSync(directory, { recursive: true })
})

/** Nothing of this machine's own account is read, and nothing is left behind for the tests of other files. */
beforeEach(async () => {
  nowMs = START_MS
  sts = await startSts({ region: REGION, now })
  metadata = await startMetadata(MACHINE_KEYS, inSeconds(3600))
  sso.requests.length = 0
  kept = Object.fromEntries(['HOME', ...Object.keys(process.env).filter((name) => name.startsWith('AWS_'))].map((name) => [name, process.env[name]]))
  for (const name of Object.keys(kept)) delete process.env[name]
  const home = mkdtempSync(join(directory, 'home-'))
  Object.assign(process.env, {
    HOME: home,
    AWS_CONFIG_FILE: join(home, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(home, 'credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL_STS: sts.url,
  })
})
afterEach(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  for (const [name, value] of Object.entries(kept)) if (value !== undefined) process.env[name] = value
  await Promise.all([sts.stop(), metadata.stop()])
})

const set = (variables: Record<string, string>) => void Object.assign(process.env, variables)
const unset = (name: string) => void delete process.env[name]
/** A file below the temporary home. */
function write(name: string, text: string): string {
  const path = join(process.env.HOME as string, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

function person(sub: string, email?: string): Principal {
  return { issuer: 'https://idp.example', sub, email, name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0 }
}
const ALICE = person('1', 'alice@example.com')

/** The guarded fetch as the gateway makes it, except that some fixed addresses of AWS are the test's servers. */
function guarded(): GuardedFetch {
  const fetch = createGuardedFetch({ allowLoopback: true, exempt: platformHosts(process.env) })
  const places: [RegExp, string][] = [[/^http:\/\/169\.254\.170\.2\//, metadata.url], [/^https:\/\/(oidc|portal\.sso|us-west-2\.signin)\.(us-west-2\.amazonaws|aws\.amazon)\.com\//, sso.url]]
  return (url, init) => fetch(places.reduce((text, [place, server]) => text.replace(place, `${server}/`), String(url)), init)
}

function create({ keys, assumeRole }: { keys?: AwsKeys; assumeRole?: AssumeRoleConfig } = {}) {
  const observed: Observation[] = []
  /** What an operator is told, one after the other; `well` where an attempt did not fail. */
  const attempts: string[] = []
  const credentials = createAwsCredentials({ region: REGION, keys, assumeRole }, { name: 'upstream bedrock', fetch: guarded(), environment: process.env, observe: (one) => void observed.push(one), now, attempted: (trouble) => void attempts.push(trouble?.message ?? 'well') })
  return { ...credentials, observed, attempts, get: () => credentials.keysFor(ALICE) }
}

/** The text of the failure, which must be a CredentialError and hold nothing secret. */
async function failureOf(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(() => undefined, (failure: Error) => failure)
  expect(error?.name).toBe('CredentialError')
  expect(error?.message).not.toContain('canary')
  return error?.message ?? ''
}

async function until(isTrue: () => unknown): Promise<void> {
  while (!(await isTrue())) await new Promise(setImmediate)
}

describe('the default chain', () => {
  test('takes the environment first, and uses configured keys without looking anywhere', async () => {
    write('credentials', '[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n')
    set({ AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 't' })
    expect(await create().get()).toEqual({ accessKeyId: 'AKIAENV', secretAccessKey: 's', sessionToken: 't' })
    expect(await create({ keys: KEYS }).get()).toEqual(KEYS)
  })

  test('gives no keys from the environment that have ended', async () => {
    set({ AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 'canary', AWS_CREDENTIAL_EXPIRATION: inSeconds(-1) })
    expect(await failureOf(create().get())).toMatch(/^the environment \(AWS_ACCESS_KEY_ID\): the keys ended at /)
  })

  test('prefers a named profile to keys in the environment', async () => {
    write('config', '[profile work]\naws_access_key_id = AKIAWORK ; comment\naws_secret_access_key = s\n')
    set({ AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 's', AWS_PROFILE: 'work' })
    expect(await create().get()).toEqual({ accessKeyId: 'AKIAWORK', secretAccessKey: 's' })
  })

  test('says that keys of the configuration have no successor', async () => {
    const { get, refused } = create({ keys: KEYS })
    expect(refused(ALICE, await get())).toBe(false)
  })

  test('reads rotated keys of a file without a restart, and at once when the upstream refused the old ones', async () => {
    const rotate = (id: string) => write('credentials', `[default]\naws_access_key_id = ${id}\naws_secret_access_key = s\n`)
    const { get, refused } = create()
    rotate('AKIA1')
    expect((await get()).accessKeyId).toBe('AKIA1')
    rotate('AKIA2')
    expect((await get()).accessKeyId).toBe('AKIA1')
    pass(61)
    await until(async () => (await get()).accessKeyId === 'AKIA2')
    rotate('AKIA3')
    refused(ALICE, await get())
    expect((await get()).accessKeyId).toBe('AKIA3')
  })

  test('assumes the role of a profile with the keys of its source profile', async () => {
    sts.accounts.push({ accessKeyId: 'AKIABASE', secretAccessKey: 's' })
    write('config', '[default]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = base\nexternal_id = x\nduration_seconds = 900\n')
    write('credentials', '[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n')
    expect(await create().get()).toEqual({ accessKeyId: 'ASIA1', secretAccessKey: 'secret&of1', sessionToken: 'token-of-1==' })
    expect(sts.requests).toEqual([{ Action: 'AssumeRole', Version: '2011-06-15', RoleArn: 'arn:aws:iam::1:role/a', RoleSessionName: 'gatehouse', DurationSeconds: '900', ExternalId: 'x' }])
  })

  test('assumes a role with the keys of the same profile', async () => {
    sts.accounts.push({ accessKeyId: 'AKIABASE', secretAccessKey: 's' })
    write('credentials', '[default]\nrole_arn = arn:self\nsource_profile = default\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n')
    expect((await create().get()).accessKeyId).toBe('ASIA1')
  })

  test('follows a chain of profiles down to the instance, each role asked for with the one before', async () => {
    unset('AWS_EC2_METADATA_DISABLED')
    set({ AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url, AWS_PROFILE: 'outer' })
    sts.accounts.push(MACHINE_KEYS, { accessKeyId: 'ASIA1', secretAccessKey: 'secret&of1', sessionToken: 'token-of-1==' })
    write('config', '[profile outer]\nrole_arn = arn:outer\nsource_profile = inner\n[profile inner]\nrole_arn = arn:inner\ncredential_source = Ec2InstanceMetadata\n')
    expect((await create().get()).accessKeyId).toBe('ASIA2')
    expect(sts.requests.map(({ RoleArn }) => RoleArn)).toEqual(['arn:inner', 'arn:outer'])
  })

  test.each([
    ['leads in a circle', '[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\nsource_profile = c\n[profile c]\nrole_arn = c\nsource_profile = b\n', 'profile c: the source profiles lead in a circle (b, c, b)'],
    ['wants a code from a person', '[default]\nrole_arn = a\nsource_profile = b\nmfa_serial = m\n', 'profile default: mfa_serial asks for a code, which nobody can give to a server'],
    ['names a source without credentials', '[default]\nrole_arn = a\nsource_profile = b\n', 'profile default: its source b has no credentials'],
    ['names an unknown place', '[default]\nrole_arn = a\ncredential_source = Moon\n', 'profile default: credential_source must be Environment, Ec2InstanceMetadata or EcsContainer'],
    ['runs a process that fails', '[default]\ncredential_process = echo canary >&2; exit 3\n', 'credential_process of profile default: ended with code 3'],
    ['runs a process that prints something else', '[default]\ncredential_process = echo canary\n', 'credential_process of profile default: did not print JSON'],
  ])('says what is wrong with a profile that %s, and looks no further', async (_, config, message) => {
    write('config', config)
    set({ AWS_WEB_IDENTITY_TOKEN_FILE: write('token', 'web'), AWS_ROLE_ARN: 'arn:irsa' })
    sts.webIdentities.add('web')
    expect(await failureOf(create().get())).toBe(message)
  })

  test('runs a credential_process, again ahead of the end it names', async () => {
    const print = (id: string, seconds: number) => write('keys.json', JSON.stringify({ Version: 1, AccessKeyId: id, SecretAccessKey: 's', SessionToken: 't', Expiration: inSeconds(seconds) }))
    write('config', '[default]\ncredential_process = cat "$HOME"/keys.json | cat\n')
    print('ASIAPROCESS1', 3600)
    const { get } = create()
    expect(await get()).toEqual({ accessKeyId: 'ASIAPROCESS1', secretAccessKey: 's', sessionToken: 't' })
    print('ASIAPROCESS2', 7200)
    pass(3600 - 200)
    await until(async () => (await get()).accessKeyId === 'ASIAPROCESS2')
  })

  test('exchanges a projected token (IRSA), which it reads for every exchange', async () => {
    const token = write('token', 'first-token\n')
    set({ AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ROLE_ARN: 'arn:aws:iam::1:role/irsa', AWS_ROLE_SESSION_NAME: 'pod' })
    sts.webIdentities.add('first-token').add('second-token')
    const { get } = create()
    expect((await get()).accessKeyId).toBe('ASIA1')
    write('token', 'second-token')
    pass(3600)
    expect((await get()).accessKeyId).toBe('ASIA2')
    const common = { Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: 'arn:aws:iam::1:role/irsa', RoleSessionName: 'pod' }
    expect(sts.requests).toEqual([{ ...common, WebIdentityToken: 'first-token' }, { ...common, WebIdentityToken: 'second-token' }])
  })

  test('exchanges the token that a profile names', async () => {
    write('config', `[default]\nrole_arn = arn:web\nweb_identity_token_file = ${write('token', 'profile-token')}\nrole_session_name = named\n`)
    sts.webIdentities.add('profile-token')
    expect((await create().get()).accessKeyId).toBe('ASIA1')
    expect(sts.requests[0]).toMatchObject({ RoleArn: 'arn:web', RoleSessionName: 'named', WebIdentityToken: 'profile-token' })
  })

  test('shows neither the token that STS refuses nor what stands in a missing file', async () => {
    set({ AWS_WEB_IDENTITY_TOKEN_FILE: write('token', 'canary-token'), AWS_ROLE_ARN: 'arn:irsa' })
    expect(await failureOf(create().get())).toBe('AssumeRoleWithWebIdentity of arn:irsa: InvalidIdentityToken: the token [secret] is not valid (status 400)')
    set({ AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere/token' })
    expect(await failureOf(create().get())).toBe('cannot read /nowhere/token (ENOENT)')
  })

  test('signs in to SSO with the token of the command line, at the region of the profile, and renews that token', async () => {
    write('config', '[default]\nsso_session = corp\nsso_account_id = 123\nsso_role_name = dev\n[sso-session corp]\nsso_region = us-west-2\nsso_start_url = https://corp.example/start\n')
    const cache = `.aws/sso/cache/${createHash('sha1').update('corp').digest('hex')}.json`
    write(cache, JSON.stringify({ accessToken: 'old', expiresAt: '2001-01-01T00:00:00Z', refreshToken: 'r', clientId: 'c', clientSecret: 'canary' }))
    sso.enqueue(answerJson(200, { accessToken: 'new-access-token', tokenType: 'Bearer', expiresIn: 28_800, refreshToken: 'r2' }))
    sso.enqueue(answerJson(200, { roleCredentials: { accessKeyId: 'ASIASSO', secretAccessKey: 's', sessionToken: 't', expiration: nowMs + 3_600_000 } }))
    const { get, state } = create()
    expect(await get()).toEqual({ accessKeyId: 'ASIASSO', secretAccessKey: 's', sessionToken: 't' })
    expect(state()?.expiresAtMs).toBe(nowMs + 3_600_000)
    expect(sso.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /token', 'GET /federation/credentials?role_name=dev&account_id=123'])
    expect(sso.requests[0]?.json()).toEqual({ clientId: 'c', clientSecret: 'canary', refreshToken: 'r', grantType: 'refresh_token' })
    expect(sso.requests[1]?.headers['x-amz-sso_bearer_token']).toBe('new-access-token')
  })

  test('says what SSO answered', async () => {
    write('config', '[default]\nsso_start_url = https://corp.example/legacy\nsso_region = us-west-2\nsso_account_id = 123\nsso_role_name = dev\n')
    expect(await failureOf(create().get())).toMatch(/^profile default \(SSO\): The SSO session associated with this profile is invalid/)
    write(`.aws/sso/cache/${createHash('sha1').update('https://corp.example/legacy').digest('hex')}.json`, JSON.stringify({ accessToken: 'canary', expiresAt: '2099-01-01T00:00:00Z' }))
    sso.enqueue(answerJson(403, { message: 'No access' }, { 'x-amzn-errortype': 'ForbiddenException' }))
    expect(await failureOf(create().get())).toBe('profile default (SSO): ForbiddenException: No access')
  })

  test('renews a session of `aws login`, with proof of its key', async () => {
    write('config', '[default]\nlogin_session = arn:aws:iam::1:user/dev\nregion = us-west-2\n')
    const dpopKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' })
    const accessToken = { accessKeyId: 'ASIAOLD', secretAccessKey: 'canary', sessionToken: 'canary', accountId: '1', expiresAt: '2001-01-01T00:00:00Z' }
    set({ AWS_LOGIN_CACHE_DIRECTORY: join(process.env.HOME as string, 'login') })
    write(`login/${createHash('sha256').update('arn:aws:iam::1:user/dev').digest('hex')}.json`, JSON.stringify({ accessToken, clientId: 'c', refreshToken: 'r', dpopKey }))
    sso.enqueue(answerJson(200, { accessToken: { accessKeyId: 'ASIALOGIN', secretAccessKey: 's', sessionToken: 't' }, tokenType: 'aws_sigv4', expiresIn: 900, refreshToken: 'r2' }))
    // The SDK reckons with the real clock here.
    nowMs = Date.now()
    expect(await create().get()).toEqual({ accessKeyId: 'ASIALOGIN', secretAccessKey: 's', sessionToken: 't' })
    expect(sso.requests[0]).toMatchObject({ method: 'POST', path: '/v1/token' })
    expect(sso.requests[0]?.headers.dpop).toMatch(/^eyJ/)
  })

  test('names every place it looked at when there are no credentials', async () => {
    set({ AWS_PROFILE: 'gone' })
    expect(await failureOf(create().get())).toBe('no AWS credentials in the environment, in profile gone, by web identity or from a container; EC2 instance metadata: switched off by AWS_EC2_METADATA_DISABLED')
  })
})

describe('the container agent', () => {
  test('gives the keys of an ECS task, by the relative address even when there is a full one', async () => {
    set({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/uuid', AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/' })
    expect(await create().get()).toEqual(MACHINE_KEYS)
    expect(metadata.requests).toEqual(['GET /v2/credentials/uuid'])
  })

  test('gives the keys of an EKS pod for the token in a file, read every time', async () => {
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${metadata.url}/v1/credentials`, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: write('pod-token', 'first'), AWS_CONTAINER_AUTHORIZATION_TOKEN: 'ignored' })
    metadata.options.containerToken = 'first'
    const { get, refused } = create()
    expect(await get()).toEqual(MACHINE_KEYS)
    write('pod-token', 'second')
    Object.assign(metadata.options, { containerToken: 'second', keys: { ...MACHINE_KEYS, accessKeyId: 'ASIANEXT' } })
    refused(ALICE, await get())
    expect((await get()).accessKeyId).toBe('ASIANEXT')
  })

  test('says why the agent refuses, without the token', async () => {
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${metadata.url}/v1/credentials`, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'canary' })
    metadata.options.containerToken = 'another'
    expect(await failureOf(create().get())).toBe(`container credentials: ${new URL(metadata.url).host} answered with 403: AccessDeniedException: unauthorized: [secret]`)
  })

  test.each([
    ['http://credentials.example.com/', 'AWS_CONTAINER_CREDENTIALS_FULL_URI: credentials.example.com is neither https nor the container agent nor loopback'],
    ['http://169.254.169.254/latest/', 'AWS_CONTAINER_CREDENTIALS_FULL_URI: 169.254.169.254 is neither https nor the container agent nor loopback'],
    ['http://127.0.0.1.evil.example/', 'AWS_CONTAINER_CREDENTIALS_FULL_URI: 127.0.0.1.evil.example is neither https nor the container agent nor loopback'],
    ['file:///etc/passwd', 'AWS_CONTAINER_CREDENTIALS_FULL_URI:  is neither https nor the container agent nor loopback'],
  ])('is not asked at %s', async (uri, message) => {
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: uri })
    expect(await failureOf(create().get())).toBe(message)
  })

  test('is not asked at a host that a relative address smuggles in, nor with a token that would split a header', async () => {
    set({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '@credentials.example.com/' })
    expect(await failureOf(create().get())).toBe('AWS_CONTAINER_CREDENTIALS_*_URI is not valid')
    set({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2', AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a\r\nx: canary' })
    expect(await failureOf(create().get())).toContain('do not belong into a header')
    expect(metadata.requests).toEqual([])
  })
})

describe('the metadata service of an instance', () => {
  beforeEach(() => {
    unset('AWS_EC2_METADATA_DISABLED')
    set({ AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url })
  })

  test('gives the keys of the role for a token, and again ahead of their end', async () => {
    const { get } = create()
    expect(await get()).toEqual(MACHINE_KEYS)
    expect(metadata.requests).toEqual(['PUT /latest/api/token', 'GET /latest/meta-data/iam/security-credentials/', 'GET /latest/meta-data/iam/security-credentials/node-role'])
    pass(3600 - 200)
    Object.assign(metadata.options, { keys: { ...MACHINE_KEYS, accessKeyId: 'ASIANEXT' }, expiration: inSeconds(3600) })
    expect((await get()).accessKeyId).toBe('ASIAMACHINE')
    await until(async () => (await get()).accessKeyId === 'ASIANEXT')
  })

  test('is asked without a token where it gives none, unless version 1 is switched off', async () => {
    Object.assign(metadata.options, { tokenStatus: 404, demandsToken: false })
    expect(await create().get()).toEqual(MACHINE_KEYS)
    metadata.requests.length = 0
    const refusal = 'EC2 instance metadata: the request for a token was answered with 404, and version 1 is switched off'
    set({ AWS_EC2_METADATA_V1_DISABLED: 'true' })
    expect(await failureOf(create().get())).toEndWith(refusal)
    unset('AWS_EC2_METADATA_V1_DISABLED')
    write('config', '[default]\nec2_metadata_v1_disabled = true\n')
    expect(await failureOf(create().get())).toEndWith(refusal)
    expect(metadata.requests).toEqual(['PUT /latest/api/token', 'PUT /latest/api/token'])
  })

  test('is asked without a token where the answer to that never arrives, as in a container one hop too far', async () => {
    Object.assign(metadata.options, { tokenStatus: 0, demandsToken: false })
    expect(await create().get()).toEqual(MACHINE_KEYS)
  })

  test.each([
    ['has no role', () => ({ role: undefined }), 'the instance has no role'],
    ['demands a token and gives none', () => ({ tokenStatus: 403 }), 'answered with 401'],
    ['finds the request for a token wrong', () => ({ tokenStatus: 400 }), 'the request for a token was answered with 400'],
    ['redirects', () => ({ instead: () => Response.redirect(`${sts.url}elsewhere`, 302) }), 'the request for a token was answered with 302'],
    ['answers without end', () => ({ instead: () => new Response('x'.repeat(100_000)) }), 'is too large'],
    ['gives no keys', () => ({ keys: { accessKeyId: 'A\n', secretAccessKey: 'canary' } }), 'no keys in it'],
    ['does not say when they end', () => ({ expiration: '' }), 'the keys do not say when they end'],
  ])('gives nothing when it %s', async (_, change, message) => {
    Object.assign(metadata.options, change())
    expect(await failureOf(create().get())).toEndWith(message)
    expect(sts.requests).toEqual([])
  })

  test('keeps an instance going with keys that have ended when the service has no others', async () => {
    metadata.options.expiration = inSeconds(-60)
    const { get, state } = create()
    expect(await get()).toEqual(MACHINE_KEYS)
    expect(state()?.expiresAtMs).toBe(nowMs + 600_000)
  })

  test('is out of reach for a fetch without the exemption for metadata hosts', async () => {
    set({ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://169.254.169.254' })
    const fetch = createGuardedFetch({ allowLoopback: true })
    const credentials = createAwsCredentials({ region: REGION, keys: undefined, assumeRole: undefined }, { name: 'n', fetch, environment: process.env, observe: () => {}, now })
    expect(await failureOf(credentials.keysFor(ALICE))).toEndWith('169.254.169.254 resolves to an address that outbound requests may not reach')
  })
})

describe('an assumed role', () => {
  beforeEach(() => void sts.accounts.push(KEYS))

  test('is asked for once by many at once, signed for STS of the region', async () => {
    const { get, state } = create({ keys: KEYS, assumeRole: { ...ROLE, external_id: 'x&y', duration_seconds: 1800 } })
    const all = await Promise.all(Array.from({ length: 50 }, get))
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(['ASIA1']))
    expect(sts.requests).toEqual([{ Action: 'AssumeRole', Version: '2011-06-15', RoleArn: ROLE.role_arn, RoleSessionName: 'gatehouse', ExternalId: 'x&y', DurationSeconds: '1800' }])
    expect(state()).toEqual({ obtainedAtMs: START_MS, expiresAtMs: START_MS + 1_800_000 })
  })

  test('signs temporary keys with their token', async () => {
    sts.accounts.push(MACHINE_KEYS)
    expect((await create({ keys: MACHINE_KEYS, assumeRole: ROLE }).get()).accessKeyId).toBe('ASIA1')
  })

  test('is refused by STS under keys it does not know, and shows none of them', async () => {
    const { get, observed } = create({ keys: { ...KEYS, secretAccessKey: 'canary-wrong', sessionToken: 'canary-token' }, assumeRole: ROLE })
    sts.accounts.splice(0, 1, { ...KEYS, sessionToken: 'canary-token' })
    expect(await failureOf(get())).toMatch(/^AssumeRole of arn:aws:iam::1:role\/claude: SignatureDoesNotMatch: The request signature [^?]* for details\. \(status 403\)$/)
    expect(JSON.stringify(observed)).toContain('SignatureDoesNotMatch')
    expect(JSON.stringify(observed)).not.toContain('canary')
  })

  test('passes on why STS refuses', async () => {
    const message = 'User: arn:aws:iam::1:user/g is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/claude'
    sts.enqueue(() => stsError(403, 'AccessDenied', message))
    expect(await failureOf(create({ keys: KEYS, assumeRole: ROLE }).get())).toBe(`AssumeRole of ${ROLE.role_arn}: AccessDenied: ${message} (status 403)`)
    expect(sts.requests).toHaveLength(1)
  })

  test('asks once more when STS fails by its own fault', async () => {
    sts.enqueue(() => new Response('<html>', { status: 503 }))
    expect((await create({ keys: KEYS, assumeRole: ROLE }).get()).accessKeyId).toBe('ASIA1')
    expect(sts.requests).toHaveLength(2)
  })

  test.each([
    ['redirects', () => Response.redirect('http://127.0.0.1:1/', 307), 'no answer of STS'],
    ['answers without keys', () => new Response('<AssumeRoleResponse/>'), 'no keys in it'],
    ['answers with a key that would split a header', () => new Response('<Credentials><AccessKeyId>a\r\nb: c</AccessKeyId><SecretAccessKey>s</SecretAccessKey></Credentials>'), 'no keys in it'],
    ['answers without end', () => new Response('x'.repeat(100_000)), 'is too large'],
  ])('gives nothing when STS %s', async (_, answer, message) => {
    sts.enqueue(answer)
    expect(await failureOf(create({ keys: KEYS, assumeRole: ROLE }).get())).toContain(message)
    expect(sts.requests).toHaveLength(1)
  })

  test('is not asked for in the clear at a public host', async () => {
    set({ AWS_ENDPOINT_URL_STS: 'http://198.51.100.7/' })
    expect(await failureOf(create({ keys: KEYS, assumeRole: ROLE }).get())).toBe('AWS_ENDPOINT_URL_STS must be an https URL')
  })

  test.each([
    ['eu-central-1', 'https://sts.eu-central-1.amazonaws.com/'],
    ['us-gov-west-1', 'https://sts.us-gov-west-1.amazonaws.com/'],
    ['cn-north-1', 'https://sts.cn-north-1.amazonaws.com.cn/'],
    ['us-isob-east-1', 'https://sts.us-isob-east-1.sc2s.sgov.gov/'],
  ])('is asked for in %s at %s', async (region, expected) => {
    unset('AWS_ENDPOINT_URL_STS')
    const asked: string[] = []
    const fetch: GuardedFetch = async (url) => {
      asked.push(String(url))
      return stsError(403, 'AccessDenied', 'no')
    }
    await failureOf(createAwsCredentials({ region, keys: KEYS, assumeRole: ROLE }, { name: 'n', fetch, environment: process.env, observe: () => {}, now }).keysFor(ALICE))
    expect(asked).toEqual([expected])
  })

  test('lasts while STS is away, and is renewed when it is back', async () => {
    const { get, observed } = create({ keys: KEYS, assumeRole: ROLE })
    await get()
    pass(3600 - 200)
    const away = () => stsError(400, 'Throttling', 'Rate exceeded')
    sts.enqueue(away, away)
    for (let n = 0; n < 10; n++) expect((await get()).accessKeyId).toBe('ASIA1')
    await until(() => observed.length > 0)
    expect(sts.requests).toHaveLength(2)
    pass(6)
    await get()
    await until(() => observed.length === 2)
    pass(6)
    await until(async () => (await get()).accessKeyId === 'ASIA2')
  })

  test('is asked for once after the upstream refused it, however many wait', async () => {
    const { get, refused } = create({ keys: KEYS, assumeRole: ROLE })
    await get()
    refused(ALICE, await get())
    const all = await Promise.all(Array.from({ length: 50 }, get))
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(['ASIA2']))
    expect(sts.requests).toHaveLength(2)
  })

  test('is not asked for again by late refusals of the old one', async () => {
    const { get, refused } = create({ keys: KEYS, assumeRole: ROLE })
    const old = await get()
    expect(refused(ALICE, old)).toBe(true)
    const next = await get()
    for (let n = 0; n < 20; n++) refused(ALICE, old)
    expect([await get(), sts.requests.length]).toEqual([next, 2])
  })

  test('that STS refuses is the trouble of the upstream, however well the keys below it are, until it is had', async () => {
    sts.accounts.push(KEYS)
    sts.enqueue(() => stsError(403, 'AccessDenied', 'no such role'))
    const { get, attempts } = create({ keys: KEYS, assumeRole: ROLE })
    await failureOf(get())
    expect(attempts).toEqual([expect.stringContaining('AccessDenied')])
    pass(60)
    await get()
    expect(attempts).toEqual([expect.stringContaining('AccessDenied'), 'well'])
  })

  test('reads rotated keys at once when STS refuses the old ones', async () => {
    const rotate = ({ accessKeyId, secretAccessKey }: AwsKeys) => write('credentials', `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`)
    rotate(KEYS)
    const { get, refused } = create({ assumeRole: ROLE })
    await get()
    const next = { accessKeyId: 'AKIANEXT', secretAccessKey: 's' }
    sts.accounts.splice(0, 1, next)
    rotate(next)
    refused(ALICE, await get())
    expect((await get()).accessKeyId).toBe('ASIA2')
    expect(sts.requests).toHaveLength(3)
  })
})

describe('a session per person', () => {
  const perPerson = { keys: KEYS, assumeRole: { ...ROLE, session_per_person: true } }
  beforeEach(() => void sts.accounts.push(KEYS))

  async function namesOf(...people: Principal[]): Promise<string[]> {
    const { keysFor } = create(perPerson)
    for (const one of people) await keysFor(one)
    return sts.requests.map(({ RoleSessionName = '' }) => RoleSessionName)
  }

  test('bears the name of the person, and each has one', async () => {
    const { keysFor, refused } = create(perPerson)
    const bob = person('2', 'bob@example.com')
    const keys = await Promise.all([ALICE, bob, ALICE, bob].map(keysFor))
    expect(keys[0]).toEqual(keys[2] as AwsKeys)
    expect(keys[1]).toEqual(keys[3] as AwsKeys)
    expect(keys[0]).not.toEqual(keys[1] as AwsKeys)
    expect(sts.requests.map(({ RoleSessionName = '' }) => RoleSessionName).sort()).toEqual(['alice@example.com', 'bob@example.com'])
    refused(ALICE, keys[0] as AwsKeys)
    expect(await keysFor(bob)).toEqual(keys[1] as AwsKeys)
    expect(await keysFor(ALICE)).not.toEqual(keys[0] as AwsKeys)
    expect(sts.requests).toHaveLength(3)
  })

  test('bears a name that STS takes, whoever the person is, and no two share one', async () => {
    const long = 'x'.repeat(80)
    const people = [
      person('1', 'dave@example.com'), person('2', 'dave@example.com'), { ...person('1', 'dave@example.com'), issuer: 'https://other.example' },
      person('3', "o'brien@example.com"), person('4', 'o-brien@example.com'), person('5', 'o/brien@example.com'),
      person('6', `${long}1@example.com`), person('7', `${long}2@example.com`), person('8', 'jürgen@example.com'),
      person('dave@example.com'), person('9'), person('a|b'), person('a:b'),
    ]
    const names = await namesOf(...people)
    expect(names).toHaveLength(people.length)
    expect(new Set(names).size).toBe(people.length)
    for (const name of names) expect(name).toMatch(/^[\w+=,.@-]{2,64}$/)
    expect(names.filter((name) => !/-[0-9a-f]{12}$/.test(name))).toEqual(['dave@example.com', 'o-brien@example.com'])
    expect(names[3]).toStartWith('o-brien@example.com-')
  })

  test('that STS refuses to one person is no trouble of the upstream', async () => {
    sts.enqueue(() => stsError(403, 'AccessDenied', 'not for this name'))
    const { keysFor, attempts } = create(perPerson)
    await failureOf(keysFor(ALICE))
    await keysFor(person('2', 'bob@example.com'))
    expect(attempts).toEqual(['well'])
  })

  test('bears the same name after a restart', async () => {
    const odd = person('8', 'jürgen@example.com')
    const [first, second] = [await namesOf(odd), await namesOf(odd)]
    expect(second).toEqual([first[0] as string, first[0] as string])
  })

  test('makes room when there are very many people, those who have been away longest first', async () => {
    const opened: string[] = []
    const open = (name: string) => ({ get: async () => ({ ...KEYS, sessionToken: `${opened.push(name)}` }), refused: () => {}, state: () => undefined })
    const { keysFor } = createSessions((name) => keepOne(open(name)), 3)
    const ask = (sub: string) => keysFor(person(sub, `${sub}@example.com`))
    for (const sub of ['a1', 'a2', 'a3', 'a1', 'a4', 'a1', 'a3', 'a2', 'a1']) await ask(sub)
    expect(opened.map((name) => name.slice(0, 2))).toEqual(['a1', 'a2', 'a3', 'a4', 'a2'])
    expect(opened[4]).toBe('a2@example.com')
  })
})

/** Asks its source a single time. */
function keepOne(credential: Credential<AwsKeys>): Credential<AwsKeys> {
  let one: Promise<AwsKeys> | undefined
  return { ...credential, get: () => (one ??= credential.get()) }
}
