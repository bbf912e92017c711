import { describe, expect, test } from 'bun:test'
import { excerpt, redact } from '../../src/observe/redact.ts'

const base64 = (length: number) => Buffer.from(Array.from({ length }, (_, at) => (at * 37 + 11) % 256)).toString('base64')
const jwt = (header: object, ...rest: string[]) => [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.')
const SECRET = Buffer.from(base64(300)).toString('base64url')

/** As they look; none was ever valid. */
const CREDENTIALS: [string, string][] = [
  ['an API key', 'sk-ant-api03-AbCdEf_123-456789012345678901234567890-AA'],
  ['an OAuth token', 'sk-ant-oat01-AbCdEf_123-456789012345678901234567890-AA'],
  ['a token of the gateway', jwt({ alg: 'HS256', typ: 'JWT' }, Buffer.from('{"sub":"alice"}').toString('base64url'), 'c2lnbmF0dXJl')],
  ['an access token of Entra', jwt({ typ: 'JWT', alg: 'RS256', x5t: 'abc', kid: 'abc' }, Buffer.from(JSON.stringify({ aud: 'https://ai.azure.com', tid: 'x' })).toString('base64url'), SECRET)],
  ['an unsigned token', jwt({ alg: 'none' }, SECRET)],
  ['an encrypted token without a key in it', jwt({ alg: 'dir', enc: 'A256GCM' }, '', 'aXY', SECRET, 'dGFn')],
  ['a token that was cut off', jwt({ typ: 'JWT', alg: 'RS256' }).slice(0, 20)],
  ['a session token of a region', `IQoJb3JpZ2luX2VjE${base64(500)}`],
  ['a session token of the global endpoint', `FwoGZXIvYXdzE${base64(301)}`],
  ['an older session token', `FQoGZXIvYXdzE${base64(301)}`],
  ['a session token in a URL', encodeURIComponent(`IQoJb3JpZ2luX2VjE${base64(500)}`)],
  ['an access key', 'AKIAIOSFODNN7EXAMPLE'],
  ['an access key of a session', 'ASIAQWERTYUIOP123456'],
  ['a key of Bedrock', `ABSK${Buffer.from(`BedrockAPIKey-abcd-at-123456789012:${base64(40)}`).toString('base64')}`],
  ['a short-lived key of Bedrock', `bedrock-api-key-${Buffer.from('bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Security-Token=x').toString('base64')}`],
  ['a token of Google', `ya29.a0AfB_byC-${SECRET}`],
  ['a token of a service account', `ya29.c.b0Aaekm1K_-${SECRET}`],
]

describe('redact', () => {
  test.each(CREDENTIALS)('cuts %s out, whole, wherever it stands', (_, credential) => {
    for (const [before, after] of [['', ''], ['invalid key ', '.'], ['{"message":"key=', '"}'], ['x-amz-security-token:', '\nhost'], ['Credential=', '/20261127/us-east-1'], ['(', ')'], ['Bearer ', ' is over']] as const) {
      // A slash belongs to the alphabet of some.
      const text = redact(before + credential + after)
      expect(text.startsWith(`${before}[redacted]`)).toBe(true)
      expect([after, '']).toContain(text.slice(before.length + '[redacted]'.length))
    }
  })

  test.each(CREDENTIALS)('cuts %s out of a line that is escaped already', (_, credential) => {
    for (const before of ['a\n', 'a\r\n', 'a\t', 'a\u0085']) {
      expect(JSON.parse(redact(JSON.stringify({ message: `${before}${credential}` }))).message).toBe(`${before}[redacted]`)
      expect(redact(`said\\u000a${credential}`)).toBe('said\\u000a[redacted]')
    }
  })

  test.each([
    ['words', 'task-management of risk-free desk-research; the bearer token of a basic sk-model; Eyjafjallajökull; ask-me-anything-now'],
    ['ids of models', 'us.anthropic.claude-opus-4-7, anthropic.claude-sonnet-4-5-20250929-v1:0, claude-opus-4-5@20251101, global.anthropic.claude-haiku-4-5-20251001-v1:0'],
    ['ids of requests', 'req_011CSHoEeqs5C35K2UUqR7Fy msg_bdrk_01Xb7GxbpTKmXhvtWTFkAbjH toolu_01A09q90qw90lq917835lq9 3f2504e0-4f89-11d3-9a0c-0305e82c3301 0af7651916cd43dd8448eb211c80319c'],
    ['ARNs', 'arn:aws:sts::123456789012:assumed-role/gateway-prod/i-0abc1234567890def arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234efgh arn:aws:iam::aws:policy/AmazonBedrockFullAccess'],
    ['ids of roles and users of AWS', 'AROAIOSFODNN7EXAMPLE AIDAIOSFODNN7EXAMPLE'],
    ['hosts', 'https://bedrock-runtime.us-east-1.amazonaws.com/model/x/invoke sts.eu-central-1.amazonaws.com login.microsoftonline.com us-central1-aiplatform.googleapis.com'],
    ['errors of Entra', 'AADSTS700016: Application with identifier 01234567-89ab-4def-8123-456789abcdef was not found in the directory'],
    ['names in code', 'keyJson.parse(monkeyJungle.trees) ASIAPACIFIC AKIA betas: interleaved-thinking-2025-05-14,context-management-2025-06-27 bedrock-api-key-id'],
    ['a short basic', 'basic authentication required; bearer of good news'],
  ])('leaves %s alone', (_, text) => {
    expect(redact(text)).toBe(text)
  })

  // Each of them would keep a backtracking search busy for minutes.
  test.each(['-eyJ', 'eyJaaaaaaaa-', 'eyJaaaaaaaa..', '-sk-', 'IQoJ-', '-AKIA', 'ya29.', 'bearer ', 'basic aaaaaaaaaaaaaaa ', '\\n', '\\u0000', '.', '-'])('reads eight megabytes of %j', (seed) => {
    expect(redact(seed.repeat(8_000_000 / seed.length)).length).toBeLessThanOrEqual(8_000_000)
  })
})

describe('an excerpt', () => {
  test('has the length that is given, and no part of a credential that is longer', () => {
    const text = `no: ${CREDENTIALS[7]?.[1]} and more`
    expect(excerpt(text, 300)).toBe('no: [redacted] and more')
    expect(excerpt(text, 10)).toBe('no: [redac')
    expect(excerpt(`${CREDENTIALS[3]?.[1]} `.repeat(100), 40)).toBe('[redacted] [redacted] [redacted] [redact')
  })
})
