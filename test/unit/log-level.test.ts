import { describe, expect, test } from 'bun:test'
import type { Observation } from '../../src/observe/events.ts'
import { createDebug, createLogLevel, isWritten, LEVELS } from '../../src/observe/log-level.ts'

function setup(levelAtStart: (typeof LEVELS)[number] = 'info') {
  const heard: Observation[] = []
  const told = Promise.withResolvers<void>()
  const level = createLogLevel(levelAtStart, { now: () => new Date(0), replica: 'gw-1/7' })
  level.tells((one) => {
    heard.push(one)
    told.resolve()
  })
  return { level, heard, told: told.promise }
}

describe('the level of the log', () => {
  test('goes by steps between error and debug, stays at either end, and says of each who asked', () => {
    const { level, heard } = setup()
    const steps = ([1, 1, -1, -1, -1, -1] as const).map((by) => {
      level.step(by, by === 1 ? 'SIGUSR1' : 'SIGUSR2')
      return level.current()
    })
    expect(steps).toEqual(['debug', 'debug', 'info', 'warn', 'error', 'error'])
    // Where there is no step to take nothing has happened.
    expect(heard).toHaveLength(4)
    expect(heard[0]).toEqual({ evt: 'admin.log_level', actor: 'signal:SIGUSR1', replica: 'gw-1/7', level: 'debug', level_before: 'info' })
    expect(heard[3]).toEqual({ evt: 'admin.log_level', actor: 'signal:SIGUSR2', replica: 'gw-1/7', level: 'error', level_before: 'warn' })
  })

  test('that was set for a while goes back by itself, and says so', async () => {
    const { level, heard, told } = setup('warn')
    expect(level.set('debug', new Date(20))).toEqual({ level: 'debug', levelAtStart: 'warn', until: new Date(20), levelAfter: 'warn' })
    await told
    expect(level.state()).toEqual({ level: 'warn', levelAtStart: 'warn' })
    expect(heard).toEqual([{ evt: 'admin.log_level', actor: 'gateway', replica: 'gw-1/7', level: 'warn', level_before: 'debug' }])
  })

  test('set for a while twice goes back to where it was before both', async () => {
    const { level, told } = setup()
    level.set('debug', new Date(20))
    level.set('error', new Date(40))
    expect(level.state()).toMatchObject({ level: 'error', levelAfter: 'info' })
    await told
    expect(level.current()).toBe('info')
  })

  test('that was set for a while goes back although a signal asked for a step that there is not', async () => {
    const { level, told } = setup()
    level.set('debug', new Date(20))
    level.step(1, 'SIGUSR1')
    expect(level.state()).toMatchObject({ level: 'debug', levelAfter: 'info' })
    await told
    expect(level.current()).toBe('info')
  })

  test.each([
    ['a change for good', (level: ReturnType<typeof createLogLevel>) => level.set('warn')],
    ['a signal', (level: ReturnType<typeof createLogLevel>) => level.step(-1, 'SIGUSR2')],
  ])('%s ends the one for a while', async (_, change) => {
    const [{ level }, later] = [setup('error'), setup()]
    level.set('info', new Date(10))
    change(level)
    later.level.set('debug', new Date(20))
    await later.told
    expect(level.state()).toEqual({ level: 'warn', levelAtStart: 'error' })
  })

  test('lets through what is at least as grave', () => {
    const written = LEVELS.map((level) => LEVELS.filter((line) => isWritten(line, level)))
    expect(written).toEqual([['error'], ['error', 'warn'], ['error', 'warn', 'info'], ['error', 'warn', 'info', 'debug']])
  })

  test('above debug nobody makes words for who debugs', () => {
    const { level } = setup()
    const heard: Observation[] = []
    let made = 0
    const debug = createDebug(level, (one) => void heard.push(one))
    const say = () => debug('r', () => `words ${++made}`)
    say()
    level.set('debug')
    say()
    expect([made, heard]).toEqual([1, [{ op: 'debug', message: 'words 1', request_id: 'r' }]])
  })
})
