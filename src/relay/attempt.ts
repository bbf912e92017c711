// One request to one upstream after the other, until one answers for the client. Nothing of a failed attempt is the
// client's but the time it took.
import { EgressError, neverConnected } from '../egress/egress-error.ts'
import { orAborted, type GuardedFetch } from '../egress/guarded-fetch.ts'
import { readSmallBody } from '../egress/small-body.ts'
import type { ServedModel } from '../models/resolve.ts'
import type { Observe } from '../observe/events.ts'
import type { Debug } from '../observe/log-level.ts'
import { CredentialError, type ClientError, type Refusal, type Upstream, type UpstreamRequest } from '../upstream/upstream.ts'
import { upstreamWords } from '../upstream/upstream-words.ts'
import { readRetryAfter } from './breaker.ts'
import { isOurFault, mostTelling, movesOn, saysNothing } from './failover.ts'
import { personOf, type Lane, type Verdict } from './lanes.ts'
import { createSource, type Source } from './source.ts'

const MAX_ERROR_BYTES = 64 * 1024
const ERROR_BODY_TIMEOUT_MS = 5000
/** Longer than an upstream takes to refuse; until then the client gets no pings. */
const OPENING_MS = 2000

export interface FailedAttempt extends Refusal {
  readonly upstream: Upstream
  /** Absent where the upstream's own words may reach the client. */
  readonly told: ClientError | undefined
}

export interface Answered {
  readonly ok: true
  readonly upstream: Upstream
  /** What the upstream calls it. */
  readonly model: string
  readonly request: UpstreamRequest
  readonly response: Response
  /** Of the response's body; undefined when it has none. */
  readonly source: Source | undefined
  readonly attempts: number
  /** The place in the upstream's lane, to be given back when the answer has ended. */
  readonly done: () => void
}

export interface Failed {
  readonly ok: false
  /** What tells the client most; undefined when only general failure is left, and when an upstream would only have been busy. */
  readonly telling: FailedAttempt | undefined
  readonly attempts: number
  /** No upstream answered, and one of them was not asked because it has as many requests as it may. */
  readonly isBusy: boolean
  /** Providers that do not have the model at all, when there are no others. */
  readonly without: readonly string[]
}

export type Attempted = Answered | Failed

/** A request that left for an upstream and brought no answer for the client. */
export interface Tried {
  readonly upstream: Upstream
  readonly request: UpstreamRequest
  /** 0 without an answer. */
  readonly status: number
  readonly upstreamRequestId: string | undefined
  readonly startedMs: number
  /** The client left while it was under way. */
  readonly isAbandoned: boolean
}

export interface AttemptDeps {
  readonly lanes: readonly Lane[]
  readonly fetch: GuardedFetch
  readonly observe: Observe
  readonly debug: Debug
  readonly requestId: string
  readonly signal: AbortSignal
  /** Hears of every request that left for an upstream and is not the client's answer. */
  readonly tried: (attempt: Tried) => void
  /** Hears each time that a request is about to leave. */
  readonly sending: () => void
  /** Monotonic, in milliseconds. */
  readonly nowMs: () => number
}

/** An answer that is the client's. */
type Begun = Pick<Answered, 'response' | 'source'>

interface Candidate {
  readonly lane: Lane
  readonly request: UpstreamRequest
}

