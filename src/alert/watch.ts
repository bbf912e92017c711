// Looks at the spend that moved, notes the thresholds it passed, queues what is to be told. Every replica does so; the
// table of thresholds lets each pass once.
import { randomUUID } from 'node:crypto'
import type { Database } from '../db/connect.ts'
import type { Observe } from '../observe/events.ts'
import { dollarsAndCents } from '../spend/amounts.ts'
import { passedThresholds, type LimitsOfCounter, type Moment, type Movement, type PassedThreshold } from './alert.ts'
import { bodyFor, type Destination } from './destination.ts'
import { lookAtSpend, noteLook, recordAlerts, type NewAlert, type Page } from './store.ts'

export interface WatchDeps {
  db: Database
  observe: Observe
  thresholds: readonly number[]
  destinations: readonly Destination[]
  limitsOf: LimitsOfCounter
}

const PAGE = 1000

/** One look at everything that moved. Returns what was new. Throws when the database does not answer: the next look sees it. */
export async function watchOnce({ db, observe, thresholds, destinations, limitsOf }: WatchDeps): Promise<PassedThreshold[]> {
  const told: PassedThreshold[] = []
  let first: string | undefined
  let isWhole = true
  for (let after: Page | undefined; ; ) {
    const { moment, movements, lookedAt } = await lookAtSpend(db, after, PAGE)
    first ??= lookedAt
    const { alerts, areLimitsKnown } = judgeAll(movements, moment)
    isWhole &&= areLimitsKnown
    const fresh = alerts.length === 0 ? [] : await recordAlerts(db, alerts)
    for (const one of fresh) observe(eventOf(one))
    told.push(...fresh)
    after = movements.at(-1)?.counter
    if (movements.length < PAGE) break
  }
  // With limits that cannot be read a threshold may have been missed: the next look begins where this one did.
  if (isWhole) await noteLook(db, first)
  return told

  function judgeAll(movements: readonly Movement[], moment: Moment): { alerts: NewAlert[]; areLimitsKnown: boolean } {
    const limited = movements.map((movement) => ({ movement, limits: limitsOf(movement.counter) }))
    const alerts = limited.flatMap(({ movement, limits }) => passedThresholds(movement, limits ?? [], thresholds, moment).map((passed) => toNewAlert(passed, moment.nowMs)))
    return { alerts, areLimitsKnown: limited.every(({ limits }) => limits !== undefined) }
  }

  function toNewAlert(passed: PassedThreshold, nowMs: number): NewAlert {
    return { passed, deliveries: passed.isHighest ? destinations.map((destination) => ({ id: randomUUID(), destination: destination.id, body: bodyFor(destination, passed, nowMs) })) : [] }
  }
}

function eventOf({ counter: { scope, scopeId, person }, limit, threshold, percent, spent, resetsAtMs, exhaustedAtMs }: PassedThreshold) {
  return {
    evt: 'spend.alert' as const,
    scope,
    ...(scope === 'rbac_group' && { group: scopeId }),
    ...(person !== undefined && { issuer: person.issuer, sub: person.sub, email: person.email }),
    spend_limit_id: limit.limitId,
    period: limit.period,
    threshold,
    percent,
    spent: dollarsAndCents(spent),
    limit: dollarsAndCents(limit.amount),
    resets_at: new Date(resetsAtMs).toISOString(),
    ...(exhaustedAtMs !== undefined && { projected_exhaustion: new Date(exhaustedAtMs).toISOString() }),
  }
}
