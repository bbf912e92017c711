// Which events anybody can cause who reaches the gateway.
import type { AuditEvent } from './events.ts'

const OPEN_TO_ALL: ReadonlySet<AuditEvent['evt']> = new Set(['auth.denied', 'access.denied', 'admin.denied', 'device.authorize', 'device.verify', 'device.callback', 'page.sign_in', 'page.sign_out', 'session.refresh'])

/** An event of a caller of whom nothing is known: no person, no session, no administrator's key. */
export function isOfNobody(event: AuditEvent): boolean {
  const { sub, sid, actor } = event as { sub?: string; sid?: string; actor?: string }
  return OPEN_TO_ALL.has(event.evt) && (sub ?? sid ?? actor) === undefined
}