/** `requestFor` makes the request for an upstream's name of the model. Stops as soon as the client is gone. */
export async function attemptUpstreams(deps: AttemptDeps, served: ServedModel, spelling: string, requestFor: (model: string) => UpstreamRequest): Promise<Attempted> {
  const failures: FailedAttempt[] = []
  let attempts = 0
  let busy = 0
  const without: string[] = []
  const postponed: Candidate[] = []
  let failedLane: Lane | undefined
  const explain = ({ upstream }: Lane, words: () => string) => deps.debug(deps.requestId, () => `upstream ${upstream.name}: ${words()}`)

  /** The answer for the client, or undefined when the next upstream is to be tried. */
  async function tryOne({ lane, request }: Candidate): Promise<Attempted | undefined> {
    if (lane.isFull(personOf(request.principal))) {
      busy++
      explain(lane, () => `passed over, it has as many requests as it may: ${lane.inFlight}`)
      return undefined
    }
    failedLane?.movedOn()
    failedLane = lane
    explain(lane, () => `asked for ${request.model}`)
    const outcome = await attempt(deps, lane, request)
    if (outcome === undefined || outcome instanceof CredentialError) return undefined
    if ('response' in outcome) return { ok: true, upstream: lane.upstream, model: request.model, request, attempts, ...outcome }
    if (isFinal(outcome)) return { ok: false, telling: outcome, attempts, isBusy: false, without: [] }
    failures.push(outcome)
    return undefined
  }

  for (const lane of deps.lanes) {
    if (deps.signal.aborted) break
    attempts++
    const model = served.upstreamId(lane.upstream, spelling)
    if (model === undefined) {
      without.push(lane.upstream.provider)
      explain(lane, () => `passed over, it does not serve ${served.id}`)
      continue
    }
    const candidate = { lane, request: requestFor(model) }
    if (!lane.admits(model, personOf(candidate.request.principal), deps.nowMs())) {
      postponed.push(candidate)
      explain(lane, () => `left for the end, it has failed ${model} of late`)
    } else {
      const answered = await tryOne(candidate)
      if (answered !== undefined) return answered
    }
  }
  for (const candidate of postponed) {
    if (deps.signal.aborted) break
    const answered = await tryOne(candidate)
    if (answered !== undefined) return answered
  }
  const isBusy = busy > 0
  return { ok: false, telling: isBusy ? undefined : mostTelling(failures), attempts, isBusy, without: without.length === attempts ? [...new Set(without)] : [] }
}

function isFinal({ status, told, upstream }: FailedAttempt): boolean {
  return !(told?.movesOn ?? movesOn(told?.status ?? status, upstream.failoverOn))
}

/** Undefined when there was no answer at all. */
async function attempt(deps: AttemptDeps, lane: Lane, request: UpstreamRequest): Promise<(Begun & { done: () => void }) | FailedAttempt | CredentialError | undefined> {
  const { upstream } = lane
  const impossible = upstream.impossible?.(request)
  if (impossible !== undefined) return { upstream, status: impossible.status, headers: new Headers(), body: new Uint8Array(), told: impossible }
  // Counting tokens has limits of its own and says nothing of how the model does.
  const verdict = lane.start(request.surface === 'count_tokens' ? undefined : request.model, personOf(request.principal))
  try {
    const outcome = await ask(deps, upstream, request)
    if (outcome === undefined || !('response' in outcome)) {
      giveVerdict(deps, verdict, upstream, outcome)
      return outcome
    }
    verdict.succeeded()
    return { ...outcome, done: verdict.done }
  } catch (error) {
    // A fault of ours must not take the place for ever.
    verdict.done()
    verdict.undecided()
    throw error
  }
}

/** Sends to one upstream, a second time where it says how. */
async function ask(deps: AttemptDeps, upstream: Upstream, request: UpstreamRequest): Promise<Begun | FailedAttempt | CredentialError | undefined> {
  for (let isSecond = false; ; isSecond = true) {
    const startedMs = deps.nowMs()
    const response = await send(deps, upstream, request, startedMs)
    if (!(response instanceof Response)) return response
    const outcome = isAnswer(response, upstream) ? await open(deps, upstream, response, request) : await readRefusalOf(response)
    if (outcome !== undefined && 'source' in outcome) return outcome
    deps.tried({ upstream, request, status: outcome?.status ?? response.status, upstreamRequestId: upstream.requestId(response.headers), startedMs, isAbandoned: outcome === undefined && deps.signal.aborted })
    if (outcome === undefined) return undefined
    const failure = keepFailure(deps, upstream, outcome, request)
    // Asked after a second refusal too: the next request goes without what it names.
    const amended = upstream.amend?.(failure, request)
    if (amended !== undefined) deps.observe({ op: 'info', message: `upstream ${upstream.name}: ${request.model}: ${amended}`, request_id: deps.requestId })
    if (amended === undefined || isSecond || deps.signal.aborted) return failure
  }
}

