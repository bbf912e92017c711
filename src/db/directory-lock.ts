// One process at a time in a data directory. The kernel holds the lock and lets go of it however the process ends;
// SQLite is how Bun takes a lock on a file.
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { BootError } from '../errors.ts'

/** Returns the function that unlocks. Throws BootError when another process is in the directory, or it cannot be written. */
export function lockDirectory(directory: string): () => void {
  let lock: Database | undefined
  try {
    lock = new Database(join(directory, 'lock'), { create: true })
    lock.run('begin exclusive')
    const held = lock
    return () => held.close()
  } catch (error) {
    lock?.close()
    const code = (error as { code?: string }).code ?? 'unknown'
    throw new BootError(`store.embedded: ${directory} ${code.startsWith('SQLITE_BUSY') ? 'is in use by another gatehouse' : `cannot be locked (${code})`}`)
  }
}
