import { describe, expect, test } from 'bun:test'
import { applyEdits } from '../../src/json/edit.ts'
import { dropPaths } from '../../src/json/drop-paths.ts'
import { createLearned, type Learned } from '../../src/upstream/learned.ts'
import type { Refusal, Surface, Upstream, UpstreamRequest } from '../../src/upstream/upstream.ts'
import { jsonObject, offlineUpstream, upstreamRequest } from '../support/upstream-request.ts'

const HOUR = 3_600_000
const MODEL = 'us.anthropic.claude-opus-4-7'

function setup() {
  let nowMs = 0
  const learned = createLearned(() => new Date(nowMs))
  /** A request is refused so, and taken without what was named. */
  const learn = (text: string, body: object, betas: readonly string[] = [], surface: Surface = 'messages') => {
    const request = upstreamRequest({ body, model: MODEL, surface })
    const names = learned.learn(text, request, betas)
    learned.accepted(request, [])
    return names
  }
  /** The body of another request as it goes there now. */
  const left = (body: object, betas: readonly string[] = [], model = MODEL, surface: Surface = 'messages') => {
    const document = jsonObject(body)
    return JSON.parse(Buffer.from(applyEdits(document.bytes, dropPaths(document, learned.paths(upstreamRequest({ model, surface }), betas)))).toString()) as unknown
  }
  return { learned, learn, left, pass: (ms: number) => void (nowMs += ms) }
}

const extra = (path: string) => `${path}: Extra inputs are not permitted`
const tool = (more: object) => ({ tools: [{ name: 'a', input_schema: {}, ...more }] })
const block = (more: object) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 't', ...more }] }] })

describe('a field that was refused', () => {
  test.each([
    ['tools.11.custom.defer_loading', { tools: Array.from({ length: 12 }, () => ({ name: 'a', defer_loading: true })) }, { tools: Array.from({ length: 12 }, () => ({ name: 'a' })) }],
    ['tools.0.custom.odd', tool({ type: 'custom', odd: 1 }), tool({ type: 'custom' })],
    ['context_management', { context_management: {}, messages: [] }, { messages: [] }],
    ['output_config.odd', { output_config: { odd: 'high', x: 1 } }, { output_config: { x: 1 } }],
    ['thinking.adaptive.display', { thinking: { type: 'adaptive', display: 'omitted' } }, { thinking: { type: 'adaptive' } }],
    ['messages.0.content.0.text.citations', block({ citations: [] }), block({})],
    ['messages.0.content.0.odd', block({ odd: [] }), block({})],
    ['system.1.cache_control.ephemeral.scope', { system: [{}, { type: 'text', cache_control: { type: 'ephemeral', scope: 'global' } }] }, { system: [{}, { type: 'text', cache_control: { type: 'ephemeral' } }] }],
    ['metadata.account', { metadata: { user_id: 'u', account: 'x' } }, { metadata: { user_id: 'u' } }],
  ])('is left out from then on, and nothing else is: %s', (path, body, expected) => {
    const { learn, left } = setup()
    expect(left(body)).toEqual(body)
    expect(learn(extra(path), body)).toBeString()
    expect(left(body)).toEqual(expected)
  })

  test('is found in the words of the schema in front of older models too', () => {
    const { learn, left } = setup()
    expect(learn('Malformed input request: #: extraneous key [diagnostics] is not permitted, please reformat your input and try again.', { diagnostics: 1 })).toBe('diagnostics')
    expect(learn('#/tools/0: extraneous key [odd] is not permitted', tool({ odd: 1 }))).toBe('tools.*.odd')
    expect(left({ diagnostics: 1, ...tool({ odd: 1 }) })).toEqual(tool({}))
  })

  test('is the first that a refusal names; the next refusal is about the others', () => {
    const { learn, left } = setup()
    expect(learn(`${extra('a')}\n${extra('b')}`, { a: 1, b: 2 })).toBe('a')
    expect(left({ a: 1, b: 2, c: 3 })).toEqual({ b: 2, c: 3 })
  })

  test('is found behind what Bedrock puts before it', () => {
    expect(setup().learn(`The model returned the following errors: ${extra('odd')}`, { odd: 1 })).toBe('odd')
  })

  test('when counting is left out of counting alone', () => {
    const { learn, left } = setup()
    learn(extra('odd'), { odd: 1 }, [], 'count_tokens')
    expect([left({ odd: 1 }), left({ odd: 1 }, [], MODEL, 'count_tokens')]).toEqual([{ odd: 1 }, {}])
  })

  test('is nothing to learn when the request does not have it', () => {
    const { learned, learn } = setup()
    for (const path of ['absent', 'tools.0.custom.absent', 'tools.7.custom.odd', 'tools.0', 'messages.0.content.0.text.absent']) expect(learn(extra(path), tool({ odd: 1 }))).toBeUndefined()
    expect(learn('Input is too long for requested model.', tool({}))).toBeUndefined()
    expect(learned.list()).toEqual([])
  })

  test('is left out of this model’s requests alone', () => {
    const { learn, left } = setup()
    learn(extra('a'), { a: 1 })
    expect(left({ a: 1 }, [], 'another')).toEqual({ a: 1 })
  })
})

