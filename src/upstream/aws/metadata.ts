// Keys from the machine the gateway runs on: the container agent of ECS and EKS Pod Identity, and the metadata service
// of EC2. Not by the SDK, whose own code for these two takes no transport: they would leave past the guard.
import { readFile } from 'node:fs/promises'
import { askSource, quote, SourceUnreachable, toKeys, type AwsContext, type AwsKeys } from './keys.ts'
import type { Environment, Expiring } from '../credential.ts'
import { CredentialError } from '../upstream.ts'
import { parseJsonObject } from '../../std/json-object.ts'

/** The service is on the same machine, and where there is none nothing answers at all. */
const TIMEOUT_MS = 1000
const CONTAINER_HOST = 'http://169.254.170.2'
/** Besides https: ECS, EKS Pod Identity, and agents on the machine itself. */
const CONTAINER_HOSTS = /^(169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\]|localhost|127(\.\d+){3}|\[::1\])$/
const TOKEN_HEADER = 'x-aws-ec2-metadata-token'
const TOKEN_TTL_SECONDS = '21600'
const ROLES_PATH = '/latest/meta-data/iam/security-credentials/'
/** How long keys that have ended are used when the metadata service, in trouble itself, has no others ("static stability"). */
const STABLE_MS = 600_000

export function namesContainer(environment: Environment): boolean {
  return Boolean(environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || environment.AWS_CONTAINER_CREDENTIALS_FULL_URI)
}

/** The keys of the ECS task or of the EKS pod. Throws CredentialError. */
export async function fromContainer(context: AwsContext): Promise<Expiring<AwsKeys>> {
  const source = 'container credentials'
  const url = containerUrl(context.environment)
  const authorization = await containerToken(context.environment)
  const request = { headers: authorization === undefined ? {} : { authorization }, timeoutMs: TIMEOUT_MS }
  const ask = () => askSource(context, source, url, request)
  // The agent starts with the pod, perhaps a moment after the gateway.
  const { status, text } = await ask().catch((error) => (error instanceof SourceUnreachable && error.code === 'connect' ? ask() : Promise.reject(error)))
  const document = parseJsonObject(text) ?? {}
  if (status !== 200) throw new CredentialError(`${source}: ${url.host} answered with ${status}${reasonIn(document, authorization)}`)
  return readDocument(source, document, context.now().getTime())
}

/** Throws CredentialError unless the keys come by https or from this machine. */
function containerUrl({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative, AWS_CONTAINER_CREDENTIALS_FULL_URI: full }: Environment): URL {
  const url = URL.parse(relative ? `${CONTAINER_HOST}${relative}` : (full ?? ''))
  // `@evil.test/` behind the host would make it a user name.
  if (url === null || (relative && url.origin !== CONTAINER_HOST)) throw new CredentialError('AWS_CONTAINER_CREDENTIALS_*_URI is not valid')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && CONTAINER_HOSTS.test(url.hostname))) return url
  throw new CredentialError(`AWS_CONTAINER_CREDENTIALS_FULL_URI: ${url.host} is neither https nor the container agent nor loopback`)
}

/** The file is replaced while the gateway runs: it is read for every request. */
async function containerToken({ AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file, AWS_CONTAINER_AUTHORIZATION_TOKEN: literal }: Environment): Promise<string | undefined> {
  const token = (file ? await readTokenFile(file) : literal)?.trim()
  if (token !== undefined && /[^\x20-\x7e]/.test(token)) throw new CredentialError('the container authorization token has characters that do not belong into a header')
  return token || undefined
}

/** Throws CredentialError that names the file. */
export async function readTokenFile(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new CredentialError(`cannot read ${file} (${(error as { code?: string }).code ?? 'unknown'})`)
  }
}

/**
 * The keys of the role of an EC2 instance. `profile` is the one in use, which may hold settings of the metadata service.
 * Throws CredentialError, also when the machine is no such instance.
 */
