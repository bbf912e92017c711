// The upstreams as requests see them: in which order they are tried, how busy each is, which are left alone for a while.
import type { Principal } from '../principal.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { admits, breakerState, CLOSED, failed, started, succeeded, undecided, type Breaker, type BreakerState } from './breaker.ts'

export interface Lane {
  readonly upstream: Upstream
  /** Requests under way, streams included. */
  readonly inFlight: number
  /** No place is left for this person: all are taken, or their share of them by this person. */
  isFull(person: string): boolean
  /** Whether the breaker of this model lets the person's requests through as usual. */
  admits(model: string, person: string, nowMs: number): boolean
  /** The person's request of this model is sent; undefined for one that says nothing of how a model does. */
  start(model: string | undefined, person: string): Verdict
  /** Every model whose breaker is not closed. */
  breakers(nowMs: number): { model: string; state: BreakerState; failures: number }[]
  /** Requests so far, by what they said of the upstream. */
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** Requests that went on to another upstream after this one had failed them. */
  readonly failovers: number
  /** The last request that the upstream failed: when (monotonic, in milliseconds), and in a few words how. */
  readonly lastFailure: { readonly atMs: number; readonly words: string } | undefined
  movedOn(): void
}

export type Outcome = 'succeeded' | 'failed' | 'undecided'

/** What a request says of an upstream's health, once; and `done`, which ends its place in the lane, whenever that is. */
export interface Verdict {
  succeeded(): void
  failed(nowMs: number, retryAfterMs?: number, words?: string): void
  undecided(): void
  done(): void
}

/** Names of models are the operator's and the catalogue's; this only bounds a mistake. */
const MAX_MODELS = 1000
const FEW_PLACES = 8

/** Nobody could take a place back from one who has all of them and reads slowly; a few are no more than one person's session needs. */
function shareOf(places: number): number {
  return places < FEW_PLACES ? places : Math.ceil(places / 2)
}

export function createLane(upstream: Upstream): Lane {
  const breakers = new Map<string, Breaker>()
  const outcomes = { succeeded: 0, failed: 0, undecided: 0 }
  /** Requests under way by person; nobody who has none. */
  const places = new Map<string, number>()
  const { maxConcurrency } = upstream
  let inFlight = 0
  let failovers = 0
  let lastFailure: Lane['lastFailure']

  const placesOf = (person: string) => places.get(person) ?? 0
  const breakerOf = (model: string | undefined) => breakers.get(model ?? '') ?? CLOSED

  /** A breaker that has nothing to say is not kept. */
  function change(model: string | undefined, to: (breaker: Breaker) => Breaker): void {
    if (model === undefined) return
    const next = to(breakerOf(model))
    breakers.delete(model)
    if ((next.failures > 0 || next.throttled !== undefined) && breakers.size < MAX_MODELS) breakers.set(model, next)
  }

  function take(person: string, change: 1 | -1): void {
    const held = placesOf(person) + change
    inFlight += change
    if (held > 0) places.set(person, held)
    else places.delete(person)
  }

  return {
    upstream,
    outcomes,
    get inFlight() {
      return inFlight
    },
    get failovers() {
      return failovers
    },
    get lastFailure() {
      return lastFailure
    },
    movedOn: () => void failovers++,
    isFull: (person) => maxConcurrency !== undefined && (inFlight >= maxConcurrency || placesOf(person) >= shareOf(maxConcurrency)),
    admits: (model, person, nowMs) => admits(breakerOf(model), person, nowMs),
    start(model, person) {
      take(person, 1)
      const since = breakerOf(model)
      change(model, (breaker) => started(breaker, person))
      let isDone = false
      return {
        succeeded() {
          outcomes.succeeded++
          change(model, (breaker) => succeeded(breaker, since))
        },
        failed(nowMs, retryAfterMs, words = 'it failed') {
          outcomes.failed++
          lastFailure = { atMs: nowMs, words }
          change(model, (breaker) => failed(breaker, since, person, nowMs, retryAfterMs))
        },
        undecided() {
          outcomes.undecided++
          change(model, (breaker) => undecided(breaker, since, person))
        },
        done() {
          if (!isDone) take(person, -1)
          isDone = true
        },
      }
    },
    breakers: (nowMs) => [...breakers].filter(([, { failures }]) => failures > 0).map(([model, breaker]) => ({ model, state: breakerState(breaker, nowMs), failures: breaker.failures })),
  }
}

/** Whom requests count for; `orderFor` goes by it too. */
export function personOf({ issuer, sub }: Principal): string {
  return `${issuer}\0${sub}`
}

/**
 * The order for one person: by priority; inside one priority by weight, and always the same for the same person, so that
 * the prompt caches of their conversations stay warm. When an upstream comes or goes, only its own people move.
 */
export function orderFor(person: string, lanes: readonly Lane[]): readonly Lane[] {
  if (lanes.length < 2) return lanes
  const scores = new Map(lanes.map((lane) => [lane, score(person, lane.upstream)]))
  return lanes.toSorted((a, b) => a.upstream.priority - b.upstream.priority || (scores.get(b) as number) - (scores.get(a) as number))
}

/** Weighted rendezvous hashing: the highest of `-weight / ln(h)`, with h drawn from (0,1) by the person and the upstream. */
function score(person: string, { name, weight }: Upstream): number {
  const drawn = (Number(BigInt.asUintN(52, Bun.hash.xxHash64(`${person}\0${name}`) as bigint)) + 0.5) / 2 ** 52
  return -weight / Math.log(drawn)
}
