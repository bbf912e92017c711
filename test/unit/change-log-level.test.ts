// What happens between the event of a change and the change itself: the store may be slow, or not answer.
import { describe, expect, test } from 'bun:test'
import type { Database } from '../../src/db/connect.ts'
import { DatabaseError } from '../../src/db/database-error.ts'
import type { Observation } from '../../src/observe/events.ts'
import { createLogLevel } from '../../src/observe/log-level.ts'
import { changeLogLevel, type By } from '../../src/status/change-log-level.ts'
import type { WantedLevel } from '../../src/status/parse.ts'

const BY = { actor: 'admin-key:ops', requestId: 'r', clientIp: '192.0.2.1' }
const WANTED = { level: 'error', seconds: undefined, reason: undefined } as const

/** Statements end when the test says so, in its order. */
function setup() {
  const waiting: PromiseWithResolvers<unknown[]>[] = []
  const run = () => {
    const one = Promise.withResolvers<unknown[]>()
    waiting.push(one)
    return one.promise
  }
  const told: Observation[] = []
  const observed: Observation[] = []
  let nowMs = 0
  const logLevel = createLogLevel('info', { now: () => new Date(nowMs), replica: 'gw-1/7' })
  const heard = Promise.withResolvers<void>()
  logLevel.tells((one) => {
    observed.push(one)
    heard.resolve()
  })
  const deps = { db: { run } as unknown as Database, logLevel, isStored: true, tell: (one: Observation) => void told.push(one), observe: (one: Observation) => void observed.push(one), now: () => new Date(nowMs) }
  const change = (wanted: WantedLevel, by: By) => changeLogLevel(deps, wanted, by)
  const asked = async (times: number) => {
    for (let turns = 0; waiting.length < times; turns++) {
      if (turns === 1000) throw new Error(`${times} statements were expected, and ${waiting.length} came`)
      await Promise.resolve()
    }
    return waiting[times - 1] as PromiseWithResolvers<unknown[]>
  }
  return { logLevel, change, asked, waiting, told, observed, over: heard.promise, pass: (ms: number) => void (nowMs += ms) }
}

describe('a change of the level', () => {
  test('begins when the one before has ended, and says what that one left', async () => {
    const { logLevel, change, asked, waiting, told } = setup()
    const changes = [change({ ...WANTED, level: 'debug' }, BY), change(WANTED, BY)]
    ;(await asked(1)).resolve([])
    await changes[0]
    ;(await asked(2)).resolve([])
    await changes[1]
    expect(told).toMatchObject([{ level: 'debug', level_before: 'info' }, { level: 'error', level_before: 'debug' }])
    expect([logLevel.current(), waiting.length]).toEqual(['error', 2])
  })

  test('of one log waits for none of another', async () => {
    const [slow, other] = [setup(), setup()]
    const first = slow.change(WANTED, BY)
    await slow.asked(1)
    const second = other.change(WANTED, BY)
    ;(await other.asked(1)).resolve([])
    expect((await second).level).toBe('error')
    expect(slow.logLevel.current()).toBe('info')
    slow.waiting[0]?.resolve([])
    await first
  })

  test('says last what holds when a signal came while its event was being stored', async () => {
    const { logLevel, change, asked, observed } = setup()
    const done = change(WANTED, BY)
    const statement = await asked(1)
    logLevel.step(1, 'SIGUSR1')
    statement.resolve([])
    await done
    expect(logLevel.current()).toBe('error')
    expect(observed).toMatchObject([{ actor: 'signal:SIGUSR1', level: 'debug', level_before: 'info' }, { actor: 'gateway', level: 'error', level_before: 'debug', request_id: 'r' }])
  })

  test('says last what holds when the level has gone and come back while its event was being stored', async () => {
    const { logLevel, change, asked, observed } = setup()
    const done = change({ ...WANTED, seconds: 60 }, BY)
    const statement = await asked(1)
    logLevel.step(1, 'SIGUSR1')
    logLevel.step(-1, 'SIGUSR2')
    statement.resolve([])
    expect((await done).level).toBe('error')
    expect(observed).toHaveLength(3)
    expect(observed.at(-1)).toMatchObject({ actor: 'gateway', level: 'error', level_before: 'info', until: '1970-01-01T00:01:00.000Z', reason: expect.stringContaining('while the event') })
  })

  test('says last what holds when the time of an earlier one was over while its event was being stored', async () => {
    const { logLevel, change, asked, observed, over } = setup()
    logLevel.set('warn', new Date(1))
    const done = change(WANTED, BY)
    const statement = await asked(1)
    await over
    statement.resolve([])
    await done
    expect(logLevel.state()).toEqual({ level: 'error', levelAtStart: 'info' })
    expect(observed).toMatchObject([{ actor: 'gateway', level: 'info', level_before: 'warn' }, { actor: 'gateway', level: 'error', level_before: 'info', request_id: 'r' }])
  })

  test('says nothing more when a signal came that asked for a step that there is not', async () => {
    const { logLevel, change, asked, observed } = setup()
    logLevel.set('debug')
    const done = change(WANTED, BY)
    const statement = await asked(1)
    logLevel.step(1, 'SIGUSR1')
    statement.resolve([])
    await done
    expect(observed).toEqual([])
  })

  test.each(['deadline', 'unreachable'] as const)('that nobody knows to be stored (%s) is not made, and an event says what holds', async (code) => {
    const { logLevel, change, asked, told, observed } = setup()
    const done = change(WANTED, BY)
    ;(await asked(1)).reject(new DatabaseError(code, 'no answer'))
    expect(await done.catch((error: unknown) => error)).toBeInstanceOf(DatabaseError)
    expect([logLevel.current(), told]).toEqual(['info', []])
    expect(observed).toMatchObject([{ evt: 'admin.log_level', actor: 'gateway', replica: 'gw-1/7', level: 'info', level_before: 'info', request_id: 'r', reason: expect.stringContaining('was not made') }])
  })

  test('that the store refuses is not made, and no event says anything', async () => {
    const { logLevel, change, asked, told, observed } = setup()
    const done = change(WANTED, BY)
    ;(await asked(1)).reject(new DatabaseError('failed', 'disk full'))
    expect(await done.catch((error: unknown) => error)).toBeInstanceOf(DatabaseError)
    expect([logLevel.current(), told, observed]).toEqual(['info', [], []])
  })

  test('after one that failed is made all the same', async () => {
    const { change, asked } = setup()
    const [first, second] = [change(WANTED, BY), change({ ...WANTED, level: 'warn' }, BY)]
    ;(await asked(1)).reject(new DatabaseError('deadline', 'no answer'))
    await first.catch(() => {})
    ;(await asked(2)).resolve([])
    expect((await second).level).toBe('warn')
  })

  test('for a while ends when its event says, however long the store took', async () => {
    const { change, asked, told, pass } = setup()
    const done = change({ ...WANTED, seconds: 60 }, BY)
    const statement = await asked(1)
    pass(4000)
    statement.resolve([])
    expect((await done).until).toEqual(new Date(60_000))
    expect(told).toMatchObject([{ until: '1970-01-01T00:01:00.000Z' }])
  })
})
