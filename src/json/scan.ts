// One pass over JSON as bytes: the whole grammar is checked, no object is built, and the top level's members are located.
// What goes upstream later are the same bytes, so what was checked is what is sent.
import { isUtf8 } from 'node:buffer'

export interface Member {
  readonly name: string
  /** Offset of the key's opening quote. */
  readonly start: number
  readonly valueStart: number
  /** Just past the value. */
  readonly end: number
}

/** A member whose name is undefined when it is none of those that were asked for. */
export type Field = Omit<Member, 'name'> & { readonly name: string | undefined }

export type Scan = { readonly ok: true; readonly members: readonly Member[] } | { readonly ok: false; readonly reason: 'invalid_json' | 'not_an_object' | 'too_many_members' }

/** Deeper than any request, shallower than what could hurt a parser further on. */
const MAX_DEPTH = 1024
/** The Messages API has some thirty fields. */
const MAX_MEMBERS = 1000
/** Of members and items at any depth: more than the context of a model holds, few enough to visit one by one for each upstream. */
const MAX_VALUES = 500_000
const [OBJECT, ARRAY] = [1, 2]
const [QUOTE, BACKSLASH, COMMA, COLON, MINUS, PLUS, DOT] = [0x22, 0x5c, 0x2c, 0x3a, 0x2d, 0x2b, 0x2e]
const [BRACE_OPEN, BRACE_CLOSE, BRACKET_OPEN, BRACKET_CLOSE] = [0x7b, 0x7d, 0x5b, 0x5d]
const FAILED = -1

/** Checked JSON with the members of its top level. */
export interface JsonObject {
  readonly bytes: Uint8Array
  readonly members: readonly Member[]
}

/** The member of this name that counts: with a name twice the last one. */
export function memberOf<member extends Pick<Field, 'name'>>(members: readonly member[], name: string): member | undefined {
  return members.findLast((member) => member.name === name)
}

/** What a scan has passed; `tooMany` says why it failed. */
export interface Tally {
  values: number
  tooMany: boolean
}

export const newTally = (): Tally => ({ values: 0, tooMany: false })

/** Locates the members of a JSON object. A byte order mark, invalid UTF-8 or anything after the object is invalid. */
export function scanObject(bytes: Uint8Array): Scan {
  const start = skipSpace(bytes, 0)
  if (!isUtf8(bytes) || start >= bytes.length) return { ok: false, reason: 'invalid_json' }
  const isObject = bytes[start] === BRACE_OPEN
  const members: Member[] = []
  const tally = newTally()
  const end = isObject ? scanMembers(bytes, start, textOf, members, tally, MAX_MEMBERS) : skipValue(bytes, start, tally)
  if (tally.tooMany) return { ok: false, reason: 'too_many_members' }
  if (end === FAILED || skipSpace(bytes, end) !== bytes.length) return { ok: false, reason: 'invalid_json' }
  return isObject ? { ok: true, members } : { ok: false, reason: 'not_an_object' }
}

type NameOf<name> = (bytes: Uint8Array, start: number, end: number) => name

function scanMembers<name>(bytes: Uint8Array, open: number, nameOf: NameOf<name>, members: (Omit<Member, 'name'> & { readonly name: name })[], tally: Tally, most: number): number {
  let at = skipSpace(bytes, open + 1)
  if (bytes[at] === BRACE_CLOSE) return at + 1
  for (;;) {
    if (members.length === most) {
      tally.tooMany = true
      return FAILED
    }
    const start = at
    const keyEnd = bytes[at] === QUOTE ? skipString(bytes, at) : FAILED
    if (keyEnd === FAILED) return FAILED
    at = skipSpace(bytes, keyEnd)
    if (bytes[at] !== COLON) return FAILED
    const valueStart = skipSpace(bytes, at + 1)
    const end = skipValue(bytes, valueStart, tally)
    if (end === FAILED) return FAILED
    members.push({ name: nameOf(bytes, start, keyEnd), start, valueStart, end })
    at = skipSpace(bytes, end)
    if (bytes[at] === BRACE_CLOSE) return at + 1
    if (bytes[at] !== COMMA) return FAILED
    at = skipSpace(bytes, at + 1)
  }
}