/** Looks at the beginning of an answer where its head is not yet the whole verdict. Undefined when it broke off there. */
async function open(deps: AttemptDeps, upstream: Upstream, response: Response, request: UpstreamRequest): Promise<Begun | Refusal | undefined> {
  if (response.body === null) return { response, source: undefined }
  const source = createSource(response.body)
  if (upstream.opening === undefined || !request.stream) return { response, source }
  try {
    const verdict = await source.peek(upstream.opening(response, request), OPENING_MS)
    if (verdict === undefined || verdict === 'begun') return { response, source }
    void source.cancel().catch(() => {})
    return verdict
  } catch (error) {
    if (!deps.signal.aborted) warn(deps, upstream, `the answer broke off before its first event (${(error as Error).name})`)
    return undefined
  }
}

/** Whether this is the client's as it comes; what a cloud says of a refused request is read and told in other words. */
function isAnswer({ status }: Response, upstream: Upstream): boolean {
  if (movesOn(status, upstream.failoverOn)) return false
  return upstream.explain === undefined || (status >= 200 && status < 300)
}

function giveVerdict({ signal, nowMs }: AttemptDeps, verdict: Verdict, upstream: Upstream, failure: FailedAttempt | CredentialError | undefined): void {
  verdict.done()
  if (signal.aborted) return verdict.undecided()
  if (failure instanceof CredentialError) return upstream.hasPersonalCredentials ? verdict.undecided() : verdict.failed(nowMs(), undefined, 'no credential could be had')
  if (failure !== undefined && saysNothing(failure.status, upstream.hasPersonalCredentials)) return verdict.undecided()
  if (failure !== undefined && !isOurFault(failure.told?.status ?? failure.status) && failure.told?.movesOn !== true) return verdict.succeeded()
  verdict.failed(nowMs(), failure?.status === 429 ? readRetryAfter(failure.headers, Date.now()) : undefined, failure === undefined ? 'no answer came' : `it answered ${failure.status}`)
}

async function send(deps: AttemptDeps, upstream: Upstream, request: UpstreamRequest, startedMs: number): Promise<Response | CredentialError | undefined> {
  let isSent = false
  try {
    // A credential may take its time: who has left waits for none.
    const { url, headers, body } = await orAborted(upstream.prepare(request), deps.signal)
    isSent = true
    deps.sending()
    return await deps.fetch(url, { method: 'POST', headers, body, signal: deps.signal, headersTimeoutMs: upstream.ttfbMs, ...(upstream.proxy !== undefined && { proxy: upstream.proxy }) })
  } catch (error) {
    if (isSent && !neverLeft(error)) deps.tried({ upstream, request, status: 0, upstreamRequestId: undefined, startedMs, isAbandoned: deps.signal.aborted })
    if (deps.signal.aborted) return undefined
    // A fault of ours says nothing of the upstream.
    if (!(error instanceof CredentialError || error instanceof EgressError)) throw error
    warn(deps, upstream, error.message)
    return error instanceof CredentialError ? error : undefined
  }
}

/** Nothing of the request can have reached the upstream. */
function neverLeft(error: unknown): boolean {
  return error instanceof EgressError && (error.code === 'dns' || error.code === 'blocked_address' || error.code === 'tls' || neverConnected({ code: error.detail }))
}

/** Its words go to the operator, as far as they can be nobody's; the client sees what may be told of it, and only if no other upstream does better. */
function keepFailure(deps: AttemptDeps, upstream: Upstream, refusal: Refusal, request: UpstreamRequest): FailedAttempt {
  warn(deps, upstream, upstreamWords(refusal, upstream.requestId(refusal.headers), [request.model]))
  return { ...refusal, upstream, told: upstream.explain?.(refusal, request) }
}

async function readRefusalOf(response: Response): Promise<Refusal> {
  const body = await readSmallBody(response, MAX_ERROR_BYTES, ERROR_BODY_TIMEOUT_MS).catch(() => new Uint8Array())
  return { status: response.status, headers: response.headers, body }
}

function warn({ observe, requestId }: AttemptDeps, upstream: Upstream, what: string): void {
  const message = `upstream ${upstream.name}: ${what}`
  // An upstream that is away fails every request in the same words.
  observe({ op: 'warn', message, request_id: requestId, repeat: message })
}
