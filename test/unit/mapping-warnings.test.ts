import { describe, expect, test } from 'bun:test'
import { mappingWarnings, type MappedUpstream, type MappingOptions } from '../../src/models/mapping-warnings.ts'
import { ANTHROPIC, complete, load } from '../support/config-texts.ts'

const direct: MappedUpstream = { name: 'direct', provider: 'anthropic' }
const aws: MappedUpstream = { name: 'aws', provider: 'bedrock', region: 'us-east-1' }
const gcp: MappedUpstream = { name: 'gcp', provider: 'vertex', region: 'global' }
const azure: MappedUpstream = { name: 'azure', provider: 'foundry' }
const mantle: MappedUpstream = { name: 'mantle', provider: 'mantle', region: 'us-east-1' }
const ARN = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc'

const said = (models: { id: string; upstream_model?: Record<string, string> }[], changes: Partial<MappingOptions> = {}) =>
  mappingWarnings({ autoInclude: true, models: models.map((model) => ({ upstream_model: {}, ...model })), upstreams: [direct, aws, gcp, azure, mantle], ...changes })
const mapped = (id: string, upstream: string, name: string) => said([{ id, upstream_model: { [upstream]: name } }])

describe('a mapping to a name that the catalogue does not know', () => {
  test('is said of a model of the house, which will cost what an unknown one costs', () => {
    expect(mapped('house', 'aws', ARN)).toEqual([`models[0].upstream_model.aws: the catalogue does not know ${ARN}; it will be priced as an unknown model`])
    expect(mapped('house', 'azure', 'my-deployment')).toEqual(['models[0].upstream_model.azure: the catalogue does not know my-deployment; it will be priced as an unknown model'])
  })

  // B10
  test.each(['claude-haiku-4-5', 'claude-haiku-4-5-20251001', 'us.anthropic.claude-haiku-4-5-20251001-v1:0'])('is nothing to say of %s: the model itself says what it is and costs', (id) => {
    expect(mapped(id, 'aws', ARN)).toEqual([])
    expect(mapped(id, 'azure', 'my-deployment')).toEqual([])
  })

  test('is nothing to say where a row of pricing.overrides prices it', () => {
    const models = [{ id: 'house', upstream_model: { aws: ARN } }]
    expect(said(models, { overrides: [{ upstream: 'aws', model: 'house' }] })).toEqual([])
    expect(said(models, { overrides: [{ upstream: 'aws', model: ARN }] })).toEqual([])
    expect(said(models, { overrides: [{ upstream: 'gcp', model: 'house' }] })).toHaveLength(1)
  })

  test('is nothing to say of a model of the house that is a known one upstream', () => {
    expect(mapped('house', 'direct', 'claude-opus-5-5')).toEqual([])
    expect(mapped('house', 'aws', 'eu.anthropic.claude-opus-5-5')).toEqual([])
    expect(mapped('house', 'aws', 'arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-5-5')).toEqual([])
  })
})

describe('a mapping of one catalogue model', () => {
  test('to another is said', () => {
    expect(mapped('claude-opus-5', 'direct', 'claude-haiku-4-5-20251001')).toEqual(['models[0].upstream_model.direct: claude-opus-5 is sent as claude-haiku-4-5-20251001, which is claude-haiku-4-5: people get another model than they ask for'])
  })

  test('to another spelling of itself is not', () => {
    expect(mapped('claude-haiku-4-5', 'direct', 'claude-haiku-4-5')).toEqual([])
    expect(mapped('claude-haiku-4-5', 'aws', 'global.anthropic.claude-haiku-4-5-20251001-v1:0')).toEqual([])
    expect(mapped('claude-opus-5-5', 'azure', 'claude-opus-5-5-fast')).toEqual([])
  })

  test('twice, in two spellings, is said: the later entry is the one that counts', () => {
    expect(said([{ id: 'claude-haiku-4-5' }, { id: 'house', upstream_model: { direct: 'claude-opus-5' } }, { id: 'claude-haiku-4-5-20251001' }])).toEqual([
      'models[2].id: claude-haiku-4-5-20251001 is another spelling of models[0] and replaces it',
    ])
  })
})

