// Decides in memory whether a person may send one more request, and counts what they send.
import { createHash } from 'node:crypto'
import type { Database } from '../db/connect.ts'
import { GatewayError } from '../errors.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import type { Observe } from '../observe/events.ts'
import { mismatch } from '../policy/match.ts'
import { onceEach } from '../std/once-each.ts'
import type { Principal } from '../principal.ts'
import type { QuotaConfig } from './config.ts'
import { createExchange } from './exchange.ts'
import { judge, QUOTA_KINDS, type Exceeded, type QuotaKind, type QuotaLimits } from './judge.ts'
import { createTally } from './tally.ts'
import { PLACE } from './window.ts'

export interface Quotas {
  /** `nowMs` by the clock that was given. A refused request does not count. */
  admit(principal: Principal, nowMs: number): QuotaTicket | QuotaRefusal
  metrics(): MetricFamily[]
  /** Hears what is counted already, then keeps exchanging. Never throws: without the database this process counts alone. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** A request that runs. Both may be called in any order; what comes after the first call of each does nothing. */
export interface QuotaTicket {
  readonly ok: true
  answered(inputTokens: number, outputTokens: number): void
  /** It runs no more, however it ended. */
  done(): void
}

export interface QuotaRefusal {
  readonly ok: false
  readonly kind: QuotaKind
  /** 429 `rate_limit_error` with `retry-after`; clients may try again by themselves. */
  readonly error: GatewayError
}

export interface QuotasDeps {
  db: Database
  observe: Observe
  /** Milliseconds of any clock that runs evenly. */
  nowMs: () => number
}

interface Entry {
  readonly match: QuotaConfig['match']
  readonly limits: QuotaLimits
  /** What is counted for all of them together; undefined where each is counted alone. */
  readonly pool: { readonly key: string; readonly words: string } | undefined
}

const UNCOUNTED: QuotaTicket = { ok: true, answered: () => {}, done: () => {} }
const WORDS: Readonly<Record<QuotaKind, readonly [counted: string, when: string]>> = {
  requests_per_minute: ['request', 'a minute'],
  input_tokens_per_minute: ['input token', 'a minute'],
  output_tokens_per_minute: ['output token', 'a minute'],
  concurrent: ['request', 'at once'],
}

/** Without an entry nothing is counted and the database is not asked. */
export function createQuotas(config: readonly QuotaConfig[], { db, observe, nowMs }: QuotasDeps): Quotas {
  const entries = config.map(toEntry)
  const entriesOf = onceEach((principal: Principal) => entries.filter(({ match }) => isMeant(match, principal)))
  const tally = createTally()
  const exchange = createExchange({ tally, db, observe, nowMs })
  const refusals = new Map<QuotaKind, number>(QUOTA_KINDS.map((kind) => [kind, 0]))

  function refuse({ kind, limit, waitMs }: Exceeded, entry: Entry): QuotaRefusal {
    refusals.set(kind, (refusals.get(kind) ?? 0) + 1)
    const seconds = Math.max(1, Math.ceil(waitMs / 1000))
    const whose = entry.pool === undefined ? '' : ` by ${entry.pool.words} together`
    const [counted, when] = WORDS[kind]
    const message = `more than ${limit} ${counted}${limit === 1 ? '' : 's'} ${when}${whose}; try again in ${seconds} s`
    return { ok: false, kind, error: new GatewayError('rate_limited', message, { headers: { 'retry-after': String(seconds) } }) }
  }

  function ticketFor(keys: readonly string[]): QuotaTicket {
    let [isAnswered, isDone] = [false, false]
    return {
      ok: true,
      answered(inputTokens, outputTokens) {
        if (isAnswered) return
        isAnswered = true
        const atMs = exchange.clock(nowMs())
        for (const key of keys) {
          if (inputTokens > 0) tally.count(key, PLACE.inputTokens, inputTokens, atMs)
          if (outputTokens > 0) tally.count(key, PLACE.outputTokens, outputTokens, atMs)
        }
      },
      done() {
        if (isDone) return
        isDone = true
        for (const key of keys) tally.run(key, -1)
      },
    }
  }

  return {
    admit(principal, givenMs) {
      const holding = entriesOf(principal)
      if (holding.length === 0) return UNCOUNTED
      const atMs = exchange.clock(givenMs)
      const own = personKey(principal)
      let worst: { exceeded: Exceeded; entry: Entry } | undefined
      for (const entry of holding) {
        const exceeded = judge(entry.limits, tally.counts(entry.pool?.key ?? own, atMs), atMs)
        if (exceeded !== undefined && exceeded.waitMs > (worst?.exceeded.waitMs ?? 0)) worst = { exceeded, entry }
      }
      if (worst !== undefined) return refuse(worst.exceeded, worst.entry)
      const keys = [...new Set(holding.map(({ pool }) => pool?.key ?? own))]
      for (const key of keys) {
        tally.count(key, PLACE.requests, 1, atMs)
        tally.run(key, 1)
      }
      return ticketFor(keys)
    },
    metrics: () => (entries.length === 0 ? [] : quotaMetrics(refusals, tally.size(), exchange.failures())),
    async start() {
      if (entries.length === 0) return
      await exchange.run()
      exchange.start()
    },
    stop: () => exchange.stop(),
  }
}

function toEntry({ match, shared, requests_per_minute, input_tokens_per_minute, output_tokens_per_minute, concurrent }: QuotaConfig): Entry {
  return {
    match,
    limits: { requests_per_minute, input_tokens_per_minute, output_tokens_per_minute, concurrent },
    pool: shared ? { key: hash(['pool', [...(match.groups ?? [])].sort(), match.email_domain?.toLowerCase() ?? null, match.user_id ?? null]), words: wordsOf(match) } : undefined,
  }
}

/** Everything an entry asks for has to be so; one that asks for nothing means everybody. */
function isMeant(match: QuotaConfig['match'], principal: Principal): boolean {
  return (match.user_id === undefined || match.user_id === principal.sub) && mismatch(match, principal) === undefined
}

function personKey({ issuer, sub }: Principal): string {
  return hash(['person', issuer, sub])
}

/** Replicas name the same people the same, and no name reaches the database. */
function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

function wordsOf({ groups, email_domain, user_id }: QuotaConfig['match']): string {
  const parts = [
    ...(groups === undefined ? [] : [`members of ${groups.join(', ')}`]),
    ...(email_domain === undefined ? [] : [`people of ${email_domain}`]),
    ...(user_id === undefined ? [] : [user_id]),
  ]
  return parts.length === 0 ? 'everybody' : parts.join(', ')
}

/** Kinds are four: no person and no group is in a label. */
function quotaMetrics(refusals: ReadonlyMap<QuotaKind, number>, counted: number, failures: number): MetricFamily[] {
  return [
    { name: 'gatehouse_quota_refusals_total', type: 'counter', help: 'Requests that a quota refused, by its kind.', samples: [...refusals].map(([kind, value]) => ({ labels: { kind }, value })) },
    { name: 'gatehouse_quota_counted', type: 'gauge', help: 'People and pools that sent something in the last minute.', samples: [{ labels: {}, value: counted }] },
    { name: 'gatehouse_quota_exchange_failures_total', type: 'counter', help: 'Exchanges with the other replicas that failed: meanwhile each counts alone.', samples: [{ labels: {}, value: failures }] },
  ]
}
