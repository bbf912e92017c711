// Whether a request may cost something: it is written down and let through, or refused before anything is sent.
import { GatewayError } from '../errors.ts'
import { personKey } from '../ledger/counters.ts'
import type { Execution, LedgerRequest } from '../ledger/execution.ts'
import { LedgerUnavailable, type Ledger } from '../ledger/ledger.ts'
import type { AdmissionRow, LimitedCounter } from '../ledger/store.ts'
import type { Observe } from '../observe/events.ts'
import type { Principal } from '../principal.ts'
import type { PersonLimits } from './limit.ts'
import { allowedHeaders, heldRefusal, spendRefusal, unreadableRefusal } from './spend-answers.ts'
import { decisive, fullest, limitedCounters, usesOf, type Use } from './standing.ts'

export interface SpendDeps {
  ledger: Ledger
  limitsOf: (person: Principal) => PersonLimits
  /** `enforcement.reserve`: the conservative cost is held against the limits while a request runs. */
  reserves: boolean
  /** `enforcement.fail_closed_on_error` */
  failClosed: boolean
  blockedMessage: string | undefined
  observe: Observe
  now: () => Date
}

export interface SpendRequest {
  readonly requestId: string
  readonly clientIp: string
  readonly principal: Principal
  /** What it comes to at worst, and what is settled should this process die. */
  readonly conservative: Execution
}

export interface Admitted {
  /** For the answer, when it is a success. */
  readonly headers: Readonly<Record<string, string>>
  /** To settle by. */
  readonly request: LedgerRequest
}

/** Throws the refusal of contract §5, or 503 while more waits for the database than may be kept. */
export type AdmitSpend = (request: SpendRequest) => Promise<Admitted>

export function createAdmitSpend(deps: SpendDeps): AdmitSpend {
  return async (asked) => {
    const { requestId, principal } = asked
    const limits = deps.limitsOf(principal)
    const counters = limitedCounters(principal, limits)
    const pools = limits.pools.flatMap(({ scope, scopeId }) => (scope === 'rbac_group' ? [scopeId] : []))
    const unsettled = deps.ledger.unsettled(personKey(principal))
    const named = { requestId, person: principal, pools }
    let row: AdmissionRow
    try {
      row = await deps.ledger.admit({ ...named, counters, reserves: deps.reserves, conservative: asked.conservative })
    } catch (error) {
      return unreadable(deps, asked, error, { ...named, startedAt: deps.now() })
    }
    const request = { ...named, startedAt: row.startedAt }
    if (!row.isAdmitted) throw refusal(deps, asked, usesOf(counters, row.sums, row.startedAt), row.startedAt)
    const uses = usesOf(counters, row.sums, row.startedAt, unsettled)
    if (unsettled > 0n && decisive(uses) !== undefined) await refuseIfSpent(deps, asked, counters, request)
    const fill = fullest(uses)
    return { headers: fill === undefined ? {} : allowedHeaders(fill), request }
  }
}

/** What this process has yet to write may fill the limit, or be counted already: the database says which once it is written. What it can never write the database does not know. */
async function refuseIfSpent(deps: SpendDeps, asked: SpendRequest, counters: readonly LimitedCounter[], request: LedgerRequest): Promise<void> {
  const fresh = await readAfterWriting(deps, asked.principal, counters)
  if (fresh instanceof LedgerUnavailable) {
    if (deps.failClosed) deps.ledger.settle(request, [])
    unreadable(deps, asked, fresh, request)
  } else if (decisive(fresh.uses) !== undefined) {
    deps.ledger.settle(request, [])
    throw refusal(deps, asked, fresh.uses, fresh.now)
  }
}

const WRITTEN_WITHIN_MS = 2000

async function readAfterWriting({ ledger }: SpendDeps, person: Principal, counters: readonly LimitedCounter[]): Promise<{ uses: Use[]; now: Date } | LedgerUnavailable> {
  try {
    if (!(await ledger.flush(WRITTEN_WITHIN_MS))) return new LedgerUnavailable('unreachable', 'settlements wait for the database')
    const { now, sums } = await ledger.read(counters)
    return { uses: usesOf(counters, sums, now, ledger.unwritable(personKey(person))), now }
  } catch (error) {
    return new LedgerUnavailable('unreachable', (error as Error).message)
  }
}

function refusal(deps: SpendDeps, { requestId, clientIp, principal }: SpendRequest, uses: readonly Use[], now: Date): GatewayError {
  const spent = decisive(uses)
  const full = spent ?? uses.find(({ spent, held, limit }) => spent + held >= limit)
  deps.observe({ evt: 'spend.blocked', request_id: requestId, client_ip: clientIp, ...facts(principal), reason: spent === undefined ? 'held' : 'limit', period: full?.period, pool: full?.isPool, resets_at: full?.resetsAt.toISOString() })
  return spent === undefined ? heldRefusal(full) : spendRefusal(spent, now, deps.blockedMessage)
}

/** The fail mode of contract §5: serve with a warning, or refuse. */
function unreadable(deps: SpendDeps, { requestId, clientIp, principal }: SpendRequest, error: unknown, request: LedgerRequest): Admitted {
  if (!(error instanceof LedgerUnavailable)) throw error
  if (error.reason === 'full') throw new GatewayError('unavailable', 'usage cannot be recorded now; try again', { headers: { 'retry-after': '5' }, reason: error.message })
  if (deps.failClosed) {
    deps.observe({ evt: 'spend.blocked', request_id: requestId, client_ip: clientIp, ...facts(principal), reason: 'unreadable' })
    throw unreadableRefusal()
  }
  deps.observe({ op: 'warn', message: `${error.message}; requests run without a check of their spend`, request_id: requestId, repeat: 'spend.open' })
  return { headers: {}, request }
}

function facts({ issuer, sub, email }: Principal) {
  return { issuer, sub, email }
}
