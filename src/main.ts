// The beginning: the command line, and the environment to run in. The rest of the program is loaded after both, because
// the first of two starts ends here.
import { parseArguments, USAGE, type Command } from './arguments.ts'
import { BootError } from './errors.ts'
import { describeError } from './observe/describe-error.ts'
import { reexecWithCleanEnvironment } from './reexec.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const SERVERS: ReadonlySet<Command['name']> = new Set(['serve', 'demo'])

async function start(command: Command): Promise<void> {
  const dropped = SERVERS.has(command.name) ? reexecWithCleanEnvironment() : []
  const { runCommand } = await import('./run-command.ts')
  await runCommand(command, dropped)
}

const parsed = parseArguments(Bun.argv.slice(2))
if (!parsed.ok) {
  process.stderr.write(`gatehouse: ${parsed.problem}\n\n${USAGE}`)
  process.exit(EXIT_USAGE)
}
start(parsed.command).catch((error: unknown) => {
  const message = error instanceof BootError ? error.message : `unexpected failure: ${describeError(error)}`
  // Problems of a file begin with their place in it, as editors and CI expect.
  process.stderr.write(/^.*:\d+:\d+ {2}/.test(message) ? `${message}\n` : `gatehouse: ${message}\n`)
  process.exit(EXIT_FAILURE)
})