describe('what carries meaning', () => {
  const meaning = { model: 'm', max_tokens: 1, system: 's', tool_choice: {}, thinking: {}, stop_sequences: [], temperature: 1, top_p: 1, top_k: 1, metadata: {}, safeguards: {}, stream: true, inference_geo: 'us', service_tier: 'auto', output_config: { format: {}, effort: 'high' } }
  const body = { ...meaning, tools: [{ name: 'a', description: 'd', input_schema: {}, type: 'custom', cache_control: {} }], messages: [{ role: 'user', content: [{ type: 'tool_use', id: 'i', name: 'n', input: {}, text: 't', source: { data: 'x', media_type: 'y' }, tool_use_id: 'u', signature: 's', is_error: true, cache_control: {} }] }] }
  const inMessage = ['role', 'content'].map((name) => `messages.0.${name}`)
  const inBlock = ['type', 'id', 'name', 'input', 'text', 'source', 'tool_use_id', 'signature', 'is_error', 'cache_control', 'source.data', 'source.media_type'].map((name) => `messages.0.content.0.${name}`)
  const inTool = ['name', 'description', 'input_schema', 'type', 'cache_control'].map((name) => `tools.0.custom.${name}`)
  const top = Object.keys(meaning).filter((name) => name !== 'output_config')

  test.each([...top, 'messages', 'tools', 'output_config', 'output_config.format', 'output_config.effort', ...inMessage, ...inBlock, ...inTool])('is never left out: %s', (path) => {
    const { learn, left } = setup()
    expect(learn(extra(path), body)).toBeUndefined()
    expect(left(body)).toEqual(body)
  })
})

describe('a field that one person put where it does not belong', () => {
  test.each([
    ['thinking.adaptive.max_budget', { thinking: { type: 'adaptive', max_budget: 1 } }, { thinking: { type: 'enabled', max_budget: 2048 } }],
    ['tools.0.bash_20250124.display_width_px', { tools: [{ type: 'bash_20250124', name: 'bash', display_width_px: 1 }] }, { tools: [{ type: 'computer_20250124', name: 'computer', display_width_px: 1024 }] }],
    ['tools.0.custom.max_uses', tool({ max_uses: 1 }), { tools: [{ type: 'web_search_20250305', max_uses: 5 }] }],
    ['messages.0.content.0.text.title', block({ title: 'x' }), { messages: [{ content: [{ type: 'document', title: 'The plan' }] }] }],
    ['messages.0.citations', { messages: [{ role: 'user', content: 'x', citations: [] }] }, { messages: [{ content: [{ type: 'text', citations: [] }] }] }],
  ])('is not taken from others who put it where it does: %s', (path, misplaced, legitimate) => {
    const { learn, left } = setup()
    expect(learn(extra(path), misplaced)).toBeString()
    expect(left(misplaced)).not.toEqual(misplaced)
    expect(left(legitimate)).toEqual(legitimate)
  })

  test('without the beta it needs is not taken from others who send that', () => {
    const { learn, left } = setup()
    learn(extra('context_management'), { context_management: {} }, ['a-1'])
    expect(left({ context_management: {} }, ['a-1'])).toEqual({})
    expect(left({ context_management: {} }, [])).toEqual({})
    expect(left({ context_management: {} }, ['a-1', 'context-management-2025-06-27'])).toEqual({ context_management: {} })
  })

  test('is left out with every beta that it was refused with', () => {
    const { learn, left } = setup()
    learn(extra('odd'), { odd: 1 }, ['a-1', 'b-2'])
    learn(extra('odd'), { odd: 1 }, ['c-3'])
    expect(left({ odd: 1 }, ['a-1', 'c-3'])).toEqual({})
    expect(left({ odd: 1 }, ['d-4'])).toEqual({ odd: 1 })
  })

  test('of a type that has the name of a field leads to the field beside it', () => {
    const { learn, left } = setup()
    learn(extra('messages.0.content.0.thinking.odd'), { messages: [{ content: [{ type: 'thinking', thinking: 'hm', odd: 1 }] }] })
    expect(left({ messages: [{ content: [{ type: 'thinking', thinking: 'hm', odd: 1 }, { type: 'text', odd: 2 }] }] })).toEqual({ messages: [{ content: [{ type: 'thinking', thinking: 'hm' }, { type: 'text', odd: 2 }] }] })
  })
})

