import { describe, expect, test } from 'bun:test'
import { betasFor, readBetas } from '../../src/upstream/betas.ts'
import { generationOf } from '../../src/models/generation.ts'
import { createRandom } from '../support/clouds/random.ts'
import { offlineUpstream, upstreamRequest } from '../support/upstream-request.ts'

const NEWEST = generationOf('claude-opus-5-5')
const SONNET_4_5 = generationOf('claude-sonnet-4-5')

// B3
describe('readBetas', () => {
  test.each([
    ['one string', ['a-1,b-2'], ['a-1', 'b-2']],
    ['repeated headers', ['a-1', 'b-2', 'c-3'], ['a-1', 'b-2', 'c-3']],
    ['spaces and tabs', ['  a-1 ,\tb-2  '], ['a-1', 'b-2']],
    ['duplicates, of which the first counts', ['b-2,a-1', 'b-2', 'a-1,a-1'], ['b-2', 'a-1']],
    ['empty places', [',,a-1, ,', ''], ['a-1']],
    ['nothing', [], []],
  ])('reads %s', (_, values, expected) => {
    const headers = new Headers()
    for (const value of values) headers.append('anthropic-beta', value)
    expect(readBetas(headers.get('anthropic-beta'))).toEqual(expected)
  })
})

describe('betasFor', () => {
  // B2
  test('leaves out what Bedrock refuses, and keeps the order of the rest', () => {
    const asked = ['fast-mode-2026-02-01', 'interleaved-thinking-2025-05-14', 'prompt-caching-scope-2026-01-05', 'claude-code-20250219', 'unknown-1', 'oauth-2025-04-20']
    expect(betasFor('bedrock', asked, NEWEST, {})).toEqual(['interleaved-thinking-2025-05-14', 'claude-code-20250219'])
  })

  test.each(['bedrock', 'vertex'])('calls a beta by the name that %s has for it, once', (provider) => {
    expect(betasFor(provider, ['advanced-tool-use-2025-11-20'], NEWEST, {})).toEqual(['tool-search-tool-2025-10-19'])
    expect(betasFor(provider, ['tool-search-tool-2025-10-19', 'advanced-tool-use-2025-11-20'], NEWEST, {})).toEqual(['tool-search-tool-2025-10-19'])
  })

  test.each(['anthropic', 'mantle', 'anthropicAws', 'anthropicGoogleCloud', 'foundry'])('hands everything to %s, whose list is open', (provider) => {
    expect(betasFor(provider, ['unknown-1', 'advanced-tool-use-2025-11-20'], NEWEST, {})).toEqual(['unknown-1', 'advanced-tool-use-2025-11-20'])
  })

  test.each([
    ['bedrock', 'compact-2026-01-12', 'claude-sonnet-4-5', false],
    ['bedrock', 'compact-2026-01-12', 'claude-sonnet-4-6', true],
    ['bedrock', 'effort-2025-11-24', 'claude-sonnet-4-5', false],
    ['bedrock', 'effort-2025-11-24', 'claude-opus-4-5', true],
    ['bedrock', 'effort-2025-11-24', 'claude-opus-4-1', false],
    ['bedrock', 'effort-2025-11-24', 'claude-haiku-5-5', true],
    ['bedrock', 'dangerous-tool-use-2026-09-03', 'claude-opus-4-6', false],
    ['bedrock', 'dangerous-tool-use-2026-09-03', 'claude-opus-4-7', true],
    ['bedrock', 'web-search-2025-03-05', 'claude-opus-5-5', false],
    ['vertex', 'web-search-2025-03-05', 'claude-haiku-4-5', true],
    ['vertex', 'effort-2025-11-24', 'claude-opus-5-5', false],
    ['vertex', 'per-turn-control-2026-07-01', 'claude-opus-4-6', false],
    ['vertex', 'fine-grained-tool-streaming-2025-05-14', 'claude-opus-5-5', false],
    ['bedrock', 'dangerous-tool-use-2026-09-03', 'a model of our own', true],
    ['bedrock', '__proto__', 'claude-opus-5-5', false],
    ['bedrock', 'constructor', 'claude-opus-5-5', false],
    ['bedrock', 'constructor', 'a model of our own', false],
  ])('%s, %s, %s: %p', (provider, beta, model, goes) => {
    expect(betasFor(provider, [beta], generationOf(model), {})).toEqual(goes ? [beta] : [])
  })

  test('takes the operator’s list instead of its own, and what is denied from either', () => {
    const asked = ['claude-code-20250219', 'unknown-1', 'compact-2026-01-12']
    expect(betasFor('bedrock', asked, SONNET_4_5, { allow: ['unknown-1', 'compact-2026-01-12', 'never-asked'] })).toEqual(['unknown-1', 'compact-2026-01-12'])
    expect(betasFor('bedrock', asked, NEWEST, { deny: ['claude-code-20250219'] })).toEqual(['compact-2026-01-12'])
    expect(betasFor('foundry', asked, NEWEST, { allow: asked, deny: ['unknown-1'] })).toEqual(['claude-code-20250219', 'compact-2026-01-12'])
    expect(betasFor('bedrock', asked, NEWEST, { allow: [] })).toEqual([])
  })

  test.each(['advanced-tool-use-2025-11-20', 'tool-search-tool-2025-10-19'])('means a beta with two names by either: %s', (listed) => {
    const asked = ['advanced-tool-use-2025-11-20']
    expect(betasFor('bedrock', asked, NEWEST, { deny: [listed] })).toEqual([])
    expect(betasFor('bedrock', asked, NEWEST, { allow: [listed] })).toEqual(['tool-search-tool-2025-10-19'])
  })

  // B4
  test('never adds a beta that the client did not ask for', () => {
    const random = createRandom(4)
    const pool = ['claude-code-20250219', 'context-1m-2025-08-07', 'compact-2026-01-12', 'effort-2025-11-24', 'advanced-tool-use-2025-11-20', 'web-search-2025-03-05', 'x-1', 'y-2', '__proto__', 'toString']
    const some = () => Array.from({ length: random.between(0, 6) }, () => random.oneOf(pool))
    for (let round = 0; round < 3000; round++) {
      const asked = some()
      const sent = betasFor(random.oneOf(['bedrock', 'vertex', 'foundry', 'anthropic']), asked, random.oneOf([NEWEST, SONNET_4_5, undefined]), { ...(random.between(0, 1) === 1 && { allow: some() }), ...(random.between(0, 1) === 1 && { deny: some() }) })
      expect(new Set(sent).size).toBe(sent.length)
      for (const beta of sent) expect(asked.includes(beta) || (beta === 'tool-search-tool-2025-10-19' && asked.includes('advanced-tool-use-2025-11-20'))).toBe(true)
    }
  })
})

