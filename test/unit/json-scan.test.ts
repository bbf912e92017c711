import { describe, expect, test } from 'bun:test'
import { fieldsOf, membersOf, scanObject, textOf } from '../../src/json/scan.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** A small generator of its own (mulberry32), so that a failure can be run again. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function randomValue(random: () => number, depth: number): unknown {
  const kind = Math.floor(random() * (depth > 3 ? 6 : 8))
  if (kind === 0) return null
  if (kind === 1) return random() < 0.5
  if (kind === 2) return Math.floor(random() * 1e6) - 5e5
  if (kind === 3) return random() * 10 ** Math.floor(random() * 40 - 20)
  if (kind <= 5) return Array.from({ length: Math.floor(random() * 12) }, () => String.fromCodePoint([0x22, 0x5c, 0x0a, 0x41, 0xe9, 0x1f600, 0x7f][Math.floor(random() * 7)] as number)).join('')
  const size = Math.floor(random() * 4)
  if (kind === 6) return Array.from({ length: size }, () => randomValue(random, depth + 1))
  return Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${at}"\\`, randomValue(random, depth + 1)]))
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('scanObject', () => {
  test('finds the members of the top level, escaped names resolved', () => {
    const body = bytes(' {"mod\\u0065l" : "a" ,\n"nested":{"model":"b"},"stream":true} ')
    const scan = scanObject(body)
    expect(scan.ok && scan.members.map(({ name, valueStart, end }) => [name, Buffer.from(body.subarray(valueStart, end)).toString()])).toEqual([
      ['model', '"a"'],
      ['nested', '{"model":"b"}'],
      ['stream', 'true'],
    ])
  })

  test('agrees with JSON.parse on ten thousand documents and their mutations', () => {
    const random = randomFrom(20_261_123)
    for (let n = 0; n < 10_000; n++) {
      let text = JSON.stringify({ a: randomValue(random, 0), b: randomValue(random, 0) }, undefined, random() < 0.3 ? 1 : undefined)
      if (n % 2 === 1) {
        const at = Math.floor(random() * text.length)
        const other = '{}[],:"\\0-.eE+tfn \n\u0001'[Math.floor(random() * 20)] as string
        text = text.slice(0, at) + other + text.slice(at + (random() < 0.5 ? 1 : 0))
      }
      // A mutation may have cut a character in two.
      text = text.toWellFormed()
      const scan = scanObject(bytes(text))
      const parsed = isJson(text) ? JSON.parse(text) : undefined
      const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      if (scan.ok !== isObject) throw new Error(`document ${n} is judged ${scan.ok}: ${text}`)
      if (!scan.ok) continue
      for (const { name, valueStart, end } of new Map(scan.members.map((member) => [member.name, member])).values()) {
        expect(JSON.parse(Buffer.from(bytes(text).subarray(valueStart, end)).toString())).toEqual(parsed[name])
      }
    }
  })

  test.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['a word', 'hello'],
    ['a truncated object', '{"model":"a"'],
    ['a trailing comma', '{"model":"a",}'],
    ['something after the object', '{"model":"a"}{}'],
    ['a byte order mark', '\ufeff{"model":"a"}'],
    ['a nested fault', '{"messages":[{]}'],
    ['a leading zero', '{"a":01}'],
    ['a bare minus', '{"a":-}'],
    ['a raw line end in a string', '{"a":"\n"}'],
    ['an unknown escape', '{"a":"\\q"}'],
    ['half an escape', '{"a":"\\u00"}'],
    ['nesting without end', `{"a":${'['.repeat(100_000)}`],
  ])('refuses %s as invalid JSON', (_, text) => {
    expect(scanObject(bytes(text))).toEqual({ ok: false, reason: 'invalid_json' })
  })

  test('refuses invalid UTF-8', () => {
    expect(scanObject(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toEqual({ ok: false, reason: 'invalid_json' })
  })

  test.each(['[]', '"text"', '1', 'null', '[{"model":"a"}]'])('says that %s is JSON but no object', (text) => {
    expect(scanObject(bytes(text))).toEqual({ ok: false, reason: 'not_an_object' })
  })
})

describe('a flood', () => {
  const members = (count: number) => Array.from({ length: count }, (_, at) => `"k${at}":0`).join(',')
  const tooMany = { ok: false, reason: 'too_many_members' } as const

  test('of members of the top level is refused at the thousand and first', () => {
    expect(scanObject(bytes(`{${members(1000)}}`)).ok).toBe(true)
    expect(scanObject(bytes(`{${members(1001)}}`))).toEqual(tooMany)
    // Nothing behind it is read.
    expect(scanObject(bytes(`{${members(2_000_000)},`))).toEqual(tooMany)
  })

  test.each([
    ['items', (count: number) => `{"a":[${Array(count).fill('0').join(',')}]}`],
    ['empty arrays', (count: number) => `{"a":[${Array(count).fill('[]').join(',')}]}`],
    ['members inside', (count: number) => `{"a":{${Array(count).fill('"b":0').join(',')}}}`],
    ['lists in many members', (count: number) => `{${members(999)},"a":[${Array(count - 999).fill('0').join(',')}]}`],
  ])('of %s is refused at the five hundred thousand and first value', (_, flood) => {
    // The list or object that holds them is one too.
    expect(scanObject(bytes(flood(499_999))).ok).toBe(true)
    expect(scanObject(bytes(flood(500_000)))).toEqual(tooMany)
  })
})

describe('fieldsOf', () => {
  const named = (text: string, asked: string[]) => fieldsOf(bytes(text), 0, asked).map(({ name }) => name)

  test('finds the names that are asked for in any spelling, and no other', () => {
    expect(named('{"type":1,"typ":2,"types":3,"t\\u0079p\\u0065":4,"\\u0054ype":5,"t\\u0079p":6,"":7,"t\\nype":8,"sc\\u006Fpe":9}', ['type', 'scope'])).toEqual(['type', undefined, undefined, 'type', undefined, undefined, undefined, undefined, 'scope'])
  })

  test('agrees with membersOf on every key of up to three characters of these', () => {
    const letters = ['a', 'b', '\\u0061', '\\u0062', '\\u00e9', 'é', '\\\\', '\\"', '\\n', 'u', '0', '']
    const keys = letters.flatMap((one) => letters.flatMap((two) => letters.map((three) => one + two + three)))
    const asked = ['a', 'ab', 'ba', 'aab', 'u00', '']
    const text = bytes(`{${keys.map((key) => `"${key}":0`).join(',')}}`)
    expect(fieldsOf(text, 0, asked)).toEqual(membersOf(text, 0).map((member) => ({ ...member, name: asked.includes(member.name) ? member.name : undefined })))
  })
})

describe('textOf', () => {
  test('reads the text of an escaped value', () => {
    const body = bytes('"cl\\u0061ude"')
    expect(textOf(body, 0, body.length)).toBe('claude')
  })
})
