// A run as Markdown: ratios first, then the figures they are made of.
import { MANY } from './growth.ts'
import type { Results, Target } from './targets.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly date: string
  readonly version: string
}

/** Below it the memory of a stream is lost in that of everything else. */
const LEAST_FOR_MEMORY = 100

export function tables(machine: Machine, results: Results, targets: readonly Target[]): string {
  const { share, results: instances } = results.instances
  return [
    `Measured on ${machine.date} with gatehouse ${machine.version}, on ${machine.cores} cores of ${machine.cpu}, Linux ${machine.kernel}: the server on one core; clients, upstream and database on the other.`,
    '',
    table(['', 'measure', 'target', 'measured', ''], targets.map(({ scenario, what, target, measured, holds }) => [scenario, what, target, measured, holds ? 'holds' : '**not yet**'])),
    '',
    table(
      ['request', 'server', 'CPU time', 'of PostgreSQL', 'requests a second', 'p50', 'p99'],
      results.requests.flatMap(({ scenario, turns }) => [...turns].map(([name, one]) => [scenario, name, ms(one.cpuMs), name === 'gatehouse' ? ms(one.databaseMs) : '', String(Math.round(one.requests / one.seconds)), ms(one.p50Ms), ms(one.p99Ms)])),
    ),
    '',
    table(
      ['streams', 'server', 'CPU time', 'of an event', 'p50', 'p99', 'memory', 'of a stream', 'failed'],
      results.streams.map((one) => [one.streams.toLocaleString('en-US'), one.name, `${one.cpuSeconds.toFixed(1)} s`, `${one.eventMicroseconds.toFixed(0)} µs`, ms(one.p50Ms), ms(one.p99Ms), `${one.peakMegabytes.toFixed(0)} MB`, one.streams < LEAST_FOR_MEMORY ? '' : `${Math.round(one.streamKilobytes)} KB`, String(one.failed)]),
    ),
    '',
    table(['', 'with the usual ones', `with ${MANY.policies} policies and ${MANY.groups} groups`], [['a person’s policy is found, once for each of their tokens', `${results.policies.usualMicroseconds.toFixed(1)} µs`, `${results.policies.manyMicroseconds.toFixed(1)} µs`]]),
    '',
    table(
      ['idle streams', 'server', 'memory of a stream, its request of 95 KB with it'],
      results.idle.map(({ streams, name, streamKilobytes }) => [streams.toLocaleString('en-US'), name, `${Math.round(streamKilobytes)} KB`]),
    ),
    '',
    table([`instances on one port${share === undefined ? '' : `, each with ${share * 100} % of a core`}`, 'requests a second (S1)'], instances.map(({ instances, perSecond }) => [String(instances), String(Math.round(perSecond))])),
    '',
    `A sign-in takes ${ms(results.signIns.cpuMs)} of CPU time. ${Math.round(results.signIns.perSecond)} a second came about, with clients, provider and database on the other core.`,
  ].join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function ms(value: number): string {
  return `${value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3)} ms`
}