export async function fromInstance(context: AwsContext, profile: Readonly<Record<string, string | undefined>> = {}): Promise<Expiring<AwsKeys>> {
  const source = 'EC2 instance metadata'
  const { environment } = context
  if (isOn(environment.AWS_EC2_METADATA_DISABLED)) throw new CredentialError(`${source}: switched off by AWS_EC2_METADATA_DISABLED`)
  const endpoint = instanceEndpoint(environment, profile)
  const headers = await instanceToken(source, endpoint, context, !isOn(environment.AWS_EC2_METADATA_V1_DISABLED ?? profile.ec2_metadata_v1_disabled))
  const get = async (path: string) => {
    const { status, text } = await askSource(context, source, `${endpoint}${path}`, { headers, timeoutMs: TIMEOUT_MS })
    if (status !== 200) throw new CredentialError(`${source}: ${path === ROLES_PATH && status === 404 ? 'the instance has no role' : `answered with ${status}`}`)
    return text
  }
  const role = (await get(ROLES_PATH)).trim().split('\n', 1)[0] ?? ''
  if (!/^[\w+=,.@-]+$/.test(role)) throw new CredentialError(`${source}: the name of the role is not valid`)
  const document = parseJsonObject(await get(ROLES_PATH + role)) ?? {}
  if (document.Code !== undefined && document.Code !== 'Success') throw new CredentialError(`${source}: role ${role}: ${quote(String(document.Code))}`)
  return stable(document, source, context.now().getTime())
}

/** Version 2 of the service wants a token; version 1 is what remains where a token cannot be had. */
async function instanceToken(source: string, endpoint: string, context: AwsContext, mayDoWithout: boolean): Promise<Record<string, string>> {
  const asking = askSource(context, source, `${endpoint}/latest/api/token`, { method: 'PUT', headers: { [`${TOKEN_HEADER}-ttl-seconds`]: TOKEN_TTL_SECONDS }, timeoutMs: TIMEOUT_MS })
  // No answer is what a container gets whose hop limit is 1.
  const { status, text } = await asking.catch((error) => {
    if (error instanceof SourceUnreachable && error.code === 'timeout') return { status: 0, text: '' }
    throw error
  })
  if (status === 200 && /^[\x21-\x7e]+$/.test(text)) return { [TOKEN_HEADER]: text }
  const word = status === 0 ? 'nothing' : status
  if (![0, 403, 404, 405].includes(status)) throw new CredentialError(`${source}: the request for a token was answered with ${word}`)
  if (!mayDoWithout) throw new CredentialError(`${source}: the request for a token was answered with ${word}, and version 1 is switched off`)
  return {}
}

function instanceEndpoint(environment: Environment, profile: Readonly<Record<string, string | undefined>>): string {
  const named = environment.AWS_EC2_METADATA_SERVICE_ENDPOINT || profile.ec2_metadata_service_endpoint
  const mode = environment.AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE || profile.ec2_metadata_service_endpoint_mode
  const text = named || (mode?.toLowerCase() === 'ipv6' ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254')
  const url = URL.parse(text)
  if (url === null) throw new CredentialError('AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL')
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

function isOn(text: string | undefined): boolean {
  return text !== undefined && text !== '' && text.toLowerCase() !== 'false'
}

function stable(document: Record<string, unknown>, source: string, nowMs: number): Expiring<AwsKeys> {
  const endsAtMs = new Date(String(document.Expiration)).getTime()
  if (!(endsAtMs <= nowMs)) return readDocument(source, document, nowMs)
  return readDocument(source, { ...document, Expiration: new Date(nowMs + STABLE_MS).toISOString() }, nowMs)
}

function readDocument(source: string, { AccessKeyId, SecretAccessKey, Token, Expiration }: Record<string, unknown>, nowMs: number): Expiring<AwsKeys> {
  return toKeys(source, { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token, expiration: Expiration ?? '' }, nowMs)
}

/** EKS spells the fields small, ECS does not. */
function reasonIn(document: Record<string, unknown>, secret: string | undefined): string {
  const parts = [document.code ?? document.Code, document.message ?? document.Message].filter((part) => typeof part === 'string')
  return parts.length === 0 ? '' : `: ${quote(parts.join(': '), [secret])}`
}
