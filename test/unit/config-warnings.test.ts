import { describe, expect, test } from 'bun:test'
import { laterFeatures } from '../../src/config/later-features.ts'
import { ANTHROPIC, complete, load, OIDC, type Values } from '../support/config-texts.ts'

const LOOPBACK = 'which requests do not reach unless GATEHOUSE_ALLOW_LOOPBACK=1 is set'
const WITHOUT_TLS = 'is reached without TLS: whoever is on the way can read and change everything'
const policies = (...list: Values[]) => complete({ managed: { policies: list } })
const group = { match: { groups: ['a'] } }
const everybody = { match: {} }

describe('warnings', () => {
  test('are none for a configuration without a doubt', () => {
    expect(load(complete()).warnings).toEqual([])
  })

  test.each<[string, Values, ...string[]]>([
    // T039
    ['a public mail domain', complete({ oidc: { ...OIDC, allowed_email_domains: ['GMail.com', 'example.com'] } }), 'oidc.allowed_email_domains: anybody can have an address at GMail.com; admit by allowed_groups instead'],
    ['everybody admitted', complete({ oidc: { ...OIDC, allowed_groups: undefined } }), 'oidc: everybody whom https://idp.example.com signs in is admitted; allowed_email_domains or allowed_groups would narrow it'],
    ['a secret of one letter', complete({ session: { jwt_secret: 'f'.repeat(44) } }), 'session.jwt_secret: can be guessed; make one with `openssl rand -base64 48`'],
    ['two admin keys that are one', complete({ admin: { write_keys: [{ id: 'a', key: 'k'.repeat(32) }], read_keys: [{ id: 'b', key: 'k'.repeat(32) }] } }), 'admin: two keys are the same, so that the audit log cannot tell who used it'],
    // T303
    ['proxies everywhere', complete({ listen: { public_url: 'https://gw.example.com', trusted_proxies: ['0.0.0.0/0'] } }), 'listen.trusted_proxies: a range of every address lets anybody say who they are; name the proxy alone'],
    // T172
    ['a range with bits beyond its prefix', complete({ access_control: { allow_cidrs: ['10.0.0.1/8'] } }), 'access_control.allow_cidrs: 10.0.0.1/8 has bits beyond its prefix and is read as 10.0.0.0/8'],
    ['a short URL limit', complete({ limits: { max_url_length: 899 } }), "limits.max_url_length: below 900 the identity provider's way back may not fit, and nobody can sign in"],
    ['a header limit without effect', complete({ limits: { max_request_header_bytes: 1_000_000 } }), 'limits.max_request_header_bytes: above 131072 requests are refused all the same'],
    ['an issuer on this machine', complete({ oidc: { ...OIDC, issuer: 'http://localhost:8081' } }), `oidc.issuer: localhost:8081 is this machine, ${LOOPBACK}`],
    ['an issuer without TLS', complete({ oidc: { ...OIDC, issuer: 'http://idp.internal' } }), `oidc.issuer: idp.internal ${WITHOUT_TLS}`],
    ['an upstream on this machine', complete({ upstreams: [{ ...ANTHROPIC, base_url: 'http://127.0.0.1:9' }] }), `upstreams: base_url of anthropic: 127.0.0.1:9 is this machine, ${LOOPBACK}`],
    ['an upstream without TLS', complete({ upstreams: [{ ...ANTHROPIC, base_url: 'http://10.0.0.1' }] }), `upstreams: base_url of anthropic: 10.0.0.1 ${WITHOUT_TLS}`],
    ['a collector by the name localhost', complete({ telemetry: { forward_to: [{ url: 'http://localhost:4318' }] } }), `telemetry.forward_to: localhost:4318 is this machine, ${LOOPBACK}`],
    ['people without a policy', policies(group), 'managed: a person whom no policy matches may use every model and gets no settings; add a policy with match: {} or default: deny'],
    ['a policy after the one for everybody', policies(everybody, group), 'managed.policies[0] matches everybody: the policy after it will never be used; put it last'],
    ['policies after the one for everybody', policies(group, everybody, group, group), 'managed.policies[1] matches everybody: the 2 policies after it will never be used; put it last'],
    ['a mistyped key of Claude Code', policies({ ...everybody, cli: { availableModel: [], model: 'x' } }), 'managed.policies[0].cli.availableModel: not a key this version knows; did you mean availableModels? It is delivered as it is'],
    // B16: refused keys took a tab away for good.
    ['a new key of Claude Desktop', policies({ ...everybody, desktop: { quantumTabEnabled: true, banner: {}, chatTabEnabled: false, inferenceMaxTokensPerWindow: 1 } }), 'managed.policies[0].desktop.quantumTabEnabled: not a key this version knows. It is delivered as it is'],
    ['attributes without a collector', complete({ telemetry: { resource_attributes: { a: 'b' } } }), 'telemetry.resource_attributes: are told to clients only where forward_to names a collector'],
    // B40
    ['settings that the Code tab runs without', policies({ ...group, desktop: {} }, { match: {}, cli: { model: 'x' } }), 'managed.policies[0]: the Code tab of Claude Desktop may run without the settings under cli; write them under code to require them'],
    ['an empty list of hosts that Claude Desktop gets nothing from', policies({ match: {}, code: { sandbox: { network: { allowedDomains: [] } } }, desktop: {} }), expect.stringContaining('the Code tab') as never, 'managed.policies[0]: sandbox.network.allowedDomains is empty, which Claude Desktop gets no rule from; set coworkEgressAllowedHosts under desktop'],
    ['a Code tab that does not start', policies({ ...group, code: { model: 'x' } }, { match: {}, code: { model: 'y' }, desktop: {} }), `managed.policies[0], managed.policies[1]: the Code tab of Claude Desktop starts only where the machine's own managed settings of Claude Code hold {"forceLoginGatewayUrl":"https://gw.example.com","parentSettingsBehavior":"merge"}`],
  ])('name %s', (_, config, ...warnings) => {
    expect(load(config).warnings).toEqual(warnings)
  })

  test('are silent about this machine when the environment allows it', () => {
    const config = complete({ oidc: { ...OIDC, issuer: 'http://localhost:8081' }, upstreams: [{ ...ANTHROPIC, base_url: 'http://127.0.0.1:9' }] })
    expect(load(config, { CLAUDE_GATEWAY_ALLOW_LOOPBACK: '1' }).warnings).toEqual([])
  })

  test('are silent about people without a policy when they may use nothing', () => {
    expect(load(complete({ managed: { default: 'deny', policies: [group] } })).warnings).toEqual([])
    expect(load(complete({ managed: undefined })).warnings).toEqual([])
  })
})

