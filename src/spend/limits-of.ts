// Which limits hold for one person (contract §5). Pure; the list is indexed once, so that a request costs a look-up for
// each of the person's groups.
import { NANO_PER_CENT } from './amounts.ts'
import { PERIODS, type AppliedLimit, type Period, type PersonLimits, type Pool, type SpendLimit } from './limit.ts'

export interface LimitedPerson {
  readonly issuer: string
  readonly sub: string
  readonly email: string | undefined
  readonly groups: readonly string[]
}

export interface LimitRules {
  /** Of the limits of several groups: the most restrictive, or the least. */
  readonly groupLimitMode: 'min' | 'max'
  /** Beginning of the names of groups whose pool comes first. */
  readonly billingGroupTag: string | undefined
}

type ByPeriod = Partial<Record<Period, SpendLimit>>

interface PlacedPool {
  readonly pool: Pool
  /** Among the pools, by when their first limit was made. */
  readonly place: number
}

/** A list of limits, laid out by whom they are for. */
export interface LimitIndex {
  /** By sub. */
  readonly people: ReadonlyMap<string, ByPeriod>
  /** Of people who have not signed in yet, by address in lower case. */
  readonly waiting: ReadonlyMap<string, ByPeriod>
  /** What each member may spend, by group. */
  readonly groups: ReadonlyMap<string, ByPeriod>
  readonly organization: ByPeriod
  readonly groupPools: ReadonlyMap<string, PlacedPool>
  readonly organizationPool: Pool | undefined
}

/** Lays out the list, which is in order of creation. */
export function indexLimits(limits: readonly SpendLimit[]): LimitIndex {
  const people = new Map<string, ByPeriod>()
  const waiting = new Map<string, ByPeriod>()
  const groups = new Map<string, ByPeriod>()
  const organization = new Map<string, ByPeriod>()
  for (const limit of limits.filter(({ isShared }) => !isShared)) {
    const place = limit.scope === 'organization' ? organization : limit.scope === 'rbac_group' ? groups : limit.userEmail === undefined ? people : waiting
    const key = limit.userEmail ?? limit.scopeId
    place.set(key, { ...place.get(key), [limit.period]: limit })
  }
  const pools = [...Map.groupBy(limits.filter(({ isShared }) => isShared), ({ scopeId }) => scopeId)]
  const groupPools = pools.filter(([group]) => group !== '').map(([group, of], place) => [group, { pool: { scope: 'rbac_group', scopeId: group, limits: of.flatMap(applied) }, place }] as const)
  const everybodys = pools.find(([group]) => group === '')
  return {
    people,
    waiting,
    groups,
    organization: organization.get('') ?? {},
    groupPools: new Map(groupPools),
    organizationPool: everybodys && { scope: 'organization', scopeId: '', limits: everybodys[1].flatMap(applied) },
  }
}

/** Whether a limit or a pool is this group's, or its name decides about pools. */
export function namesGroup(limits: LimitIndex, { billingGroupTag }: LimitRules, group: string): boolean {
  return limits.groups.has(group) || limits.groupPools.has(group) || (billingGroupTag !== undefined && group.startsWith(billingGroupTag))
}

/** What a person may spend, alone and with others. */
export function limitsOf(person: LimitedPerson, limits: LimitIndex, rules: LimitRules): PersonLimits {
  return { own: Object.values(decidingLimits(person, limits, rules)).flatMap(applied), pools: poolsOf(person, limits, rules) }
}

/**
 * The limit that decides, for each period that has one: the person's own, else their groups', else the organisation's.
 * One without an amount decides as well: that they have no limit.
 */
export function decidingLimits({ sub, email, groups }: LimitedPerson, limits: LimitIndex, { groupLimitMode }: LimitRules): ByPeriod {
  const own = limits.people.get(sub)
  const waiting = email === undefined ? undefined : limits.waiting.get(email.toLowerCase())
  const ofGroups = groups.flatMap((group) => limits.groups.get(group) ?? [])
  const deciding: ByPeriod = {}
  for (const period of PERIODS) {
    const found = own?.[period] ?? waiting?.[period] ?? ofOne(ofGroups.flatMap((limit) => limit[period] ?? []), groupLimitMode) ?? limits.organization[period]
    if (found !== undefined) deciding[period] = found
  }
  return deciding
}

/** The one of several groups' limits that counts; of equal ones the oldest. No limit is the least restrictive. */
function ofOne(candidates: readonly SpendLimit[], mode: 'min' | 'max'): SpendLimit | undefined {
  const [first, ...others] = candidates
  return others.reduce((best, other) => {
    const comparison = compareAmounts(other.amount, best?.amount ?? null)
    const isStronger = mode === 'min' ? comparison < 0 : comparison > 0
    const isOlder = comparison === 0 && best !== undefined && other.id < best.id
    return isStronger || isOlder ? other : best
  }, first)
}

function compareAmounts(a: bigint | null, b: bigint | null): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? 1 : -1
  return a < b ? -1 : 1
}

/**
 * One group's pool at most, so that a request is charged once: that of the first of their groups beginning with the tag,
 * else the oldest. The organisation's besides.
 */
export function poolsOf({ groups }: LimitedPerson, limits: LimitIndex, { billingGroupTag }: LimitRules): readonly Pool[] {
  const candidates = limits.groupPools.size === 0 ? [] : groups.flatMap((group) => limits.groupPools.get(group) ?? [])
  const tagged = billingGroupTag === undefined ? undefined : candidates.find(({ pool }) => pool.scopeId.startsWith(billingGroupTag))
  const oldest = candidates.reduce<PlacedPool | undefined>((best, other) => (best === undefined || other.place < best.place ? other : best), undefined)
  return [(tagged ?? oldest)?.pool, limits.organizationPool].filter((pool) => pool !== undefined)
}

function applied({ id, period, amount, scope }: SpendLimit): AppliedLimit[] {
  return amount === null ? [] : [{ limitId: id, period, amount: amount * NANO_PER_CENT, source: scope }]
}
