// What the log says of a refusal: enough for an operator, and nothing of a prompt or a credential, however it is quoted.
import { describe, expect, test } from 'bun:test'
import { exceptionWords, upstreamWords } from '../../src/upstream/upstream-words.ts'
import { readRefusal } from '../../src/upstream/cloud-errors.ts'
import { RECORDED_ERRORS, recorded } from '../support/clouds/recorded-errors.ts'

const said = (body: string, { status = 400, headers = {}, id = undefined as string | undefined, names = [] as string[] } = {}) => upstreamWords({ status, headers: new Headers(headers), body: Buffer.from(body) }, id, names)
const ofRecord = (name: string) => {
  const { status, headers, body } = recorded(name)
  return said(body, { status, headers, id: headers['request-id'] ?? headers['x-amzn-requestid'] ?? headers['apim-request-id'] })
}

describe('an operator reads', () => {
  test.each([
    ['anthropic 429 rate limit', "429 rate_limit_error (req_01RecordedRecordedRecorded): This request would exceed your organization's rate limit of 400,000 input tokens per minute (org: […])."],
    ['anthropic 429 tier spend cap without retry-after', '429 rate_limit_error (req_01RecordedRecordedRecorded): You have reached the monthly spend cap of your usage tier.'],
    ['anthropic 529 overloaded', '529 overloaded_error (req_01RecordedRecordedRecorded): Overloaded'],
    ['anthropic 529 without a body', '529'],
    ['anthropic 502 from the edge', '502: 502 Bad Gateway'],
    ['anthropic 401 wrong key', '401 authentication_error (req_01RecordedRecordedRecorded): invalid x-api-key'],
    ['bedrock 400 Anthropic envelope inside the message', '400 ValidationException (8c3c1d6a-0000-4000-8000-0000000000aa): prompt is too long: 210000 tokens > 200000 maximum'],
    ['bedrock 400 input and max_tokens exceed the context', '400 ValidationException (8c3c1d6a-0000-4000-8000-0000000000aa): input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or `max_tokens` and try again'],
    ['bedrock 400 on-demand not supported', "400 ValidationException (8c3c1d6a-0000-4000-8000-0000000000aa): Invocation of model ID anthropic.claude-opus-5-5 with on-demand throughput isn't supported. Retry your request with the ID or ARN of an inference profile that contains this model."],
    ['bedrock 403 AccessDeniedException', '403 AccessDeniedException (8c3c1d6a-0000-4000-8000-0000000000aa): User: arn:aws:sts::123456789012:assumed-role/gateway-prod/i-0abc is not authorized to perform: bedrock:InvokeModelWithResponseStream on resource: arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234 because no identity-based policy allows the bedrock:InvokeModelWithResponseStream action'],
    ['bedrock 403 ExpiredTokenException', '403 ExpiredTokenException (8c3c1d6a-0000-4000-8000-0000000000aa): The security token included in the request is expired'],
    ['bedrock 403 InvalidSignatureException', '403 InvalidSignatureException (8c3c1d6a-0000-4000-8000-0000000000aa): Signature expired: 20261122T100000Z is now earlier than 20261122T100500Z (20261122T101000Z - 5 min.)'],
    ['bedrock 400 class only in the body', '400 ValidationException: 1 validation error detected'],
    ['vertex 401 UNAUTHENTICATED, in an array', '401 UNAUTHENTICATED ACCESS_TOKEN_EXPIRED: Request had invalid authentication credentials. Expected […] access token, login cookie or other valid authentication credential.'],
    ['vertex 403 PERMISSION_DENIED', "403 PERMISSION_DENIED: Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/acme-prod/locations/global/publishers/anthropic/models/claude-opus-5-5' (or it may not exist)."],
    ['vertex 429 RESOURCE_EXHAUSTED', '429 RESOURCE_EXHAUSTED: Quota exceeded for aiplatform.googleapis.com/online_prediction_input_tokens_per_minute_per_base_model with base model: anthropic-claude-opus-5-5.'],
    ['foundry 400 content filter', '400 content_filter (2b0e9d5e-0000-4000-8000-0000000000bb): The response was filtered due to the prompt triggering the content management policy.'],
    ['foundry 401 PermissionDenied', '401 PermissionDenied (2b0e9d5e-0000-4000-8000-0000000000bb): The principal `[…]` lacks the required data action `Microsoft.CognitiveServices/accounts/AIServices/anthropic/messages/action`.'],
    ['foundry 404 deployment not found', '404 DeploymentNotFound (2b0e9d5e-0000-4000-8000-0000000000bb): The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.'],
  ])('of %s', (name, expected) => expect(ofRecord(name)).toBe(expected))

  // Where something is cut from a recorded error it is an identifier that could be anybody's.
  test('the whole message of nearly every recorded error', () => {
    const cut = RECORDED_ERRORS.filter(({ status, headers, body }) => said(body, { status, headers }).includes('[…]'))
    const texts = new Set(cut.map(({ body }) => readRefusal(Buffer.from(body)).text))
    expect([...texts].map((text) => text.slice(0, 60)).toSorted()).toEqual([
      'Access to the inference profile arn:aws:bedrock:us-east-1:12',
      'Outbound web identity federation is disabled for your accoun',
      'Project `acme-prod` is not allowed to use Publisher Model `p',
      'Request had invalid authentication credentials. Expected OAu',
      'The principal `6f1e0c7a-0000-4000-8000-0000000000cc` lacks t',
      "This request would exceed your organization's rate limit of ",
      'Unsupported api-version for resource acme-foundry-prod.',
      'Your request exceeds the service quota for your account 1234',
      'messages.2.content.0: unexpected `tool_use_id` found in `too',
      '{"Output":{"__type":"com.amazon.coral.service#UnknownOperati',
    ])
  })

  test.each([
    ['messages[0].content[1].image: image exceeds 5 MB', 'messages[0].content[1].image: image exceeds 5 MB'],
    ['Too much media: 0 document pages + 101 images > 100', 'Too much media: 0 document pages + 101 images > 100'],
    ['tools.0.mcp__crm__find_patient.input_schema.type: Field required', 'tools.0.[…].input_schema.type: Field required'],
    ['upstream connect error or disconnect/reset before headers. reset reason: connection termination', 'upstream connect error or disconnect/reset before headers. reset reason: connection termination'],
    ['no deployment my-opus in eu-central-1 or europe-west4', 'no deployment my-opus in eu-central-1 or europe-west4'],
  ])('%p as it is', (text, expected) => expect(said(text, { names: ['my-opus'] })).toBe(`400: ${expected}`))

  test('an exception in mid-stream in the same words', () => {
    expect(exceptionWords('throttlingException', Buffer.from('{"message":"Too many requests, please wait before trying again."}'), '')).toBe('throttlingException in mid-stream: Too many requests, please wait before trying again.')
    expect(exceptionWords('InternalServerException', Buffer.alloc(0), 'An internal server error occurred')).toBe('InternalServerException in mid-stream: An internal server error occurred')
    expect(exceptionWords('merger of Lion', Buffer.from('{"message":"cannot parse: merger of Lion and Tiger"}'), 'hunter2')).toBe('an exception in mid-stream: cannot parse: […]')
  })
})

