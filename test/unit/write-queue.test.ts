import { describe, expect, test } from 'bun:test'
import { DatabaseError } from '../../src/db/database-error.ts'
import { createWriteQueue } from '../../src/db/write-queue.ts'

interface Item {
  readonly requestId: string
}
const item = (requestId: string): Item => ({ requestId })

/** A database that refuses what `verdict` says. */
function queueOn(verdict: (ids: string[], call: number) => DatabaseError | undefined, { gatherMs = 0, mayOvertake = false } = {}) {
  const calls: string[][] = []
  const [written, aside, troubles]: [string[], string[], string[]] = [[], [], []]
  const pauses: number[] = []
  const queue = createWriteQueue<Item>({
    async write(batch) {
      const ids = batch.map(({ requestId }) => requestId)
      calls.push(ids)
      const error = verdict(ids, calls.length)
      if (error !== undefined) throw error
    },
    written: ({ requestId }) => void written.push(requestId),
    setAside: ({ requestId }) => void aside.push(requestId),
    troubled: ({ message }) => void troubles.push(message),
    failed: (error) => {
      throw error
    },
    nowMs: () => 0,
    // One that never gets on would else keep the test from ending.
    sleep: async (ms) => void (pauses.push(ms) > 200 && queue.stop()),
    gatherMs,
    mayOvertake,
  })
  return { queue, calls, written, aside, troubles, pauses }
}

/** One on which nothing is waited for, and nobody listens. */
const QUIET = { write: async () => {}, written: () => {}, setAside: () => {}, troubled: () => {}, failed: () => {}, nowMs: () => 0, sleep: () => Promise.resolve() }

const bad = new DatabaseError('failed', 'statement failed (22P05)', { sqlState: '22P05' })
const away = new DatabaseError('unreachable', 'not reachable (57P01)', { sqlState: '57P01' })
const ids = Array.from({ length: 20 }, (_, n) => `r${n}`)

async function settled({ queue }: { queue: { state: { waiting: number } } }): Promise<void> {
  while (queue.state.waiting > 0) await Bun.sleep(0)
}

describe('a queue that gathers', () => {
  const FOR_EVER = { gatherMs: 3_600_000 }

  test('writes what came meanwhile in one statement, as soon as somebody flushes', async () => {
    const { queue, calls } = queueOn(() => undefined, FOR_EVER)
    for (const id of ids) {
      queue.add(item(id))
      await Bun.sleep(0)
    }
    expect(calls).toEqual([])
    void queue.flush(10_000)
    await settled({ queue })
    expect(calls).toEqual([ids])
  })

  test('waits no longer once a batch is full', async () => {
    const world = queueOn(() => undefined, FOR_EVER)
    for (let n = 0; n < 500; n++) world.queue.add(item(`r${n}`))
    await settled(world)
    expect(world.calls.map((batch) => batch.length)).toEqual([500])
  })

  test('writes after its time what nobody asks for', async () => {
    const world = queueOn(() => undefined, { gatherMs: 1 })
    world.queue.add(item('r0'))
    expect(world.calls).toEqual([])
    await settled(world)
    expect(world.calls).toEqual([['r0']])
  })
})

test('a statement that takes too long for all of its rows is sent with fewer, and with more again once that goes well', async () => {
  const slow = new DatabaseError('failed', 'statement failed (57014)', { sqlState: '57014' })
  const world = queueOn((batch) => (batch.length > 60 ? slow : undefined))
  for (let n = 0; n < 500; n++) world.queue.add(item(`r${n}`))
  await settled(world)
  expect(world.written).toEqual(Array.from({ length: 500 }, (_, n) => `r${n}`))
  expect(world.calls.slice(0, 7).map((batch) => batch.length)).toEqual([500, 250, 125, 63, 32, 64, 32])
  expect(world.aside).toEqual([])
})

