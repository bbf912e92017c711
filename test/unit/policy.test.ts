import { describe, expect, test } from 'bun:test'
import { canonicalJson, settingsChecksum } from '../../src/policy/checksum.ts'
import { managedSettingsAnswer } from '../../src/policy/managed-settings-answer.ts'
import { matchPolicy } from '../../src/policy/match.ts'
import { mergeSettings } from '../../src/policy/merge.ts'
import { createPolicy } from '../../src/policy/policy.ts'

const NO_NAMES = { canonicalId: () => undefined, mappedIds: () => [] }

describe('mergeSettings', () => {
  test.each([
    ['availableModels replaces', { availableModels: ['a'] }, { availableModels: ['b'] }, { availableModels: ['b'] }],
    ['permissions.allow replaces', { permissions: { allow: ['a'] } }, { permissions: { allow: ['b'] } }, { permissions: { allow: ['b'] } }],
    ['permissions.deny is united', { permissions: { deny: ['a', 'b'] } }, { permissions: { deny: ['b', 'c'] } }, { permissions: { deny: ['a', 'b', 'c'] } }],
    ['permissions.ask is united', { permissions: { ask: ['a'] } }, { permissions: { ask: ['c'] } }, { permissions: { ask: ['a', 'c'] } }],
    ['a deny of the base survives a policy without one', { permissions: { deny: ['a'] } }, { permissions: { allow: ['b'] } }, { permissions: { deny: ['a'], allow: ['b'] } }],
    ['disabledMcpjsonServers is united', { disabledMcpjsonServers: ['a'] }, { disabledMcpjsonServers: ['b'] }, { disabledMcpjsonServers: ['a', 'b'] }],
    ['deniedMcpServers is united by value', { deniedMcpServers: [{ serverName: 'a' }] }, { deniedMcpServers: [{ serverName: 'a' }, { serverName: 'b' }] }, { deniedMcpServers: [{ serverName: 'a' }, { serverName: 'b' }] }],
    ['blockedMarketplaces is united', { blockedMarketplaces: ['a'] }, { blockedMarketplaces: ['b'] }, { blockedMarketplaces: ['a', 'b'] }],
    ['each hooks event is united', { hooks: { Stop: [1], Start: [2] } }, { hooks: { Stop: [3] } }, { hooks: { Stop: [1, 3], Start: [2] } }],
    ['env merges by key', { env: { A: '1', B: '1' } }, { env: { B: '2' } }, { env: { A: '1', B: '2' } }],
    ['modelOverrides merges by key', { modelOverrides: { a: 'x' } }, { modelOverrides: { b: 'y' } }, { modelOverrides: { a: 'x', b: 'y' } }],
    ['skillOverrides merges by key', { skillOverrides: { a: 'off' } }, { skillOverrides: { a: 'on' } }, { skillOverrides: { a: 'on' } }],
    ['deniedModels is united', { deniedModels: ['opus'] }, { deniedModels: ['claude-haiku-4-5', 'opus'] }, { deniedModels: ['opus', 'claude-haiku-4-5'] }],
    ['an empty list replaces', { availableModels: ['a'], permissions: { allow: ['a'] } }, { availableModels: [], permissions: { allow: [] } }, { availableModels: [], permissions: { allow: [] } }],
    ['an empty list takes no denial away', { permissions: { deny: ['a'] }, deniedModels: ['b'] }, { permissions: { deny: [] }, deniedModels: [] }, { permissions: { deny: ['a'] }, deniedModels: ['b'] }],
    ['a mode of permissions is inherited', { permissions: { defaultMode: 'plan', deny: ['a'] } }, { permissions: { allow: ['b'] } }, { permissions: { defaultMode: 'plan', deny: ['a'], allow: ['b'] } }],
    ['a mode of permissions replaces', { permissions: { defaultMode: 'plan' } }, { permissions: { defaultMode: 'default' } }, { permissions: { defaultMode: 'default' } }],
    ['a text replaces', { model: 'a' }, { model: 'b' }, { model: 'b' }],
    ['a switch replaces', { disableAllHooks: true }, { disableAllHooks: false }, { disableAllHooks: false }],
    ['a mapping replaces as a whole', { enabledPlugins: { a: true }, attribution: { commit: 'x', pr: 'y' } }, { enabledPlugins: { b: true }, attribution: { commit: 'z' } }, { enabledPlugins: { b: true }, attribution: { commit: 'z' } }],
    ['any other key replaces', { sandbox: { enabled: true, x: 1 } }, { sandbox: { enabled: false } }, { sandbox: { enabled: false } }],
    ['a key of the base alone stays', { model: 'a' }, {}, { model: 'a' }],
  ])('%s', (_, base, policy, merged) => {
    expect(mergeSettings(base, policy) as unknown).toEqual(merged)
  })
})

