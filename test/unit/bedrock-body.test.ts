import { describe, expect, test } from 'bun:test'
import { bedrockBody, bedrockCountBody, bedrockVersion, countAnswer, foundationModel, modelSegment, withoutOwnMembers, type BedrockContext } from '../../src/upstream/aws/bedrock-body.ts'
import { textMember } from '../../src/json/scan.ts'
import { generationOf } from '../../src/models/generation.ts'
import { createRandom, type Random } from '../support/clouds/random.ts'
import { jsonObject, offlineUpstream, upstreamRequest } from '../support/upstream-request.ts'

const context = (given: Partial<BedrockContext> = {}): BedrockContext => ({ version: '2023-06-01', betas: [], generation: generationOf('claude-opus-5-5'), learned: [], ...given })
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const sent = (body: string, given?: Partial<BedrockContext>) => text(bedrockBody(jsonObject(body), context(given)))

/** The body inside a count's. */
function counted(body: string, given?: Partial<BedrockContext>): string {
  const outer = JSON.parse(text(bedrockCountBody(jsonObject(body), context(given)))) as any
  expect(Object.keys(outer)).toEqual(['input'])
  return Buffer.from(outer.input.invokeModel.body, 'base64').toString()
}

describe('the members that Bedrock has of its own', () => {
  test('are the operator’s to send: a client cannot say what a guardrail looks at', () => {
    expect(sent('{"amazon-bedrock-guardrailConfig":{"tagSuffix":"zz"},"amazon\\u002dbedrock-x":1,"max_tokens":1}')).toBe('{"anthropic_version":"bedrock-2023-05-31","max_tokens":1}')
  })

  test('do not come out of a whole answer, and nothing else of it changes', () => {
    const answer = (text: string) => new TextEncoder().encode(text)
    expect(text(withoutOwnMembers(answer('{"id":"m", "n":9007199254740993,"amazon-bedrock-trace":{"guardrail":"arn"},"amazon-bedrock-guardrailAction":"NONE"}')))).toBe('{"id":"m", "n":9007199254740993}')
    for (const other of ['{"id":"m"}', '<html>', '']) expect(text(withoutOwnMembers(answer(other)))).toBe(other)
  })
})

describe('the version', () => {
  test.each([
    [null, 'claude-opus-5-5', 'bedrock-2023-05-31'],
    ['2023-06-01', 'claude-opus-5-5', 'bedrock-2023-05-31'],
    ['2026-10-21', 'claude-opus-5-5', '2026-10-21'],
    ['2026-10-21', 'claude-opus-4-7', '2026-10-21'],
    ['2026-10-21', 'claude-opus-4-6', 'bedrock-2023-05-31'],
    ['2026-10-21', 'claude-haiku-4-5', 'bedrock-2023-05-31'],
    ['2026-10-21', 'our-own-model', 'bedrock-2023-05-31'],
    ['2030-01-01', 'claude-opus-5-5', 'bedrock-2023-05-31'],
    ['', 'claude-opus-5-5', 'bedrock-2023-05-31'],
  ])('of a client that says %p to %s is %s', (version, model, expected) => {
    expect(bedrockVersion(version, generationOf(model))).toBe(expected)
  })
})

describe('the body of an invocation', () => {
  test('loses model and stream, gets version and betas, and keeps every other byte', () => {
    expect(sent('{"model":"m","max_tokens":5.0,"messages":[ {"big":12345678901234567890,"one":1.0,"e":"\\u00e9"} ],"stream":true}', { betas: ['a-1', 'b-2'] })).toBe('{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2"],"max_tokens":5.0,"messages":[ {"big":12345678901234567890,"one":1.0,"e":"\\u00e9"} ]}')
  })

  test('has no betas rather than none, and ours instead of the client’s own', () => {
    expect(sent('{"anthropic_version":"x","anthropic_beta":["evil"],"messages":[]}')).toBe('{"anthropic_version":"bedrock-2023-05-31","messages":[]}')
    expect(sent('{"anthropic\\u005fbeta":["evil"],"messages":[]}')).toBe('{"anthropic_version":"bedrock-2023-05-31","messages":[]}')
  })

  test('may be left with nothing of the client', () => {
    expect(sent('{"model":"m","stream":false,"speed":"fast"}')).toBe('{"anthropic_version":"bedrock-2023-05-31"}')
    expect(sent('{}')).toBe('{"anthropic_version":"bedrock-2023-05-31"}')
  })

  test('is without what was learned', () => {
    expect(sent('{"tools":[{"name":"a","odd":1},{"type":"x","odd":2}],"new":1}', { learned: [['tools', '*', '<custom>', 'odd'], ['new']] })).toBe('{"anthropic_version":"bedrock-2023-05-31","tools":[{"name":"a"},{"type":"x","odd":2}]}')
  })
})

