// What a relay charges to in a test that has no database: everybody may, and what is settled is kept.
import type { Execution } from '../../src/ledger/execution.ts'
import { createPricing } from '../../src/pricing/price.ts'
import type { ChargeDeps } from '../../src/relay/charge.ts'

export function keptCharge(): ChargeDeps & { settled: { requestId: string; executions: readonly Execution[] }[] } {
  const settled: { requestId: string; executions: readonly Execution[] }[] = []
  return {
    settled,
    admitSpend: async ({ requestId, principal }) => ({ headers: {}, request: { requestId, startedAt: new Date(0), person: principal, pools: [] } }),
    ledger: { settle: ({ requestId }, executions) => void settled.push({ requestId, executions }) },
    pricing: createPricing({ multiplier: 1, overrides: [] }),
    nowMs: () => 0,
  }
}
