// What is measured, and in what it is told: plain data, one object a scenario.
import { statSync } from 'node:fs'
import { connect } from '../../src/db/connect.ts'
import { createLedger } from '../../src/ledger/ledger.ts'
import { execution, request as ledgerRequest } from '../../test/support/ledger-rows.ts'
import { BINARY, type Contender } from './contenders.ts'
import { cpuSeconds, forgetPeak, memory } from './cpu.ts'
import { median, runLoad } from './load.ts'
import { bedrockAnswer, jsonAnswer, request, streamAnswer, type Body } from './messages.ts'
import type { Bench } from './rig.ts'
import { createSignInClient, type SignInClient } from './sign-in-load.ts'
import { runStreams } from './streams.ts'
import { turns, type Turn } from './turns.ts'

/** How much is measured; a smoke run is to see that everything works. */
export interface Extent {
  readonly rounds: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly streams: readonly number[]
  /** Of the gateway alone: fewer streams, to see whether many cost more each. */
  readonly fewStreams: readonly number[]
  readonly streamSeconds: number
  readonly idleSeconds: number
  readonly settlements: number
}

export const FULL: Extent = { rounds: 5, seconds: 3, warmSeconds: 10, streams: [1000, 5000], fewStreams: [1, 100], streamSeconds: 10, idleSeconds: 15, settlements: 20_000 }
export const SMOKE: Extent = { rounds: 1, seconds: 0.2, warmSeconds: 0.2, streams: [20], fewStreams: [1], streamSeconds: 0.5, idleSeconds: 0.5, settlements: 500 }

export type Name = Contender['name']

export interface RequestResult {
  readonly scenario: 'S1' | 'S2' | 'S3' | 'S5'
  readonly turns: ReadonlyMap<Name, Turn>
}

const ANSWERS = { stream: streamAnswer, json: jsonAnswer, bedrock: bedrockAnswer }
const CONNECTIONS = { usual: 16, large: 8, small: 16 }

/** One request after the other on a few connections: CPU time for each. */
export async function measureRequests(bench: Bench, { rounds, seconds, warmSeconds }: Extent, scenario: RequestResult['scenario'], { body, answer }: { body: Body; answer: keyof typeof ANSWERS }): Promise<RequestResult> {
  bench.upstream.answerWith(ANSWERS[answer]())
  const options = { request: request(bench.token, { body, stream: answer !== 'json' }), connections: CONNECTIONS[body], seconds, warmSeconds, postmaster: bench.postmaster }
  return { scenario, turns: await turns(bench.contenders, rounds, options) }
}

export interface StreamsOutcome {
  readonly name: Name
  readonly streams: number
  readonly failed: number
  readonly cpuSeconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly peakMegabytes: number
  /** Of CPU time for each event, and of memory for each stream beyond what there was before. */
  readonly eventMicroseconds: number
  readonly streamKilobytes: number
}

const EVENTS_PER_SECOND = 10

/** Many streams at once, ten events a second each. Latency is from the upstream's write to the client's read. */
export async function measureStreams(bench: Bench, { streams, fewStreams, streamSeconds }: Extent): Promise<StreamsOutcome[]> {
  const outcomes: StreamsOutcome[] = []
  for (const count of fewStreams) outcomes.push(await streamsOf(bench, bench.gateway, count, streamSeconds))
  for (const count of streams) for (const contender of bench.contenders) outcomes.push(await streamsOf(bench, contender, count, streamSeconds))
  return outcomes
}

async function streamsOf(bench: Bench, { name, port, pid }: Contender, streams: number, seconds: number): Promise<StreamsOutcome> {
  await forgetPeak(pid)
  const [cpuBefore, memoryBefore] = [cpuSeconds(pid), memory(pid, 'VmRSS')]
  const { failed, events, p50Ms, p99Ms } = await runStreams({ port, upstream: bench.upstream, request: request(bench.token, { body: 'small', stream: true }), streams, eventsPerSecond: EVENTS_PER_SECOND, seconds })
  const [cpu, peakMegabytes] = [cpuSeconds(pid) - cpuBefore, memory(pid, 'VmHWM')]
  return { name, streams, failed, cpuSeconds: cpu, p50Ms, p99Ms, peakMegabytes, eventMicroseconds: (cpu * 1e6) / events, streamKilobytes: ((peakMegabytes - memoryBefore) * 1000) / streams }
}

export interface IdleResult {
  readonly name: Name
  readonly streams: number
  /** Of memory for each stream beyond what there was before. */
  readonly streamKilobytes: number
}

/** The fewest of the streams at once, of requests as Claude Code sends them, whose upstream says nothing after its first event. */
export async function measureIdle(bench: Bench, { streams: [streams = 0], idleSeconds }: Extent): Promise<IdleResult[]> {
  const results: IdleResult[] = []
  for (const { name, port, pid } of bench.contenders) {
    const before = memory(pid, 'VmRSS')
    let after = before
    await runStreams({ port, upstream: bench.upstream, request: request(bench.token, { body: 'usual', stream: true }), streams, eventsPerSecond: 0, seconds: idleSeconds, beforeEnd: () => void (after = memory(pid, 'VmRSS')) })
    results.push({ name, streams, streamKilobytes: ((after - before) * 1000) / streams })
  }
  return results
}

