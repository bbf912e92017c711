import { describe, expect, test } from 'bun:test'
import { judgeClaims, readClaims, readHeader, type Claims, type IdTokenRules } from '../../src/oidc/id-token.ts'

const NOW = 1_800_000_000
const rules: IdTokenRules = {
  issuer: 'https://idp.example',
  clientId: 'gateway',
  trustedParties: ['partner'],
  clockSkewSeconds: 60,
  nonce: 'n-1',
  accessTokenHash: 'half',
}
const good: Claims = { iss: 'https://idp.example', aud: 'gateway', sub: 'alice', exp: NOW + 300, iat: NOW, nonce: 'n-1' }

/** The verdict on the good claims with these changes: `ok`, or the reason. */
function judge(changes: Claims, change: Partial<IdTokenRules> = {}): string {
  const verdict = judgeClaims({ ...good, ...changes }, { ...rules, ...change }, NOW)
  return verdict.ok ? 'ok' : verdict.reason
}

describe('judgeClaims', () => {
  test('accepts a complete token', () => {
    expect(judge({})).toBe('ok')
  })

  // T002, T024
  test.each([['https://evil.example'], ['https://idp.example/'], ['https://IDP.example'], [undefined], [['https://idp.example']], [null]])('refuses the issuer %p', (iss) => {
    expect(judge({ iss })).toBe('id_token_issuer')
  })

  // T003
  test.each([[undefined], [''], ['   '], [42], [['alice']], [null], ['a'.repeat(256)], ['é'.repeat(128)], ['ali\u0000ce']])('refuses the subject %p', (sub) => {
    expect(judge({ sub })).toBe('id_token_subject')
  })

  test('accepts a subject of 255 bytes', () => {
    expect(judge({ sub: 'a'.repeat(255) })).toBe('ok')
  })

  // T005, T006
  test.each([
    ['another client', { aud: 'other' }, 'id_token_audience'],
    ['none', { aud: undefined }, 'id_token_audience'],
    ['an empty list', { aud: [] }, 'id_token_audience'],
    ['an object', { aud: { gateway: true } }, 'id_token_audience'],
    ['an untrusted audience beside us', { aud: ['gateway', 'other'], azp: 'gateway' }, 'id_token_audience'],
    ['a number beside us', { aud: ['gateway', 1], azp: 'gateway' }, 'id_token_audience'],
    ['two audiences without azp', { aud: ['gateway', 'partner'] }, 'id_token_authorized_party'],
    ['two audiences with a foreign azp', { aud: ['gateway', 'partner'], azp: 'other' }, 'id_token_authorized_party'],
    ['one audience with a foreign azp', { azp: 'other' }, 'id_token_authorized_party'],
    ['an azp that is not text', { azp: ['gateway'] }, 'id_token_authorized_party'],
    ['two trusted audiences with azp', { aud: ['gateway', 'partner'], azp: 'gateway' }, 'ok'],
    ['a trusted azp', { azp: 'partner' }, 'ok'],
    ['a list of us alone', { aud: ['gateway'] }, 'ok'],
  ])('judges the audience: %s', (_, claims, verdict) => {
    expect(judge(claims)).toBe(verdict)
  })

  // T007, T008
  test.each([
    ['exp missing', { exp: undefined }, 'id_token_expired'],
    ['exp as text', { exp: String(NOW + 300) }, 'id_token_expired'],
    ['exp beyond all dates', { exp: Number.POSITIVE_INFINITY }, 'id_token_expired'],
    ['exp beyond the year 9999', { exp: 1e15 }, 'id_token_expired'],
    ['exp null', { exp: null }, 'id_token_expired'],
    ['iat missing', { iat: undefined }, 'id_token_issued_at'],
    ['iat as text', { iat: String(NOW) }, 'id_token_issued_at'],
    ['iat negative', { iat: -1 }, 'id_token_issued_at'],
    ['nbf as text', { nbf: 'x' }, 'id_token_not_before'],
  ])('refuses %s', (_, claims, reason) => {
    expect(judge(claims)).toBe(reason)
  })

  // T009
  test.each([
    ['exp', -61, 'id_token_expired'],
    ['exp', -60, 'id_token_expired'],
    ['exp', -59, 'ok'],
    ['exp', 0, 'ok'],
    ['iat', 59, 'ok'],
    ['iat', 61, 'id_token_issued_at'],
    ['iat', 86_400, 'id_token_issued_at'],
    ['iat', -86_400, 'ok'],
    ['nbf', 59, 'ok'],
    ['nbf', 61, 'id_token_not_before'],
    ['nbf', 86_400, 'id_token_not_before'],
    ['nbf', -61, 'ok'],
  ])('tolerates 60 seconds of skew: %s at now %d', (claim, offset, verdict) => {
    expect(judge({ [claim]: NOW + offset })).toBe(verdict)
  })

  test('tolerates no skew when none is configured', () => {
    expect(judge({ exp: NOW }, { clockSkewSeconds: 0 })).toBe('id_token_expired')
    expect(judge({ iat: NOW + 1 }, { clockSkewSeconds: 0 })).toBe('id_token_issued_at')
  })

  // T020
  test.each([['n-2'], [undefined], [''], [['n-1']]])('refuses the nonce %p', (nonce) => {
    expect(judge({ nonce })).toBe('id_token_nonce')
  })

  test('asks for no nonce at a refresh', () => {
    expect(judge({ nonce: undefined }, { nonce: undefined })).toBe('ok')
    expect(judge({ nonce: 'of the first sign-in' }, { nonce: undefined })).toBe('ok')
  })

  // T029
  test('refuses a wrong at_hash and accepts a right one or none', () => {
    expect(judge({ at_hash: 'wrong' })).toBe('id_token_access_token_hash')
    expect(judge({ at_hash: '' })).toBe('id_token_access_token_hash')
    expect(judge({ at_hash: 'half' })).toBe('ok')
  })
})

