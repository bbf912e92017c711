import { describe, expect, test } from 'bun:test'
import { CATALOG } from '../../src/models/catalog.ts'
import { modelNames } from '../../src/models/names.ts'
import { createModelRule } from '../../src/models/model-rule.ts'

const HOUSE = [{ id: 'dotted', upstream_model: { anthropic: 'claude_opus-4.6' } }, { id: 'joined', upstream_model: { anthropic: 'opus4-6' } }, { id: 'team-opus', upstream_model: { anthropic: 'deployment-1' } }, { id: 'profile', upstream_model: { anthropic: 'arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-4-6-v1' } }, { id: 'house', upstream_model: { anthropic: 'claude-opus-5-5' } }, { id: 'My-Own', upstream_model: { anthropic: 'secret-id' } }]
const IDS = [...CATALOG.map(({ id }) => id), ...HOUSE.map(({ id }) => id)]
const rule = (settings: object | undefined) => createModelRule(settings as never, modelNames(HOUSE as never))
const allowed = (settings: object | undefined) => IDS.filter((id) => rule(settings)(id) === undefined)
const family = (name: string) => CATALOG.map(({ id }) => id).filter((id) => id.split('-').includes(name))

describe('availableModels', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['a model', ['claude-opus-4-7'], ['claude-opus-4-7']],
    ['a model in another case, with spaces and the long window', [' Claude-OPUS-4-7[1m] '], ['claude-opus-4-7']],
    ['a model without the maker', ['opus-4-7'], ['claude-opus-4-7']],
    ['a dated model', ['claude-haiku-4-5-20251001'], ['claude-haiku-4-5']],
    ['a cloud’s name of a model', ['us.anthropic.claude-opus-4-7', 'claude-sonnet-4-5@20250929'], ['claude-opus-4-7', 'claude-sonnet-4-5']],
    ['a version and those that extend it', ['claude-opus-5'], ['claude-opus-5-5', 'claude-opus-5']],
    ['a major version', ['claude-opus-4'], ['claude-opus-4-8', 'claude-opus-4-7', 'claude-opus-4-6', 'claude-opus-4-5', 'claude-opus-4-1', 'claude-opus-4']],
    ['a family by its name', ['sonnet'], family('sonnet')],
    ['a family by the beginning of its ids', ['claude-sonnet'], family('sonnet')],
    ['a family with models of before', ['haiku'], family('haiku')],
    ['a family also by a word in a name of the operator’s own', ['opus'], [...family('opus'), 'team-opus']],
    ['one model of a family, which narrows the family', ['opus', 'claude-opus-4-7'], ['claude-opus-4-7']],
    ['one model beside another family', ['sonnet', 'claude-opus-4-7'], ['claude-opus-4-7', ...family('sonnet')]],
    ['a model of the operator’s own, in any case', ['house', 'my-own'], ['house', 'My-Own']],
    ['nothing', [], []],
    ['words that mean something else to the client', ['default', 'best', 'opusplan', '*', 'claude-opus-*', ''], []],
    ['what no upstream id is', ['secret-id', 'claude-opus-47', 'claude-opus-4-70'], []],
  ])('of %s', (_, availableModels, expected) => {
    expect(allowed({ availableModels }).toSorted()).toEqual([...expected].toSorted())
  })

  test('of the whole maker is every model of the catalogue', () => {
    expect(allowed({ availableModels: ['claude'] })).toEqual(CATALOG.map(({ id }) => id))
  })

  test.each<[string, readonly string[], readonly string[]]>([
    ['one version is no other', ['claude-opus-5', 'sonnet-5'], ['claude-opus-5', 'claude-sonnet-5']],
    ['a family is still the family', ['haiku'], family('haiku')],
    ['a beginning is nothing', ['claude-sonnet', 'claude'], []],
  ])('with availableModelsMatch exact: %s', (_, availableModels, expected) => {
    expect(allowed({ availableModels, availableModelsMatch: 'exact' }).toSorted()).toEqual([...expected].toSorted())
  })

  test('that are not there let everything through', () => {
    for (const settings of [undefined, {}, { model: 'claude-opus-5' }, { enforceAvailableModels: true }]) expect(allowed(settings)).toEqual(IDS)
  })

  // B32
  test('never lets a model through for the beginning of a part', () => {
    expect(rule({ availableModels: ['claude-opus-4'] })('claude-opus-40')).toBe('availableModels')
    expect(rule({ availableModels: ['claude-opus-4'] })('claude-opus-4x')).toBe('availableModels')
  })
})

describe('deniedModels', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['a family, also in and behind a name of the operator’s own', ['opus'], [...family('opus'), 'house', 'team-opus', 'profile', 'dotted', 'joined']],
    ['a family by the beginning of its ids', ['claude-haiku'], family('haiku')],
    ['a family that one of its models stands beside', ['opus', 'claude-opus-4-7'], [...family('opus'), 'house', 'team-opus', 'profile', 'dotted', 'joined']],
    ['the whole maker', ['claude'], [...CATALOG.map(({ id }) => id), 'house', 'profile', 'dotted']],
    ['a model of a profile', ['opus-4-6'], ['claude-opus-4-6', 'profile', 'dotted', 'joined']],
    ['a major version', ['claude-opus-4[2m] '], [...family('opus').filter((id) => /opus-4/.test(id)), 'profile', 'dotted', 'joined']],
    ['a version without a minor one alone', ['claude-opus-5-0', 'claude-opus-4-20250514'], ['claude-opus-5', 'claude-opus-4']],
    ['a version and those that extend it', ['claude-opus-5'], ['claude-opus-5-5', 'claude-opus-5', 'house']],
    ['a model in any spelling', ['us.anthropic.claude-haiku-4-5-20251001-v1:0'], ['claude-haiku-4-5']],
    ['a model of the operator’s own', ['my-own'], ['My-Own']],
    ['what an upstream is asked for', ['secret-id'], ['My-Own']],
    ['nothing by a wildcard', ['*', 'claude-opus-*'], []],
  ])('takes away %s', (_, deniedModels, expected) => {
    const denied = IDS.filter((id) => rule({ deniedModels })(id) === 'deniedModels')
    expect(denied.toSorted()).toEqual([...expected].toSorted())
    expect(allowed({ deniedModels })).toEqual(IDS.filter((id) => !expected.includes(id)))
  })

  test('wins over availableModels, and says so', () => {
    const judge = rule({ availableModels: ['opus', 'sonnet'], deniedModels: ['claude-opus-4-7'] })
    expect(['claude-opus-4-7', 'claude-opus-4-6', 'claude-haiku-4-5'].map(judge)).toEqual(['deniedModels', undefined, 'availableModels'])
  })

  test('is not made weaker by availableModelsMatch', () => {
    expect(rule({ deniedModels: ['claude-opus-5'], availableModelsMatch: 'exact' })('claude-opus-5-5')).toBe('deniedModels')
  })
})

test('denying more never gives anything back', () => {
  const entries = [...CATALOG.map(({ id }) => id), 'opus', 'claude-opus', 'claude-opus-4', 'sonnet', 'claude', 'house', 'secret-id', '*']
  const denied = (deniedModels: readonly string[]) => IDS.filter((id) => rule({ deniedModels })(id) === 'deniedModels')
  for (const one of entries) for (const other of entries) expect(denied([one, other])).toEqual(expect.arrayContaining([...denied([one]), ...denied([other])]))
})
