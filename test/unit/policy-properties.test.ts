// What must hold for every policy, on random ones; a failure names its seed.
import { describe, expect, test } from 'bun:test'
import { settingsChecksum } from '../../src/policy/checksum.ts'
import { mismatch } from '../../src/policy/match.ts'
import { mergeSettings, type Json, type Settings } from '../../src/policy/merge.ts'
import { createRandom, type Random } from '../support/clouds/random.ts'

const ROUNDS = 2000
const DENIES: readonly (readonly [string, (settings: Settings) => Json | undefined])[] = [
  ['permissions.deny', ({ permissions }) => (permissions as Settings | undefined)?.deny],
  ['permissions.ask', ({ permissions }) => (permissions as Settings | undefined)?.ask],
  ['disabledMcpjsonServers', ({ disabledMcpjsonServers }) => disabledMcpjsonServers],
  ['deniedMcpServers', ({ deniedMcpServers }) => deniedMcpServers],
  ['deniedModels', ({ deniedModels }) => deniedModels],
  ['blockedMarketplaces', ({ blockedMarketplaces }) => blockedMarketplaces],
  ...['PreToolUse', 'Stop'].map((event) => [`hooks.${event}`, ({ hooks }: Settings) => (hooks as Settings | undefined)?.[event]] as const),
]

const word = (random: Random) => random.oneOf(['a', 'b', 'c', 'Bash(rm:*)', 'x y', 'é', '__proto__', 'constructor'])
const words = (random: Random) => Array.from({ length: random.between(0, 4) }, () => word(random))
const sometimes = (random: Random, settings: Settings): Settings => (random.between(0, 1) === 0 ? {} : settings)

function randomSettings(random: Random): Settings {
  return {
    ...sometimes(random, { permissions: { ...sometimes(random, { allow: words(random) }), ...sometimes(random, { deny: words(random) }), ...sometimes(random, { ask: words(random) }), ...sometimes(random, { defaultMode: word(random) }) } }),
    ...sometimes(random, { env: Object.fromEntries(words(random).map((name) => [name, word(random)])) }),
    ...sometimes(random, { hooks: { ...sometimes(random, { PreToolUse: [{ matcher: word(random), hooks: [{ type: 'command', command: word(random) }] }] }), ...sometimes(random, { Stop: [] }) } }),
    ...Object.fromEntries(['disabledMcpjsonServers', 'deniedMcpServers', 'deniedModels', 'blockedMarketplaces', 'availableModels'].filter(() => random.between(0, 1) === 0).map((key) => [key, words(random)])),
    ...sometimes(random, { model: word(random), n: random.between(0, 9) / 2 }),
  }
}

function onRandom(check: (random: Random) => void): void {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    try {
      check(createRandom(seed))
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`)
    }
  }
}

describe('merging a policy onto the base', () => {
  test('never loses a deny, an ask, a block or a hook of either', () => {
    onRandom((random) => {
      const [base, own] = [randomSettings(random), randomSettings(random)]
      const merged = mergeSettings(base, own)
      for (const [name, of] of DENIES) {
        const kept = JSON.stringify(of(merged) ?? [])
        for (const from of [base, own]) for (const item of (of(from) ?? []) as Json[]) if (!kept.includes(JSON.stringify(item))) throw new Error(`${name} lost ${JSON.stringify(item)}`)
      }
    })
  })

  test('lets the policy’s own allow list, model list and variables win, and changes neither document', () => {
    onRandom((random) => {
      const [base, own] = [randomSettings(random), randomSettings(random)]
      const before = JSON.stringify([base, own])
      const merged = mergeSettings(base, own)
      expect(JSON.stringify([base, own])).toBe(before)
      expect(merged.availableModels).toEqual((own.availableModels ?? base.availableModels) as never)
      const allow = (settings: Settings) => (settings.permissions as Settings | undefined)?.allow
      expect(allow(merged)).toEqual((allow(own) ?? allow(base)) as never)
      for (const [name, value] of Object.entries((own.env ?? {}) as Settings)) expect((merged.env as Settings)[name]).toBe(value)
    })
  })

  test('onto itself changes nothing, and onto nothing is the policy', () => {
    onRandom((random) => {
      const settings = randomSettings(random)
      expect(settingsChecksum(mergeSettings({}, settings))).toBe(settingsChecksum(settings))
      expect(Object.keys(mergeSettings(settings, {})).toSorted()).toEqual(Object.keys(settings).toSorted())
    })
  })
})

describe('a checksum', () => {
  const shuffled = (value: Json, random: Random): Json => {
    if (Array.isArray(value)) return value.map((item) => shuffled(item, random))
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value as Settings).map(([key, item]): [string, Json] => [key, shuffled(item, random)])
    for (let at = entries.length - 1; at > 0; at--) {
      const other = random.between(0, at)
      ;[entries[at], entries[other]] = [entries[other] as [string, Json], entries[at] as [string, Json]]
    }
    return Object.fromEntries(entries)
  }

  test('is the same in whatever order the keys are written', () => {
    onRandom((random) => {
      const settings = randomSettings(random)
      expect(settingsChecksum(shuffled(settings, random))).toBe(settingsChecksum(settings))
    })
  })

  test('differs on any change', () => {
    onRandom((random) => {
      const settings = randomSettings(random)
      const sum = settingsChecksum(settings)
      expect(settingsChecksum({ ...settings, added: null })).not.toBe(sum)
      expect(settingsChecksum({ ...settings, model: `${JSON.stringify(settings.model)}!` })).not.toBe(sum)
      const { env = {} } = settings as { env?: Settings }
      expect(settingsChecksum({ ...settings, env: { ...env, CHANGED: '1' } })).not.toBe(sum)
      const deny = ((settings.permissions as Settings | undefined)?.deny ?? []) as string[]
      expect(settingsChecksum({ ...settings, permissions: { deny: [...deny, 'one more'] } })).not.toBe(sum)
    })
  })
})

describe('a matcher', () => {
  // B13
  test('of blanks matches nobody', () => {
    const people = [{ email: 'a@example.com', groups: ['', ' ', 'eng'] }, { email: '', groups: [] }, { email: undefined, groups: [''] }, { email: '@', groups: [] }, { email: 'nobody@', groups: [] }, { email: ' @ ', groups: [] }]
    for (const match of [{ groups: [] }, { groups: [''] }, { email_domain: '' }, { groups: [''], email_domain: '' }, { groups: ['', ''], email_domain: 'example.com' }]) {
      for (const person of people) expect([match, person, mismatch(match, person) === undefined]).toEqual([match, person, false])
    }
  })
})
