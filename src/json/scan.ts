// JSON as bytes: checked and located in one pass, no object is built. What goes upstream later are the same bytes, so what
// was checked is what is sent. The walks below are for JSON that `scanObject` has checked: they check nothing themselves.
import { isUtf8 } from 'node:buffer'
import { createScanner, type Located, type Marks, type Refusal } from './scanner.ts'

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

export type Scan = { readonly ok: true; readonly members: readonly Member[]; readonly marks: Marks } | { readonly ok: false; readonly reason: Refusal }

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const [BRACE_OPEN, BRACE_CLOSE, BRACKET_OPEN, BRACKET_CLOSE] = [0x7b, 0x7d, 0x5b, 0x5d]

/** Checked JSON with the members of its top level. */
export interface JsonObject {
  readonly bytes: Uint8Array
  readonly members: readonly Member[]
}

/** As it was scanned: an edit would leave marks behind that are no longer true. */
export interface MarkedObject extends JsonObject {
  readonly marks: Marks
}

/** The member of this name that counts: with a name twice the last one. */
export function memberOf<member extends Pick<Field, 'name'>>(members: readonly member[], name: string): member | undefined {
  return members.findLast((member) => member.name === name)
}

const scanner = createScanner()

/**
 * Checks that the bytes are one JSON object and locates its members. A byte order mark, invalid UTF-8, anything after the
 * object and nesting deeper than 1024 are invalid. More than 1000 members, or 500,000 values at any depth, are too many.
 */
export function scanObject(bytes: Uint8Array): Scan {
  const scanned = isUtf8(bytes) ? scanner(bytes) : 'invalid_json'
  if (typeof scanned === 'string') return { ok: false, reason: scanned }
  const named = ({ start, keyEnd, valueStart, end }: Located) => ({ name: textOf(bytes, start, keyEnd), start, valueStart, end })
  return { ok: true, members: scanned.members.map(named), marks: scanned.marks }
}

type NameOf<name> = (bytes: Uint8Array, start: number, end: number) => name

function walkMembers<name>(bytes: Uint8Array, open: number, nameOf: NameOf<name>): (Omit<Member, 'name'> & { readonly name: name })[] {
  const members: (Omit<Member, 'name'> & { readonly name: name })[] = []
  let at = skipSpace(bytes, open + 1)
  while (at < bytes.length && bytes[at] !== BRACE_CLOSE) {
    const start = at
    const keyEnd = skipString(bytes, at)
    const valueStart = pastColon(bytes, keyEnd)
    const end = skipValue(bytes, valueStart)
    members.push({ name: nameOf(bytes, start, keyEnd), start, valueStart, end })
    at = pastComma(bytes, end)
  }
  return members
}

/** The members of the object that opens at `open`, in JSON that `scanObject` has checked. */
export function membersOf(bytes: Uint8Array, open: number): Member[] {
  return walkMembers(bytes, open, textOf)
}

/**
 * The same members, of which only those in `asked` have a name: no other is decoded, there may be half a million of them.
 * `asked` are of ASCII letters, digits and `-_.` alone.
 */
export function fieldsOf(bytes: Uint8Array, open: number, asked: readonly string[]): Field[] {
  return walkMembers<string | undefined>(bytes, open, (_, start, end) => {
    for (const name of asked) if (isKey(bytes, start, end, name)) return name
    return undefined
  })
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
  let at = skipSpace(bytes, open + 1)
  while (at < bytes.length && bytes[at] !== BRACKET_CLOSE) {
    items.push(at)
    at = pastComma(bytes, skipValue(bytes, at))
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

/** Past the value at `at`, in checked JSON: there every bracket has its other half, so that counting them is enough. */
export function skipValue(bytes: Uint8Array, from: number): number {
  if (!isObjectAt(bytes, from) && !isArrayAt(bytes, from)) return skipScalar(bytes, from)
  let depth = 0
  let at = from
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = skipString(bytes, at)
      continue
    }
    at++
    if (byte === BRACE_OPEN || byte === BRACKET_OPEN) depth++
    else if ((byte === BRACE_CLOSE || byte === BRACKET_CLOSE) && --depth === 0) return at
  }
  return at
}

/** Past the string, number, `true`, `false` or `null` at `from`, in checked JSON. */
export function skipScalar(bytes: Uint8Array, from: number): number {
  if (isStringAt(bytes, from)) return skipString(bytes, from)
  let at = from
  while (at < bytes.length && !endsScalar(bytes[at] as number)) at++
  return at
}

function endsScalar(byte: number): boolean {
  return byte === COMMA || byte === BRACE_CLOSE || byte === BRACKET_CLOSE || byte <= 0x20
}

/** Past the string that opens at `open`, in checked JSON. Most of a request is long strings: the native search takes an eighth of what a loop does. */
export function skipString(bytes: Uint8Array, open: number): number {
  for (let at = bytes.indexOf(QUOTE, open + 1); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let first = at
    while (bytes[first - 1] === BACKSLASH) first--
    // Of an even number each escapes another.
    if ((at - first) % 2 === 0) return at + 1
  }
  return bytes.length
}

export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++
  return at
}

/** From the end of a key to its value. */
export function pastColon(bytes: Uint8Array, from: number): number {
  return skipSpace(bytes, skipSpace(bytes, from) + 1)
}

/** From the end of a value to what follows: the next one, or the bracket that closes. */
export function pastComma(bytes: Uint8Array, from: number): number {
  const at = skipSpace(bytes, from)
  return bytes[at] === COMMA ? skipSpace(bytes, at + 1) : at
}
