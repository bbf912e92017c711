// What grows with an organisation: its policies and groups, and the cores that it gives the gateway.
import { createPolicy } from '../../src/policy/policy.ts'
import type { ManagedConfig } from '../../src/policy/config.ts'
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

const CONNECTIONS = 32

/** S1 on one port, with one instance and with two, everything on all cores: what is left of them, clients and database need. */
export async function measureInstances(bench: Bench, { seconds, warmSeconds }: { seconds: number; warmSeconds: number }): Promise<InstancesResult[]> {
  bench.upstream.answerWith(streamAnswer())
  const load = (seconds: number) => runLoad({ port: bench.gateway.port, request: request(bench.token, { body: 'usual', stream: true }), connections: CONNECTIONS, seconds })
  const results: InstancesResult[] = []
  const measure = async (instances: number) => {
    await load(warmSeconds)
    const { requests, seconds: took } = await load(seconds)
    results.push({ instances, perSecond: requests / took })
  }
  await bench.onAllCores(async () => {
    await measure(1)
    const second = await bench.secondInstance()
    await measure(2)
    await second.stop()
  })
  return results
}