describe("another provider's form of a name", () => {
  test.each([
    ['gcp', 'us.anthropic.claude-opus-5', 'a name of Bedrock; vertex calls the model claude-opus-5'],
    ['direct', 'anthropic.claude-haiku-4-5-20251001-v1:0', 'a name of Bedrock; anthropic calls the model claude-haiku-4-5-20251001'],
    ['azure', ARN, 'a name of Bedrock; foundry takes none of that form'],
    ['mantle', 'us.anthropic.claude-opus-5', 'a name of Bedrock; mantle calls the model anthropic.claude-opus-5'],
    ['aws', 'claude-haiku-4-5@20251001', 'a name of Vertex; bedrock calls the model us.anthropic.claude-haiku-4-5-20251001-v1:0'],
    ['azure', 'claude-haiku-4-5@20251001', 'a name of Vertex; foundry calls the model claude-haiku-4-5'],
    ['aws', 'claude-opus-5', 'a name of Anthropic; bedrock calls the model us.anthropic.claude-opus-5'],
    ['gcp', 'claude-haiku-4-5-20251001', 'a name of Anthropic; vertex calls the model claude-haiku-4-5@20251001'],
    ['mantle', 'claude-opus-4-6', 'a name of Anthropic; mantle takes none of that form'],
  ])('is said at %s of %s', (upstream, name, sentence) => {
    const known = /haiku/.test(name) ? 'claude-haiku-4-5' : /opus-4-6/.test(name) ? 'claude-opus-4-6' : 'claude-opus-5'
    expect(mapped(known, upstream, name)).toEqual([`models[0].upstream_model.${upstream}: ${name} is ${sentence}`])
  })

  test.each([
    ['aws', 'claude-haiku-4-5', 'anthropic.claude-haiku-4-5-20251001-v1:0'],
    ['aws', 'claude-haiku-4-5', ARN],
    ['mantle', 'claude-haiku-4-5', 'anthropic.claude-haiku-4-5'],
    ['gcp', 'claude-haiku-4-5', 'claude-haiku-4-5@20251001'],
    ['gcp', 'claude-opus-5', 'claude-opus-5'],
    ['azure', 'claude-opus-5', 'claude-opus-5'],
    ['direct', 'claude-haiku-4-5', 'claude-haiku-4-5-20251001'],
  ])('is not what %s has for %s in %s', (upstream, id, name) => {
    expect(mapped(id, upstream, name)).toEqual([])
  })

  test('is nothing to say of another gateway, which has names of its own', () => {
    const models = [{ id: 'claude-opus-5', upstream_model: { direct: 'us.anthropic.claude-opus-5' } }]
    expect(said(models, { upstreams: [{ ...direct, base_url: 'https://gateway.example.com' }] })).toEqual([])
    expect(said(models, { upstreams: [direct] })).toHaveLength(1)
  })
})

describe('a model that no upstream serves', () => {
  test.each<[string, { id: string; upstream_model?: Record<string, string> }, MappedUpstream[], string]>([
    ['without a map', { id: 'house' }, [direct], 'no upstream serves house; a model of your own needs upstream_model'],
    ['that the patterns leave out', { id: 'house', upstream_model: { direct: 'claude-opus-5' } }, [{ ...direct, models: ['claude-haiku-*'] }], 'no upstream serves house; the patterns of upstreams[].models leave it out'],
    ['that the providers do not have', { id: 'claude-opus-4-1' }, [direct], 'no upstream serves claude-opus-4-1; none of their providers has it'],
  ])('is said of one %s', (_, model, upstreams, sentence) => {
    expect(said([model], { upstreams })).toEqual([`models[0]: ${sentence}`])
  })

  test('is not said of one that a single upstream serves', () => {
    expect(said([{ id: 'claude-opus-4-1' }], { upstreams: [direct, gcp] })).toEqual([])
  })
})

describe('a pattern of an upstream', () => {
  test('that matches nothing is said', () => {
    expect(said([], { upstreams: [direct, { ...aws, models: ['claude-*', 'claude-hauku-*', 'claude-mythos-5-2'] }] })).toEqual([
      'upstreams[1].models[1]: claude-hauku-* matches no model that aws could serve',
      'upstreams[1].models[2]: claude-mythos-5-2 matches no model that aws could serve',
    ])
  })

  test('that names what is not served at all is said', () => {
    const upstreams = [{ ...direct, models: ['claude-haiku-*', 'house*'] }]
    expect(said([{ id: 'house', upstream_model: { direct: 'claude-opus-5' } }], { autoInclude: false, upstreams })).toEqual(['upstreams[0].models[0]: claude-haiku-* matches no model that direct could serve'])
  })

  test.each<[MappedUpstream, string]>([
    [direct, 'claude-haiku-4-5-20251001'],
    [aws, 'us.anthropic.*'],
    [aws, 'claude-opus-5'],
    [azure, 'claude-opus-5-5-fast'],
    [gcp, 'claude-haiku-4-5@*'],
    [direct, '*'],
  ])('of %j that is %s means something', (upstream, pattern) => {
    expect(said([], { upstreams: [{ ...upstream, models: [pattern] }] })).toEqual([])
  })
})

describe('a region of Bedrock', () => {
  const eu = { name: 'eu', provider: 'bedrock', region: 'eu-central-1' }

  test('whose geography does not have a model is said, because prompts leave it', () => {
    expect(said([], { upstreams: [eu] })).toEqual([
      'upstreams[0]: eu-central-1 has no inference profile of its own geography for claude-fable-5-2, claude-fable-5-1: global. is asked, which answers from any region; leave them out with models, or name a profile in models[].upstream_model',
    ])
  })

  test('is not said when the operator chose the profile, or leaves the models out', () => {
    const chosen = ['claude-fable-5-2', 'claude-fable-5-1'].map((id) => ({ id, upstream_model: { eu: `global.anthropic.${id}` } }))
    expect(said(chosen, { upstreams: [eu] })).toEqual([])
    expect(said([], { upstreams: [{ ...eu, models: ['claude-opus-*'] }] })).toEqual([])
    expect(said([], { upstreams: [{ ...eu, region: 'us-east-1' }] })).toEqual([])
  })
})

test('the warnings reach whoever loads the configuration', () => {
  const { warnings } = load(complete({ upstreams: [{ ...ANTHROPIC, models: ['claude-x'] }], models: [{ id: 'house', upstream_model: { anthropic: 'x' } }], pricing: {} }))
  expect(warnings).toEqual([
    'models[0].upstream_model.anthropic: the catalogue does not know x; it will be priced as an unknown model',
    'models[0]: no upstream serves house; the patterns of upstreams[].models leave it out',
    'upstreams[0].models[0]: claude-x matches no model that anthropic could serve',
  ])
})
