// Codes and tokens: how they are made, written, read and stored.
import { alphabet, generateRandomString } from 'oslo/crypto'
import { createHash } from 'node:crypto'

/** RFC 8628 §6.1: no vowels, so no words; 20 letters to the 8th is 34.5 bits. */
export const USER_CODE_LETTERS = 'BCDFGHJKMNPQRSTVWXYZ'
const USER_CODE_LENGTH = 8
const URL_SAFE = alphabet('a-z', 'A-Z', '0-9', '-', '_')
/** 43 characters of 6 bits: 258 bits. */
const TOKEN_LENGTH = 43

/** Eight letters, as stored: without the dash. */
export function createUserCode(): string {
  return generateRandomString(USER_CODE_LENGTH, USER_CODE_LETTERS)
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
  return prefix + generateRandomString(TOKEN_LENGTH, URL_SAFE)
}

/** What is stored instead of a code or token. They are random, so a plain hash suffices. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
