// The judge of AWS signatures: recomputes each with Smithy's signer, which shares no code with the one the gateway signs with.
import { Sha256 } from '@aws-crypto/sha256-js'
import { getPayloadHash, SignatureV4 } from '@smithy/signature-v4'
import type { RecordedRequest } from '../upstream.ts'

export interface AwsKey {
  secret: string
  /** Set for temporary keys: the request has to bring the same one, signed. */
  sessionToken?: string
  expired?: boolean
}

export interface SigV4Terms {
  secrets: ReadonlyMap<string, AwsKey>
  service: string
  region: string
  now: Date
}

export interface AwsError {
  status: number
  type: string
  message: string
}

/** Seconds a signature may differ from the clock of the service. */
const SKEW = 5 * 60

const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;_-]+), ?Signature=([0-9a-f]{64})$/

/**
 * Undefined when the request is signed for `service` and `region` by one of `secrets`, over the bytes that arrived; else the
 * error AWS would answer. The path is judged as it stood on the wire, encoded once more as every service but S3 does.
 */
export async function verifySigV4(request: Pick<RecordedRequest, 'method' | 'path' | 'headers' | 'body'>, { secrets, service, region, now }: SigV4Terms): Promise<AwsError | undefined> {
  const { headers } = request
  if (headers.authorization === undefined) return error('MissingAuthenticationTokenException', 'Missing Authentication Token')
  const [, accessKeyId = '', scopeDate = '', scopeRegion, scopeService, signedHeaders = '', signature] = AUTHORIZATION.exec(headers.authorization) ?? []
  if (signature === undefined) return error('IncompleteSignatureException', 'Authorization header requires Credential, SignedHeaders and Signature.')

  const key = secrets.get(accessKeyId)
  const token = headers['x-amz-security-token']
  if (key === undefined || key.sessionToken !== token) return error('UnrecognizedClientException', 'The security token included in the request is invalid.')
  if (key.expired === true) return error('ExpiredTokenException', 'The security token included in the request is expired')

  if (scopeRegion !== region) return invalid('Credential should be scoped to a valid region.')
  if (scopeService !== service) return invalid(`Credential should be scoped to correct service: '${service}'.`)
  const stamp = headers['x-amz-date'] ?? ''
  const date = dateOf(stamp)
  if (date === undefined) return invalid('Date must be in ISO-8601 basic format.')
  if (!stamp.startsWith(scopeDate)) return invalid('Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.')
  const age = (now.getTime() - date.getTime()) / 1000
  if (age > SKEW) return invalid(`Signature expired: ${stamp} is now earlier than the 5 min. allowed.`)
  if (age < -SKEW) return invalid(`Signature not yet current: ${stamp} is still later than the 5 min. allowed.`)

  const signed = signedHeaders.split(';')
  // Of what AWS acts on nothing may be left out, or somebody on the way could change it.
  const unsigned = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))].find((name) => !signed.includes(name))
  if (unsigned !== undefined) return invalid(`'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`)
  const declaredHash = headers['x-amz-content-sha256']
  if (declaredHash !== undefined && declaredHash !== (await getPayloadHash({ ...smithyRequest(request, []), headers: {} }, Sha256))) return invalid(MISMATCH)

  const signer = new SignatureV4({
    service,
    region,
    credentials: { accessKeyId, secretAccessKey: key.secret, ...(token !== undefined && { sessionToken: token }) },
    sha256: Sha256,
    applyChecksum: false,
  })
  const expected = await signer.sign(smithyRequest(request, signed), { signingDate: date, signableHeaders: new Set(signed) })
  const [, , , , , expectedHeaders, expectedSignature] = AUTHORIZATION.exec(expected.headers.authorization ?? '') ?? []
  return expectedHeaders === signedHeaders && expectedSignature === signature ? undefined : invalid(MISMATCH)
}

const MISMATCH = 'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'

const error = (type: string, message: string): AwsError => ({ status: 403, type, message })
const invalid = (message: string): AwsError => error('InvalidSignatureException', message)

/** 20261122T101112Z. */
function dateOf(stamp: string): Date | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp) ?? []
  if (parts.length === 0) return undefined
  const [year, month, day, hour, minute, second] = parts
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** Only the headers the client signed: Smithy would sign whatever it is handed. */
function smithyRequest({ method, path, headers, body }: Pick<RecordedRequest, 'method' | 'path' | 'headers' | 'body'>, signed: string[]) {
  const [pathname = '', search = ''] = path.split('?')
  const query: Record<string, string[]> = {}
  for (const pair of search.split('&').filter((each) => each !== '')) {
    const [name = '', value = ''] = pair.split('=').map(decodeURIComponent)
    query[name] = [...(query[name] ?? []), value]
  }
  return {
    method,
    protocol: 'http:',
    hostname: (headers.host ?? '').split(':')[0] ?? '',
    path: pathname,
    query,
    headers: Object.fromEntries(signed.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]]))),
    body: new Uint8Array(body),
  }
}
