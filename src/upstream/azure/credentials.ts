// An access token of Microsoft Entra for Foundry, from wherever DefaultAzureCredential of @azure/identity finds one.
// The library is loaded at first need, and its requests go through the guard.
import type { DefaultAzureCredentialOptions, TokenCredential } from '@azure/identity'
import { excerpt } from '../../observe/redact.ts'
import { keepFresh, type Credential, type CredentialDeps, type Expiring } from '../credential.ts'
import { conceal, isHeaderSafe, requestToken } from '../token-request.ts'
import { CredentialError } from '../upstream.ts'

type Identity = typeof import('@azure/identity')
type HttpClient = NonNullable<DefaultAzureCredentialOptions['httpClient']>
type PipelineResponse = Awaited<ReturnType<HttpClient['sendRequest']>>

const SCOPE = 'https://ai.azure.com/.default'
/** Programs such as `az`, where somebody works on a machine of their own. */
const PROCESS_TIMEOUT_MS = 10_000
const TELEMETRY_HEADERS = ['user-agent', 'x-client-sku', 'x-client-ver', 'x-client-os', 'x-client-cpu']
const MAX_REASON_LENGTH = 400

/** An Entra access token. The environment says who the gateway is, as Microsoft documents for DefaultAzureCredential. */
export function createAzureCredential(deps: CredentialDeps): Credential<string> {
  return keepFresh(() => load(deps), deps)
}

/** With a new chain each time: its caches are what `refused` declares bad, and it reads its files once. */
async function load(deps: CredentialDeps): Promise<Expiring<string>> {
  const identity = await import('@azure/identity')
  silence(identity.logger)
  const troubles: string[] = []
  const options: DefaultAzureCredentialOptions = {
    httpClient: createHttpClient(deps, troubles),
    // `keepFresh` tries again; the library would for minutes, with somebody waiting.
    retryOptions: { maxRetries: 0 },
    // The authority is the operator's or Microsoft's own, so the public cloud need not vouch for it: it may be out of reach.
    disableInstanceDiscovery: true,
    processTimeoutInMs: PROCESS_TIMEOUT_MS,
    loggingOptions: { logger: identity.logger.verbose },
  }
  const chain = new identity.DefaultAzureCredential(options)
  const missing = keepWithinGuard(chain as object as Chain, identity, options)
  const answer = await chain.getToken(SCOPE).catch((error: Error) => {
    throw new CredentialError(explain(error, missing, troubles))
  })
  if (!isHeaderSafe(answer.token)) throw new CredentialError('Entra answered without a token')
  const { token, expiresOnTimestamp: expiresAtMs, refreshAfterTimestamp: renewAtMs } = answer
  return { value: token, expiresAtMs, ...(renewAtMs !== undefined && { renewAtMs }) }
}

/** AZURE_LOG_LEVEL and DEBUG would have it write to standard error. */
function silence(logger: Identity['logger']): void {
  for (const level of [logger.error, logger.warning, logger.info, logger.verbose]) Object.assign(level, { log: () => {}, enabled: false })
}

/** The members that the library offers no option for. */
interface Chain {
  _sources: Source[]
}
interface Source extends TokenCredential {
  /** Of what could not be constructed. */
  readonly credentialUnavailableErrorMessage?: string
}
interface ManagedIdentity {
  readonly managedIdentityApp: {
    readonly constructor: { readonly nodeStorage: { setCache(cache: object): void } }
    readonly managedIdentityClient: { readonly constructor: object }
  }
}

/**
 * Leaves what works without a person, and within the guard. Where the variables of a workload identity are set, a managed
 * identity is that identity, asked for with an HTTP client of its own (tokenExchangeMsi): the guarded one stands in.
 * Elsewhere MSAL keeps its tokens and the first HTTP client in its classes, for the whole process: they are forgotten.
 * Gives what the others say they miss.
 */
function keepWithinGuard(chain: Chain, identity: Identity, options: DefaultAzureCredentialOptions): string[] {
  const { EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential, AzureCliCredential, AzurePowerShellCredential, AzureDeveloperCliCredential } = identity
  const asked = chain._sources
  const federated = asked.find((source) => source instanceof WorkloadIdentityCredential) ?? workloadIdentity(identity, options)
  const unattended = [EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential, AzureCliCredential, AzurePowerShellCredential, AzureDeveloperCliCredential]
  const kept = asked.filter((source) => unattended.some((kind) => source instanceof kind))
  chain._sources = [...new Set(kept.map((source) => (source instanceof ManagedIdentityCredential ? (federated ?? forgetful(source)) : source)))]
  const missing = asked.flatMap(({ credentialUnavailableErrorMessage: message }) => (message === undefined || message.startsWith('Broker') ? [] : [message]))
  if (kept.length === 0) throw new CredentialError(`no credential of Azure: ${missing.map(firstSentence).join(' ') || 'what AZURE_TOKEN_CREDENTIALS names needs a person'}`)
  return missing
}

