import { describe, expect, test } from 'bun:test'
import { parseArguments, type Command } from '../../src/arguments.ts'
import { explainPrice, priceReport, type PriceQuery } from '../../src/explain/price.ts'
import { priceText } from '../../src/explain/price-text.ts'
import { dollars, FEMTO } from '../../src/pricing/dollars.ts'
import { ANTHROPIC, complete, load, type Values } from '../support/config-texts.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const USAGE = { input_tokens: 1000, output_tokens: 2000 }

type Asked = Partial<Omit<PriceQuery, 'config'>>

function report(asked: Asked, config?: Values) {
  const query = { model: 'claude-haiku-4-5', upstream: 'anthropic', usage: USAGE, region: undefined, at: undefined, now: NOW, ...asked }
  return priceReport(query, config && load(complete(config)).config)
}

/** What one execution is sent as, and which steps apply. */
function steps(asked: Asked, config?: Values): unknown[] {
  const [execution] = report(asked, config).executions
  return [execution?.upstream_model, ...(execution?.steps ?? []).flatMap(({ about, applies, ratio }) => (applies ? [`${about} ${ratio ?? ''}`.trim()] : []))]
}

describe('gatehouse price', () => {
  test('says each step, each line and the sum, exactly', () => {
    expect(report({ upstream: 'bedrock', region: 'us-east-1', at: new Date('2026-11-20T00:00:00Z') })).toEqual({
      catalog_as_of: '2026-11-22',
      upstream: { name: 'bedrock', provider: 'bedrock', region: 'us-east-1' },
      at: '2026-11-20T00:00:00.000Z',
      executions: [
        {
          kind: 'message',
          model: 'claude-haiku-4-5',
          upstream_model: 'us.anthropic.claude-haiku-4-5-20251001-v1:0',
          priced_by: 'list',
          steps: [
            { about: 'price_row', applies: true, ratio: null, why: "the list's, of Claude Haiku 4.5; sent as us.anthropic.claude-haiku-4-5-20251001-v1:0" },
            { about: 'bedrock_regional', applies: true, ratio: '1.1', why: 'asked for by the profile us.' },
            { about: 'multiplier', applies: false, ratio: null, why: 'pricing.multiplier is 1' },
          ],
          lines: [
            { of: 'input', count: 1000, base_usd: '1.00', rate_usd: '1.10', amount_usd: '0.0011' },
            { of: 'output', count: 2000, base_usd: '5.00', rate_usd: '5.50', amount_usd: '0.011' },
            { of: 'cacheRead', count: 0, base_usd: '0.10', rate_usd: '0.11', amount_usd: '0.00' },
            { of: 'cacheWrite5m', count: 0, base_usd: '1.25', rate_usd: '1.375', amount_usd: '0.00' },
            { of: 'cacheWrite1h', count: 0, base_usd: '2.00', rate_usd: '2.20', amount_usd: '0.00' },
          ],
          exact_usd: '0.0121',
          cost_usd: '0.0121',
        },
      ],
      cost_usd: '0.0121',
    })
  })

  test.each<[string, Asked, unknown[]]>([
    ['a provider by its default form', { upstream: 'vertex', region: 'global' }, ['claude-haiku-4-5@20251001', 'price_row']],
    ['a profile of Bedrock as it is named, without a region', { upstream: 'bedrock', model: 'global.anthropic.claude-haiku-4-5-20251001-v1:0' }, ['global.anthropic.claude-haiku-4-5-20251001-v1:0', 'price_row']],
    ['a fast model of Foundry', { upstream: 'foundry', model: 'claude-opus-5-5-fast' }, ['claude-opus-5-5-fast', 'price_row', 'fast']],
    ['a model that the catalogue does not know', { model: 'team' }, ['team', 'price_row']],
    ['an answer instead of its usage', { usage: { model: 'claude-haiku-4-5', content: [], usage: { ...USAGE, service_tier: 'batch' } } }, ['claude-haiku-4-5-20251001', 'price_row', 'batch 0.5']],
    ['the day of the request', { model: 'claude-sonnet-5-5', at: new Date('2026-10-06T23:59:59Z') }, ['claude-sonnet-5-5', 'price_row', 'price_history']],
  ])('takes %s', (_, asked, expected) => {
    expect(steps(asked)).toEqual(expected)
  })

  const CONFIG = {
    upstreams: [{ ...ANTHROPIC, name: 'main' }, { provider: 'bedrock', name: 'aws', region: 'eu-west-1', models: ['claude-haiku-*'] }],
    models: [{ id: 'team', upstream_model: { aws: 'arn:aws:bedrock:eu-west-1:1:application-inference-profile/x' } }],
    pricing: { multiplier: 1.1, overrides: [{ upstream: 'main', model: 'claude-opus-5', input: 1, output: 1, cache_read: 1, cache_write: 1 }] },
  }

  test.each<[string, Asked, unknown[]]>([
    ['by what it gets', { upstream: 'aws' }, ['eu.anthropic.claude-haiku-4-5-20251001-v1:0', 'price_row', 'bedrock_regional 1.1', 'multiplier 1.1']],
    ['by what it calls the model, as the ledger has it', { upstream: 'aws', model: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0' }, ['eu.anthropic.claude-haiku-4-5-20251001-v1:0', 'price_row', 'bedrock_regional 1.1', 'multiplier 1.1']],
    ['by its override', { upstream: 'main', model: 'claude-opus-5', usage: { ...USAGE, speed: 'fast', inference_geo: 'us' } }, ['claude-opus-5', 'price_row', 'multiplier 1.1']],
  ])('prices an upstream of the configuration %s', (_, asked, expected) => {
    expect(steps(asked, CONFIG)).toEqual(expected)
  })

  test.each<[Asked, Values | undefined, string]>([
    [{ upstream: 'bedrok' }, undefined, '--upstream: no provider is called bedrok (did you mean bedrock?); there are anthropic, bedrock, mantle, anthropicAws, anthropicGoogleCloud, vertex, foundry. An upstream of yours needs --config FILE'],
    [{ upstream: 'bedrock' }, undefined, '--region: the price at bedrock depends on it; give one, such as --region us-east-1, or name a profile: --model global.anthropic.…'],
    [{ upstream: 'vertex' }, undefined, '--region: the price at vertex depends on it; give one, such as --region global'],
    [{ usage: {} }, undefined, '--usage: has no count: give the usage of an answer, with input_tokens, output_tokens and what else it has; counts are whole numbers'],
    [{ usage: { input_tokens: 'NaN', output_tokens: -1 } }, undefined, '--usage: has no count: give the usage of an answer, with input_tokens, output_tokens and what else it has; counts are whole numbers'],
    [{ upstream: 'anthropic' }, CONFIG, '--upstream: no upstream is called anthropic; the configuration has main, aws'],
    [{ upstream: 'main', model: 'claude-haiku-45' }, CONFIG, '--model: this gateway serves no model claude-haiku-45 (did you mean claude-haiku-4-5?); `gatehouse models` lists what it serves'],
    [{ upstream: 'aws', model: 'claude-opus-5' }, CONFIG, '--upstream: aws does not serve claude-opus-5; `gatehouse models` says who does'],
  ])('says what to do about %j', (asked, config, message) => {
    expect(() => report(asked, config)).toThrow(message)
  })

  test('prints the report for machines, and colours only for a terminal', async () => {
    const query = { model: 'claude-haiku-4-5', upstream: 'anthropic', usage: USAGE, config: undefined, region: undefined, at: undefined, environment: {}, now: NOW }
    const printed = async (json: boolean, color: boolean) => (await explainPrice({ ...query, json, color })).text
    expect(JSON.parse(await printed(true, true))).toEqual(report({}))
    expect(await printed(false, false)).not.toContain('\u001b')
    expect(await printed(false, true)).toContain('\u001b[1m')
  })
})

test.each<[bigint, number | undefined, string]>([
  [0n, undefined, '0.00'],
  [1n, undefined, '0.000000001'],
  [1_100_000_000n, undefined, '1.10'],
  [-25_000_000n, undefined, '-0.025'],
  [225_179_981_368_524_775_000n, undefined, '225179981368.524775'],
  [1n, FEMTO, '0.000000000000001'],
])('%d is %p places of %s dollars', (amount, places, text) => {
  expect(dollars(amount, places)).toBe(text)
})

test('docs/pricing.md shows what the program prints', async () => {
  const page = await Bun.file(new URL('../../docs/pricing.md', import.meta.url)).text()
  const example = Bun.YAML.parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? '') as Values
  const shown = [...page.matchAll(/```console\n\$ gatehouse (.*)\n([^]*?)```/g)]
  expect(shown).toHaveLength(4)
  for (const [, line = '', output] of shown) {
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
    const parsed = parseArguments(words)
    if (!parsed.ok) throw new Error(parsed.problem)
    const query = parsed.command as Extract<Command, { name: 'price' }>
    expect(output).toBe(priceText(priceReport({ ...query, now: NOW }, query.config === undefined ? undefined : load(complete(example)).config), false))
  }
})
