// How the ledger does, as metrics. No person is in a label.
import { single, type MetricFamily } from '../observe/metrics.ts'
import type { LedgerState } from './ledger.ts'

/** `nowMs` is the monotonic clock of the ledger. */
export function ledgerMetrics(state: LedgerState, nowMs: number): MetricFamily[] {
  return [
    single('gatehouse_ledger_requests_held', 'gauge', 'Requests that are written down and not settled yet.', state.running),
    single('gatehouse_spend_held_dollars', 'gauge', 'What is held against spend limits for requests under way; 0 with enforcement.reserve off.', Number(state.held) / 1e9),
    single('gatehouse_ledger_settlements_waiting', 'gauge', 'Settlements that the database has not taken yet.', state.waiting),
    single('gatehouse_ledger_lag_seconds', 'gauge', 'How long the oldest settlement has waited for the database.', state.oldestMs === undefined ? 0 : Math.max(0, nowMs - state.oldestMs) / 1000),
    single('gatehouse_ledger_settled_total', 'counter', 'Settlements that were written.', state.settled),
    single('gatehouse_ledger_settle_batches_total', 'counter', 'Statements that wrote settlements: settled_total by this is the size of a batch.', state.batches),
    single('gatehouse_ledger_set_aside_total', 'counter', 'Settlements that the database refused for what is in them; see the log.', state.setAside),
    single('gatehouse_ledger_swept_total', 'counter', 'Requests of dead processes that this one settled at their conservative cost.', state.swept),
    single('gatehouse_spend_checks_total', 'counter', 'Requests that asked whether they may cost something.', state.admissions.entries),
    single('gatehouse_spend_check_batches_total', 'counter', 'Statements that answered spend checks: spend_checks_total by this is the size of a batch.', state.admissions.batches),
    single('gatehouse_spend_checks_unanswered_total', 'counter', 'Requests that the database did not answer in time: what became of them is for enforcement.fail_closed_on_error to say.', state.unanswered),
  ]
}
