// Of what somebody without a sign-in does again and again, the first hundred are told one by one, and of the rest one that says
// how many: a flood of wrong tokens must not fill the disk of the log, nor the database of the trail.
import { isAudit, type AuditEvent, type Observe } from '../observe/events.ts'
import { isOfNobody } from '../observe/nobody.ts'
import { addressKey } from './rate-limit.ts'

export interface Fold {
  observe: Observe
  /** Ends the time in which repeats are counted, and tells of them. */
  turn(): void
}

/** How long repeats are counted, for whoever turns it. */
export const FOLD_MS = 10_000
/** Of one kind from one address, in that time. */
const MOST_TOLD = 100
/** Kinds and addresses that are counted apart; of all others it is told together, and no address. */
const MOST_KINDS = 1000

interface Kind {
  told: number
  held: number
  last: AuditEvent | undefined
}

export function createFold(tell: Observe): Fold {
  let kinds = new Map<string, Kind>()

  function kindOf(event: AuditEvent): { kind: Kind; isShared: boolean } {
    const what = `${event.evt} ${'outcome' in event ? event.outcome : ''} ${'reason' in event ? event.reason : ''}`
    const own = `${what} ${addressKey(event.client_ip ?? '')}`
    const isShared = !kinds.has(own) && kinds.size >= MOST_KINDS
    const key = isShared ? event.evt : own
    const kind = kinds.get(key) ?? { told: 0, held: 0, last: undefined }
    kinds.set(key, kind)
    return { kind, isShared }
  }

  return {
    observe(observation) {
      if (!isAudit(observation) || !isOfNobody(observation)) return tell(observation)
      const { kind, isShared } = kindOf(observation)
      if (kind.told < MOST_TOLD) {
        kind.told++
        return tell(observation)
      }
      kind.held++
      kind.last = isShared ? withoutAddress(observation) : observation
    },
    turn() {
      const ended = kinds
      kinds = new Map()
      for (const { held, last } of ended.values()) if (last !== undefined) tell({ ...last, repeated: held })
    },
  }
}

function withoutAddress({ client_ip: _, ...event }: AuditEvent): AuditEvent {
  return event as AuditEvent
}