/** The members of the object that opens at `open`, in JSON that `scanObject` has checked. */
export function membersOf(bytes: Uint8Array, open: number): Member[] {
  const members: Member[] = []
  scanMembers(bytes, open, textOf, members, newTally(), Infinity)
  return members
}

/**
 * The same members, of which only those in `asked` have a name: no other is decoded, there may be half a million of them.
 * `asked` are of ASCII letters, digits and `-_.` alone.
 */
export function fieldsOf(bytes: Uint8Array, open: number, asked: readonly string[]): Field[] {
  const fields: Field[] = []
  const askedAt: NameOf<string | undefined> = (_, start, end) => {
    for (const name of asked) if (isKey(bytes, start, end, name)) return name
    return undefined
  }
  scanMembers(bytes, open, askedAt, fields, newTally(), Infinity)
  return fields
}

/** Whether the key between two offsets is this name. Of the escapes, `\u` alone can spell such a name. */
export function isKey(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  let at = start + 1
  for (let letter = 0; letter < name.length; letter++) {
    const isEscape = bytes[at] === BACKSLASH && bytes[at + 1] === 0x75
    if ((isEscape ? unitAt(bytes, at + 2) : bytes[at]) !== name.charCodeAt(letter)) return false
    at += isEscape ? 6 : 1
  }
  return at === end - 1
}

/** Of four hexadecimal digits. */
function unitAt(bytes: Uint8Array, at: number): number {
  let unit = 0
  for (let digit = at; digit < at + 4; digit++) {
    const byte = bytes[digit] as number
    unit = unit * 16 + (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57)
  }
  return unit
}

/** Where the items of the array that opens at `open` begin, in JSON that `scanObject` has checked. */
export function itemsOf(bytes: Uint8Array, open: number): number[] {
  const items: number[] = []
  const tally = newTally()
  let at = skipSpace(bytes, open + 1)
  while (at < bytes.length && bytes[at] !== BRACKET_CLOSE) {
    items.push(at)
    at = skipSpace(bytes, skipValue(bytes, at, tally))
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1)
  }
  return items
}

export function isObjectAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === BRACE_OPEN
}

export function isArrayAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === BRACKET_OPEN
}

export function isStringAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === QUOTE
}

/** The text of a top-level member, for what has to be read of a body. */
export function textMember({ bytes, members }: JsonObject, name: string): string | undefined {
  const member = members.find((one) => one.name === name)
  return member !== undefined && isStringAt(bytes, member.valueStart) ? textOf(bytes, member.valueStart, member.end) : undefined
}

/** The text of the string that begins at `at`, in JSON that `scanObject` has checked. */
export function stringAt(bytes: Uint8Array, at: number): string {
  return textOf(bytes, at, skipString(bytes, at))
}

/** The string between two offsets, escapes resolved, so that `mod\u0065l` is `model`. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  const quoted = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
  return quoted.includes(BACKSLASH) ? (JSON.parse(quoted.toString('utf8')) as string) : quoted.toString('utf8', 1, quoted.length - 1)
}

/** One for all values, because there may be half a million: nothing that fills it calls itself. */
const kinds = new Uint8Array(MAX_DEPTH)

/** Past the value at `at`, or FAILED. Without recursion: containers are kept on a stack of their kinds. */
export function skipValue(bytes: Uint8Array, from: number, tally: Tally): number {
  let depth = 0
  let at = from
  for (;;) {
    if (++tally.values > MAX_VALUES) {
      tally.tooMany = true
      return FAILED
    }
    const byte = bytes[at]
    if (byte === BRACE_OPEN || byte === BRACKET_OPEN) {
      const isObject = byte === BRACE_OPEN
      at = skipSpace(bytes, at + 1)
      if (bytes[at] === (isObject ? BRACE_CLOSE : BRACKET_CLOSE)) at++
      else {
        if (depth === MAX_DEPTH) return FAILED
        kinds[depth++] = isObject ? OBJECT : ARRAY
        if (isObject) at = skipKey(bytes, at)
        if (at === FAILED) return FAILED
        continue
      }
    } else at = skipScalar(bytes, at)
    if (at === FAILED) return FAILED
    // A value has ended: close what ends with it, or go on to the next one.
    for (;;) {
      if (depth === 0) return at
      at = skipSpace(bytes, at)
      const inObject = kinds[depth - 1] === OBJECT
      if (bytes[at] === COMMA) {
        at = skipSpace(bytes, at + 1)
        if (inObject) at = skipKey(bytes, at)
        if (at === FAILED) return FAILED
        break
      }
      if (bytes[at] !== (inObject ? BRACE_CLOSE : BRACKET_CLOSE)) return FAILED
      depth--
      at++
    }
  }
}

