// T324: whoever builds the same commit gets the same bytes, and so can tell that a release is what it says.
import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '../..')
const TARGET = `linux-${process.arch}`
const OUTPUT = join(ROOT, `dist/gatehouse-${TARGET}`)

async function build(): Promise<string> {
  const child = Bun.spawn([process.execPath, 'scripts/build.ts', '--target', TARGET], { cwd: ROOT, stdout: 'ignore', stderr: 'inherit' })
  if ((await child.exited) !== 0) throw new Error('the build failed')
  return createHash('sha256').update(await Bun.file(OUTPUT).bytes()).digest('hex')
}

test('compiles the same sources to the same bytes', async () => {
  const first = await build()
  expect(await build()).toBe(first)
})
