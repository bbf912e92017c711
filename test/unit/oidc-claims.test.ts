import { describe, expect, test } from 'bun:test'
import { hasGroupsOverage, isEmailUnverified, readEmail, readGroups, readName } from '../../src/oidc/claims.ts'
import { emailDomain } from '../../src/oidc/email-address.ts'
import { admitPerson, lacksClaims, type Evidence, type IdentityRules } from '../../src/oidc/identity.ts'

describe('emailDomain', () => {
  test.each([
    ['a@corp.example', 'corp.example'],
    ['A.b+c@CORP.Example', 'corp.example'],
    ['bob_corp.example#EXT#@tenant.onmicrosoft.com', 'tenant.onmicrosoft.com'],
    ['a@xn--corp', 'xn--corp'],
    ['ä@corp.example', 'corp.example'],
  ])('of %p is %p', (text, domain) => {
    expect(emailDomain(text)).toBe(domain)
  })

  // T036
  test.each([
    ['a@evil@corp.example'],
    ['"a@evil"@corp.example'],
    ['a@corp.example\u0000'],
    ['a@corp.example\n'],
    ['a\r\nb@corp.example'],
    ['a b@corp.example'],
    ['a@corp.example,b@evil.example'],
    ['<a@corp.example>'],
    ['a@corp.example '],
    ['a@'],
    ['@corp.example'],
    ['corp.example'],
    [''],
    ['a@-corp.example'],
    ['a@corp..example'],
    ['a@corp.example.'],
    ['a@[127.0.0.1]'],
    ['a@\u212Aorp.example'],
    ['a@corp。example'],
    [`${'a'.repeat(250)}@corp.example`],
    ['a\u200b@corp.example'],
  ])('finds none in %p', (text) => {
    expect(emailDomain(text)).toBeUndefined()
  })
})

describe('readEmail', () => {
  test('takes the first claim of the list that is present, from the first source that has any', () => {
    const order = ['email', '/contact/mail', 'upn']
    expect(readEmail([{ upn: 'u@b.test', contact: { mail: 'm@b.test' } }], order)).toMatchObject({ address: 'm@b.test' })
    expect(readEmail([{ email: '', upn: 'u@b.test' }], order)).toMatchObject({ address: 'u@b.test' })
    expect(readEmail([{ upn: 'token@b.test' }, { email: 'userinfo@b.test' }], order)).toMatchObject({ address: 'token@b.test' })
    expect(readEmail([{}, { email: 'userinfo@b.test' }], order)).toMatchObject({ address: 'userinfo@b.test', domain: 'b.test' })
  })

  test.each([[['a@b.test']], [{ address: 'a@b.test' }], [1], [true], ['a@b@c.test']])('calls %p malformed, and looks no further', (email) => {
    expect(readEmail([{ email, upn: 'good@b.test' }], ['email', 'upn'])).toEqual({ kind: 'malformed' })
  })

  test('does not read what the claims only inherit', () => {
    expect(readEmail([{}], 'constructor')).toEqual({ kind: 'absent' })
    expect(readEmail([JSON.parse('{"__proto__":{"email":"a@b.test"}}')], 'email')).toEqual({ kind: 'absent' })
  })
})

describe('isEmailUnverified', () => {
  // T037
  test.each([[false], ['false'], ['False'], [0], [''], ['no'], [{}], [[true]]])('is true for %p', (email_verified) => {
    expect(isEmailUnverified([{ email_verified }])).toBe(true)
    expect(isEmailUnverified([{}, { email_verified }])).toBe(true)
    expect(isEmailUnverified([{ email_verified: true }, { email_verified }])).toBe(true)
  })

  test.each([[true], ['true'], [undefined], [null]])('is false for %p', (email_verified) => {
    expect(isEmailUnverified([{ email_verified }])).toBe(false)
  })
})

describe('readGroups', () => {
  test('reads a flat claim with any characters, and a pointer', () => {
    expect(readGroups([{ 'https://corp.example/groups': ['a'] }], 'https://corp.example/groups')).toEqual(['a'])
    expect(readGroups([{ realm_access: { roles: ['a', 'b'] } }], '/realm_access/roles')).toEqual(['a', 'b'])
  })

  test('reads a single text as one group and drops what is no group', () => {
    expect(readGroups([{ groups: 'a,b' }], 'groups')).toEqual(['a,b'])
    expect(readGroups([{ groups: ['a', 1, null, '', '  ', ['b'], { name: 'c' }, 'a', 'x\ny', 'd'] }], 'groups')).toEqual(['a', 'd'])
  })

  test('tells an empty list from none', () => {
    expect(readGroups([{ groups: [] }, { groups: ['userinfo'] }], 'groups')).toEqual([])
    expect(readGroups([{}, { groups: ['userinfo'] }], 'groups')).toEqual(['userinfo'])
    expect(readGroups([{ groups: { a: 1 } }], 'groups')).toBeUndefined()
  })
})

describe('readName', () => {
  test('makes the name one printable line', () => {
    expect(readName([{ name: ' Alice\n\u001b[31mLiddell\u0000 ' }])).toBe('Alice [31mLiddell')
    expect(readName([{ name: 7 }, { name: 'Bob' }])).toBe('Bob')
    expect(readName([{ name: ' ' }])).toBeUndefined()
  })
})

