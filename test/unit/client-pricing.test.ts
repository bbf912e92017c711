import { describe, expect, test } from 'bun:test'
import { policyFrom } from '../../src/policy/policy-from.ts'
import { ANTHROPIC, complete, load, type Values } from '../support/config-texts.ts'

const PRICES = { input: 1, output: 2, cache_read: 0.1, cache_write: 1.25 }
const TOLD = { input: 1, output: 2, cacheRead: 0.1, cacheWrite: 1.25 }

/** `modelPricing` as one person's Claude Code gets it. */
function told(pricing: Values, { cli = {}, ...more }: Values = {}): unknown {
  const { config } = load(complete({ pricing, managed: { policies: [{ match: {}, cli }] }, ...more }))
  return policyFrom(config).forPerson({ email: undefined, groups: [] }).document?.settings.modelPricing
}

const row = (model: string, upstream = 'anthropic') => ({ upstream, model, ...PRICES })

describe('the prices that clients are told', () => {
  test.each<[string, Values, unknown]>([
    ['nothing where list prices hold', {}, undefined],
    ['the multiplier', { multiplier: 0.5 }, { multiplier: 0.5 }],
    ['a model of the catalogue by its dated id, whatever spelling the row has', { overrides: [row('anthropic.claude-haiku-4-5-20251001-v1:0')] }, { overrides: { 'claude-haiku-4-5-20251001': TOLD } }],
    ['a model without a date by its id', { multiplier: 2, overrides: [row('claude-opus-5-5')] }, { multiplier: 2, overrides: { 'claude-opus-5-5': TOLD } }],
  ])('are %s', (_, pricing, expected) => {
    expect(told(pricing)).toEqual(expected)
  })

  test('are those of the upstream that is asked first', () => {
    const upstreams = [{ ...ANTHROPIC, name: 'second', priority: 2 }, { ...ANTHROPIC, name: 'first', priority: 1 }]
    expect(told({ overrides: [row('claude-opus-5-5', 'second')] }, { upstreams })).toBeUndefined()
    expect(told({ overrides: [row('claude-opus-5-5', 'first')] }, { upstreams })).toEqual({ overrides: { 'claude-opus-5-5': TOLD } })
  })

  test('are for a model of the operator’s own those of what it is mapped to, unless it has its own', () => {
    const models = [{ id: 'team', upstream_model: { anthropic: 'claude-opus-5-5' } }]
    const only = { models, auto_include_builtin_models: false }
    expect(told({ overrides: [row('claude-opus-5-5')] }, only)).toEqual({ overrides: { team: TOLD } })
    expect(told({ overrides: [{ ...row('team'), input: 9 }] }, only)).toEqual({ overrides: { team: { ...TOLD, input: 9 } } })
  })

  test.each<[string, Values, unknown]>([
    ['its own multiplier', { multiplier: 3 }, { multiplier: 3 }],
    ['nothing at all', {}, {}],
    ['another part alone', { currency: 'EUR' }, { multiplier: 0.5, currency: 'EUR' }],
  ])('leave a policy %s', (_, modelPricing, expected) => {
    expect(told({ multiplier: 0.5 }, { cli: { modelPricing } })).toEqual(expected)
  })
})
