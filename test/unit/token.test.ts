import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { SignJWT } from 'jose'
import { createTokens } from '../../src/session/token.ts'
import { Secret } from '../../src/std/secret.ts'

const SECRET = 'a-secret-of-at-least-thirty-two-bytes'
const NOW = 1_800_000_000
const ISSUER = 'https://gw.example.com'
const ALICE = { issuer: 'https://idp.example.com', sub: 'alice', email: 'alice@example.com', name: 'Alice', groups: ['eng'] }
const kidOf = (secret: string) => createHash('sha256').update('gatehouse kid').update(secret).digest('base64url').slice(0, 11)
const subject = (secrets = [SECRET]) => createTokens({ secrets: secrets.map((secret) => new Secret(secret)), issuer: ISSUER, ttlSeconds: 3600 })

const CLAIMS = { iss: ISSUER, aud: 'claude-gateway', sub: 'alice', idp: 'https://idp.example.com', sid: 's', jti: 'j', iat: NOW, exp: NOW + 3600, groups: [] }

/** Signs whatever it is told to with the real secret. */
function forge(claims: object, header: object = {}, secret = SECRET): string {
  const encode = (value: object | string) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const head = { alg: 'HS256', typ: 'at+jwt', kid: kidOf(SECRET), ...header }
  const hash = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }[head.alg] ?? 'sha256'
  const input = `${encode(head)}.${encode(claims)}`
  return `${input}.${new Bun.CryptoHasher(hash as 'sha256', secret).update(input).digest('base64url')}`
}

