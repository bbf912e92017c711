// The demonstration signs in anybody: no path of imports may lead to it from what `serve` runs.
import { describe, expect, test } from 'bun:test'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dir, '../../src')
const STATIC = /^\s*(?:import|export)\b[^'"]*?\bfrom\s*['"](\.[^'"]+)['"]|^\s*import\s*['"](\.[^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"](\.[^'"]+)['"]/g

/** Every file of src that `start` reaches. */
async function reachable(start: string, kinds: readonly RegExp[]): Promise<Set<string>> {
  const seen = new Set<string>()
  const open = [join(root, start)]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(relative(root, file)) || !file.endsWith('.ts')) continue
    seen.add(relative(root, file))
    const text = await Bun.file(file).text()
    for (const kind of kinds) for (const [, one, other] of text.matchAll(kind)) open.push(join(dirname(file), (one ?? other) as string))
  }
  return seen
}

describe('the demonstration', () => {
  test('is not reached from the gateway, by static or by lazy imports', async () => {
    const files = [...(await reachable('gateway.ts', [STATIC, DYNAMIC]))]
    expect(files).toContain('db/embedded.ts')
    expect(files.filter((file) => file.startsWith('demo/'))).toEqual([])
  })

  test('is loaded by the program only when its own command asks for it', async () => {
    const files = [...(await reachable('run-command.ts', [STATIC]))]
    expect(files).toContain('gateway.ts')
    expect(files.filter((file) => file.startsWith('demo/') || file === 'db/embedded.ts')).toEqual([])
    const program = await Bun.file(join(root, 'run-command.ts')).text()
    expect(program.match(/demo\/[a-z-]+\.ts/g)).toEqual(['demo/demo.ts'])
    expect(/async function demo\([^]*?\n}/.exec(program)?.[0]).toContain("import('./demo/demo.ts')")
  })
})
