import { describe, expect, test } from 'bun:test'
import { dropPaths, resolvePath } from '../../src/json/drop-paths.ts'
import { applyEdits, editObject, withoutDuplicates, type TopLevelEdits } from '../../src/json/edit.ts'
import { scanObject, type JsonObject } from '../../src/json/scan.ts'

function object(text: string): JsonObject {
  const bytes = new TextEncoder().encode(text)
  const scan = scanObject(bytes)
  if (!scan.ok) throw new Error('the test document is not JSON')
  return { bytes, members: scan.members }
}

const shown = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const edited = (text: string, edits: TopLevelEdits) => shown(editObject(object(text), edits))
const dropped = (text: string, ...paths: string[]) => {
  const document = object(text)
  return shown(applyEdits(document.bytes, dropPaths(document, paths.map((path) => path.split('.')))))
}

describe('editObject', () => {
  test('hands over the very same bytes when nothing changes', () => {
    const document = object('{"model":"a","n":1.0}')
    expect(editObject(document, { drop: new Set(['other']), replace: { absent: '1' } })).toBe(document.bytes)
  })

  test('replaces a value and leaves every other byte', () => {
    expect(edited('{ "n":1.0, "model" : "a", "big":12345678901234567890 }', { replace: { model: '"b"' } })).toBe('{ "n":1.0, "model" : "b", "big":12345678901234567890 }')
  })

  test.each([
    ['the first', ['a'], '{"b":2,"c":3}'],
    ['the one between', ['b'], '{"a":1,"c":3}'],
    ['the last', ['c'], '{"a":1,"b":2}'],
    ['the first two', ['a', 'b'], '{"c":3}'],
    ['the last two', ['b', 'c'], '{"a":1}'],
    ['the outer ones', ['a', 'c'], '{"b":2}'],
    ['all', ['a', 'b', 'c'], '{}'],
  ])('leaves out %s of three members, with its commas', (_, names, text) => {
    expect(edited('{"a":1,"b":2,"c":3}', { drop: new Set(names) })).toBe(text)
  })

  test.each([
    ['{}', '{"v":1}'],
    ['{"a":1}', '{"v":1,"a":1}'],
    ['{"model":1}', '{"v":1}'],
    ['{"model":1,"a":2}', '{"v":1,"a":2}'],
    [' {\n "model":1,\n "a":2 } ', ' {"v":1,\n "a":2 } '],
  ])('puts a member first while it leaves model out of %s', (text, expected) => {
    expect(edited(text, { drop: new Set(['model']), add: { v: '1' } })).toBe(expected)
  })

  test('leaves out any choice of six members, and what is left is JSON', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    for (let choice = 0; choice < 64; choice++) {
      const drop = new Set(names.filter((_, at) => (choice >> at) & 1))
      const text = edited(`{ ${names.map((name, at) => `"${name}" : ${at}`).join(' , ')} }`, { drop, add: { new: '1' } })
      expect(Object.keys(JSON.parse(text))).toEqual(['new', ...names.filter((name) => !drop.has(name))])
    }
  })

  test('leaves members alone that are called as what every object has', () => {
    const document = object('{"constructor":1,"toString":2,"__proto__":3,"model":"a"}')
    expect(shown(editObject(document, { replace: { model: '"b"' } }))).toBe('{"constructor":1,"toString":2,"__proto__":3,"model":"b"}')
  })

  test('takes more edits than a call takes arguments', () => {
    const pairs = 800_000
    const bytes = new TextEncoder().encode(`{${Array(pairs).fill('"a":0,"b":0').join(',')}}`)
    const members = Array.from({ length: 2 * pairs }, (_, at) => ({ name: at % 2 === 0 ? 'a' : 'b', start: 1 + 6 * at, valueStart: 5 + 6 * at, end: 6 + 6 * at }))
    expect(shown(editObject({ bytes, members }, { drop: new Set(['a']) }))).toBe(`{${Array(pairs).fill('"b":0').join(',')}}`)
  })

  test('leaves a member out together with the edits inside it', () => {
    const document = object('{"a":{"x":1},"b":2}')
    const inside = dropPaths(document, [['a', 'x']])
    expect(shown(editObject(document, { drop: new Set(['a']), inside }))).toBe('{"b":2}')
  })
})