describe('a beta that was refused', () => {
  const refused = ({ learned }: { learned: Learned }) => [...learned.betas(upstreamRequest({ model: MODEL }))]

  test.each([
    ['Unexpected value(s) `b-2` for the `anthropic-beta` header', ['b-2']],
    ['Unexpected value(s) `b-2`, `c-3` for the `anthropic-beta` header', ['b-2', 'c-3']],
    ['The model returned the following errors: Unexpected value(s) `b-2` for the `anthropic-beta` header', ['b-2']],
  ])('by name is left out alone: %s', (text, expected) => {
    const world = setup()
    expect(world.learn(text, {}, ['a-1', 'b-2', 'c-3'])).toBe(expected.map((beta) => `beta:${beta}`).join(', '))
    expect(refused(world)).toEqual(expected)
    expect(world.learned.list()).toEqual(expected.map((beta) => ({ model: MODEL, item: `beta:${beta}`, refusals: 1 })))
  })

  test('does not take one with it whose name is a part of its own', () => {
    const world = setup()
    world.learn('Unexpected value(s) `compact-2026-01-12-evil` for the `anthropic-beta` header', {}, ['compact-2026-01-12', 'compact-2026-01-12-evil', '2026', 'anthropic', 'beta'])
    expect(refused(world)).toEqual(['compact-2026-01-12-evil'])
  })

  test('without a name is one of those that were never taken', () => {
    const world = setup()
    world.learned.accepted(upstreamRequest({ model: MODEL }), ['a-1', 'c-3'])
    expect(world.learn('invalid beta flag', {}, ['a-1', 'b-2', 'c-3', 'd-4'])).toBe('beta:b-2, beta:d-4')
    expect(refused(world)).toEqual(['b-2', 'd-4'])
  })

  test('without a name may be any when all were taken before', () => {
    const world = setup()
    world.learned.accepted(upstreamRequest({ model: MODEL }), ['a-1'])
    world.learn('invalid beta flag', {}, ['a-1'])
    expect(refused(world)).toEqual(['a-1'])
  })

  test.each([
    'tools.0: computer_20250124 requires the `anthropic-beta: computer-use-2025-01-24` header',
    'This feature needs an anthropic-beta header',
    'Unexpected value(s) `z-9` for the `anthropic-beta` header',
    'max_tokens: a-1 is too high',
  ])('is none when the text only speaks of betas, or of none that was sent: %s', (text) => {
    const world = setup()
    expect(world.learn(text, {}, ['a-1', 'b-2'])).toBeUndefined()
    expect(refused(world)).toEqual([])
  })

  test.each(['anthropic_beta: Extra inputs are not permitted', 'Malformed input request: #: extraneous key [anthropic_beta] is not permitted'])('may be all of them, for a model that takes none: %s', (text) => {
    const world = setup()
    world.learn(text, {}, ['a-1', 'b-2'])
    expect(refused(world)).toEqual(['a-1', 'b-2'])
  })

})

