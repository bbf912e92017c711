// What of the facts needs somebody's attention, in sentences. Pure.
import { span } from './span.ts'
import type { GatewayFacts, IdpFacts, StoreFacts } from './facts.ts'
import { isLiving, type UpstreamReport } from '../relay/upstream-report.ts'

/** A queue that the database empties all the time is not older than this. */
const LAG_SECONDS = 10
/** What was lost longer ago has been seen, or nobody looks. */
const LOSS_SECONDS = 3600

/** Each begins with what it is about, and ends without a full stop. Nothing: everything works. */
export function troublesOf(facts: GatewayFacts): string[] {
  const { store, idp, upstreams, ledger, audit, collectors, alerts = [], revocations } = facts
  return [
    ...(facts.draining ? ['The gateway is stopping: what runs is finished, new work is refused'] : []),
    ...storeTroubles(store),
    ...idpTroubles(idp),
    ...upstreams.flatMap(upstreamTroubles),
    ...(ledger.lag_seconds > LAG_SECONDS ? [`Usage ledger: ${ledger.settlements_waiting} settlements wait for the store, the oldest for ${span(ledger.lag_seconds)}`] : []),
    ...(ledger.set_aside > 0 ? [`Usage ledger: ${ledger.set_aside} settlements could not be written since the start; the log says which`] : []),
    ...(audit === undefined ? [] : auditTroubles(audit)),
    ...collectors.flatMap(({ name, trouble, trouble_seconds = 0 }) => (trouble === undefined ? [] : [`Collector ${name} has taken no export for ${span(trouble_seconds)}: ${trouble}`])),
    ...alerts.flatMap(({ name, trouble }) => (trouble === undefined ? [] : [`Alerts to ${name}: the last one was not taken: ${trouble}`])),
    ...collectors.flatMap(({ name, lost, lost_seconds_ago: ago }) => (isRecent(ago) ? [`Collector ${name} has lost ${lost === 1 ? 'one export' : `${lost} exports`} since the start, the last one ${span(ago)} ago`] : [])),
    ...alerts.flatMap(({ name, lost, lost_seconds_ago: ago }) => (isRecent(ago) ? [`Alerts to ${name}: ${lost} lost since the start, the last one ${span(ago)} ago`] : [])),
    ...(revocations.age_seconds > LAG_SECONDS ? [`The list of revoked sessions is ${span(revocations.age_seconds)} old: one revoked at another replica still works here`] : []),
  ]
}

/** The sentence that comes first. */
export function verdictOf({ ready }: GatewayFacts, troubles: readonly string[]): string {
  if (!ready) return 'Not ready.'
  if (troubles.length === 0) return 'Ready. Everything works.'
  return troubles.length === 1 ? 'Ready, but one thing needs attention.' : `Ready, but ${troubles.length} things need attention.`
}

function isRecent(secondsAgo: number | undefined): secondsAgo is number {
  return secondsAgo !== undefined && secondsAgo <= LOSS_SECONDS
}

function storeTroubles({ reachable, away_seconds: away = 0, grace_seconds: grace }: StoreFacts): string[] {
  if (reachable) return []
  const left = grace - away
  return [`Store: PostgreSQL has not answered for ${span(away)}; nobody can sign in${left > 0 ? `, and in ${span(left)} the gateway is not ready` : ''}`]
}

function idpTroubles({ answers, trouble, keys_trouble: keys }: IdpFacts): string[] {
  if (!answers && trouble) return [`Identity provider: ${trouble.words}, ${span(trouble.seconds_ago)} ago; nobody may be able to sign in`]
  return keys === undefined ? [] : [`Identity provider: its keys could not be read: ${keys}; nobody can sign in`]
}

function upstreamTroubles({ name, breakers, credential, last_failure: last, in_flight, max_concurrency: most }: UpstreamReport): string[] {
  const left = breakers.filter(({ state }) => state !== 'closed').map(({ model }) => model)
  const why = last === undefined ? '' : `: ${last.words}, ${span(last.seconds_ago)} ago`
  return [
    ...(credential?.failure === undefined ? [] : [`Upstream ${name}: ${isLiving(credential) ? 'its credential could not be renewed' : 'no credential can be had'}: ${credential.failure.words}`]),
    ...(left.length === 0 ? [] : [`Upstream ${name} is left alone for ${left.join(', ')}${why}`]),
    ...(most !== undefined && in_flight >= most ? [`Upstream ${name} has as many requests as it may: ${in_flight}`] : []),
  ]
}

function auditTroubles({ events_waiting: waiting, lag_seconds: lag, lost, blocking }: NonNullable<GatewayFacts['audit']>): string[] {
  return [
    ...(blocking ? ['Audit trail: requests are refused, because their events cannot be stored'] : []),
    ...(lag > LAG_SECONDS ? [`Audit trail: ${waiting} events wait for the store, the oldest for ${span(lag)}`] : []),
    ...(lost > 0 ? [`Audit trail: ${lost} events are on standard error alone since the start`] : []),
  ]
}
