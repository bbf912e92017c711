import { describe, expect, test } from 'bun:test'
import { candidates, usableKeys } from '../../src/oidc/signing-keys.ts'

const modulus = (bits: number) => Buffer.concat([Buffer.from([0x80]), Buffer.alloc(bits / 8 - 1, 1)]).toString('base64url')
const rsa = { kty: 'RSA', n: modulus(2048), e: 'AQAB', kid: 'a', use: 'sig', alg: 'RS256' }
const ec = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'b' }
const count = (key: unknown, algorithm = 'RS256') => usableKeys({ keys: [key] }, algorithm)?.length

describe('usableKeys', () => {
  // T018
  test.each([
    ['an encryption key', { ...rsa, use: 'enc' }],
    ['a key for encrypting', { ...rsa, key_ops: ['encrypt'] }],
    ['operations that are no list', { ...rsa, key_ops: 'verify' }],
    ['a key of another algorithm', { ...rsa, alg: 'RS512' }],
    ['a key of an encryption algorithm', { ...rsa, alg: 'RSA-OAEP' }],
    ['an RSA key of 512 bits', { ...rsa, n: modulus(512) }],
    ['an RSA key of 1024 bits', { ...rsa, n: modulus(1024) }],
    ['an RSA key of 2040 bits', { ...rsa, n: modulus(2040) }],
    ['an RSA key padded with zeros', { ...rsa, n: Buffer.concat([Buffer.alloc(128), Buffer.from(modulus(1024), 'base64url')]).toString('base64url') }],
    ['an RSA key too large to verify with', { ...rsa, n: modulus(16_384) }],
    ['an RSA key without modulus', { ...rsa, n: undefined }],
    ['an empty modulus', { ...rsa, n: '' }],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }],
    ['a symmetric key that calls itself RS256', { kty: 'oct', k: 'c2VjcmV0', alg: 'RS256' }],
    ['an EC key for RS256', ec],
    ['a key type that is no text', { ...rsa, kty: ['RSA'] }],
    ['null', null],
    ['text', 'RSA'],
  ])('leaves out %s', (_, key) => {
    expect(count(key)).toBe(0)
  })

  test('leaves out a curve of another algorithm', () => {
    expect(count(ec, 'ES256')).toBe(1)
    expect(count({ ...ec, crv: 'P-384' }, 'ES256')).toBe(0)
    expect(count({ ...ec, crv: 'secp256k1' }, 'ES256')).toBe(0)
  })

  test('knows no keys for symmetric algorithms and none', () => {
    for (const algorithm of ['HS256', 'none', '__proto__', 'constructor']) expect(usableKeys({ keys: [rsa, { kty: 'oct', k: 'x' }] }, algorithm)).toBeUndefined()
  })

  test('keeps the public members only', () => {
    expect(usableKeys({ keys: [{ ...rsa, d: 'private', x5u: 'https://evil.example' }] }, 'RS256')).toEqual([{ kid: 'a', jwk: { kty: 'RSA', n: rsa.n, e: 'AQAB' } }])
  })

  test('looks at a hundred keys and no more', () => {
    expect(usableKeys({ keys: Array.from({ length: 10_000 }, () => rsa) }, 'RS256')).toHaveLength(100)
  })

  test.each([[null], [[]], [{}], [{ keys: {} }], ['keys']])('finds no key set in %p', (document) => {
    expect(usableKeys(document, 'RS256')).toBeUndefined()
  })
})

describe('candidates', () => {
  const keys = usableKeys({ keys: [rsa, { ...rsa, kid: 'c' }, { ...rsa, kid: 'c' }, { ...rsa, kid: undefined }] }, 'RS256') ?? []

  test('are the keys of the name, all of them when it is repeated', () => {
    expect(candidates(keys, 'a')).toHaveLength(1)
    expect(candidates(keys, 'c')).toHaveLength(2)
    expect(candidates(keys, 'z')).toHaveLength(0)
  })

  test('are all keys for a token without kid', () => {
    expect(candidates(keys, undefined)).toHaveLength(4)
  })
})
