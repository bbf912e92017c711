import { describe, expect, test } from 'bun:test'
import { createSealer } from '../../src/session/seal.ts'
import { Secret } from '../../src/std/secret.ts'

const OLD = new Secret('an-old-secret-of-thirty-two-bytes---')
const NEW = new Secret('a-new-secret-of-thirty-two-bytes----')

describe('sealing', () => {
  test('opens what it sealed and never shows it', () => {
    const sealed = createSealer([OLD]).seal('refresh-token-of-the-idp', 'idp_refresh_token')
    expect(sealed).not.toContain('refresh-token')
    expect(createSealer([OLD]).open(sealed, 'idp_refresh_token')).toBe('refresh-token-of-the-idp')
  })

  test('opens nothing sealed for another purpose, with another secret, or altered in any character', () => {
    const sealed = createSealer([OLD]).seal('x', 'a')
    expect(createSealer([OLD]).open(sealed, 'b')).toBeUndefined()
    expect(createSealer([NEW]).open(sealed, 'a')).toBeUndefined()
    for (let at = 0; at < sealed.length - 1; at++) {
      const altered = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
      expect(createSealer([OLD]).open(altered, 'a')).toBeUndefined()
    }
  })

  test('keeps opening what the secret before it sealed', () => {
    const sealed = createSealer([OLD]).seal('x', 'a')
    expect(createSealer([NEW, OLD]).open(sealed, 'a')).toBe('x')
  })
})
