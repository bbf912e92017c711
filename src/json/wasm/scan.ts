// The strict reading of JSON, in AssemblyScript: `bun scripts/wasm.ts` compiles it to scan.wasm. One pass checks the whole
// grammar, locates the members of the top level and notes which of the API's words occur. The bytes are UTF-8, the caller
// has seen to it, and has put 32 zeros behind them: a zero is part of no JSON, so that whatever is open there ends there.

/** Deeper than any request, shallower than what could hurt a parser further on. Of the values in a top-level object, each. */
const MAX_DEPTH: i32 = 1024
/** The Messages API has some thirty fields. */
const MAX_MEMBERS: i32 = 1000
/** Of members and items at any depth: more than the context of a model holds, few enough to visit one by one for each upstream. */
const MAX_VALUES: i32 = 500_000

// What a scan returns below zero. From zero on: the marks, and above their eight bits the number of members.
const INVALID: i32 = -1
const NOT_AN_OBJECT: i32 = -2
const TOO_MANY: i32 = -3

// The marks; src/json/scanner.ts has them too.
const HOUR: i32 = 1
const CACHE_CONTROL: i32 = 2
const URL: i32 = 4
const FILE_ID: i32 = 8
const MODEL: i32 = 16
/** Not handed out: of a key in whose value any words are the person's or their tools' own. */
const INPUT: i32 = 32
const DATA: i32 = 64
/** They count further in than the top level, and not within an input. */
const INNER: i32 = MODEL | DATA

const QUOTE: u8 = 0x22
const BACKSLASH: u8 = 0x5c
const COMMA: u8 = 0x2c
const COLON: u8 = 0x3a
const BRACE_OPEN: u8 = 0x7b
const BRACE_CLOSE: u8 = 0x7d
const BRACKET_OPEN: u8 = 0x5b

const NOWHERE: i32 = i32.MAX_VALUE
const MEMBER_BYTES: usize = 16
/** Of the open containers, from the outermost: what closes each. The first stays zero, which closes nothing. */
const closers: usize = memory.data(MAX_DEPTH + 8)
/** A name without its escapes, in quotes. */
const spelling: usize = memory.data(32)
const LONGEST: usize = 13

/** Of each member four numbers of 32 bits, from the body's first byte: its key's first quote, past its last one, the value's start and end. */
export const members: usize = memory.data(MAX_MEMBERS * 16)
/** Where the body is put. */
export const body: usize = (__heap_base + 63) & ~63

