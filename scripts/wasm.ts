// Compiles src/json/wasm/scan.ts to scan.wasm beside it: `bun scripts/wasm.ts`, after each change of it. The result is
// committed, so that a build needs no further compiler; a test compiles anew and compares.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '..')
const COMPILER = 'node_modules/assemblyscript/bin/asc.js'
const SOURCE = 'src/json/wasm/scan.ts'
export const SCANNER = join(ROOT, 'src/json/wasm/scan.wasm')
/** Memory is laid out by hand: no allocator, no collector. It ends at a gibibyte, in pages of 64 KiB: offsets have a sign. */
const FLAGS = ['--runtime', 'stub', '--enable', 'simd', '-O3', '--noAssert', '--maximumMemory', '16384']

/** The module's bytes: of the same source and the same compiler always the same. Throws what the compiler says. */
export async function compileScanner(): Promise<Uint8Array> {
  const scratch = await mkdtemp(join(tmpdir(), 'gatehouse-wasm-'))
  try {
    const module = join(scratch, 'scan.wasm')
    const run = Bun.spawn([process.execPath, COMPILER, SOURCE, ...FLAGS, '--outFile', module], { cwd: ROOT, stdout: 'pipe', stderr: 'pipe' })
    const [out, err, code] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text(), run.exited])
    if (code !== 0) throw new Error(`${SOURCE} does not compile\n${out}${err}`)
    return await readFile(module)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

if (import.meta.main) await writeFile(SCANNER, await compileScanner())
