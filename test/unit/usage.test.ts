import { describe, expect, test } from 'bun:test'
import { fillUsage, NO_USAGE, overwriteUsage, type Usage } from '../../src/pricing/usage.ts'

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
})
