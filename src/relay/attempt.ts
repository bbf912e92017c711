// One request to one upstream after the other, until one answers for the client.
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { readSmallBody } from '../egress/small-body.ts'
import type { Observe } from '../observe/events.ts'
import type { ServedModel } from '../models/resolve.ts'
import type { Upstream, UpstreamRequest } from '../upstream/upstream.ts'
import { movesOn } from './failover.ts'

const MAX_ERROR_BYTES = 64 * 1024
const ERROR_BODY_TIMEOUT_MS = 5000

export interface FailedAttempt {
  readonly upstream: Upstream
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

export type Attempted =
  | { readonly ok: true; readonly upstream: Upstream; readonly model: string; readonly response: Response; readonly attempts: number }
  | { readonly ok: false; readonly failures: readonly FailedAttempt[]; readonly attempts: number }

export interface AttemptDeps {
  upstreams: readonly Upstream[]
  fetch: GuardedFetch
  observe: Observe
  requestId: string
  signal: AbortSignal
}

/** `requestFor` makes the request for an upstream's name of the model. Stops as soon as the client is gone. */
export async function attemptUpstreams(
  deps: AttemptDeps,
  served: ServedModel,
  spelling: string,
  requestFor: (model: string) => UpstreamRequest,
): Promise<Attempted> {
  const failures: FailedAttempt[] = []
  let attempts = 0
  for (const upstream of deps.upstreams) {
    if (deps.signal.aborted) break
    attempts++
    const model = served.upstreamId(upstream, spelling)
    if (model === undefined) continue
    const response = await send(deps, upstream, requestFor(model))
    if (response === undefined) continue
    if (!movesOn(response.status, upstream.failoverOn)) return { ok: true, upstream, model, response, attempts }
    failures.push(await keepFailure(deps, upstream, response))
  }
  return { ok: false, failures, attempts }
}

async function send(deps: AttemptDeps, upstream: Upstream, request: UpstreamRequest): Promise<Response | undefined> {
  try {
    const { url, headers, body } = await upstream.prepare(request)
    return await deps.fetch(url, { method: 'POST', headers, body, signal: deps.signal, headersTimeoutMs: upstream.ttfbMs, ...(upstream.proxy !== undefined && { proxy: upstream.proxy }) })
  } catch (error) {
    if (!deps.signal.aborted) warn(deps, upstream, (error as Error).message)
    return undefined
  }
}

/** The whole text goes to the operator; the client sees it only if no other upstream does better. */
async function keepFailure(deps: AttemptDeps, upstream: Upstream, response: Response): Promise<FailedAttempt> {
  const { status, headers } = response
  const body = await readSmallBody(response, MAX_ERROR_BYTES, ERROR_BODY_TIMEOUT_MS).catch(() => new Uint8Array())
  warn(deps, upstream, `${status} ${Buffer.from(body).toString('utf8').slice(0, 2000)}`)
  return { upstream, status, headers, body }
}

function warn({ observe, requestId }: AttemptDeps, upstream: Upstream, what: string): void {
  observe({ op: 'warn', message: `upstream ${upstream.name}: ${what}`, request_id: requestId })
}