describe('a bearer token', () => {
  test('carries the person and comes back as the same principal', async () => {
    const { token, jti, expiresIn } = subject().mint(ALICE, 'sid-1', NOW)
    expect(expiresIn).toBe(3600)
    expect(await subject().verify(token, NOW + 10)).toEqual({ ok: true, value: { ...ALICE, sid: 'sid-1', jti, expiresAt: NOW + 3600 } })
  })

  test('is byte for byte what the library makes of the same claims', async () => {
    const person = { ...ALICE, name: 'Älice \u2028 "q" \ud800', groups: ['a/b', 'ü', ''] }
    const { token, jti } = subject().mint(person, 'sid-1', NOW)
    const { issuer, sub, ...about } = person
    const made = await new SignJWT({ idp: issuer, sid: 'sid-1', ...about })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: kidOf(SECRET) })
      .setIssuer(ISSUER).setAudience('claude-gateway').setSubject(sub).setJti(jti).setIssuedAt(NOW).setExpirationTime(NOW + 3600)
      .sign(new TextEncoder().encode(SECRET))
    expect(token).toBe(made)
  })

  test('accepts what the forger of this file signs with honest claims, so that every refusal below is for its own reason', async () => {
    expect((await subject().verify(forge(CLAIMS), NOW)).ok).toBe(true)
  })

  test('expires to the second, from the cache too', async () => {
    const tokens = subject()
    const { token } = tokens.mint(ALICE, 'sid-1', NOW)
    expect((await tokens.verify(token, NOW + 3599)).ok).toBe(true)
    expect(await tokens.verify(token, NOW + 3600)).toEqual({ ok: false, reason: 'expired' })
    expect(await subject().verify(token, NOW + 3600)).toEqual({ ok: false, reason: 'expired' })
  })

  // T089, T090, T091, T092
  test.each([
    ['HS384 with the right secret', forge(CLAIMS, { alg: 'HS384' })],
    ['HS512 with the right secret', forge(CLAIMS, { alg: 'HS512' })],
    ['alg none', forge(CLAIMS, { alg: 'none' })],
    ['alg nOnE', forge(CLAIMS, { alg: 'nOnE' })],
    ['another type', forge(CLAIMS, { typ: 'JWT' })],
    ['no type', forge(CLAIMS, { typ: undefined })],
    ['another issuer', forge({ ...CLAIMS, iss: 'https://other' })],
    ['another audience', forge({ ...CLAIMS, aud: 'other' })],
    ['a critical extension', forge(CLAIMS, { crit: ['b64'], b64: false })],
    ['another secret under our key id', forge(CLAIMS, {}, 'another-secret-of-thirty-two-bytes!!')],
    ['an unknown key id', forge(CLAIMS, { kid: "' OR 1=1--" })],
    ['a path as key id', forge(CLAIMS, { kid: '../../dev/null' })],
    ['no key id', forge(CLAIMS, { kid: undefined })],
    ['no expiry', forge({ ...CLAIMS, exp: undefined })],
    ['a fractional expiry', forge({ ...CLAIMS, exp: NOW + 10.5 })],
    ['an expiry that is text', forge({ ...CLAIMS, exp: `${NOW + 10}` })],
    ['an expiry in a hundred years', forge({ ...CLAIMS, exp: NOW + 3_153_600_000 })],
    ['a start in the future', forge({ ...CLAIMS, iat: NOW + 600 })],
    ['no subject', forge({ ...CLAIMS, sub: undefined })],
    ['an empty subject', forge({ ...CLAIMS, sub: '' })],
    ['a subject that is a number', forge({ ...CLAIMS, sub: 7 })],
    ['a huge subject', forge({ ...CLAIMS, sub: 'a'.repeat(10_000) })],
    ['no sign-in id', forge({ ...CLAIMS, sid: undefined })],
    ['groups that are text', forge({ ...CLAIMS, groups: 'admin' })],
    ['two parts', forge(CLAIMS).split('.').slice(0, 2).join('.')],
    ['five parts', `${forge(CLAIMS)}.a.b`],
    ['an empty signature', `${forge(CLAIMS).split('.').slice(0, 2).join('.')}.`],
    ['a megabyte', `${'a'.repeat(1_000_000)}.a.a`],
  ])('refuses %s', async (_, token) => {
    expect((await subject().verify(token, NOW)).ok).toBe(false)
  })

  test('refuses an infinite expiry and a claim given twice', async () => {
    const raw = (payload: string) => {
      const input = [JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid: kidOf(SECRET) }), payload].map((part) => Buffer.from(part).toString('base64url')).join('.')
      return `${input}.${new Bun.CryptoHasher('sha256', SECRET).update(input).digest('base64url')}`
    }
    const text = JSON.stringify(CLAIMS)
    expect((await subject().verify(raw(text), NOW)).ok).toBe(true)
    expect((await subject().verify(raw(text.replace(`"exp":${NOW + 3600}`, '"exp":1e999')), NOW)).ok).toBe(false)
    expect((await subject().verify(raw(text.replace('"sub":"alice"', '"sub":"bob","sub":"alice"')), NOW)).ok).toBe(false)
  })

  // T100
  test('refuses every other spelling of a good token', async () => {
    const token = forge(CLAIMS)
    for (const variant of [`${token}=`, `${token} `, ` ${token}`, token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A'), token.replace('.', '..')]) {
      expect((await subject().verify(variant, NOW)).ok).toBe(false)
    }
  })

  // T101
  test('never answers from the cache for a token that only begins alike', async () => {
    const tokens = subject()
    const { token } = tokens.mint(ALICE, 'sid-1', NOW)
    expect((await tokens.verify(token, NOW)).ok).toBe(true)
    for (const length of [20, 64, 128, token.length - 1]) expect((await tokens.verify(token.slice(0, length), NOW)).ok).toBe(false)
  })

  // T108
  test('signs with the first secret and keeps verifying with the old one until it is removed', async () => {
    const next = 'the-next-secret-of-thirty-two-bytes-'
    const { token } = subject().mint(ALICE, 'sid-1', NOW)
    expect((await subject([next, SECRET]).verify(token, NOW)).ok).toBe(true)
    expect(await subject([next]).verify(token, NOW)).toEqual({ ok: false, reason: 'unknown_key' })
    const { token: fresh } = subject([next, SECRET]).mint(ALICE, 'sid-1', NOW)
    expect(await subject().verify(fresh, NOW)).toEqual({ ok: false, reason: 'unknown_key' })
  })

  test('stays small for a person in three hundred groups, and keeps the groups that rules name', async () => {
    const groups = Array.from({ length: 300 }, (_, n) => `${n}-0000-4000-8000-000000000000-group`)
    const tokens = createTokens({ secrets: [new Secret(SECRET)], issuer: ISSUER, ttlSeconds: 3600, relevantGroups: new Set([groups[299] as string]) })
    const { token } = tokens.mint({ ...ALICE, groups }, 'sid-1', NOW)
    expect(token.length).toBeLessThan(8000)
    const verified = await tokens.verify(token, NOW)
    expect(verified.ok && verified.value.groups).toContain(groups[299] as string)
  })

  test('refuses a token signed by the library with its defaults', async () => {
    const token = await new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'HS256', kid: kidOf(SECRET) }).sign(new TextEncoder().encode(SECRET))
    expect((await subject().verify(token, NOW)).ok).toBe(false)
  })
})