describe('withoutDuplicates', () => {
  test('is the very same object when there is nothing to leave out', () => {
    const document = object('{"model":"a","n":1.0}')
    expect(withoutDuplicates(document, new Set(['tags']))).toBe(document)
  })

  test('leaves out what is named', () => {
    expect(shown(withoutDuplicates(object('{"tags":["x"],"model":"a","n":1.0}'), new Set(['tags'])).bytes)).toBe('{"model":"a","n":1.0}')
    expect(shown(withoutDuplicates(object('{"tags":1}'), new Set(['tags'])).bytes)).toBe('{}')
  })

  // T149
  test('keeps the last of a name given twice, in any spelling, and finds it where it now is', () => {
    const once = withoutDuplicates(object('{ "model":"cheap", "n":1, "mod\\u0065l":"dear" }'), new Set())
    expect(shown(once.bytes)).toBe('{"n":1,"mod\\u0065l":"dear"}')
    expect(shown(editObject(once, { replace: { model: '"renamed"' } }))).toBe('{"n":1,"mod\\u0065l":"renamed"}')
  })
})

describe('dropPaths', () => {
  test('takes a field out of every item of an array, and nothing of the same name elsewhere', () => {
    expect(dropped('{"tools":[{"strict":true,"name":"a"},{"name":"b","strict":false}],"strict":1,"x":{"strict":2}}', 'tools.*.strict')).toBe('{"tools":[{"name":"a"},{"name":"b"}],"strict":1,"x":{"strict":2}}')
  })

  test('takes neighbours out together', () => {
    expect(dropped('{"tools":[{"strict":true,"defer_loading":true,"name":"a"},{"name":"b","strict":1,"defer_loading":2}]}', 'tools.*.strict', 'tools.*.defer_loading')).toBe('{"tools":[{"name":"a"},{"name":"b"}]}')
  })

  test('reaches through blocks inside blocks', () => {
    const cached = '{"type":"text","cache_control":{"type":"ephemeral","scope":"global"}}'
    const plain = '{"type":"text","cache_control":{"type":"ephemeral"}}'
    const body = (block: string) => `{"messages":[{"content":[${block},{"type":"tool_result","content":[${block}]}]},{"content":"scope"}]}`
    expect(dropped(body(cached), 'messages.*.content.*.cache_control.scope', 'messages.*.content.*.content.*.cache_control.scope')).toBe(body(plain))
  })

  test('takes a field out of objects of the type that is named alone, beside what is taken out of all', () => {
    const body = '{"tools":[{"name":"a","max":1,"strict":1},{"type":"custom","max":2},{"type":"other","max":3,"strict":1},{"type":"big","max":4}]}'
    expect(dropped(body, 'tools.*.<custom>.max', 'tools.*.<big>.max', 'tools.*.strict')).toBe('{"tools":[{"name":"a"},{"type":"custom"},{"type":"other","max":3},{"type":"big"}]}')
  })

  test('takes a field out however often it is there', () => {
    const often = (member: string) => Array(400_000).fill(member).join(',')
    expect(dropped(`{"tools":[{"cache_control":{${often('"scope":0')}}}]}`, 'tools.*.cache_control.scope')).toBe('{"tools":[{"cache_control":{}}]}')
    const apart = Array(200_000).fill('"scope":0,"a":1').join(',')
    expect(dropped(`{"tools":[{"cache_control":{${apart}}}]}`, 'tools.*.cache_control.scope')).toBe(`{"tools":[{"cache_control":{${Array(200_000).fill('"a":1').join(',')}}}]}`)
  })

  test('leaves a value of another shape alone', () => {
    expect(dropped('{"tools":{"strict":1},"system":"strict"}', 'tools.*.strict', 'system.*.strict')).toBe('{"tools":{"strict":1},"system":"strict"}')
  })

  test('reads keys with escapes as what they say', () => {
    expect(dropped('{"tools":[{"strict":0,"str\\u0069ct":1}]}', 'tools.*.strict')).toBe('{"tools":[{}]}')
  })
})

describe('resolvePath', () => {
  const document = object('{"tools":[{"name":"a"},{"name":"b","defer_loading":true}],"system":[{"cache_control":{"type":"ephemeral","scope":"x"}},{"type":"text","text":"t","citations":[]}],"top":1}')
  test.each([
    ['tools.1.custom.defer_loading', 'tools.*.<custom>.defer_loading'],
    ['tools.1.defer_loading', 'tools.*.defer_loading'],
    ['system.0.cache_control.ephemeral.scope', 'system.*.cache_control.<ephemeral>.scope'],
    ['system.1.text.citations', 'system.*.<text>.citations'],
    ['system.1.image.citations', 'system.*.<text>.citations'],
    ['top', 'top'],
    ['tools.0.custom.defer_loading', undefined],
    ['tools.7.custom.defer_loading', undefined],
    ['tools.1', undefined],
    ['absent', undefined],
    ['absent.top', undefined],
    ['top.deeper', undefined],
  ])('%s is %s', (named, path) => {
    expect(resolvePath(document, named.split('.'))?.join('.')).toBe(path as never)
  })
})
