// What the kernel knows of a process: the time it ran, and its memory.
import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

interface Stat {
  readonly parent: number
  /** Seconds: its own, and those of its children that have ended. */
  readonly own: number
  readonly children: number
}

/** Undefined for a process that has gone. proc_pid_stat(5). */
function stat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const seconds = (at: number) => Number(fields[at]) / TICKS_PER_SECOND
    return { parent: Number(fields[1]), own: seconds(11) + seconds(12), children: seconds(13) + seconds(14) }
  } catch {
    return undefined
  }
}

/** Seconds that a process and everything it started have run, to a hundredth: with the threads that have ended, such as the runtime's compilers. */
export function cpuSeconds(pid: number): number {
  return familyOf(pid).reduce((sum, one) => {
    const { own = 0, children = 0 } = stat(one) ?? {}
    return sum + own + children
  }, 0)
}

/** The process and all that descend from it. */
export function familyOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) parents.set(Number(name), stat(Number(name))?.parent ?? 0)
  const family = [pid]
  for (let at = 0; at < family.length; at++) for (const [child, parent] of parents) if (parent === family[at]) family.push(child)
  return family
}

/** Megabytes (10^6), summed over the process and all that descend from it. */
export function memory(pid: number, which: 'VmRSS' | 'VmHWM'): number {
  return familyOf(pid).reduce((sum, one) => sum + kilobytes(one, which) * 1024, 0) / 1e6
}

function kilobytes(pid: number, which: string): number {
  try {
    return Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** From here on the highest memory is counted anew. proc_pid_clear_refs(5). */
export async function forgetPeak(pid: number): Promise<void> {
  for (const one of familyOf(pid)) await Bun.write(`/proc/${one}/clear_refs`, '5')
}