export interface StartResult {
  readonly readyMs: number
  readonly idleMegabytes: number
  readonly binaryMegabytes: number
}

const IDLE_MS = 5000

/** From the start of the binary until it is ready, on a database that has its tables. */
export async function measureStart(bench: Bench, { rounds }: Extent): Promise<StartResult> {
  const ready: number[] = []
  for (let round = 0; round < Math.min(rounds, 5); round++) ready.push((await bench.restart()).readyMs)
  await Bun.sleep(rounds > 1 ? IDLE_MS : 0)
  return { readyMs: median(ready), idleMegabytes: memory(bench.gateway.pid, 'VmRSS'), binaryMegabytes: statSync(BINARY).size / 1e6 }
}

export interface SignInResult {
  readonly perSecond: number
  readonly cpuMs: number
}

const SIGN_INS_AT_ONCE = 16

export async function measureSignIns({ url, issuer, gateway }: Bench, { rounds, seconds, warmSeconds }: Extent): Promise<SignInResult> {
  let done = 0
  const clients = await Promise.all(Array.from({ length: SIGN_INS_AT_ONCE }, () => createSignInClient(url, issuer)))
  const run = async (limitSeconds: number) => {
    done = 0
    const before = cpuSeconds(gateway.pid)
    const startedMs = performance.now()
    const work = async ({ signIn }: SignInClient) => {
      do {
        await signIn(done % 2 === 0 ? 'alice' : 'bob')
        done++
      } while (performance.now() - startedMs < limitSeconds * 1000)
    }
    await Promise.all(clients.map(work))
    return { perSecond: (done * 1000) / (performance.now() - startedMs), cpuMs: ((cpuSeconds(gateway.pid) - before) * 1000) / done }
  }
  await run(warmSeconds)
  const result = await run(seconds * Math.min(rounds, 3))
  for (const client of clients) client.close()
  return result
}

export interface LedgerResult {
  readonly rowsPerSecond: number
  /** Of some two hundred requests a second, two at once at most, from the gateway's own histogram as Prometheus reads it. */
  readonly spendCheckP99Ms: number
}

const BETWEEN_CHECKS_MS = 5

/** How fast settlements are written by one process; how long requests waited to be written down. */
export async function measureLedger(bench: Bench, { settlements, seconds }: Extent): Promise<LedgerResult> {
  const before = await bench.metrics()
  bench.upstream.answerWith(jsonAnswer())
  await runLoad({ port: bench.gateway.port, request: request(bench.token, { body: 'small', stream: false }), connections: 2, seconds, pauseMs: BETWEEN_CHECKS_MS })
  const spendCheckP99Ms = percentileOfHistogram(before, await bench.metrics(), 'gatehouse_spend_check_duration_seconds', 0.99) * 1000
  const db = connect({ url: bench.databaseUrl, maxConnections: 3, observe: () => {} })
  const ledger = await createLedger({ db, observe: () => {}, retention: { usageDays: 365, spendMonths: 13, identityDays: 90 }, nowMs: () => performance.now() })
  const startedMs = performance.now()
  for (let n = 0; n < settlements; n++) ledger.settle(ledgerRequest(), [execution(1000)])
  await ledger.flush(120_000)
  const rowsPerSecond = (settlements * 1000) / (performance.now() - startedMs)
  await ledger.stop()
  await db.close()
  return { rowsPerSecond, spendCheckP99Ms }
}

/** As `histogram_quantile` has it: straight between the edges of the bucket in which it lies, in the histogram's unit, of what came between two expositions. */
function percentileOfHistogram(before: string, after: string, name: string, share: number): number {
  const earlier = buckets(before, name)
  const edges = [...buckets(after, name)].map(([edge, count]): [number, number] => [edge, count - (earlier.get(edge) ?? 0)]).sort(([a], [b]) => a - b)
  const wanted = (edges.at(-1)?.[1] ?? 0) * share
  const at = edges.findIndex(([, count]) => count >= wanted)
  const [[from, below], [to, upTo]] = [edges[at - 1] ?? [0, 0], edges[at] ?? [Number.NaN, 0]]
  return upTo === below ? to : from + ((to - from) * (wanted - below)) / (upTo - below)
}

function buckets(exposition: string, name: string): Map<number, number> {
  const found = new Map<number, number>()
  for (const [, edge, count] of exposition.matchAll(new RegExp(`^${name}_bucket\\{(?:[^}]*,)?le="([^"]+)"[^}]*\\} (\\d+)`, 'gm'))) {
    const at = edge === '+Inf' ? Infinity : Number(edge)
    found.set(at, (found.get(at) ?? 0) + Number(count))
  }
  return found
}
