// Control groups that give a process a part of a core: what many cores would bring can be seen on few.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { familyOf } from './cpu.ts'

export interface CpuShare {
  /** When the process has gone. */
  remove(): void
}

const PERIOD_US = 10_000

/** `share` of one core, for the process and all that descend from it. Undefined where that takes another user or kernel. */
export function giveShare(pid: number, share: number): CpuShare | undefined {
  const quota = Math.round(share * PERIOD_US)
  try {
    return existsSync('/sys/fs/cgroup/cgroup.controllers')
      ? createGroup('/sys/fs/cgroup', pid, { 'cpu.max': `${quota} ${PERIOD_US}` })
      : createGroup('/sys/fs/cgroup/cpu', pid, { 'cpu.cfs_period_us': String(PERIOD_US), 'cpu.cfs_quota_us': String(quota) })
  } catch {
    return undefined
  }
}

function createGroup(root: string, pid: number, settings: Readonly<Record<string, string>>): CpuShare {
  const group = join(root, `gatehouse-bench-${pid}`)
  mkdirSync(group)
  try {
    for (const [name, value] of Object.entries(settings)) writeFileSync(join(group, name), value)
    for (const one of familyOf(pid)) writeFileSync(join(group, 'cgroup.procs'), String(one))
  } catch (error) {
    rmdirSync(group)
    throw error
  }
  return { remove: () => rmdirSync(group) }
}
