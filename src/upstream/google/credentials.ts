// An access token of Google Cloud, from where Application Default Credentials look: a file, or the metadata server.
// Keys, users, impersonation and the metadata server are spoken to here; google-auth-library federates the rest. Its own
// way there (GoogleAuth) runs `gcloud` through a shell, has HTTP clients that cannot be replaced, and ignores `token_uri`.
import { createPrivateKey, sign } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { keepFresh, type Credential, type CredentialDeps, type Environment, type Expiring } from '../credential.ts'
import { federate } from './federation.ts'
import { isHeaderSafe, readTokenResponse, requestToken, requireObject } from '../token-request.ts'
import { CredentialError } from '../upstream.ts'

export interface GoogleToken {
  readonly token: string
  /** The project that pays; sent as `x-goog-user-project`. */
  readonly quotaProject?: string
}

/** Proves a request with a token. */
export function setGoogleToken(headers: Headers, { token, quotaProject }: GoogleToken): void {
  headers.set('authorization', `Bearer ${token}`)
  if (quotaProject !== undefined) headers.set('x-goog-user-project', quotaProject)
}

type CredentialFile = Readonly<Record<string, unknown>>
interface Token {
  readonly token: string
  readonly expiresAtMs: number
}

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const METADATA_HOST = '169.254.169.254'
const METADATA_PATH = '/computeMetadata/v1/instance/service-accounts/default/token'
const LIFETIME_SECONDS = 3600
/** It is on the same machine; where there is none, somebody waits for this. */
const METADATA_TIMEOUT_MS = 3000

/**
 * `{}` for Application Default Credentials, or `service_account_json`, a path. The files are read at every renewal, so
 * that a rotated key needs no restart. The environment says where they are and where the metadata server is.
 */
export function createGoogleCredential(auth: { service_account_json?: string }, deps: CredentialDeps): Credential<GoogleToken> {
  return keepFresh(() => load(auth.service_account_json, deps), deps)
}

async function load(configured: string | undefined, deps: CredentialDeps): Promise<Expiring<GoogleToken>> {
  const { environment } = deps
  const path = configured ?? (await findDefaultFile(environment))
  const file = path === undefined ? {} : await readCredentialFile(path)
  const { token, expiresAtMs } = path === undefined ? await askMetadataServer(deps) : await obtain(file, deps)
  const quotaProject = (configured === undefined && environment.GOOGLE_CLOUD_QUOTA_PROJECT) || textOf(file, 'quota_project_id')
  return { value: { token, ...(quotaProject && { quotaProject }) }, expiresAtMs }
}

/** The variable wins, even when its file is missing: falling back would act as somebody else. */
async function findDefaultFile(environment: Environment): Promise<string | undefined> {
  if (environment.GOOGLE_APPLICATION_CREDENTIALS) return environment.GOOGLE_APPLICATION_CREDENTIALS
  const wellKnown = wellKnownFile(environment)
  if (wellKnown === undefined) return undefined
  return access(wellKnown).then(
    () => wellKnown,
    () => undefined,
  )
}

function wellKnownFile({ CLOUDSDK_CONFIG, HOME }: Environment): string | undefined {
  const directory = CLOUDSDK_CONFIG || (HOME ? join(HOME, '.config', 'gcloud') : undefined)
  return directory && join(directory, 'application_default_credentials.json')
}

async function readCredentialFile(path: string): Promise<CredentialFile> {
  const text = await readFile(path, 'utf8').catch((error: { code?: string }) => {
    throw new CredentialError(`cannot read ${path} (${error.code ?? 'unknown'})`)
  })
  try {
    const file = JSON.parse(text)
    if (typeof file === 'object' && file !== null) return file
  } catch {
    // A parser's message quotes what it read.
  }
  throw new CredentialError(`${path} is not a credential file: it is not JSON`)
}

/** A token for what a credential file describes (https://google.aip.dev/auth/4110). */
async function obtain(file: CredentialFile, deps: CredentialDeps): Promise<Token> {
  const universe = textOf(file, 'universe_domain')
  if (universe !== undefined && universe !== 'googleapis.com') throw new CredentialError(`credentials of the universe ${universe} are not supported`)
  switch (file.type) {
    case 'service_account':
      return exchange(file, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: signAssertion(file, deps.now()) }, deps)
    case 'authorized_user': {
      const [client_id, client_secret, refresh_token] = [required(file, 'client_id'), required(file, 'client_secret'), required(file, 'refresh_token')]
      return exchange(file, { grant_type: 'refresh_token', client_id, client_secret, refresh_token }, deps)
    }
    case 'impersonated_service_account':
      return impersonate(file, deps)
    case 'external_account':
      return federate(file, SCOPE, deps)
    default:
      throw new CredentialError(`credentials of the type ${JSON.stringify(file.type)} are not supported`)
  }
}

