// One collector that exports are relayed to, byte for byte and off the request path. What it refuses for good is dropped at
// once; what it cannot take now is kept, up to a limit, and offered again, while others go on.
import { EgressError } from '../egress/egress-error.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { readSmallBody } from '../egress/small-body.ts'
import type { Secret } from '../std/secret.ts'
import type { Signal } from './signal.ts'

export interface CollectorConfig {
  /** For the log and the metrics. */
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, Secret | string>>
  readonly metrics: boolean
  readonly logs: boolean
  readonly traces: boolean
}

/** An export as a client sent it. */
export interface Export {
  /** Whose it is. */
  readonly sub: string
  readonly signal: Signal
  readonly contentType: string
  /** `gzip`, or undefined for none. */
  readonly contentEncoding: string | undefined
  readonly body: Uint8Array
}

/** What became of exports; every one that was offered is in exactly one of these in the end. */
export type Outcome = 'delivered' | 'rejected' | 'gave_up' | 'queue_full'

export interface CollectorReport {
  readonly name: string
  readonly held: number
  readonly heldBytes: number
  readonly outcomes: Readonly<Record<Signal, Readonly<Record<Outcome, number>>>>
  /** Why the last attempt failed; undefined after one that did not. */
  readonly trouble: string | undefined
}

export interface Collector {
  /** Takes an export if the collector wants its signal; never waits. */
  offer(item: Export): void
  report(): CollectorReport
  /** Offers what is held once more, for as long as `ms`, then drops it: how many exports. */
  stop(ms: number): Promise<number>
}

export interface CollectorDeps {
  readonly fetch: GuardedFetch
  /** Hears once of each kind of trouble in a while. */
  readonly warn: (message: string) => void
  /** Milliseconds before attempt 2, 3, …; the length bounds the attempts. */
  readonly delaysMs?: readonly number[]
  readonly maxHeldBytes?: number
}

/** Some minutes: a collector restarts in less. */
const DELAYS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000, 60_000]
const MAX_HELD_BYTES = 32 * 1024 * 1024
/** Of it, for one person: nobody's client keeps everybody else's out. */
const SHARE_OF_PERSON = 1 / 4
/** What an export costs besides its body. */
const OVERHEAD_BYTES = 1024
const MAX_IN_FLIGHT = 8
/** Between attempts when the process is about to end. */
const HURRY_MS = 200
const TIMEOUT_MS = 10_000
const MAX_RETRY_AFTER_MS = 120_000
const MAX_ANSWER_BYTES = 64 * 1024
const ANSWER_MS = 2000
/** OTLP 1.9 §failures-1: these may pass; every other refusal is for good. */
const PASSING = new Set([429, 502, 503, 504])

interface Held {
  readonly item: Export
  attempts: number
}

/** What is not settled is offered again, at the earliest when the collector says. */
type Verdict = 'delivered' | 'rejected' | { readonly retryAfter: string | null }