describe('matchPolicy', () => {
  const policies = [{ match: { groups: ['eng'], email_domain: 'example.com' } }, { match: { groups: ['eng'] } }, { match: { email_domain: 'Example.com' } }, { match: {} }]

  test.each([
    [{ email: 'a@example.com', groups: ['eng'] }, 0],
    [{ email: 'a@other.com', groups: ['eng'] }, 1],
    [{ email: 'a@EXAMPLE.com', groups: [] }, 2],
    [{ email: 'a@sub.example.com', groups: ['ENG'] }, 3],
    [{ email: undefined, groups: [] }, 3],
  ])('gives %j policy %d', (person, index) => {
    expect(matchPolicy(policies, person)).toBe(index)
  })

  test('never matches anybody by a blank group', () => {
    expect(matchPolicy([{ match: { groups: [''] } }], { email: 'a@b.c', groups: [''] })).toBeUndefined()
    expect(matchPolicy([{ match: { email_domain: '' } }], { email: 'a@', groups: [] })).toBeUndefined()
  })
})

describe('settingsChecksum', () => {
  test('does not depend on the order of keys at any level, and changes with any value', () => {
    const one = settingsChecksum({ a: { x: 1, y: [1, { p: 1, q: 2 }] }, b: true })
    expect(settingsChecksum({ b: true, a: { y: [1, { q: 2, p: 1 }], x: 1 } })).toBe(one)
    expect(settingsChecksum({ a: { x: 1, y: [{ p: 1, q: 2 }, 1] }, b: true })).not.toBe(one)
  })

  test('hashes the sorted JSON without white space', () => {
    expect(canonicalJson({ b: [1, 'é"'], a: null })).toBe('{"a":null,"b":[1,"é\\""]}')
    expect(settingsChecksum({})).toBe(`sha256:${new Bun.CryptoHasher('sha256').update('{}').digest('hex')}`)
  })
})

describe('managed settings', () => {
  const document = createPolicy({ policies: [{ match: {}, cli: { model: 'x' } }], default: 'allow' } as never, NO_NAMES).forPerson({ email: undefined, groups: [] }).document
  const answer = (ifNoneMatch: string | null, isRequired = false) => managedSettingsAnswer(document as never, { ifNoneMatch, isRequired, version: '1' })

  test('answers the document with its checksum as ETag', async () => {
    const response = answer(null)
    const { uuid, checksum, settings } = (await response.json()) as Record<string, unknown>
    expect(settings).toEqual({ model: 'x' })
    expect(response.headers.get('etag')).toBe(`"${checksum}"`)
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('answers 304 without a body to the same checksum, quoted, weak or in a list', async () => {
    const etag = answer(null).headers.get('etag') as string
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`]) {
      expect(answer(header).status).toBe(304)
      expect(await answer(header).text()).toBe('')
    }
  })

  test('answers the body to `*` and to another checksum', () => {
    expect(answer('*').status).toBe(200)
    expect(answer('"sha256:0"').status).toBe(200)
  })

  test('answers 304 to `*` where a client must not run without the document', async () => {
    const response = answer('*', true)
    expect([response.status, await response.text(), response.headers.get('cache-control'), response.headers.get('etag')]).toEqual([304, '', 'no-store', null])
    expect(answer(null, true).status).toBe(200)
  })

  test('lets a person without a policy use every model, unless the default is deny', () => {
    const nobody = { email: undefined, groups: [] }
    const policies = [{ match: { groups: ['eng'] }, cli: {} }]
    expect(createPolicy({ policies, default: 'allow' } as never, NO_NAMES).forPerson(nobody).judgeModel('m')).toBeUndefined()
    expect(createPolicy({ policies, default: 'deny' } as never, NO_NAMES).forPerson(nobody).judgeModel('m')).toBe('availableModels')
    expect(createPolicy(undefined, NO_NAMES).forPerson(nobody).document).toBeUndefined()
  })

  test('compares models by their one id, whatever spelling the policy uses', () => {
    const canonical = (spelling: string) => (spelling.startsWith('claude-haiku-4-5') ? 'claude-haiku-4-5' : undefined)
    const policy = createPolicy({ policies: [{ match: {}, cli: { availableModels: ['claude-haiku-4-5-20251001', 'custom'] } }], default: 'allow' } as never, { canonicalId: canonical, mappedIds: () => [] })
    const person = policy.forPerson({ email: undefined, groups: [] })
    expect(['claude-haiku-4-5', 'claude-haiku-4-5-20251001', 'custom', 'claude-opus-5'].map(person.judgeModel)).toEqual([undefined, undefined, undefined, 'availableModels'])
  })
})
