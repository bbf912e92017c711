// How the ledger does, as metrics. No person is in a label.
import type { MetricFamily } from '../observe/metrics.ts'
import type { LedgerState } from './ledger.ts'

/** `nowMs` is the monotonic clock of the ledger. */
export function ledgerMetrics(state: LedgerState, nowMs: number): MetricFamily[] {
  const one = (name: string, type: MetricFamily['type'], help: string, value: number): MetricFamily => ({ name, type, help, samples: [{ labels: {}, value }] })
  return [
    one('gatehouse_ledger_requests_held', 'gauge', 'Requests that are written down and not settled yet.', state.running),
    one('gatehouse_ledger_settlements_waiting', 'gauge', 'Settlements that the database has not taken yet.', state.waiting),
    one('gatehouse_ledger_lag_seconds', 'gauge', 'How long the oldest of them waits.', state.oldestMs === undefined ? 0 : Math.max(0, nowMs - state.oldestMs) / 1000),
    one('gatehouse_ledger_settled_total', 'counter', 'Settlements that were written.', state.settled),
    one('gatehouse_ledger_settle_batches_total', 'counter', 'Statements that wrote them.', state.batches),
    one('gatehouse_ledger_set_aside_total', 'counter', 'Settlements that the database refused for what is in them; see the log.', state.setAside),
    one('gatehouse_ledger_swept_total', 'counter', 'Requests of dead processes that this one settled at their conservative cost.', state.swept),
    one('gatehouse_spend_checks_total', 'counter', 'Requests that asked whether they may cost something.', state.admissions.entries),
    one('gatehouse_spend_check_batches_total', 'counter', 'Statements that answered them.', state.admissions.batches),
    one('gatehouse_spend_checks_unanswered_total', 'counter', 'Requests that the database did not answer in time: what became of them is for enforcement.fail_closed_on_error to say.', state.unanswered),
  ]
}