async function exchange(file: CredentialFile, form: Record<string, string>, deps: CredentialDeps): Promise<Token> {
  const url = textOf(file, 'token_uri') ?? TOKEN_URL
  const body = new URLSearchParams(form).toString()
  const askedAtMs = deps.now().getTime()
  const answer = await requestToken(deps, url, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }, body })
  const host = new URL(url).host
  return readTokenResponse(requireObject(answer, host, body), host, askedAtMs)
}

/** RFC 7523 §3, with Google's `scope` claim. The audience is Google's own address, wherever the request goes. */
function signAssertion(file: CredentialFile, now: Date): string {
  const issuedAt = Math.floor(now.getTime() / 1000)
  const header = { alg: 'RS256', typ: 'JWT', ...(textOf(file, 'private_key_id') && { kid: file.private_key_id }) }
  const claims = { iss: required(file, 'client_email'), scope: SCOPE, aud: TOKEN_URL, iat: issuedAt, exp: issuedAt + LIFETIME_SECONDS }
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const pem = required(file, 'private_key')
  try {
    return `${signed}.${sign('sha256', Buffer.from(signed), createPrivateKey(pem)).toString('base64url')}`
  } catch {
    throw new CredentialError('the private_key of the credential file is not an RSA key in PEM')
  }
}

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken */
async function impersonate(file: CredentialFile, deps: CredentialDeps): Promise<Token> {
  const url = required(file, 'service_account_impersonation_url')
  const source = file.source_credentials
  if (typeof source !== 'object' || source === null) throw new CredentialError('the credential file holds no source_credentials')
  const { token } = await obtain(source as CredentialFile, deps)
  const body = JSON.stringify({ scope: [SCOPE], lifetime: `${LIFETIME_SECONDS}s`, ...(Array.isArray(file.delegates) && { delegates: file.delegates }) })
  const answer = await requestToken(deps, url, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body })
  const host = new URL(url).host
  const { accessToken, expireTime } = requireObject(answer, host)
  const expiresAtMs = Date.parse(String(expireTime))
  if (!isHeaderSafe(accessToken) || Number.isNaN(expiresAtMs)) throw new CredentialError(`${host} answered without a token and its end`)
  return { token: accessToken, expiresAtMs }
}

/**
 * https://cloud.google.com/compute/docs/metadata/querying-metadata: the header keeps a request from being forged through
 * the machine, and the same one on the answer shows that it is Google's server and not whoever else has the address.
 */
async function askMetadataServer(deps: CredentialDeps): Promise<Token> {
  const { environment } = deps
  const nowhere = `no Application Default Credentials: GOOGLE_APPLICATION_CREDENTIALS is not set, ${wellKnownFile(environment) ?? '~/.config/gcloud'} does not exist`
  if (environment.METADATA_SERVER_DETECTION?.trim().toLowerCase() === 'none') throw new CredentialError(nowhere)
  const host = environment.GCE_METADATA_HOST || environment.GCE_METADATA_IP || METADATA_HOST
  const url = URL.parse(METADATA_PATH, host.includes('://') ? host : `http://${host}`)
  if (url === null) throw new CredentialError('GCE_METADATA_HOST is not a host')
  url.searchParams.set('scopes', SCOPE)
  const askedAtMs = deps.now().getTime()
  const answer = await requestToken(deps, url, { headers: { 'metadata-flavor': 'Google' }, timeoutMs: METADATA_TIMEOUT_MS }).catch((error: Error) => {
    throw new CredentialError(`${nowhere}, and of a metadata server: ${error.message}`)
  })
  if (answer.headers.get('metadata-flavor') !== 'Google') throw new CredentialError(`${nowhere}, and ${url.host} is not Google's metadata server`)
  if (answer.status === 404) throw new CredentialError('the metadata server knows no service account of this machine')
  return readTokenResponse(requireObject(answer, 'the metadata server'), 'the metadata server', askedAtMs)
}

function textOf(file: CredentialFile, name: string): string | undefined {
  const value = file[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function required(file: CredentialFile, name: string): string {
  const value = textOf(file, name)
  if (value === undefined) throw new CredentialError(`the credential file holds no ${name}`)
  return value
}
