// Which addresses a host name may be reached at. Every answer of the resolver is judged before any is used, and the
// connection goes to a judged address, so a name that changes its answer in between (DNS rebinding) gains nothing.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isMetadataName, judgeAddress } from './address.ts'
import { EgressError } from './egress-error.ts'

/** All addresses of a name, IPv4 and IPv6. Throws when there are none. */
export type Resolve = (host: string) => Promise<string[]>

export interface AddressBook {
  /** At least one address, best first; at once when it is known. Rejects with EgressError `dns` or `blocked_address`. */
  addressesOf(host: string): readonly string[] | Promise<readonly string[]>
  /** Remembers that `address` answered when another one did not. */
  prefer(host: string, address: string): void
}

/** How long a judged answer is used without asking again. Short, so that a failover by DNS is followed. */
const FRESH_MS = 5_000
/** How long judged addresses outlive a resolver that does not answer: a DNS outage must not become ours. */
const KEEP_MS = 300_000
/** The hosts of a configuration are few; this only bounds a mistake. */
const MAX_HOSTS = 1_000

interface Entry {
  addresses: readonly string[]
  askAgainAtMs: number
  forgetAtMs: number
}

export function createAddressBook({ allowLoopback, exempt = new Set(), resolve = resolveBySystem, nowMs = () => performance.now() }: {
  allowLoopback: boolean
  /** Host names and addresses that are reached wherever they lead. */
  exempt?: ReadonlySet<string> | undefined
  resolve?: Resolve | undefined
  /** A monotonic clock. */
  nowMs?: () => number
}): AddressBook {
  const entries = new Map<string, Entry>()
  const lookups = new Map<string, Promise<readonly string[]>>()

  async function ask(host: string): Promise<readonly string[]> {
    const known = entries.get(host)
    let answer: string[]
    try {
      answer = isIP(host) === 0 ? await resolve(host) : [host]
    } catch {
      if (known === undefined || nowMs() >= known.forgetAtMs) throw new EgressError('dns', host)
      known.askAgainAtMs = nowMs() + FRESH_MS
      return known.addresses
    }
    entries.delete(host)
    const addresses = order(exempt.has(host) ? requireAny(host, answer) : requireAllowed(host, answer, allowLoopback), known?.addresses[0])
    entries.set(host, { addresses, askAgainAtMs: nowMs() + FRESH_MS, forgetAtMs: nowMs() + KEEP_MS })
    if (entries.size > MAX_HOSTS) entries.delete(entries.keys().next().value as string)
    return addresses
  }

  return {
    addressesOf(host) {
      const known = entries.get(host)
      if (known !== undefined && nowMs() < known.askAgainAtMs) return known.addresses
      const running = lookups.get(host)
      if (running !== undefined) return running
      const lookup = ask(host).finally(() => lookups.delete(host))
      lookups.set(host, lookup)
      return lookup
    },
    prefer(host, address) {
      const known = entries.get(host)
      if (known?.addresses.includes(address)) known.addresses = order(known.addresses, address)
    },
  }
}

function requireAny(host: string, answer: readonly string[]): readonly string[] {
  if (answer.length === 0) throw new EgressError('dns', host)
  return answer
}

/** One forbidden answer condemns the name: a name with a public and a forbidden address is an attack, not a mistake. */
function requireAllowed(host: string, answer: readonly string[], allowLoopback: boolean): readonly string[] {
  requireAny(host, answer)
  if (isMetadataName(host)) throw new EgressError('blocked_address', host)
  for (const address of answer) {
    const verdict = judgeAddress(address)
    if (verdict === 'blocked' || (verdict === 'loopback' && !allowLoopback)) throw new EgressError('blocked_address', host)
  }
  return answer
}

/**
 * `first` leads as long as the name still has it, so that its pooled connections stay in use; then IPv4, because a
 * host with an IPv6 address and no IPv6 route is the more common misconfiguration, and a black hole cannot be told
 * from a slow server.
 */
function order(addresses: readonly string[], first: string | undefined): readonly string[] {
  const rank = (address: string) => (address === first ? 0 : address.includes(':') ? 2 : 1)
  return addresses.toSorted((a, b) => rank(a) - rank(b))
}

async function resolveBySystem(host: string): Promise<string[]> {
  const answers = await lookup(host, { all: true, verbatim: true })
  return answers.map(({ address }) => address)
}
