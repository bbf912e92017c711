// Browsers that this replica has seen signed in with somebody who may see it, for the page that has to show when the store is away that it is away. As
// with bearers the last list of revoked sessions stands meanwhile.
import type { PageSession } from './store.ts'

export interface RememberedSessions {
  /** The session of a token was found living; it ends in so many seconds. */
  found(tokenHash: string, session: PageSession, secondsLeft: number): void
  /** What was found, as long as it lives. */
  recall(tokenHash: string): PageSession | undefined
  forget(tokenHash: string): void
}

const MOST = 1000

/** `nowMs` is monotonic. */
export function createRememberedSessions(isRevoked: (sid: string) => boolean, nowMs: () => number): RememberedSessions {
  /** Found longest ago first. */
  const known = new Map<string, { readonly session: PageSession; readonly untilMs: number }>()
  return {
    found(tokenHash, session, secondsLeft) {
      known.delete(tokenHash)
      known.set(tokenHash, { session, untilMs: nowMs() + secondsLeft * 1000 })
      if (known.size > MOST) known.delete(known.keys().next().value as string)
    },
    recall(tokenHash) {
      const one = known.get(tokenHash)
      return one !== undefined && nowMs() < one.untilMs && !isRevoked(one.session.sid) ? one.session : undefined
    },
    forget: (tokenHash) => void known.delete(tokenHash),
  }
}
