// Executions and requests for tests of the ledger.
import { executionCost, ledgerRequest, ledgerRow, type Execution, type LedgerRequest } from '../../src/ledger/execution.ts'
import { NO_USAGE } from '../../src/pricing/usage.ts'

const RATE = 1_000_000n

/** Costs `cost` nano-dollars: one input token each, at a nano-dollar a token. */
export function execution(cost: number, changes: Partial<Execution> = {}): Execution {
  const made: Omit<Execution, 'cost'> = {
    kind: 'message',
    session: 'session-1',
    client: 'claude-cli',
    clientVersion: '2.1.330',
    modelAsked: 'claude-sonnet-5',
    model: 'claude-sonnet-5',
    upstream: 'anthropic',
    provider: 'anthropic',
    upstreamModel: 'claude-sonnet-5',
    region: undefined,
    upstreamRequestId: 'req_1',
    usage: { ...NO_USAGE, input: cost, output: 0 },
    status: 200,
    outcome: 'completed',
    ttfbMs: 10,
    durationMs: 20,
    price: { rates: { input: RATE, output: RATE, cacheRead: RATE, cacheWrite5m: RATE, cacheWrite1h: RATE, webSearch: 10_000_000n }, by: 'list' } as Execution['price'],
    ...changes,
  }
  return { ...made, cost: executionCost(made) }
}

export const ALICE = { issuer: 'https://idp.example.com', sub: 'alice', email: 'alice@example.com', name: 'Alice', groups: ['engineering', 'staff'] }
export const ALICE_KEY = 'https://idp.example.com alice'

export function request(changes: Partial<LedgerRequest> = {}): LedgerRequest {
  return { requestId: crypto.randomUUID(), startedAt: new Date(), person: ALICE, pools: [], ...changes }
}

/** As the store takes them. */
export function settlement(one: LedgerRequest, executions: readonly Execution[]) {
  return { requests: [ledgerRequest(one, { seen: true })], rows: executions.map((each, at) => ledgerRow(one.requestId, at + 1, each)) }
}

export function conservative(one: LedgerRequest, cost: number) {
  return { request: ledgerRequest(one, { seen: false }), rows: [ledgerRow(one.requestId, 1, execution(cost, { outcome: 'swept', status: 0, usage: { ...NO_USAGE, input: cost, isEstimated: true } }))] }
}