describe('on the wire', () => {
  test('Bedrock gets them in the body and no header, and no empty list', async () => {
    const { headers, body } = await prepared('bedrock', ['claude-code-20250219', 'unknown-1'])
    expect([headers.get('anthropic-beta'), body.anthropic_beta]).toEqual([null, ['claude-code-20250219']])
    expect((await prepared('bedrock', ['unknown-1'])).body).not.toHaveProperty('anthropic_beta')
    expect((await prepared('bedrock', [])).body).not.toHaveProperty('anthropic_beta')
  })

  test.each(['mantle', 'anthropicAws', 'foundry'] as const)('%s gets them in the header, without duplicates', async (provider) => {
    expect((await prepared(provider, ['a-1', 'b-2', 'a-1'])).headers.get('anthropic-beta')).toBe('a-1,b-2')
    expect((await prepared(provider, [])).headers.has('anthropic-beta')).toBe(false)
  })

  async function prepared(provider: 'bedrock' | 'mantle' | 'anthropicAws' | 'foundry', betas: readonly string[]) {
    const { headers, body } = await offlineUpstream(provider).prepare(upstreamRequest({ betas, body: { model: 'claude-opus-4-7', max_tokens: 1, messages: [] } }))
    return { headers, body: JSON.parse(Buffer.from(body).toString()) as Record<string, unknown> }
  }
})
