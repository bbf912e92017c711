import { expect, test } from 'bun:test'
import { createGroupCommit, TimeoutError } from '../../src/ledger/group-commit.ts'

/** A statement that answers when it is told to. */
function statement() {
  const sent: number[][] = []
  const answers: PromiseWithResolvers<readonly string[]>[] = []
  const send = (entries: readonly number[]) => {
    sent.push([...entries])
    const answer = Promise.withResolvers<readonly string[]>()
    answers.push(answer)
    return answer.promise
  }
  const answer = async (at: number) => {
    answers[at]?.resolve((sent[at] ?? []).map((entry) => `answer ${entry}`))
    await Bun.sleep(0)
  }
  return { sent, send, answer, answers }
}

test('sends what comes while a statement is under way with the next one, and answers each its own', async () => {
  const { sent, send, answer } = statement()
  const group = createGroupCommit<number, string>({ send, most: 10, limitMs: 1000 })
  const all = Promise.all([group.add(1), group.add(2), group.add(3)])
  expect(sent).toEqual([[1]])
  await answer(0)
  expect(sent).toEqual([[1], [2, 3]])
  await answer(1)
  expect(await all).toEqual(['answer 1', 'answer 2', 'answer 3'])
  expect([group.counts, group.isBusy()]).toEqual([{ batches: 2, entries: 3 }, false])
})

test('sends no more at once than it may', async () => {
  const { sent, send, answer } = statement()
  const group = createGroupCommit<number, string>({ send, most: 2, limitMs: 1000 })
  const all = Promise.all([1, 2, 3, 4].map(group.add))
  await answer(0)
  await answer(1)
  await answer(2)
  expect([sent, await all]).toEqual([[[1], [2, 3], [4]], ['answer 1', 'answer 2', 'answer 3', 'answer 4']])
})

test('a statement that fails fails those in it alone', async () => {
  const { send, answers, answer } = statement()
  const group = createGroupCommit<number, string>({ send, most: 10, limitMs: 1000 })
  const first = group.add(1)
  const second = group.add(2)
  answers[0]?.reject(new Error('gone'))
  expect(first).rejects.toThrow('gone')
  await first.catch(() => {})
  await answer(1)
  expect(await second).toBe('answer 2')
})

test('a statement that cannot even be made fails those in it alone', async () => {
  let made = 0
  const send = (entries: readonly number[]) => {
    if (made++ === 0) throw new Error('no statement')
    return Promise.resolve(entries.map((entry) => `answer ${entry}`))
  }
  const group = createGroupCommit<number, string>({ send, most: 10, limitMs: 1000 })
  expect(await group.add(1).catch((error: Error) => error.message)).toBe('no statement')
  expect(await group.add(2)).toBe('answer 2')
})

test('nobody waits beyond the limit; who was not sent is not sent any more', async () => {
  const { sent, send, answer } = statement()
  const group = createGroupCommit<number, string>({ send, most: 10, limitMs: 20 })
  const outcomes = await Promise.all([group.add(1), group.add(2)].map((one) => one.catch((error: unknown) => error)))
  expect(outcomes.map((error) => error instanceof TimeoutError && error.wasSent)).toEqual([true, false])
  const third = group.add(3)
  await answer(0)
  expect(sent).toEqual([[1], [3]])
  await answer(1)
  expect(await third).toBe('answer 3')
})
