import { describe, expect, test } from 'bun:test'
import { resolvePointer } from '../../src/std/json-pointer.ts'

const document = JSON.parse(`{
  "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\\\j": 5, "k\\"l": 6, " ": 7, "m~n": 8,
  "~1": 9, "nested": {"roles": ["admin"]}, "__proto__": {"own": true}
}`)

describe('resolvePointer', () => {
  test.each([
    ['', document],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
    ['/~01', 9],
    ['/nested/roles/0', 'admin'],
    ['/__proto__/own', true],
  ])('finds %p (RFC 6901 §5)', (pointer, value) => {
    expect(resolvePointer(document, pointer)).toEqual(value)
  })

  test.each([['/missing'], ['/foo/2'], ['/foo/01'], ['/foo/-'], ['/foo/length'], ['/constructor'], ['/foo/0/length'], ['/nested/toString'], ['foo']])('finds nothing at %p', (pointer) => {
    expect(resolvePointer(document, pointer)).toBeUndefined()
  })

  test('finds nothing in what is no container', () => {
    for (const value of [null, undefined, 'text', 1]) expect(resolvePointer(value, '/a')).toBeUndefined()
  })
})
