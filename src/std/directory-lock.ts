// One process at a time in a data directory. The kernel holds the lock and lets go of it however the process ends;
// SQLite is how Bun takes a lock on a file.
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import type { Result } from './result.ts'

/** The function that unlocks; else why not, in words that follow the directory's name. */
export function lockDirectory(directory: string): Result<() => void, string> {
  let lock: Database | undefined
  try {
    lock = new Database(join(directory, 'lock'), { create: true })
    lock.run('begin exclusive')
    const held = lock
    return { ok: true, value: () => held.close() }
  } catch (error) {
    lock?.close()
    const code = (error as { code?: string }).code ?? 'unknown'
    return { ok: false, reason: code.startsWith('SQLITE_BUSY') ? 'is in use by another gatehouse' : `cannot be locked (${code})` }
  }
}
