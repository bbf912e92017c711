import { afterAll, afterEach, beforeAll, describe, expect, spyOn, test } from 'bun:test'
import { modelSegment } from '../../src/upstream/aws/bedrock-body.ts'
import type { AwsKeys } from '../../src/upstream/aws/credentials.ts'
import { createSigner, type AwsService } from '../../src/upstream/aws/sigv4.ts'
import { verifySigV4, type AwsError, type AwsKey } from '../support/clouds/sigv4.ts'
import { answerJson, startUpstream, type TestUpstream } from '../support/upstream.ts'

const NOW = new Date('2026-11-22T10:11:12.345Z')
const KEYS: AwsKeys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const TEMPORARY: AwsKeys = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'IQoJb3JpZ2luX2VjE+/==' }
const SECRETS: ReadonlyMap<string, AwsKey> = new Map([
  ['AKIDEXAMPLE', { secret: KEYS.secretAccessKey }],
  ['ASIAEXAMPLE', { secret: 'secret', sessionToken: 'IQoJb3JpZ2luX2VjE+/==' }],
])
const BODY = new TextEncoder().encode('{"messages":[{"content":"Grüße, 世界"}]}')

let upstream: TestUpstream
beforeAll(async () => void (upstream = await startUpstream(answerJson(200, {}))))
afterAll(() => upstream.stop())

interface Sent {
  path?: string
  keys?: AwsKeys
  service?: AwsService
  region?: string
  headers?: Record<string, string>
  signedBody?: Uint8Array
  now?: Date
}

/** Signs a request, sends it, and has what arrived judged by Smithy's signer. */
async function judged({ path = '/model/m/invoke', keys = KEYS, service = 'bedrock', region = 'us-east-1', headers: given = {}, signedBody = BODY, now = NOW }: Sent, changed: Record<string, string> = {}, wirePath = path): Promise<AwsError | undefined> {
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json', ...given })
  await createSigner(service, region).sign({ url: upstream.url + path, headers, body: signedBody }, keys, now)
  for (const [name, value] of Object.entries(changed)) headers.set(name, value)
  await (await fetch(upstream.url + wirePath, { method: 'POST', headers, body: BODY })).text()
  return verifySigV4(upstream.requests.at(-1) as never, { secrets: SECRETS, service, region, now: NOW })
}

describe('a signature', () => {
  test.each([
    ['an id with a colon', `/model/${modelSegment('anthropic.claude-haiku-4-5-20251001-v1:0')}/invoke-with-response-stream`],
    ['an id with an encoded colon', '/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke'],
    ['an ARN with its slash', `/model/${modelSegment('arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234')}/invoke`],
    ['spaces and percent signs', `/model/${modelSegment('a b%c')}/invoke`],
    ['a query', '/anthropic/v1/messages?beta=true'],
    ['a query out of order', '/v1/messages?b=2&a=1&a=0&empty='],
    ['nothing else', '/'],
  ])('holds over a path with %s', async (_, path) => {
    expect(await judged({ path })).toBeUndefined()
  })

  test.each(['bedrock', 'bedrock-mantle', 'aws-external-anthropic'] as const)('is of the service %s and its region, not of the host', async (service) => {
    expect(await judged({ service, region: 'eu-west-1' })).toBeUndefined()
  })

  test('covers the session token of temporary keys', async () => {
    expect(await judged({ keys: TEMPORARY })).toBeUndefined()
    expect(upstream.requests.at(-1)?.headers.authorization).toContain('x-amz-security-token')
    expect(await judged({ keys: TEMPORARY }, { 'x-amz-security-token': 'another' })).toMatchObject({ type: 'UnrecognizedClientException' })
  })

  test.each([
    ['body', {}, { signedBody: new TextEncoder().encode('{"messages":[]}') }],
    ['guardrail', { 'x-amzn-bedrock-guardrailidentifier': 'none' }, { headers: { 'x-amzn-bedrock-guardrailidentifier': 'strict' } }],
    ['version', { 'anthropic-version': '2026-10-21' }, { headers: { 'anthropic-version': '2023-06-01' } }],
    ['workspace', { 'anthropic-workspace-id': 'wrkspc_2' }, { headers: { 'anthropic-workspace-id': 'wrkspc_1' } }],
    ['date', { 'x-amz-date': '20261122T101113Z' }, {}],
    ['hash', { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }, {}],
  ])('does not hold over another %s', async (_, changed, sent) => {
    expect(await judged(sent, changed)).toMatchObject({ status: 403, type: 'InvalidSignatureException' })
  })

  test('does not hold over another path', async () => {
    expect(await judged({ path: '/model/a/invoke' }, {}, '/model/b/invoke')).toMatchObject({ type: 'InvalidSignatureException' })
    expect(await judged({ path: '/model/a%2Fb/invoke' }, {}, '/model/a/b/invoke')).toMatchObject({ type: 'InvalidSignatureException' })
  })

  test('does not cover what proxies may change', async () => {
    expect(await judged({ headers: { 'user-agent': 'signed' } }, { 'user-agent': 'changed' })).toBeUndefined()
  })

  test('is of the second it was made in', async () => {
    expect(await judged({ now: new Date(NOW.getTime() - 299_000) })).toBeUndefined()
    expect(await judged({ now: new Date(NOW.getTime() - 301_000) })).toMatchObject({ message: expect.stringContaining('Signature expired') })
  })

  test('holds over no body at all', async () => {
    const headers = new Headers()
    await createSigner('bedrock', 'us-east-1').sign({ url: `${upstream.url}/model/m/invoke`, headers, body: new Uint8Array() }, KEYS, NOW)
    const path = '/model/m/invoke'
    expect(await verifySigV4({ method: 'POST', path, headers: { ...Object.fromEntries(headers), host: new URL(upstream.url).host }, body: Buffer.alloc(0) }, { secrets: SECRETS, service: 'bedrock', region: 'us-east-1', now: NOW })).toBeUndefined()
  })
})

describe('the keys that signatures are made with', () => {
  const hmac = spyOn(crypto.subtle, 'sign')
  afterEach(() => hmac.mockClear())
  afterAll(() => hmac.mockRestore())

  /** How many hashes a signature takes: one with a key that is known, five with another. */
  async function hashes(signer: ReturnType<typeof createSigner>, keys: AwsKeys, now = NOW): Promise<number> {
    hmac.mockClear()
    await signer.sign({ url: 'https://host.test/model/m/invoke', headers: new Headers(), body: BODY }, keys, now)
    return hmac.mock.calls.length
  }
  const numbered = (n: number): AwsKeys => ({ accessKeyId: `AKID${n}`, secretAccessKey: `secret-${n}` })

  test('are made once a day and secret', async () => {
    const signer = createSigner('bedrock', 'us-east-1')
    expect([await hashes(signer, KEYS), await hashes(signer, KEYS), await hashes(signer, TEMPORARY), await hashes(signer, KEYS)]).toEqual([5, 1, 5, 1])
    expect(await hashes(signer, KEYS, new Date(NOW.getTime() + 86_400_000))).toBe(5)
  })

  test('are forgotten, the oldest first, when there are more than 256', async () => {
    const signer = createSigner('bedrock', 'us-east-1')
    for (let n = 0; n < 256; n++) await hashes(signer, numbered(n))
    expect(await hashes(signer, numbered(0))).toBe(1)
    await hashes(signer, numbered(256))
    expect([await hashes(signer, numbered(1)), await hashes(signer, numbered(255)), await hashes(signer, numbered(256))]).toEqual([1, 1, 1])
    expect(await hashes(signer, numbered(0))).toBe(5)
  })
})