export function createCollector(config: CollectorConfig, deps: CollectorDeps): Collector {
  const { warn, delaysMs = DELAYS_MS, maxHeldBytes = MAX_HELD_BYTES } = deps
  const base = config.url.replace(/\/v1\/(?:metrics|logs|traces)$/, '')
  const { name } = config
  const outcomes = { metrics: noOutcomes(), logs: noOutcomes(), traces: noOutcomes() }
  const held = new Set<Held>()
  const later = new Map<Timer, Held>()
  const bytesOf = new Map<string, number>()
  const ending = new AbortController()
  const ready: Held[] = []
  let [heldBytes, inFlight, isStopping] = [0, 0, false]
  let trouble: string | undefined

  function finish(one: Held, outcome: Outcome): void {
    if (!held.delete(one)) return
    hold(one.item, -1)
    outcomes[one.item.signal][outcome]++
  }

  function hold({ sub, body }: Export, sign: 1 | -1): void {
    const bytes = sign * (body.byteLength + OVERHEAD_BYTES)
    heldBytes += bytes
    const own = (bytesOf.get(sub) ?? 0) + bytes
    if (own === 0) bytesOf.delete(sub)
    else bytesOf.set(sub, own)
  }

  function hasRoomFor({ sub, body }: Export): boolean {
    const bytes = body.byteLength + OVERHEAD_BYTES
    return heldBytes + bytes <= maxHeldBytes && (bytesOf.get(sub) ?? 0) + bytes <= maxHeldBytes * SHARE_OF_PERSON
  }

  function pump(): void {
    while (inFlight < MAX_IN_FLIGHT && ready.length > 0) {
      inFlight++
      const one = ready.shift() as Held
      void attempt(one).finally(() => {
        inFlight--
        pump()
      })
    }
  }

  async function attempt(one: Held): Promise<void> {
    one.attempts++
    const verdict = await send(one.item)
    if (typeof verdict === 'string') return finish(one, verdict)
    if (!held.has(one)) return
    const delayMs = delaysMs[one.attempts - 1]
    if (delayMs === undefined) return finish(one, 'gave_up')
    wait(one, isStopping ? HURRY_MS : waitMs(delayMs, verdict.retryAfter))
  }

  function wait(one: Held, ms: number): void {
    const timer = setTimeout(() => {
      later.delete(timer)
      ready.push(one)
      pump()
    }, ms)
    timer.unref()
    later.set(timer, one)
  }

  async function send({ signal, contentType, contentEncoding, body }: Export): Promise<Verdict> {
    const headers = new Headers(Object.entries(config.headers).map(([header, value]): [string, string] => [header, typeof value === 'string' ? value : value.reveal()]))
    headers.set('content-type', contentType)
    headers.delete('content-encoding')
    if (contentEncoding !== undefined) headers.set('content-encoding', contentEncoding)
    try {
      const response = await deps.fetch(`${base}/v1/${signal}`, {
        method: 'POST',
        headers,
        body,
        signal: ending.signal,
        headersTimeoutMs: TIMEOUT_MS,
      })
      // The status has said it all: whatever the collector has to add is read for the sake of the connection.
      void readSmallBody(response, MAX_ANSWER_BYTES, ANSWER_MS).catch(() => {})
      if (response.ok) {
        trouble = undefined
        return 'delivered'
      }
      failed(`answered ${response.status} to ${signal}`)
      return PASSING.has(response.status) ? { retryAfter: response.headers.get('retry-after') } : 'rejected'
    } catch (error) {
      failed(error instanceof EgressError ? error.message : 'the export could not be sent')
      return { retryAfter: null }
    }
  }

  function failed(why: string): void {
    trouble = why
    warn(`telemetry: collector ${name}: ${why}`)
  }

  return {
    offer(item) {
      // The empty message says nothing.
      if (!config[item.signal] || item.body.byteLength === 0) return
      if (isStopping || !hasRoomFor(item)) {
        outcomes[item.signal].queue_full++
        if (!isStopping) warn(`telemetry: collector ${name}: too much waits for it; what comes now is dropped`)
        return
      }
      const one = { item, attempts: 0 }
      held.add(one)
      hold(item, 1)
      ready.push(one)
      pump()
    },
    report: () => ({ name, held: held.size, heldBytes, outcomes, trouble }),
    async stop(ms) {
      isStopping = true
      for (const [timer, one] of later) {
        clearTimeout(timer)
        ready.push(one)
      }
      later.clear()
      pump()
      const endMs = performance.now() + ms
      while (held.size > 0 && performance.now() < endMs) await Bun.sleep(20)
      const dropped = held.size
      for (const one of held) finish(one, 'gave_up')
      ready.length = 0
      for (const timer of later.keys()) clearTimeout(timer)
      ending.abort()
      return dropped
    },
  }
}

function noOutcomes(): Record<Outcome, number> {
  return { delivered: 0, rejected: 0, gave_up: 0, queue_full: 0 }
}

/** The delay, or what `Retry-After` asks for when it is longer; its form with a date is left to the delays. RFC 9110 §10.2.3. */
export function waitMs(delayMs: number, retryAfter: string | null): number {
  const seconds = /^\d{1,6}$/.test(retryAfter?.trim() ?? '') ? Number(retryAfter) : 0
  return Math.max(delayMs, Math.min(seconds * 1000, MAX_RETRY_AFTER_MS))
}
