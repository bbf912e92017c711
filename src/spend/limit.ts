// A spend limit as an administrator set it, and what it comes to for one person. The rules are in limits-of.ts.
import type { CounterScope } from '../ledger/counters.ts'

export const PERIODS = ['daily', 'weekly', 'monthly'] as const
export type Period = (typeof PERIODS)[number]

export interface SpendLimit {
  /** `spl_<32 hex>` */
  readonly id: string
  readonly scope: CounterScope
  /** `sub` of a person, name of a group; empty for the organisation, and for a person that is known by e-mail address alone. */
  readonly scopeId: string
  /** Lower case. Of somebody who has not signed in yet: the limit binds when they do. */
  readonly userEmail: string | undefined
  /** Of a group or the organisation: the members draw on one amount together. */
  readonly isShared: boolean
  readonly period: Period
  /** Whole cents that hold now, a temporary raise included; null: no limit. */
  readonly amount: bigint | null
}

export interface AppliedLimit {
  readonly limitId: string
  readonly period: Period
  /** Nano-dollars. */
  readonly amount: bigint
  /** Whose limit it is that applies. */
  readonly source: CounterScope
}

export interface Pool {
  readonly scope: 'rbac_group' | 'organization'
  readonly scopeId: string
  /** One a period at most. None where the pool is there without an amount: it is charged and not limited. */
  readonly limits: readonly AppliedLimit[]
}

/** What holds for one person: over any of these they are blocked. */
export interface PersonLimits {
  /** Their own counter's; one a period at most. */
  readonly own: readonly AppliedLimit[]
  /** Counters that they share with others. */
  readonly pools: readonly Pool[]
}

export const NO_LIMITS: PersonLimits = { own: [], pools: [] }
