// A gateway for each upstream a test wants, beside the fake cloud it leads to: one database, one identity provider and one
// set of credential sources for a whole test file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import type { AuditEvent } from '../../src/observe/events.ts'
import { startBedrock } from './clouds/bedrock.ts'
import type { Cloud, CloudScript, HttpError } from './clouds/cloud.ts'
import { cutAtRandom, join } from './clouds/event-stream.ts'
import { startGoogle, type TestGoogle } from './clouds/google-token.ts'
import { appServiceVariables, startMetadata, type TestMetadata } from './clouds/instance-metadata.ts'
import { startMessagesApi } from './clouds/messages-api.ts'
import type { AwsKey } from './clouds/sigv4.ts'
import { startSts, type FakeSts } from './clouds/sts.ts'
import { startVertex } from './clouds/vertex.ts'
import { startWorld, type TestGateway, type World, type WorldOptions } from './gateway.ts'

export type CloudProvider = 'bedrock' | 'mantle' | 'anthropicAws' | 'vertex' | 'anthropicGoogleCloud' | 'foundry'

export interface Sources {
  sts: FakeSts
  google: TestGoogle
  /** Google's metadata server, and the endpoint of Azure's App Service. */
  metadata: TestMetadata
  /** Path of a key file that `google` knows; `writeKey` puts another key in its place. */
  keyFile: string
  writeKey(email?: string): void
  /** For files of a test's own. */
  directory: string
}

/** A cloud and the entry of `upstreams` that leads to it. */
export interface Place {
  cloud: Cloud
  upstream: Record<string, unknown>
  /** What the cloud accepts; a test takes away or adds. */
  keys: Map<string, AwsKey>
  tokens: string[]
}

export interface CloudWorld {
  world: World
  sources: Sources
  alice: string
  bob: string
  /** A gateway with these upstreams, perhaps with other sections too. */
  gateway(upstreams: readonly Record<string, unknown>[], changes?: Record<string, unknown>): Promise<TestGateway>
  /** The cloud is stopped with the world. */
  place(access: Access, options?: PlaceOptions): Promise<Place>
  stop(): Promise<void>
}

export interface PlaceOptions {
  seed?: number
  /** More of the fake cloud's own options. */
  cloud?: Record<string, unknown>
  /** More of the upstream's entry. */
  upstream?: Record<string, unknown>
}

/** One way to prove oneself to one provider. */
export interface Access {
  name: string
  provider: CloudProvider
  auth(sources: Sources): Record<string, unknown>
  assumeRole?: Record<string, unknown>
}

export const REGION = 'us-east-1'
export const WORKSPACE = 'wrkspc_1'
export const PROJECT = 'acme'
export const ROLE = 'arn:aws:iam::123456789012:role/claude'
const KEY = { accessKeyId: 'AKIAFAKEFAKEFAKEFAKE', secretAccessKey: 'secret/with+signs' }
export const API_KEY = 'cloud-api-key-canary'
export const AWS_KEYS = { aws_access_key_id: KEY.accessKeyId, aws_secret_access_key: KEY.secretAccessKey }

const keyFile = ({ keyFile: path }: Sources) => ({ service_account_json: path })
export const ACCESSES: readonly Access[] = [
  { name: 'bedrock with keys', provider: 'bedrock', auth: () => AWS_KEYS },
  { name: 'bedrock with a bearer token', provider: 'bedrock', auth: () => ({ aws_bearer_token: API_KEY }) },
  { name: 'bedrock as a role', provider: 'bedrock', auth: () => AWS_KEYS, assumeRole: { role_arn: ROLE } },
  { name: 'bedrock as a role, a session per person', provider: 'bedrock', auth: () => AWS_KEYS, assumeRole: { role_arn: ROLE, session_per_person: true } },
  { name: 'mantle with keys', provider: 'mantle', auth: () => AWS_KEYS },
  { name: 'mantle with an API key', provider: 'mantle', auth: () => ({ api_key: API_KEY }) },
  { name: 'anthropicAws with keys', provider: 'anthropicAws', auth: () => AWS_KEYS },
  { name: 'anthropicAws with an API key', provider: 'anthropicAws', auth: () => ({ api_key: API_KEY }) },
  { name: 'vertex with a key file', provider: 'vertex', auth: keyFile },
  { name: 'vertex by the metadata server', provider: 'vertex', auth: () => ({}) },
  { name: 'anthropicGoogleCloud with a key file', provider: 'anthropicGoogleCloud', auth: keyFile },
  { name: 'foundry with an API key', provider: 'foundry', auth: () => ({ api_key: API_KEY }) },
  { name: 'foundry as a managed identity', provider: 'foundry', auth: () => ({ use_azure_ad: true }) },
]

