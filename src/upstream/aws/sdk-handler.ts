// Lets the clients inside the AWS SDK send through the guarded fetch, and nowhere else.
import { checkOperatorUrl } from '../../egress/operator-url.ts'
import { askSource, type AwsContext } from './keys.ts'
import { CredentialError } from '../upstream.ts'

const TIMEOUT_MS = 10_000

/** A request as the SDK hands it to its transport. */
interface SdkRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Record<string, string | readonly string[] | null>
  readonly headers: Record<string, string>
  readonly body?: unknown
}

/** For `clientConfig.requestHandler`. A redirect is an answer, which the SDK takes for an error. */
export function createSdkHandler(context: Pick<AwsContext, 'fetch'>) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: SdkRequest) {
      const url = urlOf(request)
      const { status, headers, text } = await askSource(context, request.hostname, url, {
        method: request.method as 'GET' | 'POST',
        headers: request.headers,
        ...(request.body ? { body: Buffer.from(request.body as string | Uint8Array).toString('utf8') } : {}),
        timeoutMs: TIMEOUT_MS,
      })
      return { response: { statusCode: status, headers: Object.fromEntries(headers), body: new TextEncoder().encode(text) } }
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  }
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`)
  for (const [name, values] of Object.entries(query)) for (const value of [values ?? ''].flat()) url.searchParams.append(name, value)
  // The answer carries keys: `http:` is for private addresses alone.
  const problem = checkOperatorUrl(url.href, { allowLoopback: true, allowHttpPrivate: true })
  if (problem !== undefined) throw new CredentialError(`${url.host} ${problem}`)
  return url
}