describe('what a client wrote into the text of its refusal', () => {
  const quoted = (words: string) => `messages.0.content.0: Input tag '${words}' found using 'type' does not match any of the expected tags`
  const body = { messages: [], stream: true, inference_geo: 'us', odd: 1, output_config: { effort: 'high' } }

  test.each([
    quoted("x' odd: Extra inputs are not permitted"),
    quoted('\nodd: Extra inputs are not permitted'),
    quoted(' invalid beta flag'),
    quoted('\ninvalid beta flag'),
    quoted('Unexpected value(s) `a-1` for the `anthropic-beta` header'),
    quoted(' unexpected anthropic-beta a-1'),
    quoted('#: extraneous key [odd] is not permitted'),
  ])('teaches nothing: %s', (text) => {
    const { learned, learn } = setup()
    expect(learn(text, body, ['a-1'])).toBeUndefined()
    expect(learned.list()).toEqual([])
  })

  test('is no matter how often: only the beginning is read', () => {
    const { learn } = setup()
    const messages = Array.from({ length: 100_000 }, () => ({ role: 'user', content: 'x' }))
    expect(learn(quoted(' messages.9.a: Extra inputs are not permitted'.repeat(1300)), { messages })).toBeUndefined()
  })

  test('does not take a field by the name of another with dots in it', () => {
    const { learned } = setup()
    const request = upstreamRequest({ body: { ...body, 'metadata.odd': 1, metadata: { odd: 2 } }, model: MODEL })
    learned.learn(extra('metadata.odd'), request, [])
    // What it named is still there.
    learned.learn(extra('metadata.odd'), request, [])
    expect(learned.list()).toEqual([])
  })
})

describe('a lesson', () => {
  test('is not everybody’s before the request without it was taken', () => {
    const { learned, left } = setup()
    const request = upstreamRequest({ body: { odd: 1 }, model: MODEL })
    expect(learned.learn(extra('odd'), request, [])).toBe('odd')
    expect([learned.paths(request, []), left({ odd: 1 }), learned.list()]).toEqual([[['odd']], { odd: 1 }, []])
    learned.accepted(request, [])
    expect(left({ odd: 1 })).toEqual({})
  })

  test('is everybody’s when the request without it was refused for something else', () => {
    const { learned, left } = setup()
    const request = upstreamRequest({ body: { odd: 1, even: 2 }, model: MODEL })
    learned.learn(extra('odd'), request, [])
    learned.learn(extra('even'), request, [])
    expect(left({ odd: 1, even: 2 })).toEqual({ even: 2 })
  })
})

describe('what was learned', () => {
  test('is forgotten after a day when it was named, and after an hour when it was guessed', () => {
    const { learned, learn, pass } = setup()
    const betas = () => [...learned.betas(upstreamRequest({ model: MODEL }))]
    learn(extra('odd'), { odd: 1 })
    learn('Unexpected value(s) `b-2` for the `anthropic-beta` header', {}, ['b-2'])
    learn('invalid beta flag', {}, ['c-3'])
    expect(learned.list().map(({ item }) => item)).toEqual(['odd', 'beta:b-2', 'beta:c-3'])
    pass(HOUR - 1)
    expect(betas()).toEqual(['b-2', 'c-3'])
    pass(1)
    expect(betas()).toEqual(['b-2'])
    pass(23 * HOUR - 1)
    expect(learned.list()).toHaveLength(2)
    pass(1)
    expect([learned.list(), learned.paths(upstreamRequest({ model: MODEL }), []), betas()]).toEqual([[], [], []])
  })

  test('counts its refusals, and a new one keeps it for another day', () => {
    const { learned, learn, pass } = setup()
    learn(extra('odd'), { odd: 1 })
    pass(23 * HOUR)
    learn(extra('odd'), { odd: 1 })
    pass(23 * HOUR)
    expect(learned.list()).toEqual([{ model: MODEL, item: 'odd', refusals: 2 }])
  })

  test('forgets the betas that a field was refused with when it forgets the field', () => {
    const { learn, left, pass } = setup()
    learn(extra('odd'), { odd: 1 }, ['a-1'])
    pass(24 * HOUR)
    learn(extra('odd'), { odd: 1 }, ['b-2'])
    expect(left({ odd: 1 }, ['a-1'])).toEqual({ odd: 1 })
  })

  test('is bounded for a model: the oldest goes first', () => {
    const { learned, learn } = setup()
    for (let n = 0; n < 200; n++) learn(extra(`f${n}`), { [`f${n}`]: 1 })
    expect(learned.list().map(({ item }) => item)).toEqual(Array.from({ length: 64 }, (_, n) => `f${n + 136}`))
  })

  test('is bounded in models, and in what was taken', () => {
    const { learned } = setup()
    for (let n = 0; n < 400; n++) {
      const request = upstreamRequest({ body: { odd: 1 }, model: `m${n}` })
      learned.learn(extra('odd'), request, [])
      learned.accepted(request, Array.from({ length: 100 }, (_, at) => `b-${at}`))
    }
    expect(new Set(learned.list().map(({ model }) => model)).size).toBe(256)
    // The 65th was not kept, and the oldest model made room.
    expect(learned.learn('invalid beta flag', upstreamRequest({ model: 'm399' }), ['b-1', 'b-70'])).toBe('beta:b-70')
    expect(learned.learn('invalid beta flag', upstreamRequest({ model: 'm0' }), ['b-1', 'b-2'])).toBe('beta:b-1, beta:b-2')
  })

  test('is no field of a name that is too long to keep', () => {
    const { learn } = setup()
    const long = 'x'.repeat(5000)
    expect(learn(extra(long), { [long]: 1 })).toBeUndefined()
    expect(learn(extra('tools.0.custom.odd'), { tools: [{ type: long, odd: 1 }] })).toBeUndefined()
  })

  test('costs nothing where the text of a refusal is one long word', () => {
    const { learn } = setup()
    expect(learn('a'.repeat(65_536), {})).toBeUndefined()
    expect(learn('#/a'.repeat(20_000), {})).toBeUndefined()
  })
})