export function accessOf(name: string): Access {
  const access = ACCESSES.find((one) => one.name === name)
  if (access === undefined) throw new Error(`no access is named ${name}`)
  return access
}

/** The first access of each provider. */
export const ONE_EACH: readonly Access[] = ACCESSES.filter(({ provider }, at) => ACCESSES.findIndex((other) => other.provider === provider) === at)

const DEPLOYMENTS = ['claude-opus-5-5', 'claude-opus-5', 'claude-opus-4-8', 'claude-sonnet-5', 'claude-sonnet-5-5', 'claude-haiku-4-5', 'claude-haiku-5-5', 'claude-fable-5', 'claude-fable-5-2']
const MANY = Array.from({ length: 400 }, (_, at) => at + 1)

/** What the libraries of the clouds would read of this machine is put aside. */
const FOREIGN = /^(AWS_|AZURE_|MSI_|IDENTITY_|IMDS_|GOOGLE_|GCE_|CLOUDSDK_|GCLOUD_|ANTHROPIC_)/

export async function startCloudWorld({ nowMs }: Pick<WorldOptions, 'nowMs'> = {}): Promise<CloudWorld> {
  const directory = mkdtempSync(joinPath(tmpdir(), 'gatehouse-clouds-'))
  const sts = await startSts({ region: REGION, now: () => new Date() })
  sts.accounts.push(KEY)
  const google = startGoogle()
  const metadata = startMetadata()
  const sources: Sources = { sts, google, metadata, directory, keyFile: joinPath(directory, 'key.json'), writeKey: (email) => writeFileSync(sources.keyFile, JSON.stringify(google.createKey(email))) }
  sources.writeKey()
  const restore = useEnvironment({
    AWS_ENDPOINT_URL_STS: sts.url,
    GCE_METADATA_HOST: metadata.host,
    CLOUDSDK_CONFIG: directory,
    AZURE_CONFIG_DIR: directory,
    ...appServiceVariables(metadata),
  })
  const clouds: Cloud[] = []
  // Without the section, everybody may use every model.
  const world = await startWorld({ config: { managed: undefined }, ...(nowMs && { nowMs }) })
  const [alice, bob] = [await world.signIn('alice'), await world.signIn('bob')]
  return {
    world,
    sources,
    alice: alice.access_token,
    bob: bob.access_token,
    gateway: (upstreams, changes = {}) => world.replica({ upstreams, ...changes }),
    async place(access, options) {
      const place = await startPlace(access, sources, options)
      clouds.push(place.cloud)
      return place
    },
    async stop() {
      await world.stop()
      await Promise.all([...clouds.map((cloud) => cloud.stop()), sts.stop(), google.stop(), metadata.stop()])
      restore()
      rmSync(directory, { recursive: true })
    },
  }
}

function useEnvironment(variables: Record<string, string>): () => void {
  const before = Object.entries(process.env).filter(([name]) => FOREIGN.test(name))
  const clear = () => {
    for (const name of Object.keys(process.env)) if (FOREIGN.test(name)) delete process.env[name]
  }
  clear()
  Object.assign(process.env, variables)
  return () => {
    clear()
    Object.assign(process.env, Object.fromEntries(before))
  }
}

async function startPlace(access: Access, sources: Sources, { seed = 1, cloud: options = {}, upstream = {} }: PlaceOptions = {}): Promise<Place> {
  const keys = new Map<string, AwsKey>([
    [KEY.accessKeyId, { secret: KEY.secretAccessKey }],
    ...MANY.map((n): [string, AwsKey] => [`ASIA${n}`, { secret: `secret&of${n}`, sessionToken: `token-of-${n}==` }]),
  ])
  const tokens = MANY.flatMap((n) => [`google-${n}`, `metadata-${n}`])
  const { cloud, at } = await startFake(access.provider, { keys, tokens, seed, options })
  return { cloud, keys, tokens, upstream: { provider: access.provider, auth: access.auth(sources), ...at, ...(access.assumeRole && { assume_role: access.assumeRole }), ...upstream } }
}

interface FakeOptions {
  keys: Map<string, AwsKey>
  tokens: string[]
  seed: number
  options: Record<string, unknown>
}

