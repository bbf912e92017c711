import { expect, test } from 'bun:test'
import { createLineBuffer } from '../../src/observe/line-buffer.ts'

function buffer(delayMs: number) {
  const written: string[] = []
  return { written, ...createLineBuffer((text) => void written.push(text), delayMs) }
}
const FOR_EVER = 3_600_000

test('lines are written together, in order, once their time is over', async () => {
  const { write, written } = buffer(1)
  write('a\n')
  write('b\n')
  expect(written).toEqual([])
  while (written.length === 0) await Bun.sleep(1)
  expect(written).toEqual(['a\nb\n'])
})

test('a flush writes what is there at once, and nothing twice', () => {
  const { write, flush, written } = buffer(FOR_EVER)
  write('a\n')
  flush()
  flush()
  write('b\n')
  flush()
  expect(written).toEqual(['a\n', 'b\n'])
})

test('many lines do not wait for their time', () => {
  const { write, written, flush } = buffer(FOR_EVER)
  for (let n = 0; n < 100; n++) write(`${'x'.repeat(999)}\n`)
  expect(written.length).toBe(1)
  flush()
  expect(written.join('').length).toBe(100_000)
})
