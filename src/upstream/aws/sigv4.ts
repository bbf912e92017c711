// AWS Signature Version 4, of exactly the bytes and headers that are sent.
import { AwsV4Signer } from 'aws4fetch'
import type { AwsKeys } from './credentials.ts'

/** The name that a signature's scope calls the endpoint by; it does not follow from the host. */
export type AwsService = 'bedrock' | 'bedrock-mantle' | 'aws-external-anthropic'

export interface SignedRequest {
  readonly url: string
  /** All of these are signed, except those that proxies may change. */
  readonly headers: Headers
  readonly body: Uint8Array
}

/** Days and keys change; a cache that is never pruned would keep every secret it has seen. */
const MAX_SIGNING_KEYS = 256

export interface Signer {
  /** Adds `x-amz-date`, the session token, `x-amz-content-sha256` and `authorization` to the headers. */
  sign(request: SignedRequest, keys: AwsKeys, now: Date): Promise<void>
}

export function createSigner(service: AwsService, region: string): Signer {
  const cache = new BoundedCache()
  return {
    async sign({ url, headers, body }, keys, now) {
      headers.set('x-amz-content-sha256', new Bun.CryptoHasher('sha256').update(body).digest('hex'))
      const signer = new AwsV4Signer({
        method: 'POST',
        url,
        headers,
        body,
        service,
        region,
        accessKeyId: keys.accessKeyId,
        secretAccessKey: keys.secretAccessKey,
        ...(keys.sessionToken !== undefined && { sessionToken: keys.sessionToken }),
        datetime: now.toISOString().replace(/[:-]|\.\d{3}/g, ''),
        cache,
      })
      const signed = await signer.sign()
      for (const [name, value] of signed.headers) headers.set(name, value)
    },
  }
}

class BoundedCache extends Map<string, ArrayBuffer> {
  override set(key: string, value: ArrayBuffer): this {
    if (this.size >= MAX_SIGNING_KEYS && !this.has(key)) this.delete(this.keys().next().value as string)
    return super.set(key, value)
  }
}
