// Pages of limits and of the audit trail, as the admin API tells them (contract §6).
import { limitAnswer, moment, type LimitRow } from './limit-row.ts'
import type { AuditRow, ListedLimit } from './store.ts'

/** `rows` has one beyond the page when there is more in the direction it was read in; backwards the nearest come first. */
export function listAnswer(rows: readonly ListedLimit[], { limit, isBackwards }: { limit: number; isBackwards: boolean }) {
  const page = rows.slice(0, limit)
  const data = (isBackwards ? page.toReversed() : page).map(({ row, seen }) => limitAnswer(row, seen))
  return { data, has_more: rows.length > limit, first_id: data.at(0)?.id ?? null, last_id: data.at(-1)?.id ?? null }
}

export function auditAnswer(rows: readonly AuditRow[], limit: number) {
  return { data: rows.slice(0, limit).map(auditEvent), has_more: rows.length > limit }
}

function auditEvent({ id, created_at, actor, action, target_id, before, after, reason }: AuditRow) {
  return { type: 'audit_event', id, created_at: moment(created_at), actor, action, target_id, before: snapshot(before), after: snapshot(after), reason }
}

/** As it was then: whoever the limit is for may have signed in since. */
function snapshot(row: LimitRow | null) {
  return row && limitAnswer(row)
}
