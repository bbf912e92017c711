// `GET /me/usage`: one's own spend for status lines and scripts. docs/usage.md describes it.
import type { Identity } from '../principal.ts'
import { monthStart, type OwnMonth } from './month.ts'
import { activeLimit, percentShown, remainingOf, severityOf, type OwnLimit } from './own-limits.ts'
import type { OwnSpend } from './read-spend.ts'
import { amount, isoSeconds } from './shown.ts'

export function usageAnswer({ issuer, sub, email, name }: Identity, { now, spent, limits }: OwnSpend, { byDay, byModel }: OwnMonth) {
  const active = activeLimit(limits)
  return {
    person: { issuer, user_id: sub, email: email ?? null, name: name ?? null },
    as_of: isoSeconds(now),
    currency: 'USD',
    spent: { daily: amount(spent.daily), weekly: amount(spent.weekly), monthly: amount(spent.monthly) },
    limits: limits.map((limit) => limitAnswer(limit, limit === active)),
    month: {
      from: isoSeconds(monthStart(now)).slice(0, 10),
      by_day: byDay.map(({ day, ...sums }) => ({ date: day, ...sumsAnswer(sums) })),
      by_model: byModel.map(({ model, ...sums }) => ({ model, ...sumsAnswer(sums) })),
    },
  }
}

function limitAnswer(limit: OwnLimit, isActive: boolean) {
  return {
    period: limit.period,
    limit: amount(limit.limit),
    spent: amount(limit.spent),
    remaining: amount(remainingOf(limit)),
    percent: percentShown(limit),
    severity: severityOf(limit),
    resets_at: isoSeconds(limit.resetsAt),
    is_active: isActive,
    shared: limit.isPool,
    source: { type: limit.source, ...(limit.group !== undefined && { rbac_group_id: limit.group }) },
  }
}

/** Counts of one person and month are far below 2^53. */
function sumsAnswer({ requests, inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, cost }: Omit<OwnMonth['byDay'][number], 'day'>) {
  return {
    spent: amount(cost),
    requests: Number(requests),
    input_tokens: Number(inputTokens),
    output_tokens: Number(outputTokens),
    cache_read_tokens: Number(cacheReadTokens),
    cache_write_tokens: Number(cacheWriteTokens),
  }
}
