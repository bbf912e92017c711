// T321 to T323: nothing of the place the compiled file is started in may run as code, and the file is no interpreter.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { hardenExecutable, SILENCED } from '../../scripts/harden.ts'
import { BINARY, directoryWith, run } from './program.ts'

const BAIT = 'the bait ran'
const PRELOAD = 'preload = ["./bait.ts"]\n'

let hostile: Awaited<ReturnType<typeof directoryWith>>

beforeAll(async () => {
  hostile = await directoryWith({
    'bait.ts': `console.log(${JSON.stringify(BAIT)})`,
    '.env': 'FROM_DOTENV=yes\nNODE_ENV=development\n',
    '.env.production': 'FROM_DOTENV=yes\n',
    'bunfig.toml': PRELOAD,
    '.bunfig.toml': PRELOAD,
    'tsconfig.json': '{ "compilerOptions": { "jsxImportSource": "./bait.ts", "paths": { "yaml": ["./bait.ts"] } } }',
    'package.json': '{ "name": "gatehouse", "version": "9.9.9", "type": "commonjs" }',
    'uses-dotenv.yaml': 'session: { jwt_secret: "${FROM_DOTENV}" }\n',
    'plain.ts': 'console.log(process.env.FROM_DOTENV)',
  })
})
afterAll(() => hostile.remove())

const inHostilePlace = (args: readonly string[], env: Record<string, string> = {}) =>
  run(args, { cwd: hostile.path, env: { XDG_CONFIG_HOME: hostile.path, ...env } })

describe('the compiled file in a hostile directory', () => {
  test('is tested with bait that an ordinary Bun takes', async () => {
    const bun = Bun.spawn([process.execPath, './plain.ts'], { cwd: hostile.path, env: { PATH: process.env.PATH ?? '' }, stderr: 'ignore' })
    expect(await new Response(bun.stdout).text()).toBe(`${BAIT}\nyes\n`)
  })

  test('preloads nothing that a bunfig.toml of the directory or of the home names', async () => {
    const { stdout, stderr, exitCode } = await inHostilePlace(['--version'])
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: expect.stringMatching(/^gatehouse \d+\.\d+\.\d+\n$/), stderr: '', exitCode: 0 })
    expect(stdout).not.toContain('9.9.9')
  })

  test('reads no variable from a .env file', async () => {
    const { stderr, exitCode } = await inHostilePlace(['config', 'check', '--config', 'uses-dotenv.yaml'])
    expect(stderr).toContain('FROM_DOTENV')
    expect(exitCode).not.toBe(0)
    const given = await inHostilePlace(['config', 'check', '--config', 'uses-dotenv.yaml'], { FROM_DOTENV: 'x'.repeat(32) })
    expect(given.stderr).not.toContain('FROM_DOTENV')
  })
})

describe('the compiled file under variables that Bun reads natively', () => {
  test.each([
    ['BUN_BE_BUN', '1'],
    ['BUN_OPTIONS', '--preload ./bait.ts'],
    ['BUN_OPTIONS', '--print 1'],
    ['BUN_INSPECT', 'ws://127.0.0.1:0/bait?break=1'],
    ['BUN_INSPECT', 'ws://127.0.0.1:0/bait?wait=1'],
    ['BUN_INSPECT_PRELOAD', './bait.ts'],
    ['BUN_INSPECT_CONNECT_TO', 'ws://127.0.0.1:1/'],
    ['BUN_CONFIG_PRELOAD', './bait.ts'],
    ['NODE_OPTIONS', '--require ./bait.ts'],
    ['NODE_PATH', '.'],
  ])('stays what it is with %s=%s', async (name, value) => {
    const { stdout, stderr, exitCode } = await inHostilePlace(['--version'], { [name]: value })
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: expect.stringMatching(/^gatehouse \S+\n$/), stderr: '', exitCode: 0 })
  })

  test.each([['-e'], ['run'], ['--print'], ['--preload'], ['repl'], ['x']])('runs no script with BUN_BE_BUN=1 and %s', async (word) => {
    const { stdout, stderr, exitCode } = await inHostilePlace([word, './bait.ts'], { BUN_BE_BUN: '1' })
    expect(stdout + stderr).not.toContain(BAIT)
    expect(stderr).toContain('usage:')
    expect(exitCode).toBe(2)
  })

  test('prints no header of its requests with BUN_CONFIG_VERBOSE_FETCH=curl', async () => {
    const server = Bun.serve({ port: 0, fetch: () => new Response('ready') })
    const { stdout, stderr } = await inHostilePlace(['health', `http://127.0.0.1:${server.port}`], { BUN_CONFIG_VERBOSE_FETCH: 'curl' })
    await server.stop(true)
    expect({ stdout, stderr }).toEqual({ stdout: 'ready\n', stderr: '' })
  })

  test('refuses to serve with certificate verification switched off, in one line', async () => {
    const { stderr, exitCode } = await inHostilePlace(['serve', '--config', 'uses-dotenv.yaml'], { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
    expect(stderr).toMatch(/^gatehouse: NODE_TLS_REJECT_UNAUTHORIZED=0 would accept any certificate: .*\n$/)
    expect(exitCode).toBe(1)
  })
})

describe('hardenExecutable', () => {
  test('has left none of the names in the compiled file', async () => {
    const bytes = Buffer.from(await Bun.file(BINARY).arrayBuffer())
    for (const name of SILENCED) expect({ name, found: countBare(bytes, name) }).toEqual({ name, found: 0 })
  })

  test.each(SILENCED.map((name) => [name]))('fails when a file does not contain %s, and leaves that file as it was', async (missing) => {
    const content = SILENCED.filter((name) => name !== missing).map((name) => name.replace(missing, '')).join(' ')
    const { path, remove } = await directoryWith({ program: content })
    await expect(hardenExecutable(join(path, 'program'))).rejects.toThrow(`does not contain the name ${missing}`)
    expect(await Bun.file(join(path, 'program')).text()).toBe(content)
    await remove()
  })
})

/** Counts `name` except as a property, as in Bun's own `process.env.NAME`. */
function countBare(bytes: Buffer, name: string): number {
  let count = 0
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
    if (String.fromCharCode(bytes[at - 1] ?? 0) !== '.') count++
  }
  return count
}
