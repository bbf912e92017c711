// How the stored audit trail does, as metrics.
import { single, type MetricFamily } from '../observe/metrics.ts'
import type { TrailState } from './trail.ts'

/** `nowMs` is the monotonic clock of the trail. */
export function trailMetrics({ waiting, oldestMs, bytes, stored, lost, failures }: TrailState, nowMs: number): MetricFamily[] {
  return [
    single('gatehouse_audit_events_waiting', 'gauge', 'Audit events that the database has not taken yet.', waiting),
    single('gatehouse_audit_lag_seconds', 'gauge', 'How long the oldest audit event has waited for the database.', oldestMs === undefined ? 0 : Math.max(0, nowMs - oldestMs) / 1000),
    single('gatehouse_audit_waiting_bytes', 'gauge', 'Memory that waiting audit events take.', bytes),
    single('gatehouse_audit_events_stored_total', 'counter', 'Audit events that were stored.', stored),
    single('gatehouse_audit_events_lost_total', 'counter', 'Audit events that are on standard error alone, because the database did not take them in time.', lost),
    single('gatehouse_audit_write_failures_total', 'counter', 'Statements that stored no audit event.', failures),
  ]
}