describe('one row that the database refuses again and again for no fault of its data', () => {
  const canceled = new DatabaseError('failed', 'statement failed (57014)', { sqlState: '57014' })

  test.each([false, true])('is set aside once the one behind it is taken, and the others are written once, in order (may overtake: %p)', async (mayOvertake) => {
    const world = queueOn((batch) => (batch.includes('r7') ? canceled : undefined), { mayOvertake })
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect([world.written, world.aside]).toEqual([ids.filter((id) => id !== 'r7'), ['r7']])
    expect(world.calls.filter((batch) => batch.join() === 'r7').length).toBeGreaterThanOrEqual(5)
    expect(world.queue.state).toMatchObject({ waiting: 0, written: 19, setAside: 1 })
  })

  test('two of which stand one behind the other wait until the database takes one of them', async () => {
    const world = queueOn((batch, call) => (batch.includes('r0') || (batch.includes('r1') && call < 30) ? canceled : undefined))
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect([world.written, world.aside]).toEqual([ids.slice(1), ['r0']])
  })

  // Wherever in the row of attempts that is.
  test.each([40, 41])('is written where the database takes everything again after %d refusals, and it may be written late', async (refusals) => {
    const world = queueOn((_, call) => (call <= refusals ? canceled : undefined), { mayOvertake: true })
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect([world.written.toSorted(), world.aside]).toEqual([ids.toSorted(), []])
  })

  test.each([
    ['none for want of room', new DatabaseError('failed', 'statement failed (53100)', { sqlState: '53100' })],
    ['none for it does not answer', new DatabaseError('deadline', 'no answer within 10000 ms')],
    ['none for it is away', away],
  ])('waits where the database takes %s, and none is set aside when it is back', async (_, error) => {
    const world = queueOn((_, call) => (call <= 40 ? error : undefined))
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect([world.written, world.aside]).toEqual([ids, []])
  })

  test.each([
    ['it is away', away],
    ['it does not answer', new DatabaseError('deadline', 'no answer within 10000 ms')],
    ['it has no room', new DatabaseError('failed', 'statement failed (53100)', { sqlState: '53100' })],
    ['it collides', new DatabaseError('failed', 'statement failed (40001)', { sqlState: '40001' })],
  ])('is written next where the database takes the one behind it, and fails the last try of this one because %s', async (_, error) => {
    let [isSecondTaken, isOver] = [false, false]
    const world = queueOn((batch) => {
      if (batch.join() === 'r1') isSecondTaken = true
      if (!batch.includes('r0') || isOver) return undefined
      isOver = isSecondTaken
      return isOver ? error : canceled
    }, { mayOvertake: true })
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect([world.written, world.aside]).toEqual([['r1', 'r0', ...ids.slice(2)], []])
    expect(world.queue.state).toMatchObject({ waiting: 0, written: 20, setAside: 0 })
  })

  test('is set aside with the words of its last refusal', async () => {
    const said: string[] = []
    const refused = (times: number) => new DatabaseError('failed', `refusal ${times}`, { sqlState: 'XX000' })
    let times = 0
    const queue = createWriteQueue<Item>({
      ...QUIET,
      write: async (batch) => {
        if (batch.some(({ requestId }) => requestId === 'r0')) throw refused(++times)
      },
      setAside: (_, { message }) => void said.push(message),
      mayOvertake: true,
    })
    for (const id of ids) queue.add(item(id))
    await settled({ queue })
    expect(said).toEqual([`database: refusal ${times}`])
  })

  test('keeps a flush waiting that began before the one behind it came, although that one is written first', async () => {
    const written: string[] = []
    let [isSecondTaken, afterwards] = [false, 0]
    const queue = createWriteQueue<Item>({
      ...QUIET,
      write: async (batch) => {
        if (batch[0]?.requestId === 'r1') isSecondTaken = true
        else if (!isSecondTaken) throw canceled
        else if (afterwards++ < 3) throw away
      },
      written: ({ requestId }) => void written.push(requestId),
      mayOvertake: true,
      sleep: (ms) => (ms === 60_000 ? new Promise(() => {}) : Promise.resolve()),
    })
    queue.add(item('r0'))
    const flushed = queue.flush(60_000)
    queue.add(item('r1'))
    expect(await flushed).toBe(true)
    expect(written).toEqual(['r1', 'r0'])
  })

  // It did not have to be refused for good: nobody waits for it, and nobody can say.
  test('stays where nothing is behind it', async () => {
    const world = queueOn((_, call) => (call <= 40 ? canceled : undefined))
    world.queue.add(item('r0'))
    await settled(world)
    expect([world.written, world.aside]).toEqual([['r0'], []])
  })
})

