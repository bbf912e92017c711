// Counts what happens by listening where everything is told: no part of the gateway counts its own refusals.
import type { AuditEvent, Observe } from './events.ts'
import { createCounter, OTHER } from './instruments.ts'
import type { MetricFamily } from './metrics.ts'

export interface EventCounts {
  /** Passes everything on. */
  readonly observe: Observe
  families(): MetricFamily[]
}

/** Reasons are words of ours; what does not look like one came from outside. */
const WORD = /^[a-z][a-z0-9_]{0,47}$/
const MOST_REASONS = 200
const QUOTA = 'quota_'

export function countEvents(observe: Observe): EventCounts {
  const counter = (name: string, help: string, labels: readonly string[] = []) => createCounter({ name, help, labels, most: MOST_REASONS })
  const inference = counter('gatehouse_inference_requests_total', 'Requests that reached the upstreams, by how they ended.', ['outcome'])
  const refusals = counter('gatehouse_refusals_total', 'Requests that were refused, by who refuses and why.', ['by', 'reason'])
  const begun = counter('gatehouse_sign_ins_begun_total', 'Devices that asked for a sign-in.')
  const signIns = counter('gatehouse_sign_ins_total', 'Sign-ins that came back from the identity provider, by outcome and reason.', ['outcome', 'reason'])
  const sessions = counter('gatehouse_sessions_total', 'Sessions that began.')
  const refreshes = counter('gatehouse_session_refreshes_total', 'Refreshes of sessions by outcome and reason.', ['outcome', 'reason'])
  const revocations = counter('gatehouse_session_revocations_total', 'Sessions that were revoked, by whom.', ['by'])
  const changes = counter('gatehouse_admin_changes_total', 'Changes by administrators, by kind.', ['kind'])
  const troubles = counter('gatehouse_log_lines_total', 'Warnings and errors, also those that the log holds back.', ['level'])
  const all = [inference, refusals, begun, signIns, sessions, refreshes, revocations, changes, troubles]

  function count(event: AuditEvent): void {
    const times = event.repeated ?? 1
    switch (event.evt) {
      case 'inference':
        return inference.add(1, event.outcome)
      case 'inference.denied':
        return event.reason.startsWith(QUOTA) ? refusals.add(1, 'quota', word(event.reason.slice(QUOTA.length))) : refusals.add(1, 'policy', word(event.reason))
      case 'spend.blocked':
        return refusals.add(1, 'spend', event.reason)
      case 'auth.denied':
        return refusals.add(times, 'bearer', word(event.reason))
      case 'access.denied':
        return refusals.add(times, 'address', word(event.reason))
      case 'admin.denied':
        return refusals.add(times, 'admin', 'credentials')
      case 'desktop_bootstrap.denied':
        return refusals.add(1, 'desktop', event.reason)
      case 'device.authorize':
        return begun.add(times)
      case 'device.callback':
        return signIns.add(times, event.outcome, word(event.reason))
      case 'session.mint':
        return sessions.add(1)
      case 'session.refresh':
        return refreshes.add(times, event.outcome, word(event.reason))
      case 'session.revoke':
        return revocations.add(1, event.by)
      default:
        if (event.evt.startsWith('admin.')) changes.add(1, event.evt.slice('admin.'.length))
    }
  }

  return {
    observe(observation) {
      if ('evt' in observation) count(observation)
      else if (observation.op === 'warn' || observation.op === 'error') troubles.add(1, observation.op)
      observe(observation)
    },
    families: () => all.map((one) => one.family()),
  }
}

function word(reason: string | undefined): string {
  if (reason === undefined) return ''
  return WORD.test(reason) ? reason : OTHER
}
