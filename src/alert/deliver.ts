// Sends what is queued for one destination. Replicas share the work: what one has claimed the others leave alone.
import type { Database } from '../db/connect.ts'
import { EgressError } from '../egress/egress-error.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { readSmallBody } from '../egress/small-body.ts'
import type { Observe } from '../observe/events.ts'
import { headersFor, type Destination } from './destination.ts'
import { mayPass, retryAfterSeconds } from './retry.ts'
import { claimDeliveries, finishDelivery, postponeDelivery, restDestination, type Delivery } from './store.ts'

export const DELIVERY_OUTCOMES = ['delivered', 'postponed', 'refused', 'gave_up'] as const
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number]

export interface DeliverDeps {
  db: Database
  fetch: GuardedFetch
  observe: Observe
  /** `words` say why, of one that was not delivered. */
  counted: (outcome: DeliveryOutcome, words?: string) => void
  /** Ends what is being sent. */
  signal: AbortSignal
  /** Seconds before the next attempt. */
  backOffSeconds?: typeof retryAfterSeconds
}

const BATCH = 5
const TIMEOUT_MS = 10_000
const ANSWER_MS = 2000
const MAX_ANSWER_BYTES = 64 * 1024
/** A batch takes less. */
const CLAIM_S = 90
const GIVE_UP_S = 86_400

type Verdict = 'delivered' | { readonly words: string; readonly mayPass: boolean; readonly retryAfter: string | null }

/**
 * Sends one batch in order and stops at the first that has to be tried again: the others would fare no better. True when
 * there may be more that is due. Throws when the database does not answer; what was claimed is then sent by whoever comes later.
 */
export async function deliverBatch(destination: Destination, deps: DeliverDeps): Promise<boolean> {
  const claimed = await claimDeliveries(deps.db, destination.id, BATCH, CLAIM_S)
  for (const [at, delivery] of claimed.entries()) {
    const outcome = deps.signal.aborted ? UNSENT : await deliver(destination, delivery, deps)
    if (outcome === undefined) continue
    const unsent = claimed.slice(outcome === UNSENT ? at : at + 1)
    await restDestination(deps.db, destination.id, unsent.map(({ id }) => id), outcome.waitSeconds)
    return false
  }
  return claimed.length === BATCH
}

const UNSENT = { waitSeconds: 0 }

/** Undefined when it is settled; otherwise for how many seconds the destination is left alone. */
async function deliver(destination: Destination, delivery: Delivery, deps: DeliverDeps): Promise<{ readonly waitSeconds: number } | undefined> {
  const { db, observe, counted, signal, backOffSeconds = retryAfterSeconds } = deps
  const verdict = await send(destination, delivery, deps)
  if (signal.aborted && verdict !== 'delivered') return UNSENT
  if (verdict === 'delivered') {
    await finishDelivery(db, delivery.id)
    counted('delivered')
    return undefined
  }
  const nowMs = Date.now()
  const isOver = delivery.ageSeconds >= GIVE_UP_S
  if (!verdict.mayPass || isOver) {
    await finishDelivery(db, delivery.id)
    counted(verdict.mayPass ? 'gave_up' : 'refused', verdict.words)
    observe({ op: 'error', message: `alerts: ${destination.host}: an alert was ${verdict.mayPass ? 'not taken for a day' : 'refused'} and is given up: ${verdict.words}` })
    return undefined
  }
  await postponeDelivery(db, delivery.id, backOffSeconds(delivery.attempts, verdict.retryAfter, nowMs, Math.random()), verdict.words)
  counted('postponed', verdict.words)
  observe({ op: 'warn', message: `alerts: ${destination.host}: an alert is tried again later: ${verdict.words}`, repeat: `alert.${destination.id}` })
  return { waitSeconds: backOffSeconds(1, verdict.retryAfter, nowMs, 0) }
}

async function send(destination: Destination, { id, body }: Delivery, deps: DeliverDeps): Promise<Verdict> {
  try {
    const response = await deps.fetch(destination.url.reveal(), { method: 'POST', headers: headersFor(destination, id, body, Date.now()), body, signal: deps.signal, headersTimeoutMs: TIMEOUT_MS })
    await readSmallBody(response, MAX_ANSWER_BYTES, ANSWER_MS).catch(() => {})
    if (response.ok) return 'delivered'
    return { words: `answered ${response.status}`, mayPass: mayPass(response.status), retryAfter: response.headers.get('retry-after') }
  } catch (error) {
    // A name may resolve to something else later; an address that must not be reached stays one.
    return { words: error instanceof EgressError ? error.message : 'could not be sent', mayPass: true, retryAfter: null }
  }
}
