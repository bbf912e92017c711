// How a request proves itself to AWS: signed with keys, or with a key of the service's own.
import type { Secret } from '../../std/secret.ts'
import { createAwsCredentials, type AwsKeys } from './credentials.ts'
import type { AssumeRoleConfig } from '../config.ts'
import type { CredentialDeps } from '../credential.ts'
import { createSigner, type AwsService, type SignedRequest } from './sigv4.ts'
import type { CredentialState, Refusal, UpstreamRequest } from '../upstream.ts'

export interface AwsAuthentication {
  /** Puts the credential on the headers. Throws CredentialError. */
  authorize(signed: SignedRequest, request: UpstreamRequest): Promise<void>
  /** Has the credential of the request renewed when the refusal says that it is over; whether it did. */
  renewIfOver(refusal: Refusal, request: UpstreamRequest): boolean
  state(): CredentialState | undefined
}

/** The shapes of `auth`: none for the default chain. */
export interface AwsAuth {
  readonly aws_access_key_id?: string | undefined
  readonly aws_secret_access_key?: Secret | undefined
  readonly aws_session_token?: Secret | undefined
  readonly aws_bearer_token?: Secret | undefined
  readonly api_key?: Secret | undefined
}

export interface AwsAuthenticationConfig {
  readonly region: string
  readonly auth: AwsAuth
  readonly assume_role?: AssumeRoleConfig | undefined
}

/** What AWS calls a credential that has ended, or that it does not know any more. */
const OVER = /ExpiredToken|UnrecognizedClient|InvalidClientTokenId|security token included in the request is (?:expired|invalid)/

export function createAwsAuthentication(service: AwsService, { region, auth, assume_role }: AwsAuthenticationConfig, deps: CredentialDeps): AwsAuthentication {
  if (auth.api_key !== undefined) return withHeader('x-api-key', auth.api_key.reveal())
  if (auth.aws_bearer_token !== undefined) return withHeader('authorization', `Bearer ${auth.aws_bearer_token.reveal()}`)
  const credentials = createAwsCredentials({ region, keys: staticKeys(auth), assumeRole: assume_role }, deps)
  const signer = createSigner(service, region)
  const used = new WeakMap<UpstreamRequest, AwsKeys>()
  return {
    async authorize(signed, request) {
      const keys = await credentials.keysFor(request.principal)
      used.set(request, keys)
      await signer.sign(signed, keys, deps.now())
    },
    renewIfOver({ status, headers, body }, request) {
      const keys = used.get(request)
      if (keys === undefined || (status !== 401 && status !== 403)) return false
      const isOver = OVER.test(awsErrorType(headers)) || OVER.test(Buffer.from(body).toString('utf8'))
      return isOver && credentials.refused(request.principal, keys)
    },
    state: () => credentials.state(),
  }
}

function withHeader(name: string, value: string): AwsAuthentication {
  return { authorize: async ({ headers }) => headers.set(name, value), renewIfOver: () => false, state: () => undefined }
}

function staticKeys({ aws_access_key_id: id, aws_secret_access_key: secret, aws_session_token: token }: AwsAuth): AwsKeys | undefined {
  if (id === undefined || secret === undefined) return undefined
  return { accessKeyId: id, secretAccessKey: secret.reveal(), ...(token !== undefined && { sessionToken: token.reveal() }) }
}

/** `ThrottlingException` of `ThrottlingException:http://…`. */
export function awsErrorType(headers: Headers): string {
  return headers.get('x-amzn-errortype')?.split(':')[0] ?? ''
}
