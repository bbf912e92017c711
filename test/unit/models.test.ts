import { describe, expect, test } from 'bun:test'
import { bedrockModelId } from '../../src/models/bedrock-model-id.ts'
import { CATALOG } from '../../src/models/catalog.ts'
import { createModelTable, type UpstreamNaming } from '../../src/models/resolve.ts'
import { canonicalModelId } from '../../src/models/spellings.ts'

const ANTHROPIC = { name: 'anthropic', provider: 'anthropic' }
const table = (models: object[] = [], autoInclude = true, upstreams: UpstreamNaming[] = [ANTHROPIC]) => createModelTable({ autoInclude, models: models as never, upstreams })

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

  test('does not list what the patterns of every upstream leave out', () => {
    const upstreams = [{ ...ANTHROPIC, models: ['claude-haiku-*'] }]
    expect(table([], true, upstreams).list().map(({ id }) => id)).toEqual(['claude-haiku-5-5', 'claude-haiku-4-5'])
  })

  test.each(['mine', 'claude-opus-5', 'us.anthropic.claude-opus-5', 'us.*', 'claude-opus-*', 'm*'])('lets the pattern %s mean a model by its own id, its id upstream or its id in the catalogue', (pattern) => {
    const aws = { name: 'aws', provider: 'bedrock', region: 'us-east-1' }
    const model = table([{ id: 'mine', upstream_model: { aws: 'us.anthropic.claude-opus-5' } }], true, [aws]).resolve('mine')
    expect(model?.upstreamId({ ...aws, models: [pattern] }, 'mine')).toBe('us.anthropic.claude-opus-5')
    expect(model?.upstreamId({ ...aws, models: ['claude-haiku-*', 'mine-*', 'eu.*'] }, 'mine')).toBeUndefined()
  })
})

describe('the id at Bedrock', () => {
  const bedrock = 'anthropic.claude-x'
  const profiles = ['global', 'us', 'eu', 'jp', 'au', 'in', 'apac']

  test.each([
    ['us-east-1', 'us'],
    ['us-west-2', 'us'],
    ['ca-central-1', 'us'],
    ['eu-central-1', 'eu'],
    ['ap-northeast-1', 'jp'],
    ['ap-northeast-3', 'jp'],
    ['ap-southeast-2', 'au'],
    ['ap-southeast-4', 'au'],
    ['ap-south-1', 'in'],
    ['ap-south-2', 'in'],
    ['ap-northeast-2', 'apac'],
    ['ap-southeast-1', 'apac'],
    ['sa-east-1', 'global'],
    ['me-central-1', 'global'],
  ])('in %s is the profile of %s', (region, geography) => {
    expect(bedrockModelId({ bedrock, profiles }, region)).toBe(`${geography}.${bedrock}`)
  })

  test('is the global profile where the geography has none', () => {
    expect(bedrockModelId({ bedrock, profiles: ['global', 'us'] }, 'eu-central-1')).toBe(`global.${bedrock}`)
  })

  test("is the bare id where there is neither, and never another geography's", () => {
    expect(bedrockModelId({ bedrock, profiles: ['us'] }, 'eu-central-1')).toBe(bedrock)
    expect(bedrockModelId({ bedrock }, 'us-east-1')).toBe(bedrock)
  })

  test.each(['us-gov-west-1', undefined])('is the bare id in %p, of which no profile is known', (region) => {
    expect(bedrockModelId({ bedrock, profiles }, region)).toBe(bedrock)
  })

  test('is none for a model that Bedrock does not have', () => {
    expect(bedrockModelId({}, 'us-east-1')).toBeUndefined()
  })
})

describe('a request', () => {
  const aws = { name: 'aws', provider: 'bedrock', region: 'eu-central-1' }
  const azure = { name: 'azure', provider: 'foundry' }
  const all = [ANTHROPIC, aws, azure, { name: 'gcp', provider: 'vertex', region: 'global' }, { name: 'mantle', provider: 'mantle', region: 'us-east-1' }]
  const sent = (spelling: string, models: object[] = []) => all.map((upstream) => table(models, true, all).resolve(spelling)?.upstreamId(upstream, spelling))

  // Data residency is the operator's: a client in the EU that says `us.` stays in the EU.
  test.each(['claude-opus-5-5', 'us.anthropic.claude-opus-5-5', 'global.anthropic.claude-opus-5-5', 'anthropic.claude-opus-5-5[1m]'])('for %s goes to each provider under its own name, in the geography of its region', (spelling) => {
    expect(sent(spelling)).toEqual(['claude-opus-5-5', 'eu.anthropic.claude-opus-5-5', 'claude-opus-5-5', 'claude-opus-5-5', 'anthropic.claude-opus-5-5'])
  })

  test('for the fast model of Foundry goes there as that, and elsewhere as the plain model', () => {
    for (const spelling of ['claude-opus-5-5-fast', 'claude-opus-5-5-fast[1m]']) {
      expect(sent(spelling)).toEqual(['claude-opus-5-5', 'eu.anthropic.claude-opus-5-5', 'claude-opus-5-5-fast', 'claude-opus-5-5', 'anthropic.claude-opus-5-5'])
    }
  })

  test('for the fast model alone reaches an upstream that serves nothing else', () => {
    const upstreams = [{ ...azure, models: ['claude-opus-5-5-fast'] }]
    const model = table([], true, upstreams).resolve('claude-opus-5-5-fast')
    expect(model?.upstreamId(upstreams[0] as UpstreamNaming, 'claude-opus-5-5-fast')).toBe('claude-opus-5-5-fast')
    expect(model?.upstreamId(upstreams[0] as UpstreamNaming, 'claude-opus-5-5')).toBeUndefined()
  })

  test("goes where the operator's map says, whatever the region, the date and the speed", () => {
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc'
    const mapped = [{ id: 'claude-opus-5-5', upstream_model: { aws: arn, azure: 'opus-deployment' } }]
    expect(sent('eu.anthropic.claude-opus-5-5', mapped)).toEqual(['claude-opus-5-5', arn, 'opus-deployment', 'claude-opus-5-5', 'anthropic.claude-opus-5-5'])
    expect(sent('claude-opus-5-5-fast', mapped)[2]).toBe('opus-deployment')
  })

  test('reaches mantle for what the catalogue has there alone', () => {
    expect(sent('claude-opus-4-6')).toEqual(['claude-opus-4-6', 'eu.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6', 'claude-opus-4-6', undefined])
    expect(sent('claude-haiku-4-5')).toEqual(['claude-haiku-4-5-20251001', 'eu.anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5', 'claude-haiku-4-5@20251001', 'anthropic.claude-haiku-4-5'])
  })
})
