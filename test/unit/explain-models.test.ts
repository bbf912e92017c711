import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listModels, modelsReport, modelsTable, type ModelsReport } from '../../src/explain/models.ts'
import { complete, load, type Values } from '../support/config-texts.ts'

const key = { auth: { api_key: 'sk' } }
const direct = { name: 'direct', provider: 'anthropic', ...key }
const us = { name: 'aws-us', provider: 'bedrock', region: 'us-east-1' }
const eu = { name: 'aws-eu', provider: 'bedrock', region: 'eu-central-1' }
const azure = { name: 'azure', provider: 'foundry', resource: 'x', ...key }
const managed = {
  policies: [
    { match: { groups: ['platform'] }, cli: { availableModels: ['claude-haiku-4-5-20251001', 'house'] } },
    { match: { email_domain: 'example.com' }, cli: { availableModels: ['house'] } },
  ],
  default: 'deny',
}
const few = (changes: Values = {}) =>
  load(
    complete({
      upstreams: [{ ...direct, priority: 5 }, { ...us, priority: 1, weight: 3 }, { ...eu, priority: 1 }, azure],
      auto_include_builtin_models: false,
      models: [{ id: 'claude-haiku-4-5' }, { id: 'house', label: 'The one of the house', upstream_model: { direct: 'claude-opus-5-5' } }, { id: 'lost' }],
      managed,
      ...changes,
    }),
  ).config

const report = (changes: Values = {}, person?: { email: string | undefined; groups: string[] }) => modelsReport(few(changes), person)
const routes = ({ models }: ModelsReport, id: string) => models.find((model) => model.id === id)?.routes.map(({ priority, upstream, model, share }) => [priority, upstream, model, share])
const allowed = ({ models }: ModelsReport) => models.filter((model) => model.allowed).map(({ id }) => id)

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-models-'))
afterAll(() => rmSync(folder, { recursive: true }))
function file(values: Values): string {
  const path = join(folder, 'gateway.yaml')
  writeFileSync(path, JSON.stringify(values))
  return path
}

describe('the routes of a model', () => {
  test('go by priority, which is the position in the list unless given, and share by weight', () => {
    expect(routes(report(), 'claude-haiku-4-5')).toEqual([
      [1, 'aws-us', 'us.anthropic.claude-haiku-4-5-20251001-v1:0', 0.75],
      [1, 'aws-eu', 'eu.anthropic.claude-haiku-4-5-20251001-v1:0', 0.25],
      [3, 'azure', 'claude-haiku-4-5', 1],
      [5, 'direct', 'claude-haiku-4-5-20251001', 1],
    ])
  })

  test('share among the upstreams that serve it', () => {
    const upstreams = [{ ...us, priority: 0, models: ['claude-haiku-*'] }, { ...eu, priority: 0 }]
    const models = [{ id: 'claude-haiku-4-5' }, { id: 'claude-opus-5' }]
    expect(routes(report({ upstreams, models }), 'claude-haiku-4-5')).toHaveLength(2)
    expect(routes(report({ upstreams, models }), 'claude-opus-5')).toEqual([[0, 'aws-eu', 'eu.anthropic.claude-opus-5', 1]])
  })

  test('are those of the fast form where an upstream serves that alone', () => {
    const upstreams = [{ ...azure, models: ['claude-opus-5-5-fast'] }]
    expect(routes(report({ upstreams, models: [{ id: 'claude-opus-5-5' }] }), 'claude-opus-5-5')).toEqual([[0, 'azure', 'claude-opus-5-5-fast', 1]])
  })

  test('are none for a model that nobody serves, and a warning says why', () => {
    expect(routes(report(), 'lost')).toEqual([])
    expect(report().warnings).toEqual(['models[2]: no upstream serves lost; a model of your own needs upstream_model'])
  })

  test('follow a weight of nothing without dividing by it', () => {
    expect(routes(report({ upstreams: [{ ...direct, weight: 0 }], models: [{ id: 'claude-opus-5' }] }), 'claude-opus-5')).toEqual([[0, 'direct', 'claude-opus-5', 0]])
  })
})

describe('what a person may use', () => {
  test('is what the policy of their groups says, in any spelling', () => {
    const asked = report({}, { email: 'ana@other.example', groups: ['platform'] })
    expect(allowed(asked)).toEqual(['claude-haiku-4-5', 'house'])
    expect(asked.person).toEqual({ email: 'ana@other.example', groups: ['platform'], policy: 0 })
  })

  test('is what the policy of their mail domain says', () => {
    const asked = report({}, { email: 'ben@example.com', groups: [] })
    expect(allowed(asked)).toEqual(['house'])
    expect(asked.person?.policy).toBe(1)
  })

  test('is nothing where no policy matches and the default denies', () => {
    const asked = report({}, { email: undefined, groups: ['guests'] })
    expect(allowed(asked)).toEqual([])
    expect(asked.person).toEqual({ email: null, groups: ['guests'], policy: null })
  })

  test('is not said when nobody in particular is asked about', () => {
    expect(report().person).toBeUndefined()
    expect(report().models.some((model) => 'allowed' in model)).toBe(false)
  })
})

