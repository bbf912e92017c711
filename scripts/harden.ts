// Makes a compiled executable deaf to the variables with which Bun runs foreign code or prints secrets. Bun reads them
// natively, before the program's first line, so no code of ours and no build flag can refuse them: their names are
// replaced inside the file by names no environment can hold.
import { chmod, readFile, writeFile } from 'node:fs/promises'

/** Each is proven against the compiled file by test/binary/hardening.test.ts. BUN_JSC_* has no name in the file to replace. */
export const SILENCED = [
  'BUN_BE_BUN', // the executable becomes a JavaScript interpreter
  'BUN_OPTIONS', // --preload FILE, --eval, --cpu-prof, …
  'BUN_INSPECT', // a debugger port; also the beginning of BUN_INSPECT_PRELOAD, _CONNECT_TO and _NOTIFY
  'BUN_CONFIG_VERBOSE_FETCH', // prints every request with its Authorization header
] as const

const DOT = 0x2e

/** Rewrites the file in place. Throws when a name is not found: then Bun has changed, and the file is not hardened. */
export async function hardenExecutable(path: string): Promise<void> {
  const bytes = await readFile(path)
  for (const name of SILENCED) {
    if (silence(bytes, name) === 0) throw new Error(`${path} does not contain the name ${name}: this version of Bun reads it in another way`)
  }
  await writeFile(path, bytes)
  await chmod(path, 0o755)
}

/**
 * Replaces the first letter by NUL. `getenv` then looks for a name of zero length, and a name compared by length holds
 * a NUL that no entry of an environment can hold. `process.env.NAME` in Bun's own JavaScript stays, or it would not parse.
 */
function silence(bytes: Buffer, name: string): number {
  let count = 0
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + name.length)) {
    if (bytes[at - 1] === DOT) continue
    bytes[at] = 0
    count++
  }
  return count
}