const escaped = (text: string) => JSON.stringify(text).slice(1, -1)
const asPython = (text: string) => escaped(text).replaceAll(/[\u0080-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
const asGo = (text: string) => escaped(text).replaceAll(/[<>&]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`)

/** Texts of people and keys of unknown form: none of their words is one that errors are made of. */
const PRIVATE: [string, string][] = [
  ['a prompt', 'merger Lionheart Tigerlily quietly, whisper forty-two millions'],
  ['one in lines, with quotes', 'dear "Lionheart",\n\twhisper \'Tigerlily\'\n'],
  ['Chinese', '患者的诊断是白血病,请不要告诉任何人'],
  ['German', 'Größe, Übernahme, Straßenbahn, Nachtigall'],
  ['code', 'if(patient.ssn<412345678&&pass>98765432)leak(pin)'],
  ['base64', Buffer.from(Array.from({ length: 90 }, (_, at) => (at * 37 + 11) % 256)).toString('base64')],
  ['hexadecimal digits', 'deadbeef0123456789abcdefcafebabe'],
  ['a key of unknown form', 'xk_Zq93-hunter2/QQ+wyvern=='],
  ['a key that is a UUID', '3f2504e0-4f89-11d3-9a0c-0305e82c3301'],
  ['numbers of a card', '4929 1235 8891 0042'],
  ['a number of a telephone', '+4930123456789'],
  ['a day of birth', '1971-03-02'],
]

const FRAMES: [string, (quoted: string) => string][] = [
  ['plainly', (quoted) => JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message: `messages.0.content.0.text: cannot be processed: ${quoted}` } })],
  ['between quotes', (quoted) => JSON.stringify({ message: `cannot be processed: "${quoted}" is not valid` })],
  ['between backticks', (quoted) => JSON.stringify({ error: { code: '400', message: `cannot be processed: \`${quoted}\`` } })],
  ['before the words', (quoted) => JSON.stringify({ message: `${quoted} cannot be processed` })],
  ['in JSON in the message', (quoted) => JSON.stringify({ message: JSON.stringify({ error: { message: `cannot be processed: ${quoted}` } }) })],
  ['in a list of pydantic', (quoted) => JSON.stringify({ detail: [{ loc: ['body', 'messages'], msg: 'cannot be processed', input: quoted }] })],
  ['as the type', (quoted) => JSON.stringify({ error: { type: quoted, code: quoted, status: quoted, details: [{ reason: quoted }], message: 'cannot be processed' } })],
  ['without JSON', (quoted) => `cannot be processed: ${quoted}`],
  ['in a page', (quoted) => `<html><title>cannot be processed: ${quoted}</title></html>`],
  ['in JSON that was cut short', (quoted) => JSON.stringify({ message: `cannot be processed: ${quoted}` }).slice(0, -2)],
  ['behind much else', (quoted) => `${'cannot be processed '.repeat(49)}${quoted}`],
]
const FORMS: [string, (text: string) => string][] = [['as it is', (text) => text], ['escaped', escaped], ['escaped twice', (text) => escaped(escaped(text))], ['escaped as Python does', asPython], ['escaped as Go does', asGo], ['in capitals', (text) => text.toUpperCase()]]