/** Past `"key" :` and the space after it. */
function skipKey(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== QUOTE) return FAILED
  const end = skipString(bytes, from)
  if (end === FAILED) return FAILED
  const at = skipSpace(bytes, end)
  return bytes[at] === COLON ? skipSpace(bytes, at + 1) : FAILED
}

export function skipScalar(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === QUOTE) return skipString(bytes, at)
  if (byte === MINUS || isDigit(byte)) return skipNumber(bytes, at)
  if (byte === 0x74) return skipWord(bytes, at, 'true')
  if (byte === 0x66) return skipWord(bytes, at, 'false')
  if (byte === 0x6e) return skipWord(bytes, at, 'null')
  return FAILED
}

/** 1 for what ends a run of plain bytes in a string: its end, an escape, a control character. */
const ENDS_RUN = Uint8Array.from({ length: 256 }, (_, byte) => (byte === QUOTE || byte === BACKSLASH || byte < 0x20 ? 1 : 0))
const AT_ONCE = 8

/** Where the next byte that is not plain is, or the end. Most of a request is long strings: eight bytes at once take half the time. */
function skipPlain(bytes: Uint8Array, from: number): number {
  const { length } = bytes
  let at = from
  for (const last = length - AT_ONCE; at <= last; at += AT_ONCE) {
    const ends =
      ENDS_RUN[bytes[at] as number]! | ENDS_RUN[bytes[at + 1] as number]! | ENDS_RUN[bytes[at + 2] as number]! | ENDS_RUN[bytes[at + 3] as number]! |
      ENDS_RUN[bytes[at + 4] as number]! | ENDS_RUN[bytes[at + 5] as number]! | ENDS_RUN[bytes[at + 6] as number]! | ENDS_RUN[bytes[at + 7] as number]!
    if (ends !== 0) break
  }
  while (at < length && ENDS_RUN[bytes[at] as number] === 0) at++
  return at
}

export function skipString(bytes: Uint8Array, from: number): number {
  for (let at = skipPlain(bytes, from + 1); at < bytes.length; at = skipPlain(bytes, at + 1)) {
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    if (byte !== BACKSLASH) return FAILED
    at = skipEscape(bytes, at + 1)
    if (at === FAILED) return FAILED
  }
  return FAILED
}

/** The offset of the escape's last character. */
function skipEscape(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at
    case 0x75: // u
      for (let digit = 1; digit <= 4; digit++) if (!isHexDigit(bytes[at + digit])) return FAILED
      return at + 4
    default:
      return FAILED
  }
}

function skipNumber(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from
  if (bytes[at] === 0x30) at++
  else if (isDigit(bytes[at])) at = skipDigits(bytes, at)
  else return FAILED
  if (bytes[at] === DOT) {
    if (!isDigit(bytes[at + 1])) return FAILED
    at = skipDigits(bytes, at + 1)
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at++
    if (bytes[at] === MINUS || bytes[at] === PLUS) at++
    if (!isDigit(bytes[at])) return FAILED
    at = skipDigits(bytes, at)
  }
  return at
}

function skipDigits(bytes: Uint8Array, from: number): number {
  let at = from
  while (isDigit(bytes[at])) at++
  return at
}

function skipWord(bytes: Uint8Array, at: number, word: string): number {
  for (let letter = 0; letter < word.length; letter++) if (bytes[at + letter] !== word.charCodeAt(letter)) return FAILED
  return at + word.length
}

export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++
  return at
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && ((byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)))
}
