import { expect, test } from 'bun:test'
import { startRounds } from '../../src/std/rounds.ts'

test('a round is never overtaken by the next, and stopping waits for it', async () => {
  const gate = Promise.withResolvers<void>()
  let [begun, ended] = [0, 0]
  const second = Promise.withResolvers<void>()
  const rounds = startRounds(1, async () => {
    begun++
    if (begun === 2) second.resolve()
    if (begun === 1) await gate.promise
    ended++
  }, () => {})
  const first = rounds.run()
  await Promise.all([rounds.run(), rounds.run()])
  expect([begun, ended]).toEqual([1, 0])
  gate.resolve()
  await first
  await second.promise
  await rounds.stop()
  expect(ended).toBe(begun)
})

test('one that fails is told of, and the next comes all the same', async () => {
  const failures: string[] = []
  const again = Promise.withResolvers<void>()
  const rounds = startRounds(1, async () => {
    throw new Error('away')
  }, ({ message }) => {
    failures.push(message)
    if (failures.length === 2) again.resolve()
  })
  await again.promise
  await rounds.stop()
  expect(failures.slice(0, 2)).toEqual(['away', 'away'])
})
