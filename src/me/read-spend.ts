// What one person has spent and may spend, read now.
import { personKey } from '../ledger/counters.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { CounterSums, PeriodAmounts } from '../ledger/store.ts'
import { decidingLimits, poolsOf, type LimitedPerson, type LimitIndex, type LimitRules } from '../spend/limits-of.ts'
import { personCounter } from '../spend/standing.ts'
import { ownLimits, type OwnLimit, type Standing } from './own-limits.ts'

export interface SpendSource {
  ledger: Pick<Ledger, 'read' | 'flush' | 'unsettled'>
  /** The limits of administrators, where there are any. */
  spend: { limits: { current(): LimitIndex }; rules: LimitRules } | undefined
}

export interface OwnSpend {
  /** By the database's clock, which decides about periods. */
  readonly now: Date
  /** Nano-dollars. */
  readonly spent: PeriodAmounts
  readonly limits: readonly OwnLimit[]
}

/** A person who has just had an answer looks for its cost; beyond this they see what is written so far. */
const FLUSH_MS = 500

/** Throws DatabaseError. */
export async function readSpend({ ledger, spend }: SpendSource, person: LimitedPerson): Promise<OwnSpend> {
  if (ledger.unsettled(personKey(person)) > 0n) await ledger.flush(FLUSH_MS)
  const { own, pools } = limitsFor(person, spend)
  const { now, sums } = await ledger.read([personCounter(person), ...pools])
  return { now, spent: (sums[0] as CounterSums).spent, limits: ownLimits({ own, pools, sums, now }) }
}

function limitsFor(person: LimitedPerson, spend: SpendSource['spend']): Pick<Standing, 'own' | 'pools'> {
  if (spend === undefined) return { own: {}, pools: [] }
  const index = spend.limits.current()
  return { own: decidingLimits(person, index, spend.rules), pools: poolsOf(person, index, spend.rules) }
}
