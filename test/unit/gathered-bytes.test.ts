import { describe, expect, test } from 'bun:test'
import { gatherBytes } from '../../src/std/gathered-bytes.ts'

describe('gathered bytes', () => {
  test('are one, in the order they came, in pieces of any size', () => {
    const gathered = gatherBytes()
    const expected = Buffer.from(Array.from({ length: 10_000 }, (_, at) => at % 251))
    for (let at = 0, size = 0; at < expected.length; at += size++) gathered.add(expected.subarray(at, at + size))
    expect(gathered.length()).toBe(expected.length)
    expect(gathered.view().equals(expected)).toBe(true)
    expect(gathered.take().equals(expected)).toBe(true)
  })

  test('begin anew when they were taken, and leave alone what was', () => {
    const gathered = gatherBytes()
    gathered.add(Buffer.from('one'))
    const taken = gathered.take()
    gathered.add(Buffer.from('two'))
    expect([taken.toString(), gathered.view().toString(), gathered.length()]).toEqual(['one', 'two', 3])
  })

  test('are copies: whose memory a piece was may write on in it', () => {
    const gathered = gatherBytes()
    const lent = Buffer.from('abc')
    gathered.add(lent)
    lent.fill('x')
    expect(gathered.take().toString()).toBe('abc')
  })
})
