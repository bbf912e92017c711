// The device grant as a state machine. Pure: the store makes the same transitions, each in one conditional statement.

export type GrantStatus = 'pending' | 'approved' | 'denied' | 'consumed'

/** A grant as one poll finds it. */
export interface PolledGrant {
  readonly status: GrantStatus
  readonly expired: boolean
  /** Sooner after the last poll than the interval allows. */
  readonly tooSoon: boolean
}

export type PollVerdict = 'issue' | 'authorization_pending' | 'slow_down' | 'access_denied' | 'expired_token'

export const GRANT_LIFETIME_SECONDS = 600
export const FIRST_INTERVAL_SECONDS = 5
/** RFC 8628 §3.5: slow_down adds five seconds to the interval, for this and all later polls. */
export const INTERVAL_STEP_SECONDS = 5
export const MAX_INTERVAL_SECONDS = 60
/** A client that keeps the interval by its own clock may arrive this much early by ours. */
export const POLL_LEEWAY_SECONDS = 0.5

/** RFC 8628 §3.5. A denial is final, whatever the clock says; an approval is given out once, and never after expiry. */
export function judgePoll(grant: PolledGrant | undefined): PollVerdict {
  if (grant === undefined) return 'expired_token'
  if (grant.status === 'denied') return 'access_denied'
  if (grant.status === 'consumed' || grant.expired) return 'expired_token'
  if (grant.status === 'approved') return 'issue'
  return grant.tooSoon ? 'slow_down' : 'authorization_pending'
}
