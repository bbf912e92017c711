// Measures the compiled gateway beside a bare nginx and the barest relay of the same runtime, in turns.
import { cpus, release } from 'node:os'
import { version } from '../package.json'
import { measureInstances, measurePolicies } from './benchmark/growth.ts'
import { startBench, type Bench } from './benchmark/rig.ts'
import { FULL, measureIdle, measureLedger, measureRequests, measureSignIns, measureStart, measureStreams, SMOKE } from './benchmark/scenarios.ts'
import { tables, type Machine } from './benchmark/tables.ts'
import { targetsOf, type Results } from './benchmark/targets.ts'

const [isSmoke, isWritten] = [process.argv.includes('--smoke'), process.argv.includes('--write')]
const json = process.argv.find((one) => one.startsWith('--json='))?.slice('--json='.length)
const extent = isSmoke ? SMOKE : FULL
const PAGE = 'docs/performance.md'
const [BEGIN, END] = ['<!-- a run of scripts/bench -->', '<!-- end of the run -->']

const results = await withBench('anthropic', measureMost)
const bedrock = await withBench('bedrock', (bench) => step('S5', () => measureRequests(bench, extent, 'S5', { body: 'usual', answer: 'bedrock' })))
const all: Results = { ...results, requests: [...results.requests, bedrock] }
const targets = targetsOf(all)
const machine: Machine = { cpu: (cpus()[0]?.model ?? '').trim(), cores: cpus().length, kernel: release(), date: new Date().toISOString().slice(0, 10), version }
const text = tables(machine, all, targets)
console.log(`\n${text}`)
if (json !== undefined) await Bun.write(json, JSON.stringify({ machine, targets, ...all, requests: all.requests.map(({ scenario, turns }) => ({ scenario, turns: Object.fromEntries(turns) })) }, null, 2))
if (isWritten) await write(text)
process.exit(0)

async function measureMost(bench: Bench): Promise<Results> {
  const requests = [
    await step('S1', () => measureRequests(bench, extent, 'S1', { body: 'usual', answer: 'stream' })),
    await step('S2', () => measureRequests(bench, extent, 'S2', { body: 'usual', answer: 'json' })),
    await step('S3', () => measureRequests(bench, extent, 'S3', { body: 'large', answer: 'stream' })),
  ]
  const ledger = await step('ledger', () => measureLedger(bench, extent))
  const streams = await step('S4', () => measureStreams(bench, extent))
  const idle = await step('idle', () => measureIdle(bench, extent))
  const signIns = await step('S7', () => measureSignIns(bench, extent))
  const policies = measurePolicies()
  const instances = await step('instances', () => measureInstances(bench, extent))
  const start = await step('S6', () => measureStart(bench, extent))
  return { requests, streams, start, signIns, idle, ledger, policies, instances }
}

async function withBench<value>(provider: 'anthropic' | 'bedrock', work: (bench: Bench) => Promise<value>): Promise<value> {
  const bench = await startBench({ provider })
  try {
    return await work(bench)
  } finally {
    await bench.stop()
  }
}

async function step<value>(name: string, work: () => Promise<value>): Promise<value> {
  const startedMs = performance.now()
  process.stderr.write(`${name} …`)
  const value = await work()
  process.stderr.write(` ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`)
  return value
}

async function write(run: string): Promise<void> {
  const page = await Bun.file(PAGE).text()
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < before) throw new Error(`${PAGE} has no place for a run`)
  await Bun.write(PAGE, `${page.slice(0, before + BEGIN.length)}\n${run}\n${page.slice(after)}`)
}