describe('rows', () => {
  // T223
  test.each([0, 1, 7, 19])('the database can never take are set aside alone, at place %p, and the others are written once, in order', async (place) => {
    const poison = ids[place] as string
    const world = queueOn((batch) => (batch.includes(poison) ? bad : undefined))
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect(world.written).toEqual(ids.filter((id) => id !== poison))
    expect(world.aside).toEqual([poison])
    expect(world.queue.state).toMatchObject({ waiting: 0, written: 19, setAside: 1 })
  })

  test('two of which are bad cost only those two', async () => {
    const world = queueOn((batch) => (batch.includes('r3') || batch.includes('r4') ? bad : undefined))
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect([world.aside, world.written.length]).toEqual([['r3', 'r4'], 18])
  })

  test('wait while the database is away, longer each time, and are then written as they came', async () => {
    const world = queueOn((_, call) => (call <= 4 ? away : undefined))
    for (const id of ids) world.queue.add(item(id))
    await settled(world)
    expect([world.written, world.aside, world.troubles.length]).toEqual([ids, [], 4])
    expect(world.pauses.every((ms, at) => ms >= 50 * 2 ** at && ms <= 100 * 2 ** at)).toBe(true)
  })

  // T282
  test.each(['40001', '40P01'])('are sent again without a word when the statement collides (%s)', async (sqlState) => {
    const world = queueOn((_, call) => (call === 1 ? new DatabaseError('failed', 'collided', { sqlState }) : undefined))
    world.queue.add(item('r0'))
    await settled(world)
    expect([world.written, world.troubles, world.calls.length]).toEqual([['r0'], [], 2])
  })
})

describe('whoever is told of a row and fails at it', () => {
  const fault = () => {
    throw new Error('a fault')
  }
  test.each([
    ['written', 20],
    ['setAside', 1],
    ['troubled', 2],
  ] as const)('(%s) is told of, %d times, and stops no other row', async (callback, times) => {
    const taken: string[] = []
    const faults: string[] = []
    let calls = 0
    const queue = createWriteQueue<Item>({
      ...QUIET,
      async write(batch) {
        if (callback === 'setAside' && batch.some(({ requestId }) => requestId === 'r7')) throw bad
        if (callback === 'troubled' && ++calls <= 2) throw away
        taken.push(...batch.map(({ requestId }) => requestId))
      },
      [callback]: fault,
      // Even if the one who hears of it fails as well.
      failed({ message }) {
        faults.push(message)
        fault()
      },
    })
    for (const id of ids) queue.add(item(id))
    await settled({ queue })
    queue.add(item('later'))
    await settled({ queue })
    expect(taken).toEqual([...ids.filter((id) => callback !== 'setAside' || id !== 'r7'), 'later'])
    expect(faults).toEqual(Array(times + (callback === 'written' ? 1 : 0)).fill('a fault'))
  })
})

test('a flush ends when what was there is written, and does not wait for what came later', async () => {
  expect(await queueOn(() => undefined).queue.flush(1)).toBe(true)
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const sent: string[][] = []
  const write = (batch: readonly Item[]) => {
    sent.push(batch.map(({ requestId }) => requestId))
    return (gates[sent.length - 1] as PromiseWithResolvers<void>).promise
  }
  const queue = createWriteQueue<Item>({ write, written: () => {}, setAside: () => {}, troubled: () => {}, failed: () => {}, nowMs: () => 7 })
  queue.add(item('r0'))
  expect(queue.state).toMatchObject({ waiting: 1, oldestMs: 7 })
  expect(await queue.flush(5)).toBe(false)
  const flushed = queue.flush(10_000)
  queue.add(item('r1'))
  gates[0]?.resolve()
  expect([await flushed, queue.state.waiting]).toEqual([true, 1])
  gates[1]?.resolve()
  expect([await queue.flush(10_000), sent]).toEqual([true, [['r0'], ['r1']]])
})
