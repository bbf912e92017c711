import { expect, test } from 'bun:test'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { CounterSums } from '../../src/ledger/store.ts'
import { createAdmitSpend } from '../../src/spend/admission.ts'
import { ALICE, execution } from '../support/ledger-rows.ts'

const amounts = (nanoDollars: bigint) => ({ daily: nanoDollars, weekly: nanoDollars, monthly: nanoDollars })
const now = new Date('2026-11-27T12:00:00Z')

/** A limit of 100, of which the database knows 95. */
function admission(ofThisProcess: { unsettled: bigint; unwritable: bigint }) {
  const sums: CounterSums[] = [{ spent: amounts(95n), held: amounts(0n) }]
  const settled: number[] = []
  const ledger: Partial<Ledger> = {
    admit: async ({ requestId }) => ({ requestId, isAdmitted: true, startedAt: now, sums }),
    settle: (_, executions) => void settled.push(executions.length),
    read: async () => ({ now, sums }),
    flush: async () => true,
    unsettled: () => ofThisProcess.unsettled,
    unwritable: () => ofThisProcess.unwritable,
  }
  const admit = createAdmitSpend({ ledger: ledger as Ledger, limitsOf: () => ({ own: [{ limitId: 'spl_1', period: 'daily', amount: 100n, source: 'user' }], pools: [] }), reserves: false, failClosed: false, blockedMessage: undefined, observe: () => {}, now: () => now })
  const principal = { ...ALICE, sid: 'sid', jti: 'jti', expiresAt: 0 }
  return { settled, ask: () => admit({ requestId: crypto.randomUUID(), clientIp: '127.0.0.1', principal, conservative: execution(1) }) }
}

test('what is written meanwhile and was counted already refuses nobody', async () => {
  const { ask, settled } = admission({ unsettled: 5n, unwritable: 0n })
  await ask()
  expect(settled).toEqual([])
})

test('what this process can never write fills a limit all the same, and the request that is refused for it lets its hold go', async () => {
  const { ask, settled } = admission({ unsettled: 5n, unwritable: 5n })
  expect(await ask().catch((error: Error) => error.message)).toStartWith('spend limit reached (daily')
  expect(settled).toEqual([0])
})
