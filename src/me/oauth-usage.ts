// `GET /api/oauth/usage`, from which Claude Code's /usage is drawn (contract §4.6). Whole cents and whole percents,
// rounded down like the headers of answers: what is not used up never reads as if it were.
import { percentShown, severityOf, activeLimit, type OwnLimit } from './own-limits.ts'
import { isoSeconds, wholeCents } from './shown.ts'
import type { OwnSpend } from './read-spend.ts'

export function oauthUsage({ spent, limits }: OwnSpend) {
  const active = activeLimit(limits)
  return active === undefined ? withoutLimit(spent) : { extra_usage: extraUsage(active), limits: limits.map((limit) => entry(limit, limit === active)) }
}

function withoutLimit({ daily, weekly, monthly }: OwnSpend['spent']) {
  const period = (amount: bigint) => ({ limit: null, used_credits: wholeCents(amount), utilization: null })
  return {
    extra_usage: { is_enabled: true, monthly_limit: null, used_credits: wholeCents(monthly), utilization: null, currency: 'USD', daily: period(daily), weekly: period(weekly) },
    limits: [],
  }
}

/** Claude Code shows these amounts under the period of the active limit: so they are that one's, whatever the field is called. */
function extraUsage(active: OwnLimit) {
  return { is_enabled: true, monthly_limit: wholeCents(active.limit), used_credits: wholeCents(active.spent), utilization: percentShown(active), currency: 'USD' }
}

/** `shared` is ours: of what the person draws on with others. Clients take `scope` for a model's. */
function entry(limit: OwnLimit, isActive: boolean) {
  return {
    kind: 'spend',
    group: limit.period,
    percent: percentShown(limit),
    resets_at: isoSeconds(limit.resetsAt),
    severity: severityOf(limit),
    is_active: isActive,
    ...(limit.isPool && { shared: true }),
  }
}
