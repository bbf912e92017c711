import { describe, expect, test } from 'bun:test'
import { fillUsage, NO_USAGE, overwriteModel, overwriteUsage, type Usage } from '../../src/pricing/usage.ts'

const known = (usage: object): Usage => overwriteUsage(NO_USAGE, usage)
const START = { input_tokens: 10, output_tokens: 500 }
const METRICS = { input_tokens: 10, output_tokens: 500, cache_read_input_tokens: 300, cache_creation_input_tokens: 200 }

// B9: some of Bedrock's regions give the cache's counts in message_start alone, others beside the last event alone.
describe('fillUsage', () => {
  const all = { ...NO_USAGE, input: 10, output: 500, cacheRead: 300, cacheWrite5m: 200, cacheWrite1h: undefined }

  test.each([
    ['the answer alone', known(METRICS), undefined, all],
    ['the answer, and metrics without the cache', known(METRICS), START, all],
    ['the metrics alone', NO_USAGE, METRICS, all],
    ['the metrics, while the answer says nothing of the cache', known(START), METRICS, all],
    ['the metrics, while the answer says that the cache was not used', known({ ...START, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 }), METRICS, all],
    ['the metrics, while the answer says null', known({ ...START, cache_read_input_tokens: null, cache_creation_input_tokens: null }), METRICS, all],
    ['both, which are not added up', known(METRICS), METRICS, all],
    ['the answer where both say something else', known(METRICS), { input_tokens: 1, output_tokens: 2, cache_read_input_tokens: 3, cache_creation_input_tokens: 4 }, all],
  ])('takes %s', (_, usage, beside, expected) => {
    expect(fillUsage(usage, beside)).toEqual(expected)
  })

  test.each([
    ['for an hour', { cache_creation_input_tokens: 200, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 200 } }, 0, 200],
    ['for either', { cache_creation_input_tokens: 200, cache_creation: { ephemeral_5m_input_tokens: 50, ephemeral_1h_input_tokens: 150 } }, 50, 150],
    ['for five minutes', { cache_creation_input_tokens: 200, cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 0 } }, 200, 0],
  ])('keeps the split of what was written %s, which metrics do not have', (_, usage, cacheWrite5m, cacheWrite1h) => {
    expect(fillUsage(known({ ...START, ...usage }), METRICS)).toEqual({ ...all, cacheWrite5m, cacheWrite1h })
  })

  test('takes what was written from metrics where the split says nothing', () => {
    expect(fillUsage(known({ ...START, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 } }), METRICS)).toEqual({ ...all, cacheWrite1h: 0 })
  })

  test.each([undefined, null, 7, 'x', {}, { input_tokens: -1, cache_read_input_tokens: '9' }])('changes nothing for %p', (beside) => {
    expect(fillUsage(known(START), beside)).toEqual(known(START))
    expect(fillUsage(NO_USAGE, beside)).toEqual(NO_USAGE)
  })

  test('leaves a count of nothing a count', () => {
    expect(fillUsage(known({ cache_read_input_tokens: 0 }), {}).cacheRead).toBe(0)
    expect(fillUsage(NO_USAGE, { input_tokens: 0, output_tokens: 0 })).toMatchObject({ ...NO_USAGE, input: 0, output: 0 })
  })

  test('takes the final count where the answer broke off before it, and none beside it that is no count', () => {
    const broken = { ...NO_USAGE, input: 10, output: 3, isEstimated: true }
    expect(fillUsage(broken, METRICS)).toEqual({ ...all, isEstimated: false })
    expect(fillUsage(broken, { output_tokens: -1 })).toEqual(broken)
  })
})

describe('overwriteUsage reads', () => {
  test('what belongs to the counts', () => {
    expect(known({ output_tokens: 9, output_tokens_details: { thinking_tokens: 4 }, server_tool_use: { web_search_requests: 2, web_fetch_requests: 7 }, speed: 'standard', inference_geo: 'global', service_tier: 'batch' })).toEqual({
      ...NO_USAGE, output: 9, thinking: 4, webSearches: 2, speed: 'standard', inferenceGeo: 'global', serviceTier: 'batch',
    })
  })

  test('a later object that says nothing of it over an earlier one that does', () => {
    const first = known({ speed: 'fast', inference_geo: 'us', service_tier: 'standard', server_tool_use: { web_search_requests: 1 }, output_tokens_details: { thinking_tokens: 4 } })
    expect(overwriteUsage(first, { output_tokens: 7, speed: null, server_tool_use: null, output_tokens_details: {} })).toEqual({ ...first, output: 7 })
    expect(overwriteUsage(first, { server_tool_use: { web_search_requests: 3 } })).toEqual({ ...first, webSearches: 3 })
  })

  // Values come from another machine: none of them reaches the arithmetic or the ledger as it is.
  test.each([NaN, -1, 1.5, '7', [[]], {}, true, Number.MAX_SAFE_INTEGER + 1, 'NaN'])('no count in %p', (value) => {
    const counts = { input_tokens: value, output_tokens: value, cache_read_input_tokens: value, cache_creation_input_tokens: value, cache_creation: { ephemeral_5m_input_tokens: value, ephemeral_1h_input_tokens: value }, output_tokens_details: { thinking_tokens: value }, server_tool_use: { web_search_requests: value } }
    expect(known(counts)).toEqual(NO_USAGE)
    expect(known({ iterations: [{ type: 'compaction', ...counts }] }).beside).toEqual([{ kind: 'compaction', usage: NO_USAGE }])
  })

  test.each([7, null, '', 'two words', 'a\0b', 'line\nend', 'ü', 'x'.repeat(65), {}])('no word in %p', (value) => {
    expect(known({ speed: value, inference_geo: value, service_tier: value })).toEqual(NO_USAGE)
    expect(overwriteModel(NO_USAGE, value)).toEqual(NO_USAGE)
  })

  test.each([undefined, null, 7, 'x', [[]], { cache_creation: 7, output_tokens_details: null, server_tool_use: 'x', iterations: 'x' }, { iterations: [null, 7, 'x', [], {}] }])('nothing in %p', (usage) => {
    expect(overwriteUsage(NO_USAGE, usage)).toEqual(NO_USAGE)
  })
})