test('names in a policy that let nothing through are said', () => {
  const said = (...lists: object[]) => load(complete({ managed: { policies: lists.map((cli, at) => ({ match: at === lists.length - 1 ? {} : { groups: [String(at)] }, cli })) } })).warnings.filter((warning) => warning.startsWith('managed.policies'))
  expect(said({ availableModels: ['claude-opus-5-5', 'opus', 'claude-haiku-4-5@20251001'], deniedModels: ['claude-fable'], model: 'haiku' })).toEqual([])
  expect(said({ availableModels: ['best', 'claude-opus-*', 'claude-opus-5'], enforceAvailableModels: true }, { availableModels: [] }, { deniedModels: ['claude-hauku-4-5'] })).toEqual([
    'managed.policies[0].cli.availableModels: "best" is no model that is served; name ids, or families such as "opus"',
    'managed.policies[0].cli.availableModels: "claude-opus-*" is no model that is served; name ids, or families such as "opus"',
    'managed.policies[1].cli.availableModels: is empty, so that its people can use no model',
    'managed.policies[2].cli.deniedModels: "claude-hauku-4-5" is no model that is served; name ids, or families such as "opus"',
  ])
})

test('policies by which nobody can begin are said', () => {
  const START = 'Claude Code starts with claude-opus-4-7, which is refused there until people pick another with /model; set model, or enforceAvailableModels: true'
  const said = (own: Values, base: Values = {}) => load(complete({ managed: { policies: [{ match: { groups: ['a'] }, cli: own }, { match: {}, cli: base }] } })).warnings
  expect(said({ availableModels: ['sonnet'] })).toEqual([`managed.policies[0]: ${START}`])
  expect(said({}, { deniedModels: ['opus'] })).toEqual([`managed.policies[0], managed.policies[1]: ${START}`])
  for (const settings of [{ enforceAvailableModels: true }, { model: 'sonnet' }, { env: { ANTHROPIC_MODEL: 'sonnet' } }]) expect(said({ availableModels: ['sonnet'] }, settings)).toEqual([])
  expect(said({ availableModels: ['opus'] })).toEqual([])
})

test('a metrics listener that others can reach is said', () => {
  const said = (metrics: object) => load(complete({ listen: { public_url: 'https://gw.example.com', metrics } })).warnings.filter((warning) => warning.startsWith('listen.metrics'))
  expect(said({ port: 9090 })).toEqual([])
  expect(said({ port: 9090, host: '0.0.0.0' })).toEqual(['listen.metrics: everybody who reaches 0.0.0.0:9090 can read the metrics; there is no key on that listener'])
})

describe('what this version does not serve yet', () => {
  const said = (changes: Values) => laterFeatures(load(complete(changes)).config)

  test('is nothing in a configuration without it', () => {
    expect(said({})).toEqual([])
  })

  test.each<[string, Values, string]>([
    ['admin', { admin: {} }, 'admin: accepted; spend limits are not served by this version'],
    ['enforcement', { admin: {}, enforcement: { reserve: true } }, 'enforcement: accepted; caps are not enforced by this version'],
    ['pricing', { pricing: { multiplier: 0.9 } }, 'pricing: accepted; spend is not counted by this version'],
    ['quotas', { quotas: [{ match: {}, concurrent: 1 }] }, 'quotas: accepted; not enforced by this version'],
    ['workloads', { service_identities: [{ name: 'ci', issuer: 'https://ci.example', audience: 'gw', match: { sub: 'x' } }] }, 'service_identities: accepted; workload sign-in is not served by this version'],
    ['several issuers', { oidc: [{ ...OIDC, name: 'a' }, { ...OIDC, name: 'b' }] }, 'oidc: accepted; this version signs in with the first issuer, https://idp.example.com, alone'],
  ])('is said of %s', (_, changes, sentence) => {
    expect(said(changes)).toContain(sentence)
  })
})
