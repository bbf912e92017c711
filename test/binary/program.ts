// Runs the compiled file as an operator would, and waits on what it prints.
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** GATEHOUSE_BINARY names another build, of another target for example. */
export const BINARY = resolve(process.env.GATEHOUSE_BINARY ?? join(import.meta.dir, '../../dist/gatehouse'))
if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there: run scripts/build first`)

export interface RunOptions {
  env?: Record<string, string>
  cwd?: string
}

export interface Program {
  readonly pid: number
  readonly exited: Promise<number>
  readonly stdout: () => string
  readonly stderr: () => string
  /** The first match in what was printed on either stream, now or later. Rejects with all of it when the program ends first. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void
  /** Kills it, whatever it does. */
  end(): Promise<void>
}

/** Starts the program with nothing of this process's environment but what is given. */
export function start(args: readonly string[], { env = {}, cwd = tmpdir() }: RunOptions = {}): Program {
  const child = Bun.spawn([BINARY, ...args], { cwd, env: { PATH: process.env.PATH ?? '', HOME: cwd, ...env }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const text = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  const read = async (name: 'stdout' | 'stderr') => {
    const decoder = new TextDecoder()
    for await (const chunk of child[name]) {
      text[name] += decoder.decode(chunk, { stream: true })
      for (const look of waiting) look()
    }
  }
  let over = false
  const exited = Promise.all([child.exited, read('stdout'), read('stderr')]).then(([code]) => {
    over = true
    for (const look of waiting) look()
    return code
  })
  return {
    pid: child.pid,
    exited,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    printed: (pattern) =>
      new Promise((found, failed) => {
        const look = () => {
          const match = pattern.exec(text.stdout) ?? pattern.exec(text.stderr)
          if (match === null && !over) return
          waiting.delete(look)
          if (match) found(match)
          else failed(new Error(`ended with ${child.exitCode} without printing ${pattern}:\n${text.stdout}${text.stderr}`))
        }
        waiting.add(look)
        look()
      }),
    signal: (name) => child.kill(name),
    async end() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Runs the program to its end. */
export async function run(args: readonly string[], options?: RunOptions): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const program = start(args, options)
  const exitCode = await program.exited
  return { exitCode, stdout: program.stdout(), stderr: program.stderr() }
}

/** A fresh directory holding `files`, removed by `remove()`. */
export async function directoryWith(files: Record<string, string>): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  for (const [name, content] of Object.entries(files)) await Bun.write(join(path, name), content)
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
