// What the gateway means to reach, each held against what was measured in the same run.
import type { Instances, PoliciesResult } from './growth.ts'
import type { Turn } from './turns.ts'
import type { IdleResult, LedgerResult, Name, RequestResult, SignInResult, StartResult, StreamsOutcome } from './scenarios.ts'

export interface Results {
  readonly requests: readonly RequestResult[]
  readonly streams: readonly StreamsOutcome[]
  readonly start: StartResult
  readonly signIns: SignInResult
  readonly ledger: LedgerResult
  readonly policies: PoliciesResult
  readonly idle: readonly IdleResult[]
  readonly instances: Instances
}

export interface Target {
  readonly scenario: string
  readonly what: string
  readonly target: string
  readonly measured: string
  readonly holds: boolean
}

export function targetsOf({ requests, streams, start, signIns, ledger }: Results): Target[] {
  const turnOf = (scenario: RequestResult['scenario'], name: Name) => requests.find((one) => one.scenario === scenario)?.turns.get(name) as Turn
  const times = (scenario: RequestResult['scenario'], most: number): Target => {
    const ratio = turnOf(scenario, 'gatehouse').cpuMs / turnOf(scenario, 'bare').cpuMs
    return { scenario, what: 'CPU time of a request, against the barest relay', target: `≤ ${most}×`, measured: `${ratio.toFixed(2)}×`, holds: ratio <= most }
  }
  const atMost = (scenario: string, what: string, value: number, most: number, unit: string): Target => ({ scenario, what, target: `≤ ${most}${unit}`, measured: `${rounded(value)}${unit}`, holds: value <= most })
  const atLeast = (scenario: string, what: string, value: number, least: number, unit: string): Target => ({ scenario, what, target: `≥ ${least.toLocaleString('en-US')}${unit}`, measured: `${Math.round(value).toLocaleString('en-US')}${unit}`, holds: value >= least })
  const counts = [...new Set(streams.filter(({ name }) => name === 'bare').map((one) => one.streams))].sort((a, b) => a - b)
  return [
    times('S1', 2),
    times('S2', 2.5),
    times('S3', 1.4),
    ...counts.flatMap((count, place) => {
      const own = streams.find((one) => one.name === 'gatehouse' && one.streams === count) as StreamsOutcome
      const bare = streams.find((one) => one.name === 'bare' && one.streams === count) as StreamsOutcome
      const [scenario, isFirst] = [`S4, ${count.toLocaleString('en-US')}`, place === 0]
      return [
        ...(isFirst ? [atMost(scenario, 'CPU time, against the barest relay', own.cpuSeconds / bare.cpuSeconds, 1.4, '×')] : []),
        atMost(scenario, 'latency, p99', own.p99Ms, isFirst ? 10 : 50, ' ms'),
        atMost(scenario, 'memory at its highest', own.peakMegabytes, isFirst ? 200 : 700, ' MB'),
        atMost(scenario, 'streams that failed', own.failed, 0, ''),
      ]
    }),
    times('S5', 1.5),
    atMost('S1', 'CPU time of PostgreSQL for a request', turnOf('S1', 'gatehouse').databaseMs, 0.1, ' ms'),
    atMost('S6', 'from start to ready', start.readyMs, 200, ' ms'),
    atMost('S6', 'memory at rest', start.idleMegabytes, 90, ' MB'),
    atMost('S6', 'the binary', start.binaryMegabytes, 150, ' MB'),
    atLeast('S7', 'sign-ins a second that one core allows', 1000 / signIns.cpuMs, 300, ''),
    atMost('S1', 'wait for the spend check, p99', ledger.spendCheckP99Ms, 5, ' ms'),
    atLeast('ledger', 'settlements written a second', ledger.rowsPerSecond, 5000, ''),
  ]
}

function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