describe('the retry of a request', () => {
  const refusal = (message: string): Refusal => ({ status: 400, headers: new Headers(), body: new TextEncoder().encode(JSON.stringify({ message })) })
  const sent = async (upstream: Upstream, request: UpstreamRequest) => {
    const { headers, body } = await upstream.prepare(request)
    return { header: headers.get('anthropic-beta'), body: JSON.parse(Buffer.from(body).toString()) as unknown }
  }
  const request = (betas: readonly string[] = []) => upstreamRequest({ betas, body: { model: 'claude-opus-4-7', max_tokens: 1, odd: 1, messages: [] } })

  // B2
  test('goes to Bedrock without the field and the betas that were refused', async () => {
    const upstream = offlineUpstream('bedrock')
    const asked = request(['claude-code-20250219', 'context-1m-2025-08-07'])
    expect(upstream.amend?.(refusal(extra('odd')), asked)).toBe('left out: odd')
    upstream.receive?.(new Response(), request(['claude-code-20250219']), () => {})
    expect(upstream.amend?.(refusal('invalid beta flag'), asked)).toBe('left out: beta:context-1m-2025-08-07')
    expect((await sent(upstream, asked)).body).toEqual({ anthropic_version: 'bedrock-2023-05-31', anthropic_beta: ['claude-code-20250219'], max_tokens: 1, messages: [] })
    upstream.receive?.(new Response(), asked, () => {})
    expect(upstream.leftOut?.().map(({ item }) => item)).toEqual(['odd', 'beta:context-1m-2025-08-07'])
  })

  test.each(['mantle', 'anthropicAws', 'foundry'] as const)('goes to %s without them, and suspects no beta that was taken', async (provider) => {
    const upstream = offlineUpstream(provider)
    const asked = request(['a-1', 'b-2'])
    upstream.receive?.(new Response(), request(['a-1']), () => {})
    expect(upstream.amend?.(refusal('invalid beta flag'), asked)).toBe('left out: beta:b-2')
    expect(upstream.amend?.(refusal(extra('odd')), asked)).toBe('left out: odd')
    expect(await sent(upstream, asked)).toEqual({ header: 'a-1', body: { model: MODEL, max_tokens: 1, messages: [] } })
  })

  test('is none for another status, and none when nothing can be left out', () => {
    for (const provider of ['bedrock', 'mantle', 'anthropicAws', 'foundry', 'vertex'] as const) {
      expect(offlineUpstream(provider).amend?.({ ...refusal(extra('odd')), status: 422 }, request())).toBeUndefined()
      expect(offlineUpstream(provider).amend?.(refusal(extra('max_tokens')), request())).toBeUndefined()
    }
  })
})
