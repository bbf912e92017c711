// A limit as its row is kept, and as the admin API tells it (contract §6).
import type { CounterScope } from '../ledger/counters.ts'
import type { Period, SpendLimit } from './limit.ts'

/** A row of spend_limit as JSON; so it stands in the audit trail as well. Amounts are whole cents, far below 2^53. */
export interface LimitRow {
  readonly id: string
  readonly scope: CounterScope
  readonly scope_id: string
  readonly user_email: string | null
  readonly shared: boolean
  readonly period: Period
  readonly has_base: boolean
  readonly amount: number | null
  readonly temporary_amount: number | null
  readonly temporary_until: string | null
  readonly created_at: string
  readonly updated_at: string
}

/** What holds now of a row that has not run out. */
export function limitOf(row: LimitRow): SpendLimit {
  const amount = amountOf(row)
  return {
    id: row.id,
    scope: row.scope,
    scopeId: row.scope_id,
    userEmail: row.user_email ?? undefined,
    isShared: row.shared,
    period: row.period,
    amount: amount === null ? null : BigInt(amount),
  }
}

function amountOf({ amount, temporary_amount, temporary_until }: LimitRow): number | null {
  return temporary_until === null ? amount : temporary_amount
}

/** A `spend_limit` object. What the contract does not name is there only where it says something. */
export function limitAnswer(row: LimitRow, isSeen = true) {
  return {
    type: 'spend_limit',
    id: row.id,
    created_at: moment(row.created_at),
    updated_at: moment(row.updated_at),
    scope: scopeAnswer(row),
    amount: cents(amountOf(row)),
    currency: 'USD',
    period: row.period,
    ...(row.shared && { shared: true }),
    ...(row.temporary_until !== null && { expires_at: moment(row.temporary_until) }),
    ...(row.temporary_until !== null && row.has_base && { base_amount: cents(row.amount) }),
    ...(row.scope === 'user' && !isSeen && { matched: false }),
  }
}

/** The scope as it is asked for. */
export function scopeAnswer({ scope, scope_id, user_email }: Pick<LimitRow, 'scope' | 'scope_id' | 'user_email'>) {
  if (scope === 'organization') return { type: scope }
  if (scope === 'rbac_group') return { type: scope, rbac_group_id: scope_id }
  return user_email === null ? { type: scope, user_id: scope_id } : { type: scope, user_email }
}

const cents = (amount: number | null): string | null => (amount === null ? null : String(amount))

/** RFC 3339, UTC. */
export function moment(text: string): string {
  return new Date(text).toISOString()
}