// protocol.md: no `model`, a `max_tokens` above any thinking budget, no empty `tools`, of a tool nothing extra.
describe('the body of a count', () => {
  test.each([
    ['{"messages":[]}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[]}'],
    ['{"model":"m","thinking":{"type":"enabled","budget_tokens":4096},"messages":[]}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":4097,"thinking":{"type":"enabled","budget_tokens":4096},"messages":[]}'],
    ['{"max_tokens":100,"thinking":{"type":"enabled","budget_tokens":4096}}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":4097,"thinking":{"type":"enabled","budget_tokens":4096}}'],
    ['{"max_tokens":0,"messages":[]}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[]}'],
    ['{"thinking":{"type":"adaptive"},"messages":[]}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"thinking":{"type":"adaptive"},"messages":[]}'],
    ['{"thinking":null}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"thinking":null}'],
    ['{"thinking":{"budget_tokens":-5}}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"thinking":{"budget_tokens":-5}}'],
    ['{"thinking":{"budget_tokens":"many"}}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"thinking":{"budget_tokens":"many"}}'],
    ['{"tools":[],"tool_choice":{"type":"auto"},"messages":[]}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[]}'],
    ['{"tools":[ ]}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1}'],
    ['{"tools":[{"name":"a","strict":true,"cache_control":{"type":"ephemeral"},"defer_loading":true}],"tool_choice":{"type":"auto"}}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"tools":[{"name":"a"}],"tool_choice":{"type":"auto"}}'],
    ['{"tools":"none"}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"tools":"none"}'],
    ['{"messages":[{"content":"Grüße 世界","n":12345678901234567890}],"stream":true}', '{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"content":"Grüße 世界","n":12345678901234567890}]}'],
  ])('%s is %s', (body, expected) => {
    expect(counted(body)).toBe(expected)
  })

  test('goes to the foundation model, with the one beta that counting takes', async () => {
    const upstream = offlineUpstream('bedrock')
    const { url, body } = await upstream.prepare(upstreamRequest({ surface: 'count_tokens', betas: ['interleaved-thinking-2025-05-14', 'claude-code-20250219'], body: { model: 'm', messages: [] } }))
    expect(url).toBe('https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-opus-4-7/count-tokens')
    const inner = Buffer.from((JSON.parse(text(body)) as any).input.invokeModel.body, 'base64').toString()
    expect(JSON.parse(inner)).toEqual({ anthropic_version: 'bedrock-2023-05-31', anthropic_beta: ['claude-code-20250219'], max_tokens: 1, messages: [] })
  })

  test('is not even sent for a model of the operator’s own behind an ARN', () => {
    const upstream = offlineUpstream('bedrock')
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234'
    expect(upstream.impossible?.(upstreamRequest({ surface: 'count_tokens', model: arn, servedModel: 'our-own' }))).toMatchObject({ status: 501, type: 'not_supported', headers: { 'x-should-retry': 'false' } })
    expect(upstream.impossible?.(upstreamRequest({ surface: 'count_tokens', model: arn, servedModel: 'claude-opus-4-7' }))).toBeUndefined()
    expect(upstream.impossible?.(upstreamRequest({ surface: 'messages', model: arn, servedModel: 'our-own' }))).toBeUndefined()
  })
})

