// Of what somebody without a sign-in does again and again, the first hundred are told one by one, and of the rest one that says
// how many: a flood of wrong tokens must not fill the disk of the log, nor the database of the trail.
import { isAudit, type AuditEvent, type Observe } from '../observe/events.ts'
import { isOfNobody } from '../observe/nobody.ts'
import { formatCidr, parseNetwork } from '../std/cidr.ts'
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
/** Of one event from everybody; beyond it of each kind these few, so that nobody's flood takes them from somebody else. */
const [MOST_OF_EVENT, ALWAYS_TOLD] = [1000, 10]
/** Kinds that are counted apart at each width. Whoever has addresses without number fills one width with them, and not the next. */
const MOST_KINDS = 1000

interface Kind {
  readonly width: number
  told: number
  held: number
  last: AuditEvent | undefined
}

/** From whom events are counted together: one address, the network around it and the one around that, everybody. */
const WIDTHS = [addressKey, siteOf, networkOf, () => ''] as const
const [OF_ADDRESS, OF_ALL] = [0, WIDTHS.length - 1]

export function createFold(tell: Observe): Fold {
  let kinds = WIDTHS.map(() => new Map<string, Kind>())
  let toldOf = new Map<string, number>()

  /** Of the narrowest width at which it is counted already, or has room. What happens, and why, are words of ours: those of everybody are few. */
  function kindOf(event: AuditEvent): Kind {
    const what = `${event.evt} ${'outcome' in event ? event.outcome : ''} ${'reason' in event ? event.reason : ''}`
    for (const [width, known] of kinds.entries()) {
      const key = `${what} ${WIDTHS[width]?.(event.client_ip ?? '')}`
      const kind = known.get(key)
      if (kind !== undefined) return kind
      if (known.size >= MOST_KINDS && width !== OF_ALL) continue
      const begun = { width, told: 0, held: 0, last: undefined }
      known.set(key, begun)
      return begun
    }
    throw new Error('everybody is a width')
  }

  return {
    observe(observation) {
      if (!isAudit(observation) || !isOfNobody(observation)) return tell(observation)
      const kind = kindOf(observation)
      const told = toldOf.get(observation.evt) ?? 0
      if (kind.told < (told < MOST_OF_EVENT ? MOST_TOLD : ALWAYS_TOLD)) {
        kind.told++
        toldOf.set(observation.evt, told + 1)
        return tell(observation)
      }
      kind.held++
      kind.last = observation
    },
    turn() {
      const ended = kinds
      kinds = WIDTHS.map(() => new Map())
      toldOf = new Map()
      for (const { width, held, last } of ended.flatMap((known) => [...known.values()])) {
        if (last !== undefined) tell({ ...widened(last, width), repeated: held })
      }
    },
  }
}

/** What one customer of a provider may have to themselves. */
function siteOf(ip: string): string {
  return around(ip, 24, 48)
}

/** What one provider has. */
function networkOf(ip: string): string {
  return around(ip, 16, 32)
}

function around(ip: string, ofIpv4: number, ofIpv6: number): string {
  const network = parseNetwork(`${ip}/${ip.includes(':') ? ofIpv6 : ofIpv4}`)
  return network === undefined ? '' : formatCidr(network)
}

function widened(event: AuditEvent, width: number): AuditEvent {
  if (width === OF_ADDRESS) return event
  const { client_ip: address, ...rest } = event
  return { ...rest, ...(width !== OF_ALL && { client_network: WIDTHS[width]?.(address ?? '') }) } as AuditEvent
}
