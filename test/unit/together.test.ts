import { expect, test } from 'bun:test'
import { together } from '../../src/std/together.ts'

test('gives what each came to, and what was no promise as it is', async () => {
  expect(await together([Promise.resolve(1), 'two', undefined])).toEqual([1, 'two', undefined])
})

test('fails with the first in the list, when the last of them is over', async () => {
  const late = Promise.withResolvers<void>()
  const over: string[] = []
  const all = together([late.promise.then(() => over.push('late')), Promise.reject(new Error('first')), Promise.reject(new Error('second'))])
  await new Promise(setImmediate)
  late.resolve()
  await expect(all).rejects.toThrow('first')
  expect(over).toEqual(['late'])
})
