import { describe, expect, test } from 'bun:test'
import { CATALOG } from '../../src/models/catalog.ts'
import { createModelTable } from '../../src/models/resolve.ts'
import { canonicalModelId } from '../../src/models/spellings.ts'

const ANTHROPIC = { name: 'anthropic', provider: 'anthropic' }
const table = (models: object[] = [], autoInclude = true, upstreams = [ANTHROPIC]) => createModelTable({ autoInclude, models: models as never, upstreams })

describe('the spellings of a model', () => {
  test.each([
    ['claude-haiku-4-5', 'claude-haiku-4-5'],
    ['claude-haiku-4-5-20251001', 'claude-haiku-4-5'],
    ['claude-haiku-4-5@20251001', 'claude-haiku-4-5'],
    ['anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5'],
    ['us.anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5'],
    ['anthropic.claude-haiku-4-5', 'claude-haiku-4-5'],
    ['claude-sonnet-4-5[1m]', 'claude-sonnet-4-5'],
    ['claude-sonnet-4-5-20250929[1m]', 'claude-sonnet-4-5'],
    ['global.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
    ['claude-opus-5-5-fast', 'claude-opus-5-5'],
    ['claude-opus-4@20250514', 'claude-opus-4'],
  ])('%s is %s', (spelling, id) => {
    expect(canonicalModelId(spelling)).toBe(id)
  })

  // B32
  test.each(['claude-opus-4-9', 'claude-opus-4-80', 'claude-opus', 'claude-haiku-4-5-20251002', 'claude-haiku-4', 'Claude-Haiku-4-5', 'claude-opus-4-7-extra', 'xx.anthropic.claude-opus-5', '', '[1m]', '__proto__'])(
    'takes %p for no model of the catalogue',
    (spelling) => {
      expect(canonicalModelId(spelling)).toBeUndefined()
    },
  )

  test('gives no spelling to two models', () => {
    const ids = CATALOG.flatMap(({ id, dated, bedrock, vertex }) => [...new Set([id, dated, bedrock, vertex])].filter((name) => name !== undefined))
    expect(new Set(ids).size).toBe(ids.length)
    for (const { id } of CATALOG) expect(canonicalModelId(id)).toBe(id)
  })
})

describe('the model table', () => {
  test.each([
    ['claude-haiku-4-5', 'claude-haiku-4-5-20251001'],
    ['claude-haiku-4-5-20251001', 'claude-haiku-4-5-20251001'],
    ['us.anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5-20251001'],
    ['claude-sonnet-4-5[1m]', 'claude-sonnet-4-5-20250929'],
    ['claude-opus-5-5', 'claude-opus-5-5'],
  ])('sends %s to an Anthropic upstream as %s', (spelling, id) => {
    expect(table().resolve(spelling)?.upstreamId(ANTHROPIC, spelling)).toBe(id)
  })

  test('serves only what the operator lists when the catalogue is left out', () => {
    const own = table([{ id: 'claude-opus-5', upstream_model: {} }], false)
    expect(own.list().map(({ id }) => id)).toEqual(['claude-opus-5'])
    expect(own.resolve('anthropic.claude-opus-5')?.id).toBe('claude-opus-5')
    expect(own.resolve('claude-haiku-4-5')).toBeUndefined()
  })

  test('serves a custom id only where its map says, under the name it says', () => {
    const own = table([{ id: 'house-model', label: 'House', upstream_model: { anthropic: 'claude-opus-5-5' } }])
    const model = own.resolve('house-model')
    expect(model?.displayName).toBe('House')
    expect(model?.upstreamId(ANTHROPIC, 'house-model')).toBe('claude-opus-5-5')
    expect(model?.upstreamId({ name: 'other', provider: 'anthropic' }, 'house-model')).toBeUndefined()
  })

  test('keeps an upstream to its patterns', () => {
    const model = table().resolve('claude-opus-5')
    expect(model?.upstreamId({ ...ANTHROPIC, models: ['claude-haiku-*'] }, 'claude-opus-5')).toBeUndefined()
    expect(model?.upstreamId({ ...ANTHROPIC, models: ['claude-opus-*'] }, 'claude-opus-5')).toBe('claude-opus-5')
    expect(model?.upstreamId({ ...ANTHROPIC, models: ['claude-opus-5'] }, 'claude-opus-5')).toBe('claude-opus-5')
  })

  test('does not list what no upstream has', () => {
    expect(table().resolve('claude-opus-4-1')).toBeUndefined()
    expect(table([], true, [{ name: 'v', provider: 'vertex' }]).resolve('claude-opus-4-1')?.id).toBe('claude-opus-4-1')
  })
})
