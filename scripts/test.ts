// Runs the suites one process each, so that a crash in one costs only that one, and adds up what bun printed.
import { Glob } from 'bun'
import { chmod, constants, cp, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const SUITES = { architecture: '*.test.ts', unit: 'unit/**/*.test.ts', flow: 'flow/**/*.test.ts', conformance: 'conformance/**/*.test.ts', binary: 'binary/**/*.test.ts' }
const TEST_TIMEOUT_MS = 60_000
const TOTAL_TIMEOUT_MS = 30 * 60_000
const PIPES_CLOSE_MS = 3_000
const FAILURE_LINES = 60

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const started = performance.now()
const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !(name in SUITES))
if (unknown !== undefined) {
  console.error(`no suite "${unknown}"; there are: ${Object.keys(SUITES).join(', ')}`)
  process.exit(2)
}

if (process.getuid?.() === 0 && !(await isOpenToOthers(process.cwd()))) process.exit(await runInCopy())

const total: Counts = { passed: 0, failed: 0, skipped: 0 }
const summary: string[] = []
const failures: string[] = []
try {
  await step('types', ['node_modules/.bin/tsc', '--noEmit'])
  await step('build', ['scripts/build.ts'])
  for (const [name, pattern] of Object.entries(SUITES)) {
    if (wanted.length === 0 || wanted.includes(name)) await suite(name, pattern)
  }
} catch (error) {
  // The last line is read by machines: it is printed whatever happens.
  console.error(error)
  total.failed++
}
if (failures.length > 0) console.log(`\n== what failed\n${failures.join('\n')}`)
console.log(`\n${summary.join('\n')}`)
const success = total.failed === 0 && total.passed > 0
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`)
process.exit(success ? 0 : 1)

/** PostgreSQL refuses to run as root, so its files must be where another user can reach them. */
async function isOpenToOthers(directory: string): Promise<boolean> {
  const enter = 0o001
  if (((await stat(directory)).mode & enter) === 0) return false
  return directory === '/' || isOpenToOthers(dirname(directory))
}

async function runInCopy(): Promise<number> {
  const copy = await mkdtemp(join(tmpdir(), 'gatehouse-copy-'))
  console.log(`only root may enter ${process.cwd()}, and PostgreSQL does not run as root: testing a copy in ${copy}`)
  await cp(process.cwd(), copy, { recursive: true, mode: constants.COPYFILE_FICLONE, verbatimSymlinks: true })
  await chmod(copy, 0o755)
  const exitCode = await Bun.spawn([process.execPath, 'scripts/test.ts', ...wanted], { cwd: copy, stdio: ['inherit', 'inherit', 'inherit'] }).exited
  await rm(copy, { recursive: true, force: true })
  return exitCode
}

/** A step that only counts when it fails. */
async function step(name: string, command: string[]): Promise<void> {
  console.log(`\n== ${name}`)
  const began = performance.now()
  const { exitCode, output } = await run(command)
  if (exitCode !== 0) failures.push(`\n-- ${name}\n${lastLines(output)}`)
  record(name, began, { passed: 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 }, exitCode === 0 ? 'ok' : 'failed')
}

async function suite(name: string, pattern: string): Promise<void> {
  const files = [...new Glob(pattern).scanSync('test')].sort().map((file) => `./test/${file}`)
  if (files.length === 0) return
  console.log(`\n== ${name}`)
  const began = performance.now()
  const { exitCode, output } = await run(['test', `--timeout=${TEST_TIMEOUT_MS}`, ...files])
  const counts = countsOf(output)
  const failed = failuresOf(output)
  failures.push(...failed)
  if (exitCode !== 0 && failed.length === 0) failures.push(`\n-- ${name} (exit code ${exitCode})\n${lastLines(output)}`)
  // A process that died, hung or threw between tests may have printed no failure at all.
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1
  record(name, began, counts, `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped${exitCode === 0 ? '' : ` (exit code ${exitCode})`}`)
}

function record(name: string, began: number, counts: Counts, text: string): void {
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key]
  summary.push(`${name.padEnd(14)}${text}, ${((performance.now() - began) / 1000).toFixed(1)} s`)
}

/** Runs a bun command, shows what it prints as it comes, and returns it. Ends it when the whole run has taken too long. */
async function run(command: string[]): Promise<{ exitCode: number; output: string }> {
  const timeout = Math.max(1, Math.round(TOTAL_TIMEOUT_MS - (performance.now() - started)))
  const child = Bun.spawn([process.execPath, ...command], { stdout: 'pipe', stderr: 'pipe', timeout, killSignal: 'SIGKILL', env: { ...process.env, FORCE_COLOR: '0' } })
  const printed = [show(child.stdout), show(child.stderr)]
  const exitCode = await child.exited
  if (child.signalCode === 'SIGKILL') console.log(`ended: the whole run may take ${TOTAL_TIMEOUT_MS / 60_000} minutes`)
  // A process that a test left behind may hold the pipes open.
  await Promise.race([Promise.all(printed.map((one) => one.done)), Bun.sleep(PIPES_CLOSE_MS)])
  return { exitCode, output: printed.map((one) => one.text()).join('') }
}

function show(stream: ReadableStream<Uint8Array>): { text: () => string; done: Promise<void> } {
  const decoder = new TextDecoder()
  let text = ''
  const pass = async () => {
    for await (const chunk of stream) {
      process.stdout.write(chunk)
      text += decoder.decode(chunk, { stream: true })
    }
  }
  return { text: () => text, done: pass() }
}

/** Reads the summary at the end of bun's output: lines such as ` 12 pass`. The last one counts, tests may print similar lines. */
function countsOf(output: string): Counts {
  const last = (word: string) => Number([...output.matchAll(new RegExp(`^ (\\d+) ${word}$`, 'gm'))].at(-1)?.[1] ?? 0)
  return { passed: last('pass'), failed: last('fail'), skipped: last('skip') + last('todo') }
}

/** The tests that failed, each under its file with what was printed before its `(fail)`: told again at the end, for a log of which only the end is kept. */
function failuresOf(output: string): string[] {
  const found = new Map<string, string>()
  let file = ''
  let before: string[] = []
  for (const line of output.split('\n')) {
    const heading = /^(test\/\S+\.test\.ts):$/.exec(line)?.[1]
    if (heading !== undefined) file = heading
    if (line.startsWith('(fail)') && !found.has(line)) found.set(line, `\n-- ${file}\n${lastLines(before.join('\n'))}\n${line}`)
    if (heading !== undefined || /^\((pass|fail|skip|todo)\)/.test(line)) before = []
    else before.push(line)
  }
  return [...found.values()]
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-FAILURE_LINES).join('\n')
}
