import { GatewayError } from '../errors.ts'

/** Throws 400 `field: reason`. */
export function refuse(field: string, reason: string): never {
  throw new GatewayError('invalid_request', `${field}: ${reason}`)
}

/** Control characters (PostgreSQL takes no NUL), line ends of Unicode, and what turns the direction of a log line around. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** Text from outside that is stored, logged and shown: given back when it is short enough and can be printed. */
export function checkName(value: string, field: string, mostCharacters = 320): string {
  if (value.length > mostCharacters) refuse(field, `is longer than ${mostCharacters} characters`)
  if (UNPRINTABLE.test(value) || !value.isWellFormed()) refuse(field, 'has a character that cannot be printed')
  return value
}