export function scan(length: usize): i32 {
  let at = pastSpace(body)
  const isObject = load<u8>(at) == BRACE_OPEN
  // The top-level object is no value in itself.
  const deepest = isObject ? MAX_DEPTH + 1 : MAX_DEPTH
  let valuesLeft = isObject ? MAX_VALUES + 1 : MAX_VALUES
  let membersLeft = MAX_MEMBERS
  let member = members
  let marks = 0
  let depth = 0
  let inputDepth = NOWHERE
  let closer: u8 = 0
  while (true) {
    if (closer == BRACE_CLOSE) {
      if (depth == 1 && --membersLeft < 0) return TOO_MANY
      if (load<u8>(at) != QUOTE) return INVALID
      const keyEnd = pastString(at)
      if (keyEnd == 0) return INVALID
      const found = keyEnd > 0 ? keyMark(at, keyEnd) : spelledKeyMark(at)
      // What is in the value of an input stands deeper than its key.
      if (depth <= inputDepth) {
        inputDepth = (found & INPUT) != 0 ? depth : NOWHERE
        marks |= depth == 1 ? found & ~INNER : found
      } else marks |= found & ~INNER
      if (depth == 1) store<u32>(member, at - body)
      const pastKey = <usize>abs(keyEnd)
      at = pastSpace(pastKey)
      if (load<u8>(at) != COLON) return INVALID
      at = pastSpace(at + 1)
      if (depth == 1) {
        store<u32>(member, pastKey - body, 4)
        store<u32>(member, at - body, 8)
      }
    }
    if (--valuesLeft < 0) return TOO_MANY
    const byte = load<u8>(at)
    if (byte == QUOTE) {
      const end = pastString(at)
      if (end == 0) return INVALID
      const found = end > 0 ? valueMark(at, end) : spelledValueMark(at)
      // An item is the value of no member.
      marks |= closer == BRACE_CLOSE ? found : found & ~URL
      at = <usize>abs(end)
    } else if (byte == BRACE_OPEN || byte == BRACKET_OPEN) {
      at = pastSpace(at + 1)
      const closing = byte + 2
      if (load<u8>(at) == closing) at++
      else {
        if (depth == deepest) return INVALID
        closer = closing
        store<u8>(closers + ++depth, closing)
        continue
      }
    } else {
      at = pastScalar(at, byte)
      if (at == 0) return INVALID
    }
    // A value has ended: close what ends with it, or go on to the next one.
    while (true) {
      if (depth == 1 && closer == BRACE_CLOSE) {
        store<u32>(member, at - body, 12)
        member += MEMBER_BYTES
      }
      at = pastSpace(at)
      if (depth == 0) {
        if (at != body + length) return INVALID
        return isObject ? ((MAX_MEMBERS - membersLeft) << 8) | (marks & ~INPUT) : NOT_AN_OBJECT
      }
      const next = load<u8>(at)
      if (next == COMMA) {
        at = pastSpace(at + 1)
        break
      }
      if (next != closer) return INVALID
      closer = load<u8>(closers + --depth)
      if (depth < inputDepth) inputDepth = NOWHERE
      at++
    }
  }
}

/** Past the string that opens at `open`, below zero when a `\u` is in it; 0 when it is none. */
function pastString(open: usize): i32 {
  let isSpelled = false
  let at = open + 1
  while (true) {
    const block = v128.load(at)
    // With this bit turned the quote is 0x20, the space is not, and control characters stay what they are.
    const turned = v128.xor(block, i8x16.splat(0x02))
    const quoteOrControl = i8x16.eq(i8x16.min_u(turned, i8x16.splat(0x20)), turned)
    const stops = i8x16.bitmask(v128.or(quoteOrControl, i8x16.eq(block, i8x16.splat(BACKSLASH))))
    if (stops == 0) {
      at += 16
      continue
    }
    at += ctz(stops)
    const byte = load<u8>(at)
    if (byte == QUOTE) return isSpelled ? -<i32>(at + 1) : <i32>(at + 1)
    if (byte != BACKSLASH) return 0
    const escaped = load<u8>(at, 1)
    if (escaped == 0x75) {
      if (!isHex(load<u8>(at, 2)) || !isHex(load<u8>(at, 3)) || !isHex(load<u8>(at, 4)) || !isHex(load<u8>(at, 5))) return 0
      isSpelled = true
      at += 6
    } else {
      if (!isEscape(escaped)) return 0
      at += 2
    }
  }
}

/** Of " \ / b f n r t */
function isEscape(byte: u8): bool {
  return byte == 0x6e || byte == QUOTE || byte == BACKSLASH || byte == 0x74 || byte == 0x2f || byte == 0x72 || byte == 0x62 || byte == 0x66
}

function isHex(byte: u8): bool {
  return isDigit(byte) || <u8>((byte | 0x20) - 0x61) < 6
}

function isDigit(byte: u8): bool {
  return <u8>(byte - 0x30) < 10
}

function pastSpace(from: usize): usize {
  let at = from
  for (let byte = load<u8>(at); byte <= 0x20 && ((0x1_0000_2600 >> <u64>byte) & 1) != 0; byte = load<u8>(at)) at++
  return at
}

/** Past the number, `true`, `false` or `null` at `at`, or 0. */
function pastScalar(at: usize, byte: u8): usize {
  if (byte == 0x2d || isDigit(byte)) return pastNumber(at)
  const word = load<u32>(at)
  if (word == 0x65757274 || word == 0x6c6c756e) return at + 4
  return word == 0x736c6166 && load<u8>(at, 4) == 0x65 ? at + 5 : 0
}

