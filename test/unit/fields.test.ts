import { describe, expect, test } from 'bun:test'
import { editObject } from '../../src/json/edit.ts'
import { refusedFields } from '../../src/upstream/fields.ts'
import { generationOf } from '../../src/models/generation.ts'
import { jsonObject } from '../support/upstream-request.ts'

interface Sent {
  model?: string
  betas?: readonly string[]
  learned?: readonly string[]
}

/** What is left of a body on its way to a provider. */
function left(provider: string, body: object | string, { model = 'claude-opus-5-5', betas = [], learned = [] }: Sent = {}): unknown {
  const document = jsonObject(body)
  const { drop, inside } = refusedFields(provider, document, { betas, generation: generationOf(model) }, learned.map((path) => path.split('.')))
  return JSON.parse(Buffer.from(editObject(document, { drop: new Set(drop), inside })).toString())
}

const TOOL_SEARCH = 'tool-search-tool-2025-10-19'
const FINE_GRAINED = 'fine-grained-tool-streaming-2025-05-14'
const OPEN = ['anthropic', 'mantle', 'anthropicAws', 'anthropicGoogleCloud', 'foundry']
const CLOUDS = ['bedrock', 'vertex']

describe('the top level', () => {
  test.each(CLOUDS)('of %s has none of the first-party API’s own fields', (provider) => {
    const own = { service_tier: 'auto', inference_geo: 'us', container: 'c', mcp_servers: [], fallbacks: [], fallback_credit_token: 't', diagnostics: {}, billing_policy: {}, output_format: {}, cache_control: { type: 'ephemeral' }, betas: [] }
    expect(left(provider, { ...own, messages: [], metadata: { user_id: 'u' }, safeguards: {}, unknown: 1 })).toEqual({ messages: [], metadata: { user_id: 'u' }, safeguards: {}, unknown: 1 })
  })

  test.each([
    ['bedrock', 'claude-opus-5-5', false],
    ['vertex', 'claude-opus-5-5', true],
    ['vertex', 'claude-fable-5-2', true],
    ['vertex', 'claude-fable-5-1', false],
    ['vertex', 'claude-sonnet-5-5', false],
    ['vertex', 'our-own-model', true],
  ])('has speed on %s for %s: %p', (provider, model, stays) => {
    expect(left(provider, { speed: 'fast' }, { model })).toEqual(stays ? { speed: 'fast' } : {})
  })

  test.each(OPEN)('of %s is open, and so is everything below it', (provider) => {
    const body = { speed: 'fast', service_tier: 'auto', tools: [{ name: 'a', defer_loading: true, strict: true }], system: [{ cache_control: { scope: 'global' } }], context_management: {}, output_config: { task_budget: {} } }
    expect(left(provider, body, { model: 'claude-haiku-4-5' })).toEqual(body)
  })
})

describe('a field that needs a beta', () => {
  test.each([
    ['bedrock', { tools: [{ name: 'a', defer_loading: true }] }, { tools: [{ name: 'a' }] }, TOOL_SEARCH],
    ['vertex', { tools: [{ name: 'a', defer_loading: true }] }, { tools: [{ name: 'a' }] }, TOOL_SEARCH],
    ['bedrock', { tools: [{ name: 'a', eager_input_streaming: true }] }, { tools: [{ name: 'a' }] }, FINE_GRAINED],
    ['bedrock', { context_management: { edits: [] } }, {}, 'context-management-2025-06-27'],
    ['bedrock', { context_management: { edits: [] } }, {}, 'compact-2026-01-12'],
    ['vertex', { context_management: { edits: [] } }, {}, 'compact-2026-09-04'],
  ])('goes to %s with it alone: %j', (provider, body, without, beta) => {
    expect(left(provider, body, { betas: [beta] })).toEqual(body)
    expect(left(provider, body, { betas: ['another-2025-01-01'] })).toEqual(without)
  })
})

describe('a field that needs a model', () => {
  const cached = (control: object) => ({ system: [{ type: 'text', cache_control: control }], tools: [{ name: 'a', cache_control: control }], messages: [{ content: [{ type: 'text', cache_control: control }, { type: 'tool_result', content: [{ type: 'text', cache_control: control }] }] }] })

  test.each(CLOUDS)('has no scope of a cache on %s, wherever it stands', (provider) => {
    expect(left(provider, cached({ type: 'ephemeral', scope: 'global', ttl: '1h' }))).toEqual(cached({ type: 'ephemeral', ttl: '1h' }))
  })

  test('has no lifetime of a cache on Bedrock before 4.5', () => {
    const body = cached({ type: 'ephemeral', ttl: '1h' })
    expect(left('bedrock', body, { model: 'claude-opus-4-1' })).toEqual(cached({ type: 'ephemeral' }))
    expect(left('bedrock', body, { model: 'claude-haiku-4-5' })).toEqual(body)
    expect(left('vertex', body, { model: 'claude-opus-4-1' })).toEqual(body)
  })

  test.each([
    ['bedrock', 'claude-opus-4-1', {}],
    ['bedrock', 'claude-opus-4-5', { output_config: { effort: 'high', format: 1 } }],
    ['bedrock', 'claude-sonnet-4-5', { output_config: { format: 1 } }],
    ['bedrock', 'claude-haiku-4-5', { output_config: { format: 1 } }],
    ['bedrock', 'claude-sonnet-4-6', { output_config: { effort: 'high', format: 1 } }],
    ['bedrock', 'our-own-model', { output_config: { effort: 'high', format: 1 } }],
    ['vertex', 'claude-opus-4-1', {}],
    ['vertex', 'claude-haiku-4-5', { output_config: { format: 1 } }],
    ['vertex', 'claude-fable-5', { output_config: { effort: 'high', format: 1 } }],
  ])('on %s with %s leaves %j', (provider, model, expected) => {
    expect(left(provider, { output_config: { effort: 'high', format: 1, task_budget: 2 } }, { model })).toEqual(expected)
  })

  test('has no strict tools on Vertex, and on Bedrock none before 4.5', () => {
    const body = { tools: [{ name: 'a', strict: true, input_schema: { properties: { strict: { type: 'boolean' } } } }] }
    const without = { tools: [{ name: 'a', input_schema: { properties: { strict: { type: 'boolean' } } } }] }
    expect(left('vertex', body)).toEqual(without)
    expect(left('bedrock', body, { model: 'claude-opus-4-1' })).toEqual(without)
    expect(left('bedrock', body, { model: 'claude-sonnet-4-5' })).toEqual(body)
  })
})

test('a value that has another shape than the Messages API says passes through', () => {
  for (const body of [{ system: 'cache_control scope', tools: { defer_loading: true }, messages: 7, output_config: 'task_budget' }, { messages: [null, 7, { content: 'x "scope" y' }], tools: [[{ strict: true }]] }]) {
    expect(left('bedrock', body)).toEqual(body)
  }
})

test('what was learned besides is left out for every provider', () => {
  for (const provider of [...OPEN, ...CLOUDS]) expect(left(provider, { new_thing: 1, messages: [{ content: [{ type: 'text', odd: 1 }] }] }, { learned: ['new_thing', 'messages.*.content.*.odd'] })).toEqual({ messages: [{ content: [{ type: 'text' }] }] })
})
