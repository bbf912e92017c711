// Limits that were set for an address become those of the person who signs in with it. Until then they hold by the address
// (limits-of.ts), so that nothing is open while the database is away.
import type { Database } from '../db/connect.ts'
import type { Observe } from '../observe/events.ts'
import type { LimitList } from './limit-list.ts'
import { bindPending } from './store.ts'

export interface SignedIn {
  readonly sub: string
  readonly email: string | undefined
}

export type BindPending = (person: SignedIn, about: { requestId: string; clientIp: string }) => Promise<void>

/** Costs nothing while no limit waits for the address. Never fails: a sign-in does not depend on it. */
export function createBindPending({ db, limits, observe, tell }: { db: Database; limits: LimitList; observe: Observe; tell: Observe }): BindPending {
  return async ({ sub, email }, about) => {
    if (email === undefined || !limits.current().waiting.has(email.toLowerCase())) return
    try {
      const { events } = await bindPending(db, { sub, email }, about)
      events.forEach(tell)
      await limits.refresh()
    } catch (error) {
      observe({ op: 'warn', message: `spend limits: not bound to who signed in: ${(error as Error).message}`, request_id: about.requestId, repeat: 'limits.bind' })
    }
  }
}