function pastNumber(from: usize): usize {
  let at = load<u8>(from) == 0x2d ? from + 1 : from
  if (load<u8>(at) == 0x30) at++
  else {
    const digits = at
    at = pastDigits(at)
    if (at == digits) return 0
  }
  if (load<u8>(at) == 0x2e) {
    const digits = at + 1
    at = pastDigits(digits)
    if (at == digits) return 0
  }
  if ((load<u8>(at) | 0x20) == 0x65) {
    at++
    if (load<u8>(at) == 0x2b || load<u8>(at) == 0x2d) at++
    const digits = at
    at = pastDigits(at)
    if (at == digits) return 0
  }
  return at
}

function pastDigits(from: usize): usize {
  let at = from
  while (isDigit(load<u8>(at))) at++
  return at
}

/** Of a key from its first quote until past its last one. */
function keyMark(start: usize, end: usize): i32 {
  const first = load<u64>(start)
  switch (<i32>(end - start)) {
    case 6:
      return (first & 0x0000_ffff_ffff_ffff) == 0x0000_2261_7461_6422 ? DATA : 0 // "data"
    case 7: {
      const name = first & 0x00ff_ffff_ffff_ffff
      return name == 0x0022_6c65_646f_6d22 ? MODEL : name == 0x0022_7475_706e_6922 ? INPUT : 0 // "model" "input"
    }
    case 9:
      return fileMark(start)
    case 14:
      return first == 0x735f_7475_706e_6922 && load<u64>(start, 6) == 0x2261_6d65_6863_735f ? INPUT : 0 // "input_s _schema"
    case 15:
      return first == 0x635f_6568_6361_6322 && load<u64>(start, 7) == 0x226c_6f72_746e_6f63 ? CACHE_CONTROL : 0 // "cache_c control"
    default:
      return 0
  }
}

/** Of a string that is a value, taken for one of a member. */
function valueMark(start: usize, end: usize): i32 {
  const length = end - start
  if (length == 4) return load<u32>(start) == 0x2268_3122 ? HOUR : 0 // "1h"
  if (length == 5) return load<u32>(start) == 0x6c72_7522 ? URL : 0 // "url"
  if (length == 9) return fileMark(start)
  return 0
}

/** Of nine bytes. */
function fileMark(start: usize): i32 {
  return load<u64>(start) == 0x6469_5f65_6c69_6622 ? FILE_ID : 0 // "file_id"
}

function spelledKeyMark(open: usize): i32 {
  const end = spell(open)
  return end == 0 ? 0 : keyMark(spelling, end)
}

function spelledValueMark(open: usize): i32 {
  const end = spell(open)
  return end == 0 ? 0 : valueMark(spelling, end)
}

/** Writes the checked string at `open` without its escapes to `spelling` and says where it ends; 0 where it is too long or not of ASCII letters, as no word is that is looked for. */
function spell(open: usize): usize {
  let at = open + 1
  let to = spelling
  store<u8>(to, QUOTE)
  while (true) {
    let letter = load<u8>(at)
    if (letter == QUOTE) {
      store<u8>(to, QUOTE, 1)
      return to + 2
    }
    if (letter != BACKSLASH) at++
    else {
      // Of the escapes, `\u00` alone can spell a letter, a digit or `_`.
      if (load<u8>(at, 1) != 0x75 || load<u16>(at, 2) != 0x3030) return 0
      letter = (hexOf(load<u8>(at, 4)) << 4) | hexOf(load<u8>(at, 5))
      at += 6
    }
    if (to - spelling == LONGEST) return 0
    store<u8>(++to, letter)
  }
}

function hexOf(digit: u8): u8 {
  return digit <= 0x39 ? digit - 0x30 : (digit | 0x20) - 0x57
}