/** Five characters in a row of what was quoted, in any spelling, are too many. */
function leaked(log: string, quoted: string): string[] {
  const windows = Array.from({ length: Math.max(1, quoted.length - 4) }, (_, at) => quoted.slice(at, at + 5))
  return windows.filter((window) => window.trim().length > 3 && log.includes(window))
}

describe.each(FRAMES)('nothing is logged of what is quoted %s', (_, frame) => {
  test.each(PRIVATE)('when it is %s, in any spelling and any piece', (_name, text) => {
    for (const [, form] of FORMS) {
      const quoted = form(text)
      for (const length of [Infinity, 30, 19, 12, 8, 5]) {
        for (let at = 0; at < quoted.length; at += Math.min(length, quoted.length)) {
          const piece = quoted.slice(at, at + length)
          expect({ piece, leaked: leaked(said(frame(piece)), piece) }).toEqual({ piece, leaked: [] })
        }
      }
    }
  })

  test('when it is long', () => {
    for (const quoted of ['-'.repeat(60_000), 'QmFzZTY0'.repeat(7000), 'the '.repeat(16_000), '\\'.repeat(30_000), '"'.repeat(30_000), '[['.repeat(30_000)]) expect(said(frame(quoted)).length).toBeLessThan(1200)
    expect(leaked(said(frame('-'.repeat(60_000))), '-----')).toEqual([])
  })
})

test('few common words between the private ones are cut with them', () => {
  expect(said('cannot process this: the pin of Lionheart is not hunter2 but wyvern')).toBe('400: cannot process this: the […]')
})

test('a name of the request, and its id, are known by their form alone', () => {
  expect(said('{"message":"bad"}', { id: 'hunter2 whisper', headers: { 'x-amzn-errortype': 'hunter2 whisper' } })).toBe('400: bad')
})

test("somebody's ARN is cut from what is no model and no role", () => {
  expect(said('{"message":"cannot read arn:aws:secretsmanager:eu-central-1:999999999999:secret:wyvern/hunter2-AbCdEf"}')).toBe('400: cannot read […]')
})

// No request is given, so that its size costs nothing; and of an answer of any size the beginning is looked at.
test('what comes after the first thousand characters is not looked at', () => {
  const start = 'cannot be processed '.repeat(50)
  expect(said(start + 'x'.repeat(60_000))).toBe(said(`${start}x`))
  expect(said(start + 'error '.repeat(10_000))).toBe(`400: ${start.slice(0, -'processed '.length)}[…]`)
})
