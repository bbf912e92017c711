// What an alert says: a sentence for people, JSON for programs. Pure.
import { centsText, dollarsAndCents, NANO_PER_CENT } from '../spend/amounts.ts'
import { alertId, type AlertCounter, type PassedThreshold } from './alert.ts'

/** The JSON of a webhook. Names and amounts are those of the admin API: whole cents as text, spend with decimals. */
export function webhookBody(alert: PassedThreshold, nowMs: number): string {
  const { counter, limit, threshold, percent, spent, windowStart, resetsAtMs, exhaustedAtMs } = alert
  return JSON.stringify({
    type: 'spend_alert',
    id: alertId(alert),
    created_at: iso(nowMs),
    scope: scopeOf(counter),
    actor: actorOf(counter),
    spend_limit_id: limit.limitId,
    source: limit.source,
    period: limit.period,
    currency: 'USD',
    amount: (limit.amount / NANO_PER_CENT).toString(),
    period_to_date_spend: centsText(spent),
    threshold,
    percent,
    period_started_at: iso(Date.parse(windowStart)),
    resets_at: iso(resetsAtMs),
    projected_exhaustion: exhaustedAtMs === undefined ? null : iso(exhaustedAtMs),
    text: sentence(alert, nowMs),
  })
}

/** What Slack and those that imitate it take. Names come from outside: `<!channel>` in one would wake everybody. */
export function slackBody(alert: PassedThreshold, nowMs: number): string {
  return JSON.stringify({ text: sentence(alert, nowMs).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') })
}

/** Who, how much of what, and until when. */
export function sentence(alert: PassedThreshold, nowMs: number): string {
  const { counter, limit, percent, spent, resetsAtMs } = alert
  const whose = counter.scope === 'user' ? '' : 'shared '
  const amounts = `${dollarsAndCents(spent)} of ${dollarsAndCents(limit.amount)}`
  const used = spent >= limit.amount ? `has used up the ${whose}${limit.period} spend limit: ${amounts} (${percent} %)` : `has used ${percent} % of the ${whose}${limit.period} spend limit: ${amounts}`
  return `${capitalised(nameOf(counter))} ${used}. ${pace(alert, nowMs)}A new ${limit.period} window begins on ${day(resetsAtMs)} 00:00 UTC.`
}

function pace({ exhaustedAtMs, limit, spent }: PassedThreshold, nowMs: number): string {
  if (spent >= limit.amount) return ''
  if (exhaustedAtMs === undefined) return 'At this pace it lasts until the window ends. '
  if (day(exhaustedAtMs) === day(nowMs)) return `At this pace it is used up today at about ${iso(exhaustedAtMs).slice(11, 13)}:00 UTC. `
  return `At this pace it is used up on ${day(exhaustedAtMs)}. `
}

function nameOf({ scope, scopeId, person }: AlertCounter): string {
  if (scope === 'organization') return 'the organisation'
  return printable(scope === 'rbac_group' ? `the group ${scopeId}` : (person?.email ?? person?.sub ?? scopeId))
}

/** Nobody's name spreads over several lines or turns the text around. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200)
}

function capitalised(text: string): string {
  return text.startsWith('the ') ? `T${text.slice(1)}` : text
}

function scopeOf({ scope, scopeId, person }: AlertCounter) {
  if (scope === 'organization') return { type: scope }
  return scope === 'rbac_group' ? { type: scope, rbac_group_id: scopeId } : { type: scope, user_id: person?.sub ?? scopeId }
}

function actorOf({ person }: AlertCounter) {
  return person === undefined ? null : { type: 'user_actor', user_id: person.sub, name: person.name ?? null, email_address: person.email ?? null }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function day(ms: number): string {
  return iso(ms).slice(0, 10)
}
