import { describe, expect, test } from 'bun:test'
import { createModelTable } from '../../src/models/resolve.ts'
import { modelNames } from '../../src/models/names.ts'
import { desktopBootstrap, desktopSettings, isDesktopSession } from '../../src/policy/desktop.ts'
import { mergeDesktop, type Json, type Settings } from '../../src/policy/merge.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import { complete, load, type Values } from '../support/config-texts.ts'

/** What Claude Desktop is told of a person whom the first of these policies means. */
function told(policies: Values[], models: Values[] = []): Settings | undefined {
  const { managed, ...config } = load(complete({ managed: { policies }, models })).config
  const table = createModelTable({ autoInclude: config.auto_include_builtin_models, models: config.models, upstreams: config.upstreams })
  return desktopSettings(createPolicy(managed, modelNames(config.models)).forPerson({ email: 'a@example.com', groups: ['eng'] }), table)
}

const toldOf = (settings: Values, desktop: Values = {}) => told([{ match: {}, cli: { availableModels: [], ...settings }, desktop }])

describe('the settings of Claude Desktop', () => {
  test('are none unless the policy or its base opts in', () => {
    expect(told([{ match: {}, cli: {} }])).toBeUndefined()
    expect(told([{ match: { groups: ['ops'] }, desktop: {} }])).toBeUndefined()
    expect(told([{ match: { groups: ['eng'] }, cli: {} }, { match: {}, desktop: {} }])).toBeDefined()
    expect(told([{ match: { groups: ['eng'] }, desktop: {} }, { match: {} }])).toBeDefined()
  })

  test.each<[string, Values, Values, Settings]>([
    ['denied tools are off, rules with a pattern and tools of MCP servers are not of them', { permissions: { deny: ['WebFetch', 'Bash(rm:*)', 'mcp__x__y', 'Bash', 'mcp__x'] } }, {}, { disabledBuiltinTools: ['WebFetch', 'Bash'] }],
    ['tools that are off stay so beside denied ones, once each', { permissions: { deny: ['Bash'] } }, { disabledBuiltinTools: ['WebSearch', 'Bash'] }, { disabledBuiltinTools: ['Bash', 'WebSearch'] }],
    ['no tool is denied', { permissions: { allow: ['Bash'] } }, {}, {}],
    ['hosts are those of the sandbox', { sandbox: { network: { allowedDomains: ['a.example', '*.b.example'] } } }, {}, { coworkEgressAllowedHosts: ['a.example', '*.b.example'] }],
    ['hosts of its own replace those of the sandbox', { sandbox: { network: { allowedDomains: ['a.example'] } } }, { coworkEgressAllowedHosts: ['c.example'] }, { coworkEgressAllowedHosts: ['c.example'] }],
    ['an empty list of hosts in the sandbox is no list of its own', { sandbox: { network: { allowedDomains: [] } } }, {}, {}],
    ['other keys are told as they are', {}, { banner: { text: 'Hello' }, quantumTabEnabled: true }, { banner: { text: 'Hello' }, quantumTabEnabled: true }],
  ])('%s', (_, settings, desktop, expected) => {
    expect(toldOf(settings, desktop)).toEqual(expected)
  })

  const OWN = { id: 'team-model', label: 'Team', upstream_model: { anthropic: 'claude-opus-5-5' } }
  const SHORT = { id: 'short', upstream_model: { anthropic: 'claude-haiku-4-5' } }
  const available = (availableModels: string[], env: Values = {}) => told([{ match: {}, cli: { availableModels, env }, desktop: {} }], [OWN, SHORT])?.inferenceModels as Json

  test('name the models that the policy lets the person use, those with a long context as such', () => {
    expect(available(['claude-haiku-4-5', 'claude-opus-5-5', 'team-model', 'short'])).toEqual([
      { name: 'team-model', labelOverride: 'Team', supports1m: true },
      { name: 'short' },
      { name: 'claude-opus-5-5', labelOverride: 'Claude Opus 5.5', supports1m: true },
      { name: 'claude-haiku-4-5', labelOverride: 'Claude Haiku 4.5' },
    ])
  })

  test.each(['1', 'true', true])('offer no long context where the policy turns it off with %p', (value) => {
    expect(available(['claude-opus-5-5'], { CLAUDE_CODE_DISABLE_1M_CONTEXT: value })).toEqual([{ name: 'claude-opus-5-5', labelOverride: 'Claude Opus 5.5' }])
  })

  test('require the settings under code of the Code tab, unless they say nothing', () => {
    const managed = (policies: Values[]) => told(policies)?.inferenceGatewayManagedClaudeCode
    expect(managed([{ match: {}, code: { model: 'x' }, desktop: {} }])).toBe(true)
    expect(managed([{ match: { groups: ['eng'] }, desktop: {} }, { match: {}, code: { model: 'x' } }])).toBe(true)
    expect(managed([{ match: {}, code: {}, desktop: {} }])).toBeUndefined()
    expect(managed([{ match: {}, cli: { model: 'x' }, desktop: {} }])).toBeUndefined()
  })

  test('never replace how the gateway is reached, and ask for no telemetry that nobody wants', () => {
    const answer = desktopBootstrap(toldOf({}, { banner: { text: 'x' } }) as Settings, { publicUrl: 'https://gw.example.com', telemetry: {}, expiresAt: 1 })
    expect(answer).toEqual({ inferenceProvider: 'gateway', inferenceGatewayBaseUrl: 'https://gw.example.com', inferenceCredentialKind: 'interactive', banner: { text: 'x' }, expiresAt: 1 })
  })
})

describe('mergeDesktop', () => {
  test.each<[string, Settings, Settings, Settings]>([
    ['a key of the base alone stays', { banner: { text: 'a' } }, {}, { banner: { text: 'a' } }],
    ['any other key replaces, as a whole', { banner: { text: 'a', x: 1 } }, { banner: { text: 'b' } }, { banner: { text: 'b' } }],
    ['disabledBuiltinTools is united', { disabledBuiltinTools: ['a', 'b'] }, { disabledBuiltinTools: ['b', 'c'] }, { disabledBuiltinTools: ['a', 'b', 'c'] }],
    ['builtinToolPolicy is merged by tool, and what the base does not allow stays', { builtinToolPolicy: { WebFetch: 'ask', Bash: 'allow', Read: 'ask' } }, { builtinToolPolicy: { WebFetch: 'allow', Bash: 'ask', Edit: 'allow' } }, { builtinToolPolicy: { WebFetch: 'ask', Bash: 'ask', Read: 'ask', Edit: 'allow' } }],
  ])('%s', (_, base, policy, merged) => {
    expect(mergeDesktop(base, policy)).toEqual(merged)
  })
})

describe('a session of the Code tab', () => {
  test.each([
    ['claude-cli/2.1.330 (external, claude-desktop)', true],
    ['claude-code/2.1.330 (external, claude-desktop-3p)', true],
    ['claude-cli/2.1.330 (external, cli)', false],
    ['claude-cli/2.1.330 (external, sdk-ts)', false],
    ['curl/8 (claude-desktop)', false],
    ['', false],
    [null, false],
  ])('is %p: %p', (userAgent, expected) => {
    expect(isDesktopSession(userAgent)).toBe(expected)
  })

  test('is told from a long header in no time', () => {
    expect(isDesktopSession(`claude-cli/${'x ('.repeat(20_000)}`)).toBe(false)
  })
})