describe('readHeader', () => {
  const token = (header: unknown) => `${Buffer.from(typeof header === 'string' ? header : JSON.stringify(header)).toString('base64url')}.e30.c2ln`
  const reason = (text: string) => {
    const verdict = readHeader(text, 'RS256')
    return verdict.ok ? verdict.value : verdict.reason
  }

  // T011, T012
  test.each([['none'], ['None'], ['HS256'], ['RS384'], ['PS256'], ['rs256'], [''], [undefined], [['RS256']]])('refuses the algorithm %p', (alg) => {
    expect(reason(token({ alg, kid: 'k' }))).toBe('id_token_algorithm')
  })

  test.each([
    ['nothing', ''],
    ['a word', 'x'],
    ['two parts', 'e30.e30'],
    ['an encrypted token', 'e30.e30.e30.e30.e30'],
    ['a header that is no JSON', token('{')],
    ['a header that is a list', token([])],
    ['a header that is null', token('null')],
    ['a critical extension', token({ alg: 'RS256', crit: ['exp'] })],
    ['an empty crit', token({ alg: 'RS256', crit: [] })],
    ['unencoded payloads', token({ alg: 'RS256', b64: false, crit: ['b64'] })],
    ['a kid that is a number', token({ alg: 'RS256', kid: 1 })],
  ])('refuses %s', (_, text) => {
    expect(reason(text)).toBe('id_token_malformed')
  })

  test('looks at nothing but alg, crit and kid', () => {
    expect(reason(token({ alg: 'RS256', kid: 'k', typ: 'JWT', jku: 'https://evil.example', jwk: {}, x5u: 'https://evil.example' }))).toEqual({ kid: 'k' })
    expect(reason(token({ alg: 'RS256' }))).toEqual({ kid: undefined })
  })
})

describe('readClaims', () => {
  test.each([['['], ['[]'], ['null'], ['"text"'], ['{"a":1'], ['\ufffd']])('refuses %p', (text) => {
    expect(readClaims(new TextEncoder().encode(text)).ok).toBe(false)
  })

  test('refuses bytes that are not UTF-8', () => {
    expect(readClaims(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])).ok).toBe(false)
  })
})
