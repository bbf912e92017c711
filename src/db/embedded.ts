// PostgreSQL inside the program: PGlite, spoken to by the same driver as a server elsewhere. It listens on a unix socket
// in a directory that only this user may enter, because it would let in whoever reaches it.
// For an evaluation or one small host. It never calls fsync: a power failure may cost the newest changes or all of them.
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite, type PGliteOptions } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import initdbWasm from '../../node_modules/@electric-sql/pglite/dist/initdb.wasm' with { type: 'file' }
import bundle from '../../node_modules/@electric-sql/pglite/dist/pglite.data' with { type: 'file' }
import postgresWasm from '../../node_modules/@electric-sql/pglite/dist/pglite.wasm' with { type: 'file' }
import { BootError } from '../errors.ts'
import { lockDirectory } from '../std/directory-lock.ts'

/**
 * PGlite has one backend, and messages of two connections would be mixed in it: one would execute the statement the
 * other has just bound. The pool must not be larger, and the socket takes no second connection.
 */
export const EMBEDDED_MAX_CONNECTIONS = 1

/** The default of 160 MB is memory for nothing at this size. */
const SHARED_BUFFERS = '16MB'
const OWNER_ONLY = 0o700

export interface EmbeddedPostgres {
  readonly url: string
  readonly maxConnections: number
  stop(): Promise<void>
}

/** Keeps its data in `directory`, or in memory without one. Throws BootError naming the directory. */
export async function startEmbeddedPostgres({ directory }: { directory: string | undefined }): Promise<EmbeddedPostgres> {
  const parts = await loadParts()
  const { db, unlock } = directory === undefined ? { db: await PGlite.create(parts), unlock: () => {} } : await openDirectory(directory, parts)
  releaseMemory()
  const socketDirectory = await mkdtemp(join(tmpdir(), 'gatehouse-'))
  const server = new PGLiteSocketServer({ db, path: join(socketDirectory, '.s.PGSQL.5432'), maxConnections: EMBEDDED_MAX_CONNECTIONS })
  // Every connection meets the same backend: what the one before prepared would stay for ever.
  server.addEventListener('connection', () => void db.exec('discard all').catch(() => {}))
  await server.start()
  return {
    url: `postgres://postgres@localhost/postgres?host=${encodeURIComponent(socketDirectory)}`,
    maxConnections: EMBEDDED_MAX_CONNECTIONS,
    async stop() {
      await server.stop()
      await db.close()
      unlock()
      await rm(socketDirectory, { recursive: true, force: true })
    },
  }
}

/** In a compiled program these files lie inside of it, where PGlite would not look. */
async function loadParts(): Promise<PGliteOptions> {
  const compile = async (path: string) => WebAssembly.compile(await Bun.file(path).arrayBuffer())
  const [pgliteWasmModule, initdbWasmModule] = await Promise.all([compile(postgresWasm), compile(initdbWasm)])
  const startParams = [...PGlite.defaultStartParams, '-c', `shared_buffers=${SHARED_BUFFERS}`]
  return { pgliteWasmModule, initdbWasmModule, fsBundle: Bun.file(bundle), startParams }
}

async function openDirectory(directory: string, parts: PGliteOptions): Promise<{ db: PGlite; unlock: () => void }> {
  const data = join(directory, 'postgres')
  await makeDirectory(directory)
  const lock = lockDirectory(directory)
  if (!lock.ok) throw new BootError(`store.embedded: ${directory} ${lock.reason}`)
  const unlock = lock.value
  try {
    if (!(await Bun.file(join(data, 'PG_VERSION')).exists())) await initialise(data, parts)
    return { db: await PGlite.create({ ...parts, dataDir: data }), unlock }
  } catch (error) {
    unlock()
    throw new BootError(`store.embedded: the database in ${data} cannot be opened (${(error as { code?: string }).code ?? (error as Error).name})`)
  }
}

async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: OWNER_ONLY }).catch((error: { code?: string }) => {
    throw new BootError(`store.embedded: ${directory} cannot be made (${error.code ?? 'unknown'})`)
  })
}

/** Under another name until it is whole: a start that is cut short leaves no half of a database behind. */
async function initialise(data: string, parts: PGliteOptions): Promise<void> {
  const unfinished = `${data}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: OWNER_ONLY })
  await (await PGlite.create({ ...parts, dataDir: unfinished })).close()
  await rename(unfinished, data)
}

/** Making a database takes 900 MB, which the collector does not see: it knows the small objects that hold them. */
function releaseMemory(): void {
  Bun.gc(true)
  setTimeout(() => Bun.gc(true), 1000).unref()
}
