// What grows with an organisation: its policies and groups, and the cores that it gives the gateway.
import { createPolicy } from '../../src/policy/policy.ts'
import type { ManagedConfig } from '../../src/policy/config.ts'
import type { Contender } from './contenders.ts'
import { giveShare, type CpuShare } from './cpu-share.ts'
import { runLoad } from './load.ts'
import { request, streamAnswer } from './messages.ts'
import type { Bench } from './rig.ts'

export interface PoliciesResult {
  readonly usualMicroseconds: number
  readonly manyMicroseconds: number
}

export const MANY = { policies: 500, groups: 300 }
const TIMES = 2000

/** How long it takes to find a person's policy where it is the last one. A gateway does it once for each token. */
export function measurePolicies(): PoliciesResult {
  return { usualMicroseconds: findLast({ policies: 3, groups: 3 }), manyMicroseconds: findLast(MANY) }
}

function findLast({ policies, groups }: typeof MANY): number {
  const config = { policies: Array.from({ length: policies }, (_, at) => ({ match: { groups: [`team-${at}`] }, cli: { availableModels: ['claude-sonnet-5'] } })) } as unknown as ManagedConfig
  const policy = createPolicy(config, { canonicalId: () => undefined, mappedIds: () => [] })
  const person = { email: 'alice@example.com', groups: [...Array.from({ length: groups - 1 }, (_, at) => `group-${at}`), `team-${policies - 1}`] }
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const startedMs = performance.now()
    for (let n = 0; n < TIMES; n++) if (policy.forPerson(person).index !== policies - 1) throw new Error('the wrong policy')
    best = Math.min(best, ((performance.now() - startedMs) * 1000) / TIMES)
  }
  return best
}

export interface InstancesResult {
  readonly instances: number
  readonly perSecond: number
}

export interface Instances {
  /** Of a core, for each; undefined where they could not be kept to it. */
  readonly share: number | undefined
  readonly results: readonly InstancesResult[]
}

const CONNECTIONS = 48
/** So much longer than the rest is measured: the compilers take more of a part of a core, and for longer. */
const LONGER = 2.5
/** Little enough that clients, upstream and database have what they need on two cores while three of them are busy. */
const SHARE = 0.25

/** S1 on one port with one, two and three instances, each with a part of a core, everything on all cores: whether they wait for each other. */
export async function measureInstances(bench: Bench, { seconds, warmSeconds }: { seconds: number; warmSeconds: number }): Promise<Instances> {
  bench.upstream.answerWith(streamAnswer())
  const load = (seconds: number) => runLoad({ port: bench.gateway.port, request: request(bench.token, { body: 'usual', stream: true }), connections: CONNECTIONS, seconds: seconds * LONGER })
  const results: InstancesResult[] = []
  const others: Contender[] = []
  const shares: (CpuShare | undefined)[] = []
  await bench.onAllCores(async () => {
    for (const instances of [1, 2, 3]) {
      if (instances > 1) others.push(await bench.anotherInstance())
      // Its compilers are done before it gets little.
      await load(warmSeconds)
      shares.push(giveShare((others.at(-1) ?? bench.gateway).pid, SHARE))
      const { requests, seconds: took } = await load(seconds)
      results.push({ instances, perSecond: requests / took })
    }
    for (const other of others) await other.stop()
    await bench.restart()
  })
  for (const share of shares) share?.remove()
  return { share: shares.every((one) => one !== undefined) ? SHARE : undefined, results }
}
