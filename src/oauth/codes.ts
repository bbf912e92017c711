// Codes and tokens: how they are made, written, read and stored.
import { createHash, randomBytes } from 'node:crypto'

/** RFC 8628 §6.1: no vowels, so no words; 20 letters to the 8th is 34.5 bits. */
export const USER_CODE_LETTERS = 'BCDFGHJKMNPQRSTVWXYZ'
const USER_CODE_LENGTH = 8
/** Of a byte's values so many fall on each letter equally often; the others are drawn again, or the first letters would come more often. */
const FAIR_VALUES = 256 - (256 % USER_CODE_LETTERS.length)
/** 33 bytes make 44 characters of 6 bits, of which 43 are 258 bits. */
const [TOKEN_BYTES, TOKEN_LENGTH] = [33, 43]

/** Eight letters, as stored: without the dash. */
export function createUserCode(): string {
  let code = ''
  while (code.length < USER_CODE_LENGTH) {
    const fair = randomBytes(2 * USER_CODE_LENGTH).filter((byte) => byte < FAIR_VALUES)
    for (const byte of fair) code += USER_CODE_LETTERS[byte % USER_CODE_LETTERS.length]
  }
  return code.slice(0, USER_CODE_LENGTH)
}

/** `XXXX-XXXX` */
export function showUserCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

/**
 * What a person typed, in any case, with or without dashes and blanks; undefined when it cannot be a code. ASCII only:
 * upper-casing makes letters out of others (`ß`, `ſ`).
 */
export function readUserCode(typed: string | undefined): string | undefined {
  if (typed === undefined || typed.length > 32 || !/^[A-Za-z -]+$/.test(typed.trim())) return undefined
  const letters = typed.replace(/[\s-]/g, '').toUpperCase()
  return letters.length === USER_CODE_LENGTH && [...letters].every((letter) => USER_CODE_LETTERS.includes(letter)) ? letters : undefined
}

/** A random value that nobody guesses: at least 256 bits. */
export function createOpaqueToken(prefix = ''): string {
  return prefix + randomBytes(TOKEN_BYTES).toString('base64url').slice(0, TOKEN_LENGTH)
}

/** What is stored instead of a code or token. They are random, so a plain hash suffices. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