function forgetful(source: Source): Source {
  const { constructor, managedIdentityClient } = (source as object as ManagedIdentity).managedIdentityApp
  constructor.nodeStorage.setCache({})
  Object.assign(managedIdentityClient.constructor, { identitySource: undefined, sourceName: undefined })
  return source
}

function workloadIdentity(identity: Identity, options: DefaultAzureCredentialOptions): Source | undefined {
  try {
    return new identity.WorkloadIdentityCredential(options)
  } catch {
    return undefined
  }
}

/** What fails is told in `troubles`: the library wraps it in a page of text, or drops it. */
function createHttpClient(deps: CredentialDeps, troubles: string[]): HttpClient {
  return {
    async sendRequest(request): Promise<PipelineResponse> {
      const { url, method, body, timeout } = request
      const host = URL.parse(url)?.host ?? 'an invalid URL'
      try {
        if (body !== undefined && body !== null && typeof body !== 'string') throw new CredentialError(`the request to ${host} is not text`)
        const headers = new Headers(request.headers.toJSON())
        const form = body && withoutTelemetry(body)
        for (const name of TELEMETRY_HEADERS) headers.delete(name)
        const answer = await requestToken(deps, url, { method, headers, ...(form && { body: form }), ...(timeout > 0 && { timeoutMs: timeout }) })
        if (answer.status >= 400) troubles.push(`${host} answered ${answer.status}${reasonOf(answer.text, form ?? '')}`)
        return { request, status: answer.status, headers: toHttpHeaders(answer.headers), bodyAsText: answer.text }
      } catch (error) {
        troubles.push((error as Error).message)
        throw error
      }
    },
  }
}

/** Versions, processor and what failed before: MSAL's telemetry travels in the form. */
function withoutTelemetry(body: string): string {
  const form = new URLSearchParams(body)
  for (const name of [...form.keys()]) if (name.startsWith('x-client-')) form.delete(name)
  return form.toString()
}

function toHttpHeaders(headers: Headers): PipelineResponse['headers'] {
  return {
    get: (name) => headers.get(name) ?? undefined,
    has: (name) => headers.has(name),
    set: (name, value) => headers.set(name, String(value)),
    delete: (name) => headers.delete(name),
    toJSON: () => Object.fromEntries(headers),
    [Symbol.iterator]: () => headers.entries(),
  }
}

/** Entra's description begins with a code such as AADSTS700016 and a sentence; traces and times follow. */
function reasonOf(text: string, sent: string): string {
  try {
    const { error, error_description: description } = JSON.parse(text)
    const reason = firstSentence([description, error?.message, error].find((words) => typeof words === 'string') ?? '')
    return reason === '' ? '' : `: ${conceal(reason, sent)}`
  } catch {
    return ''
  }
}

interface LibraryError extends Error {
  /** Of each source that was asked. */
  readonly errors?: readonly Error[]
  readonly errorResponse?: { readonly errorDescription?: string }
}

/** What Entra said of the identity; else what failed last, and what each source misses. */
function explain(error: LibraryError, missing: readonly string[], troubles: readonly string[]): string {
  const refusal = troubles.find((trouble) => trouble.includes('AADSTS'))
  if (refusal !== undefined) return refusal
  const last = troubles.at(-1)
  if (error.errors === undefined) return last ?? firstSentence(error.errorResponse?.errorDescription ?? error.message)
  const sentences = [...missing, ...error.errors.map(({ message }) => message)].map(firstSentence)
  return `no credential of Azure: ${[...(last === undefined ? [] : [`${last}.`]), ...new Set(sentences)].join(' ')}`.slice(0, MAX_REASON_LENGTH)
}

function firstSentence(text: string): string {
  const [sentence = ''] = /^.*?(?:\.(?=\s|$)|(?=[\r\n])|$)/.exec(text) ?? []
  return excerpt(sentence, MAX_REASON_LENGTH)
}
