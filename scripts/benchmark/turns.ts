// One contender's turn at a scenario, and the turns of all of them, one after the other, again and again: what disturbs the
// machine disturbs everybody, and the median of each is told.
import { cpuSeconds } from './cpu.ts'
import type { Contender } from './contenders.ts'
import { median, runLoad, type LoadResult } from './load.ts'

export interface Turn extends LoadResult {
  /** Milliseconds of CPU time of the server, and of the whole database, for a request. */
  readonly cpuMs: number
  readonly databaseMs: number
}

export interface TurnOptions {
  readonly request: Uint8Array
  readonly connections: number
  readonly seconds: number
  /** Of everybody's first turn, which is not counted. */
  readonly warmSeconds: number
  readonly postmaster: number
}

/** What the gateway does behind its answers is its work as well. */
const SETTLED_MS = 400

export async function turn({ port, pid }: Pick<Contender, 'port' | 'pid'>, { request, connections, seconds, postmaster }: Omit<TurnOptions, 'warmSeconds'>): Promise<Turn> {
  const before = [cpuSeconds(pid), cpuSeconds(postmaster)] as const
  const result = await runLoad({ port, request, connections, seconds })
  await Bun.sleep(SETTLED_MS)
  const perRequest = (seconds: number) => (seconds * 1000) / result.requests
  return { ...result, cpuMs: perRequest(cpuSeconds(pid) - before[0]), databaseMs: perRequest(cpuSeconds(postmaster) - before[1]) }
}

/** The median turn of each. A first turn that is not counted lets the runtime compile what it will run, which takes it some ten seconds of work. */
export async function turns(contenders: readonly Contender[], rounds: number, options: TurnOptions): Promise<Map<Contender['name'], Turn>> {
  const taken = new Map<Contender['name'], Turn[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const contender of contenders) {
      const one = await turn(contender, round > 0 ? options : { ...options, seconds: options.warmSeconds })
      if (round > 0) taken.get(contender.name)?.push(one)
    }
  }
  return new Map([...taken].map(([name, all]) => [name, medianTurn(all)]))
}

function medianTurn(all: readonly Turn[]): Turn {
  const of = (field: keyof Turn) => median(all.map((one) => one[field]))
  return { requests: of('requests'), failed: all.reduce((sum, one) => sum + one.failed, 0), seconds: of('seconds'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuMs: of('cpuMs'), databaseMs: of('databaseMs') }
}