describe('the table', () => {
  test('says for a person what is allowed and where it goes', () => {
    expect(modelsTable(report({}, { email: 'ben@example.com', groups: [] }), false)).toBe(`ben@example.com, in no group: managed.policies[1], 1 of 3 models allowed
Catalogue of 2026-11-22. Numbers: the order in which upstreams are tried; those of one number share the load.

MODEL             NAME                  CONTEXT  ALLOWED
claude-haiku-4-5  Claude Haiku 4.5         200K  no
  1  aws-us  75 % → us.anthropic.claude-haiku-4-5-20251001-v1:0
     aws-eu  25 % → eu.anthropic.claude-haiku-4-5-20251001-v1:0
  2  azure        → claude-haiku-4-5
  3  direct       → claude-haiku-4-5-20251001
house             The one of the house        ?  yes
  1  direct       → claude-opus-5-5
lost              lost                        ?  no
  nobody serves it
`)
  })

  test('has no column for what was not asked, and none for shares where there are none', () => {
    expect(modelsTable(report({ upstreams: [direct, azure], models: [{ id: 'claude-opus-5' }] }), false).split('\n').slice(3)).toEqual([
      'MODEL          NAME           CONTEXT',
      'claude-opus-5  Claude Opus 5       1M',
      '  1  direct → claude-opus-5',
      '  2  azure  → claude-opus-5',
      '',
    ])
  })

  test('keeps within 100 columns for the whole catalogue, and with a label that goes on and on', () => {
    const models = [{ id: 'house', label: '長い名前 '.repeat(30), upstream_model: { direct: 'claude-opus-5-5' } }]
    const table = modelsTable(modelsReport(few({ auto_include_builtin_models: true, models }), { email: 'ana@example.com', groups: ['platform'] }), false)
    const lines = table.split('\n').slice(3)
    expect(lines.length).toBeGreaterThan(60)
    expect(lines.filter((line) => Bun.stringWidth(line) > 100)).toEqual([])
    expect(table).toContain('…')
  })

  test('is the same text with colours as without', () => {
    const asked = report({}, { email: 'ben@example.com', groups: [] })
    const colored = modelsTable(asked, true)
    expect(colored).not.toBe(modelsTable(asked, false))
    expect(Bun.stripANSI(colored)).toBe(modelsTable(asked, false))
    expect(modelsTable(asked, false)).not.toContain('\u001b')
  })
})

describe('the command', () => {
  const values = complete({ upstreams: [direct], auto_include_builtin_models: false, models: [{ id: 'claude-opus-5' }, { id: 'lost' }], managed })
  const query = { as: undefined, groups: undefined, json: false, environment: {}, color: false }

  test('prints JSON that a machine can read, with the warnings beside it for a person', async () => {
    const { text, exitCode, asides } = await listModels({ ...query, config: file(values), groups: ['platform'], json: true })
    expect(exitCode).toBe(0)
    expect(JSON.parse(text)).toEqual({
      catalog_as_of: '2026-11-22',
      person: { email: null, groups: ['platform'], policy: 0 },
      models: [
        { id: 'claude-opus-5', display_name: 'Claude Opus 5', context_window: 1_000_000, allowed: false, routes: [{ priority: 0, upstream: 'direct', provider: 'anthropic', model: 'claude-opus-5', share: 1 }] },
        { id: 'lost', display_name: 'lost', context_window: null, allowed: false, routes: [] },
      ],
      warnings: ['models[1]: no upstream serves lost; a model of your own needs upstream_model'],
    })
    expect(asides).toBe('warning: models[1]: no upstream serves lost; a model of your own needs upstream_model\n')
  })

  test('prints the table, and nothing beside it when there is nothing to warn of', async () => {
    const { text, asides } = await listModels({ ...query, config: file({ ...values, models: [{ id: 'claude-opus-5' }] }), as: 'ana@example.com' })
    expect(text).toStartWith('ana@example.com, in no group: managed.policies[1], 0 of 1 models allowed\n')
    expect(asides).toBe('')
  })

  test('fails with every problem of a file that is none', async () => {
    const path = file({ listen: { hosst: 'x' } })
    await expect(listModels({ ...query, config: path })).rejects.toThrow(/oidc: is required\n(.*\n)+.*listen\.hosst: unknown key/)
  })
})
