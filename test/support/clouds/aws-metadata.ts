// The metadata service of EC2 and the credentials agent of ECS and EKS, on loopback.
import type { AwsKeys } from '../../../src/upstream/aws/credentials.ts'

export interface MetadataOptions {
  keys: AwsKeys
  /** ISO date; what the service says of the keys. */
  expiration: string
  /** Status of the answer to `PUT /latest/api/token`; 200 gives a token, 0 never answers. */
  tokenStatus: number
  /** True refuses requests without a token, as an instance does that demands version 2. */
  demandsToken: boolean
  /** No role on the instance when undefined. */
  role: string | undefined
  /** What the container agent wants to see in `Authorization`. */
  containerToken: string | undefined
  /** Answers every request with this instead. */
  instead: ((request: Request) => Response) | undefined
}

export interface FakeMetadata {
  url: string
  /** `METHOD /path`, in order. */
  requests: string[]
  /** To be changed at any time. */
  options: MetadataOptions
  stop(): Promise<void>
}

export async function startMetadata(keys: AwsKeys, expiration: string): Promise<FakeMetadata> {
  const options: MetadataOptions = { keys, expiration, tokenStatus: 200, demandsToken: true, role: 'node-role', containerToken: undefined, instead: undefined }
  const requests: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url)
      requests.push(`${request.method} ${pathname}`)
      if (options.instead !== undefined) return options.instead(request)
      return pathname.startsWith('/latest/') ? answerInstance(request, pathname, options) : answerContainer(request, options)
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, requests, options, stop: () => server.stop(true) }
}

const TOKEN = 'metadata-token'
const ROLES = '/latest/meta-data/iam/security-credentials/'

function answerInstance(request: Request, pathname: string, { tokenStatus, demandsToken, role, keys, expiration }: MetadataOptions): Response | Promise<Response> {
  if (pathname === '/latest/api/token') {
    if (tokenStatus === 0) return new Promise(() => {})
    if (request.method !== 'PUT' || !request.headers.has('x-aws-ec2-metadata-token-ttl-seconds')) return new Response('', { status: 400 })
    return new Response(tokenStatus === 200 ? TOKEN : '', { status: tokenStatus })
  }
  if (demandsToken && request.headers.get('x-aws-ec2-metadata-token') !== TOKEN) return new Response('', { status: 401 })
  if (pathname === ROLES) return new Response(role === undefined ? '' : `${role}\n`, { status: role === undefined ? 404 : 200 })
  if (pathname !== ROLES + role) return new Response('', { status: 404 })
  return Response.json({ Code: 'Success', Type: 'AWS-HMAC', ...document(keys, expiration) })
}

function answerContainer(request: Request, { containerToken, keys, expiration }: MetadataOptions): Response {
  if (containerToken !== undefined && request.headers.get('authorization') !== containerToken) {
    return Response.json({ code: 'AccessDeniedException', message: `unauthorized: ${request.headers.get('authorization')}` }, { status: 403 })
  }
  return Response.json(document(keys, expiration))
}

function document({ accessKeyId, secretAccessKey, sessionToken }: AwsKeys, expiration: string) {
  return { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration: expiration }
}
