import { describe, expect, test } from 'bun:test'
import { policyReport, policyText } from '../../src/explain/policy.ts'
import { complete, load, type Values } from '../support/config-texts.ts'

const MANAGED = {
  policies: [
    { match: { groups: ['contractors'] }, cli: { availableModels: ['claude-haiku-4-5'] } },
    { match: { groups: ['eng', 'ops'], email_domain: 'example.com' }, cli: { availableModels: ['claude-opus-5-5', 'claude-haiku-4-5-20251001'], permissions: { deny: ['Bash'] } } },
    { match: { email_domain: 'example.com' }, cli: { env: { LATE: '1' } } },
    { match: {}, cli: { permissions: { deny: ['WebFetch'] } } },
  ],
}
const config = load(complete({ managed: MANAGED })).config
const alice = { email: 'alice@EXAMPLE.com', groups: ['eng'] }
const judged = (person: { email: string | undefined; groups: string[] }) => policyReport(config, person).policies.map(({ outcome, reason }) => (reason === undefined ? outcome : `${outcome}: ${reason}`))

describe('an explanation', () => {
  test('says which policy matched and why each other one did not', () => {
    expect(judged(alice)).toEqual(['does_not_match: in none of its groups: contractors', 'matches', 'not_reached', 'base'])
    expect(judged({ email: 'bob@other.org', groups: ['eng'] })).toEqual(['does_not_match: in none of its groups: contractors', 'does_not_match: the e-mail\'s domain is other.org, not example.com', 'does_not_match: the e-mail\'s domain is other.org, not example.com', 'matches'])
    expect(judged({ email: undefined, groups: ['contractors'] })[0]).toBe('matches')
    expect(judged({ email: 'nobody', groups: [] })[1]).toBe('does_not_match: in none of its groups: eng, ops')
  })

  test('has the merged document as it is delivered, and the models with their routes', () => {
    const report = policyReport(config, alice)
    expect(report.cli?.settings).toEqual({ availableModels: ['claude-opus-5-5', 'claude-haiku-4-5-20251001'], permissions: { deny: ['WebFetch', 'Bash'] } })
    expect(report.cli?.checksum).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(report.models.map(({ id, routes }) => [id, routes.map(({ upstream, model }) => `${upstream} ${model}`)])).toEqual([
      ['claude-opus-5-5', ['anthropic claude-opus-5-5']],
      ['claude-haiku-4-5', ['anthropic claude-haiku-4-5-20251001']],
    ])
  })

  test('says that there is nothing where nothing matches', () => {
    const strict = load(complete({ managed: { policies: MANAGED.policies.slice(0, 1), default: 'deny' } })).config
    const report = policyReport(strict, alice)
    expect([report.policy, report.cli, report.models]).toEqual([null, null, []])
    expect(policyText(report, false)).toContain('none: GET /managed/settings answers 404')
    expect(policyReport(load(complete({ managed: undefined })).config, alice).policies).toEqual([])
  })

  test('says what Claude Desktop gets and what its Code tab does with the settings', () => {
    const about = (policy: object) => {
      const report = policyReport(load(complete({ managed: { policies: [{ match: {}, ...policy }] } })).config, alice)
      return [report.desktop === null, report.code_tab, policyText(report, false).includes('Its Code tab')]
    }
    expect(policyReport(load(complete({ managed: { policies: [{ match: {}, cli: { availableModels: ['opus'], permissions: { deny: ['Bash'] } }, desktop: { banner: {} } }] } })).config, alice).desktop).toMatchObject({ banner: {}, disabledBuiltinTools: ['Bash'] })
    expect(about({ cli: {} })).toEqual([true, null, false])
    expect(about({ cli: { model: 'x' }, desktop: {} })).toEqual([false, 'offered', true])
    expect(about({ cli: { model: 'x' }, desktop: {}, serve_to_desktop: false })).toEqual([false, 'withheld', true])
    expect(about({ code: { model: 'x' }, desktop: {} })).toEqual([false, 'required', true])
  })

  test('is text without colours for who asked for none, and every policy is a line of it', () => {
    const text = policyText(policyReport(config, alice), false)
    expect(text).not.toContain('\u001b')
    expect(text.split('\n').filter((line) => /^ {3}\d {2}/.test(line))).toEqual([
      '   0  groups contractors                no: in none of its groups: contractors',
      '   1  groups eng, ops and @example.com  matches',
      '   2  @example.com                      would match, but an earlier one does',
      '   3  everybody                         the base: what the matching policy does not say',
    ])
    expect(policyText(policyReport(config, alice), true)).toContain('\u001b[1m')
  })
})

test('the example of docs/policies.md does what the page says', async () => {
  const page = await Bun.file(new URL('../../docs/policies.md', import.meta.url)).text()
  const { managed } = Bun.YAML.parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? '') as { managed: Values }
  const { config: example } = load(complete({ managed }))
  expect(policyReport(example, { email: 'bob@example.com', groups: ['contractors'] })).toMatchObject({
    policy: 1,
    cli: { settings: { availableModels: ['claude-haiku-4-5'], permissions: { deny: ['Read(./.env)', 'WebFetch'] }, env: { HTTPS_PROXY: 'http://proxy.internal:3128' } } },
    desktop: { disabledBuiltinTools: ['WebFetch'] },
    models: [{ id: 'claude-haiku-4-5' }],
  })
  expect(policyReport(example, { email: 'carol@example.org', groups: ['ml-platform'] }).policy).toBe(0)
})
