// That the bench works, not how fast anything is.
import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BINARY } from './program.ts'

const ROOT = join(import.meta.dir, '../..')

test('a smoke run of the bench serves every request and holds every target against what it measured', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-smoke-'))
  const run = Bun.spawn([process.execPath, 'scripts/bench.ts', '--smoke', `--json=${directory}/run.json`], { cwd: ROOT, env: { ...process.env, GATEHOUSE_BINARY: BINARY }, stdout: 'pipe', stderr: 'pipe' })
  const [code, printed, said] = await Promise.all([run.exited, new Response(run.stdout).text(), new Response(run.stderr).text()])
  expect([code, code === 0 ? '' : said]).toEqual([0, ''])
  const { targets, requests, streams, signIns, ledger, start } = await Bun.file(`${directory}/run.json`).json()
  await rm(directory, { recursive: true })
  const scenarios = targets.map(({ scenario }: { scenario: string }) => scenario.split(',')[0])
  expect([...new Set(scenarios)]).toEqual(['S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'ledger'])
  for (const { what, measured } of targets) expect(printed).toMatch(new RegExp(`\\| ${what} \\| [^|]* \\| ${RegExp.escape(measured)} \\|`))
  for (const { turns } of requests) {
    for (const name of ['gatehouse', 'bare']) {
      const { failed, requests: answered, cpuMs } = turns[name]
      expect([failed, answered > 0, cpuMs > 0]).toEqual([0, true, true])
    }
  }
  for (const { failed, p99Ms } of streams) expect([failed, p99Ms > 0]).toEqual([0, true])
  for (const figure of [signIns.perSecond, ledger.rowsPerSecond, ledger.spendCheckP99Ms, start.readyMs, start.idleMegabytes]) expect(figure).toBeGreaterThan(0)
}, 120_000)