async function startFake(provider: CloudProvider, { keys, tokens: bearer, seed, options }: FakeOptions): Promise<{ cloud: Cloud; at: Record<string, unknown> }> {
  const project = { project: PROJECT, location: 'global' }
  switch (provider) {
    case 'bedrock': {
      const cloud = await startBedrock({ keys, bearer: API_KEY, region: REGION, seed, ...options })
      return { cloud, at: { region: REGION, base_url: cloud.url } }
    }
    case 'mantle': {
      const cloud = await startMessagesApi({ kind: 'mantle', keys, apiKeys: [API_KEY], region: REGION, seed, ...options })
      return { cloud, at: { region: REGION, base_url: `${cloud.url}/anthropic` } }
    }
    case 'anthropicAws': {
      const cloud = await startMessagesApi({ kind: 'anthropicAws', keys, apiKeys: [API_KEY], workspace: WORKSPACE, region: REGION, seed, ...options })
      return { cloud, at: { region: REGION, workspace_id: WORKSPACE, base_url: cloud.url } }
    }
    case 'vertex': {
      const cloud = await startVertex({ bearer, ...project, seed, ...options })
      return { cloud, at: { region: 'global', project_id: PROJECT, base_url: `${cloud.url}/v1` } }
    }
    case 'anthropicGoogleCloud': {
      const cloud = await startMessagesApi({ kind: 'anthropicGoogleCloud', bearer, ...project, workspace: WORKSPACE, seed, ...options })
      return { cloud, at: { project_id: PROJECT, workspace_id: WORKSPACE, base_url: `${cloud.url}/v1/projects/${PROJECT}/locations/global/workspaces/${WORKSPACE}/invoke` } }
    }
    case 'foundry': {
      const cloud = await startMessagesApi({ kind: 'foundry', apiKeys: [API_KEY], bearer, deployments: Object.fromEntries(DEPLOYMENTS.map((name) => [name, name])), seed, ...options })
      return { cloud, at: { base_url: `${cloud.url}/anthropic` } }
    }
  }
}

/** A secret of each kind that the clouds are reached with: none may come out at any end. */
export const SECRETS = [API_KEY, KEY.secretAccessKey, 'token-of-', 'secret&of', 'google-1', 'metadata-1']

interface Tampering {
  /** Cuts the stream's bytes into pieces of random sizes, across events and frames. */
  seed?: number
  /** The headers of the answer as something on the way makes them. */
  headers?: (headers: Record<string, string>) => Record<string, string>
  /** Gets the headers that were sent. */
  sent?: Record<string, string>[]
}

/** The cloud's own answer, tampered with on the way. */
export function tampered({ seed, headers: change = (headers) => headers, sent = [] }: Tampering): CloudScript {
  return async ({ answer, request, stream, whole }) => {
    const { head, send, chunk } = answer
    const note = (headers: Record<string, string>) => {
      const changed = change(headers)
      sent.push(changed)
      return changed
    }
    answer.head = (status, headers = {}) => head(status, note(headers))
    answer.send = (status, headers, body) => send(status, note(headers), body)
    if (request.operation !== 'stream' || seed === undefined) return whole()
    const pieces: Uint8Array[] = []
    answer.chunk = async (piece) => void pieces.push(Buffer.from(piece as string))
    await stream()
    for (const piece of cutAtRandom(join(...pieces), seed, 500)) {
      await chunk(piece)
      // The gateway gets to read before the next piece is there.
      await new Promise(setImmediate)
    }
    answer.end()
  }
}

/** Every accepted request of `cloud` from now on is answered with what `next` gives, or as usual when it gives nothing. */
export function answerAll(cloud: Cloud, next: () => HttpError | CloudScript | undefined): void {
  const script: CloudScript = (turn) => {
    cloud.script(script)
    const given = next()
    if (given === undefined) return turn.whole()
    return typeof given === 'function' ? given(turn) : turn.answer.send(given.status, given.headers, given.body)
  }
  cloud.script(script)
}

export type Inference = Extract<AuditEvent, { evt: 'inference' }>

/** The audit line of the request that was answered so. */
export function reportOf(gateway: TestGateway, response: Response): Promise<Inference> {
  const id = response.headers.get('x-request-id')
  return gateway.saw('inference', ({ request_id }) => request_id === id)
}

/** The operational lines about one request. */
export function linesOf(gateway: TestGateway, response: Response): string[] {
  const id = response.headers.get('x-request-id')
  return gateway.observed.flatMap((one) => ('op' in one && one.request_id === id ? [`${one.op} ${one.message}`] : []))
}
