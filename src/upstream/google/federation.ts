// Workload identity federation of Google Cloud: the token of another cloud or cluster for one of Google's, by
// google-auth-library. It is loaded when a credential file asks for it, and gets a transporter of ours: its own follows
// redirects, reads proxies from the environment, and repeats requests.
import type { BaseExternalAccountClient, BaseExternalAccountClientOptions, Credentials } from 'google-auth-library'
import type { GuardedFetch } from '../../egress/guarded-fetch.ts'
import { excerpt } from '../../observe/redact.ts'
import { isHeaderSafe, requestToken, requireObject } from '../token-request.ts'
import { CredentialError } from '../upstream.ts'

/** What the library asks of a transporter, and reads in its answer. */
interface LibraryRequest {
  readonly url: string | URL
  readonly method?: string
  readonly headers?: Headers | Record<string, string>
  readonly data?: unknown
  readonly responseType?: string
}
interface Deps {
  readonly fetch: GuardedFetch
}
type Transporter = NonNullable<BaseExternalAccountClientOptions['transporter']>

/** Of an error's own words. */
const MAX_REASON_LENGTH = 1000

/** The members that the library offers no option for. */
interface Internals {
  stsCredential: { transporter: Transporter }
  cachedAccessToken: Credentials | null
}

/** A new client every time: it reads its files once. Throws CredentialError, and the library's errors about the file. */
export async function federate(file: Readonly<Record<string, unknown>>, scope: string, deps: Deps): Promise<{ token: string; expiresAtMs: number }> {
  const transporter = { request: (request: LibraryRequest) => send(deps, request) } as unknown as Transporter
  const client = await createClient(file, { scopes: [scope], transporter, useAuthRequestParameters: false })
  const internals = client as unknown as Internals
  // The exchange has a client of its own otherwise (BaseExternalAccountClient's constructor), past the guard.
  internals.stsCredential.transporter = transporter
  const { token } = await client.getAccessToken().catch((error: Error) => {
    // A parser's message quotes what it read, and what a program printed may be a token.
    throw new CredentialError(error instanceof SyntaxError ? 'where the token comes from is no JSON' : excerpt(error.message, MAX_REASON_LENGTH))
  })
  const expiresAtMs = internals.cachedAccessToken?.expiry_date
  if (!isHeaderSafe(token) || typeof expiresAtMs !== 'number' || Number.isNaN(expiresAtMs)) throw new CredentialError('the token exchange answered without a token and its lifetime')
  return { token, expiresAtMs }
}

async function createClient(file: Readonly<Record<string, unknown>>, ours: object): Promise<BaseExternalAccountClient> {
  const { AwsClient, IdentityPoolClient, PluggableAuthClient } = await import('google-auth-library')
  const source = file.credential_source as { environment_id?: unknown; executable?: unknown; certificate?: unknown } | undefined
  const options = { ...file, ...ours } as never
  if (source?.environment_id !== undefined) return new AwsClient(options)
  // Runs only where GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 says so; the library looks.
  if (source?.executable !== undefined) return new PluggableAuthClient(options)
  // Mutual TLS would bring transporters of its own.
  if (source?.certificate !== undefined) throw new CredentialError('credential_source.certificate is not supported')
  return new IdentityPoolClient(options)
}

async function send(deps: Deps, request: LibraryRequest) {
  const headers = new Headers(request.headers)
  const body = bodyOf(request.data, headers)
  const answer = await requestToken(deps, request.url, { method: request.method ?? 'GET', headers, ...(body !== undefined && { body }) })
  const host = new URL(request.url).host
  const isText = request.responseType === 'text' && answer.status === 200
  return { status: answer.status, headers: answer.headers, config: {}, data: isText ? answer.text : requireObject(answer, host, body) }
}

function bodyOf(data: unknown, headers: Headers): string | undefined {
  if (data === undefined || typeof data === 'string') return data
  const isForm = data instanceof URLSearchParams
  if (!headers.has('content-type')) headers.set('content-type', isForm ? 'application/x-www-form-urlencoded' : 'application/json')
  return isForm ? data.toString() : JSON.stringify(data)
}