describe('countAnswer', () => {
  test.each([
    ['{"inputTokens":42}', '{"input_tokens":42}'],
    ['{"inputTokens":0}', '{"input_tokens":0}'],
    ['{"inputTokens":"42"}', undefined],
    ['{"inputTokens":1.5}', undefined],
    ['{"inputTokens":-1}', undefined],
    ['{}', undefined],
    ['null', undefined],
    ['<html>', undefined],
    ['', undefined],
  ])('makes of %p %p', (answer, expected) => {
    const made = countAnswer(new TextEncoder().encode(answer))
    expect(made && text(made)).toBe(expected as never)
  })
})

describe('names of a model', () => {
  test.each([
    ['us.anthropic.claude-opus-4-7', 'anthropic.claude-opus-4-7'],
    ['global.anthropic.claude-haiku-4-5-20251001-v1:0', 'anthropic.claude-haiku-4-5-20251001-v1:0'],
    ['us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0', 'anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['apac.anthropic.claude-sonnet-4-20250514-v1:0', 'anthropic.claude-sonnet-4-20250514-v1:0'],
    ['anthropic.claude-opus-4-7', 'anthropic.claude-opus-4-7'],
    ['us.meta.llama', 'us.meta.llama'],
    ['xx.anthropic.claude-opus-4-7', 'xx.anthropic.claude-opus-4-7'],
    ['arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-7', 'arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-7'],
  ])('the foundation model of %s is %s', (id, expected) => {
    expect(foundationModel(id)).toBe(expected)
  })

  // As the SDKs send it: `:` raw, `/` encoded.
  test.each([
    ['anthropic.claude-haiku-4-5-20251001-v1:0', 'anthropic.claude-haiku-4-5-20251001-v1:0'],
    ['arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234', 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabcd1234'],
    ['arn:aws-us-gov:bedrock:us-gov-west-1:1:provisioned-model/a/b', 'arn:aws-us-gov:bedrock:us-gov-west-1:1:provisioned-model%2Fa%2Fb'],
    ['a?b#c%d e', 'a%3Fb%23c%25d%20e'],
    ['../../secret', '..%2F..%2Fsecret'],
  ])('%s is the one segment %s', (id, expected) => {
    expect(modelSegment(id)).toBe(expected)
    expect(new URL(`https://host/model/${modelSegment(id)}/invoke`).pathname).toBe(`/model/${expected}/invoke`)
  })

  test('textMember reads a text at the top level, with its escapes, and nothing else', () => {
    const body = jsonObject('{"speed":"f\\u0061st","n":7,"o":{"deep":"x"}}')
    expect(['speed', 'n', 'o', 'deep', 'absent'].map((name) => textMember(body, name))).toEqual(['fast', undefined, undefined, undefined, undefined])
  })
})

const TOP = ['max_tokens', 'metadata', 'safeguards', 'thinking', 'unknown', 'model', 'stream', 'speed', 'service_tier', 'cache_control', 'anthropic_beta', 'context_management', 'betas', 'tool_choice']
const TOOL = ['name', 'description', 'strict', 'defer_loading', 'eager_input_streaming', 'unknown', 'input_schema']
const CONFIG = ['effort', 'format', 'task_budget']

/** A value with the names of refused fields where nothing refuses them. */
function anything(random: Random, depth = 0): unknown {
  const kind = random.between(0, depth > 3 ? 4 : 6)
  if (kind === 0) return random.letters(random.between(0, 8))
  if (kind === 1) return random.between(-1000, 1000) / 8
  if (kind < 5) return random.oneOf([null, true, false, '"scope":"x"', '\u2028\n"\\', 'strict', 0])
  if (kind === 5) return Array.from({ length: random.between(0, 3) }, () => anything(random, depth + 1))
  return Object.fromEntries(Array.from({ length: random.between(0, 3) }, () => [random.oneOf(['scope', 'strict', 'ttl', 'x', 'model', 'type', 'speed']), anything(random, depth + 1)]))
}

const some = (random: Random, names: readonly string[], fixed: Record<string, unknown> = {}) => Object.fromEntries(shuffled(random, [...Object.entries(fixed), ...names.filter(() => random.between(0, 1) === 1).map((name): [string, unknown] => [name, anything(random)])]))
const shuffled = <item>(random: Random, items: readonly item[]): item[] => items.map((item) => [random.between(0, 1e9), item] as const).toSorted(([a], [b]) => a - b).map(([, item]) => item)
const cached = (random: Random) => ({ ...(random.between(0, 1) === 1 && { cache_control: some(random, ['scope', 'ttl'], { type: 'ephemeral' }) }) })
const list = (random: Random, item: () => unknown) => Array.from({ length: random.between(0, 4) }, item)

function randomBody(random: Random): Record<string, unknown> {
  const block = () => shuffledObject(random, { type: 'text', text: 'strict scope', ...cached(random) })
  const message = () => ({ role: 'user', content: random.between(0, 2) === 0 ? anything(random) : list(random, () => (random.between(0, 1) === 0 ? block() : { type: 'tool_result', content: list(random, block), ...cached(random) })) })
  return shuffledObject(random, {
    ...some(random, TOP),
    messages: list(random, message),
    ...(random.between(0, 1) === 1 && { system: random.between(0, 2) === 0 ? 'a system' : list(random, block) }),
    ...(random.between(0, 1) === 1 && { tools: list(random, () => shuffledObject(random, { ...some(random, TOOL), ...cached(random) })) }),
    ...(random.between(0, 1) === 1 && { output_config: some(random, CONFIG) }),
  })
}

const shuffledObject = (random: Random, object: object): Record<string, unknown> => Object.fromEntries(shuffled(random, Object.entries(object)))

/** What Bedrock refuses of a body, written once more with objects instead of bytes. */
function expectedOf(body: any, betas: readonly string[], generation: number): any {
  const result = structuredClone(body)
  for (const name of ['model', 'stream', 'anthropic_version', 'anthropic_beta', 'speed', 'service_tier', 'cache_control', 'betas']) delete result[name]
  if (!betas.some((beta) => /^(context-management|compact)-/.test(beta))) delete result.context_management
  const isObject = (value: any) => typeof value === 'object' && value !== null && !Array.isArray(value)
  const items = (value: any): any[] => (Array.isArray(value) ? value.filter(isObject) : [])
  const tools = items(result.tools)
  const blocks = items(result.messages).flatMap(({ content }) => items(content))
  for (const { cache_control: control } of [...items(result.system), ...tools, ...blocks, ...blocks.flatMap(({ content }) => items(content))]) {
    if (!isObject(control)) continue
    delete control.scope
    if (generation < 405) delete control.ttl
  }
  for (const tool of tools) {
    if (!betas.includes('tool-search-tool-2025-10-19')) delete tool.defer_loading
    if (!betas.includes('fine-grained-tool-streaming-2025-05-14')) delete tool.eager_input_streaming
    if (generation < 405) delete tool.strict
  }
  if (generation < 405) delete result.output_config
  if (isObject(result.output_config)) {
    delete result.output_config.task_budget
    if (generation < 406) delete result.output_config.effort
  }
  return { anthropic_version: 'bedrock-2023-05-31', ...(betas.length > 0 && { anthropic_beta: betas }), ...result }
}

test('any body parses afterwards, has nothing that is refused, and is otherwise what it was, in its order', () => {
  const random = createRandom(7)
  for (let round = 0; round < 4000; round++) {
    const body = randomBody(random)
    const betas = ['context-management-2025-06-27', 'tool-search-tool-2025-10-19', 'fine-grained-tool-streaming-2025-05-14', 'claude-code-20250219'].filter(() => random.between(0, 1) === 1)
    const generation = random.oneOf([401, 405, 500])
    const written = JSON.stringify(body, undefined, random.oneOf([0, 1, 3]))
    const result = sent(written, { betas, generation: { family: 'sonnet', number: generation } })
    // As text, because the order of members counts too.
    expect(JSON.stringify(JSON.parse(result))).toBe(JSON.stringify(expectedOf(body, betas, generation)))
  }
})
