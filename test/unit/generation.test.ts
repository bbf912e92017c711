import { describe, expect, test } from 'bun:test'
import { CATALOG } from '../../src/models/catalog.ts'
import { generationOf } from '../../src/models/generation.ts'

describe('generationOf', () => {
  test.each([
    ['claude-opus-4-7', 'opus', 407],
    ['claude-fable-5-2', 'fable', 502],
    ['claude-sonnet-5', 'sonnet', 500],
    ['claude-haiku-10-12', 'haiku', 1012],
    ['claude-3-5-haiku', 'haiku', 305],
    ['claude-3-opus', 'opus', 300],
  ])('%s is %s %i', (id, family, number) => {
    expect(generationOf(id)).toEqual({ family, number })
  })

  test.each(['', 'claude', 'claude-opus', 'claude-opus-4-7-fast', 'claude-opus-4-20250514', 'us.anthropic.claude-opus-4-7', 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd', 'our-own-model', 'Claude-Opus-4-7', 'claude-opus-4-7\n'])('%j is none', (id) => {
    expect(generationOf(id)).toBeUndefined()
  })

  test('knows every model of the catalogue that has a number', () => {
    for (const { id } of CATALOG.filter((model) => /\d/.test(model.id))) expect([id, generationOf(id)?.number]).toEqual([id, Number(/(\d+)/.exec(id)?.[1]) * 100 + Number(/\d+-(\d+)/.exec(id)?.[1] ?? 0)])
  })
})