describe('hasGroupsOverage', () => {
  test('sees the pointer to groups and no other', () => {
    expect(hasGroupsOverage({ _claim_names: { groups: 'src1' } })).toBe(true)
    expect(hasGroupsOverage({ hasgroups: true })).toBe(true)
    expect(hasGroupsOverage({ _claim_names: { address: 'src1' } })).toBe(false)
    expect(hasGroupsOverage({ _claim_names: 'groups' })).toBe(false)
    expect(hasGroupsOverage({ groups: ['a'] })).toBe(false)
  })
})

describe('admitPerson', () => {
  const open: IdentityRules = { groups_claim: 'groups', email_claim: 'email' }
  const evidence = (claims: object, more: Partial<Evidence> = {}): Evidence => ({
    issuer: 'https://idp.example',
    sub: 'alice',
    sources: [claims as Record<string, unknown>],
    directoryGroups: [],
    fallback: {},
    ...more,
  })
  const reason = (claims: object, rules: Partial<IdentityRules>, more: Partial<Evidence> = {}) => {
    const verdict = admitPerson(evidence(claims, more), { ...open, ...rules })
    return verdict.ok ? 'ok' : verdict.reason
  }

  test('describes the person by the claims, and by nothing when they are silent', () => {
    expect(admitPerson(evidence({ email: 'a@b.test', name: 'Alice', groups: ['x'] }, { directoryGroups: ['y', 'x'] }), open)).toEqual({
      ok: true,
      value: { issuer: 'https://idp.example', sub: 'alice', email: 'a@b.test', name: 'Alice', groups: ['x', 'y'] },
    })
    expect(admitPerson(evidence({}), open)).toMatchObject({ ok: true, value: { sub: 'alice', email: undefined, name: undefined, groups: [] } })
  })

  test('keeps no address that is not one', () => {
    expect(admitPerson(evidence({ email: 'a@evil@corp.example' }), open)).toMatchObject({ ok: true, value: { email: undefined } })
  })

  test.each([
    ['the domain in any case', { email: 'A@CORP.example' }, 'ok'],
    ['another domain', { email: 'a@evil.example' }, 'email_domain'],
    ['a domain that ends alike', { email: 'a@evilcorp.example' }, 'email_domain'],
    ['a subdomain', { email: 'a@sub.corp.example' }, 'email_domain'],
    ['a domain that begins alike', { email: 'a@corp.example.evil' }, 'email_domain'],
    ['two @', { email: 'a@evil@corp.example' }, 'email_malformed'],
    ['a list', { email: ['a@corp.example'] }, 'email_malformed'],
    ['no address', {}, 'email_missing'],
    ['an unverified address', { email: 'a@corp.example', email_verified: false }, 'email_unverified'],
    ['an address unverified in words', { email: 'a@corp.example', email_verified: 'false' }, 'email_unverified'],
  ])('judges the domain: %s', (_, claims, verdict) => {
    expect(reason(claims, { allowed_email_domains: ['other.example', 'Corp.Example'] })).toBe(verdict)
  })

  test('refuses an unverified address without any domain rule', () => {
    expect(reason({ email: 'a@b.test', email_verified: 'false' }, {})).toBe('email_unverified')
  })

  test('compares groups exactly', () => {
    const rules = { allowed_groups: ['Admins'] }
    expect(reason({ groups: ['Admins'] }, rules)).toBe('ok')
    expect(reason({ groups: ['admins', 'Admins '] }, rules)).toBe('group')
    expect(reason({}, rules)).toBe('group')
    expect(reason({}, rules, { directoryGroups: ['Admins'] })).toBe('ok')
  })

  test('wants both rules met', () => {
    const rules = { allowed_email_domains: ['corp.example'], allowed_groups: ['Admins'] }
    expect(reason({ email: 'a@corp.example', groups: ['Admins'] }, rules)).toBe('ok')
    expect(reason({ email: 'a@corp.example' }, rules)).toBe('group')
    expect(reason({ email: 'a@evil.example', groups: ['Admins'] }, rules)).toBe('email_domain')
  })

  test('falls back only where the claims are silent, and judges what it falls back to', () => {
    const fallback = { email: 'a@corp.example', name: 'Alice', groups: ['Admins'] }
    expect(admitPerson(evidence({}, { fallback }), open)).toMatchObject({ value: fallback })
    expect(reason({}, { allowed_email_domains: ['new.example'] }, { fallback })).toBe('email_domain')
    expect(reason({ groups: [] }, { allowed_groups: ['Admins'] }, { fallback })).toBe('group')
    expect(reason({ email: 'x@y@z' }, { allowed_email_domains: ['corp.example'] }, { fallback })).toBe('email_malformed')
  })

  test('knows when a claim is still missing', () => {
    expect(lacksClaims([{ email: 'a@b.test', name: 'A', groups: [] }], open)).toBe(false)
    expect(lacksClaims([{ email: 'a@b.test', name: 'A' }], open)).toBe(true)
    expect(lacksClaims([{ name: 'A', groups: [] }], open)).toBe(true)
  })
})
