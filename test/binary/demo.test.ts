// `gatehouse demo` as a newcomer runs it: the compiled file, a shell, and nothing else.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, start, type Program } from './program.ts'

const cleanUp: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
})

async function scratch(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  cleanUp.push(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Started and ready. */
async function demo(directory: string, ...args: string[]): Promise<Program> {
  const program = start(['demo', '--port', '0', ...args], { env: { TMPDIR: directory, GATEHOUSE_LOG_LEVEL: 'info' } })
  cleanUp.push(() => program.end())
  await program.printed(/one line of JSON for each event/)
  return program
}

/** Pastes the printed lines into a shell. */
async function paste(program: Program): Promise<string> {
  const text = program.stdout()
  const lines = text.slice(text.indexOf('\n', text.indexOf('With curl')), text.indexOf('With a browser'))
  const shell = Bun.spawn(['sh'], { stdin: Buffer.from(lines), stdout: 'pipe', stderr: 'inherit', env: { PATH: process.env.PATH ?? '' } })
  return new Response(shell.stdout).text()
}

describe('gatehouse demo', () => {
  let directory: string
  let program: Program
  let said: string
  beforeAll(async () => {
    directory = await scratch()
    program = await demo(directory)
    said = await paste(program)
  })

  test('streams a signed-in answer to the lines it prints', async () => {
    expect(said).toContain('You are signed in\nGood day, Alice!')
    await program.printed(/"evt":"inference"/)
  })

  test('writes no token, code, secret or prompt to its own output', () => {
    const { device_code, user_code } = JSON.parse(said.split('\n')[0] as string)
    const output = program.stdout().replace(/With curl[^]*With a browser/, '') + program.stderr()
    expect([device_code, user_code, 'Hello from curl', 'eyJ', 'ghr_'].filter((secret) => output.includes(secret))).toEqual([])
  })

  test('leaves nothing behind on Ctrl-C', async () => {
    program.signal('SIGINT')
    expect([await program.exited, await readdir(directory)]).toEqual([0, []])
  })
})

describe('gatehouse demo --data', () => {
  let data: string
  let first: Program
  beforeAll(async () => {
    data = join(await scratch(), 'data')
    first = await demo(await scratch(), '--data', data)
  })

  test('refuses a directory that another one works in', async () => {
    const second = await run(['demo', '--port', '0', '--data', data], { env: { TMPDIR: await scratch() } })
    expect([second.exitCode, second.stderr]).toEqual([1, `gatehouse: store.embedded: ${data} is in use by another gatehouse\n`])
  })

  test('opens its data again after it was killed', async () => {
    const said = await paste(first)
    first.signal('SIGKILL')
    await first.exited
    const second = await demo(await scratch(), '--data', data)
    const migrated = (program: Program) => program.stderr().includes('migration 0001_sign_in.sql is applied')
    expect([said, await paste(second)].map((text) => text.includes('Good day, Alice!'))).toEqual([true, true])
    expect([migrated(first), migrated(second)]).toEqual([true, false])
  })
})