describe('iterations', () => {
  const message = (model: string | undefined, output_tokens: number) => ({ type: 'message', ...(model && { model }), input_tokens: 100, output_tokens })
  const beside = (usage: object) => known(usage).beside.map(({ kind, usage: { model, input, output } }) => [kind, model, input, output])

  test('of compactions and advice are beside the counts, each with its own; the others are in them', () => {
    const iterations = [
      message(undefined, 9),
      { type: 'compaction', input_tokens: 900, output_tokens: 80, cache_read_input_tokens: 7, cache_creation: { ephemeral_1h_input_tokens: 5 }, cache_creation_input_tokens: 6 },
      { type: 'advisor_message', model: 'claude-opus-5', input_tokens: 823, output_tokens: 1612 },
      { type: 'of_tomorrow', input_tokens: 1, output_tokens: 1 },
      message(undefined, 11),
    ]
    const usage = known({ input_tokens: 100, output_tokens: 20, speed: 'fast', inference_geo: 'us', service_tier: 'standard', iterations })
    const how = { ...NO_USAGE, inferenceGeo: 'us', serviceTier: 'standard' }
    expect(usage).toMatchObject({ input: 100, output: 20 })
    expect(usage.beside).toEqual([
      { kind: 'compaction', usage: { ...how, speed: 'fast', input: 900, output: 80, cacheRead: 7, cacheWrite5m: 1, cacheWrite1h: 5 } },
      { kind: 'advisor_message', usage: { ...how, model: 'claude-opus-5', input: 823, output: 1612 } },
    ])
  })

  test('replace those of an earlier event', () => {
    const first = known({ iterations: [{ type: 'compaction', input_tokens: 1, output_tokens: 1 }] })
    expect(overwriteUsage(first, { output_tokens: 5 }).beside).toEqual(first.beside)
    expect(overwriteUsage(first, { iterations: [] }).beside).toEqual([])
  })

  // After a fallback the counts of the whole are those of the model that answered.
  test.each<[string, object[], string | undefined, unknown[]]>([
    ['one that declined before it wrote is not billed', [message('claude-fable-5', 0), { ...message('claude-opus-4-8', 264), type: 'fallback_message' }], 'claude-opus-4-8', []],
    ['one that declined later is billed what it wrote', [message('claude-fable-5', 30), { ...message('claude-opus-4-8', 264), type: 'fallback_message' }], 'claude-opus-4-8', [['declined_message', 'claude-fable-5', 100, 30]]],
    ['two that declined', [message('claude-fable-5', 30), message('claude-opus-5', 40), { ...message('claude-opus-4-8', 264), type: 'fallback_message' }], 'claude-opus-4-8', [['declined_message', 'claude-fable-5', 100, 30], ['declined_message', 'claude-opus-5', 100, 40]]],
    ['turns of the one that answered are in the counts', [message('claude-opus-4-8', 30), { ...message('claude-opus-4-8', 264), type: 'fallback_message' }], 'claude-opus-4-8', []],
    ['turns of an answer without a fallback are in the counts', [message('claude-opus-5', 30), message('claude-opus-5', 40)], undefined, []],
  ])('of a fallback: %s', (_, iterations, fallbackModel, expected) => {
    const usage = { input_tokens: 100, output_tokens: 264, iterations }
    expect<unknown>([known(usage).fallbackModel, known(usage).model, beside(usage)]).toEqual([fallbackModel, fallbackModel, expected])
  })

  test('without end are a hundred', () => {
    expect(known({ iterations: Array(5000).fill({ type: 'compaction', output_tokens: 1 }) }).beside).toHaveLength(100)
  })
})
