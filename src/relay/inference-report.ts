// The audit line of one relayed request: gathered on the way, written once.
import type { RequestContext } from '../http/request-context.ts'
import type { AuditEvent, Observe } from '../observe/events.ts'
import type { Principal } from '../principal.ts'
import type { Attempted } from './attempt.ts'
import type { Charge } from './charge.ts'
import { dollars } from '../pricing/dollars.ts'
import type { Usage } from '../pricing/usage.ts'

type Inference = Extract<AuditEvent, { evt: 'inference' }>

export interface Report {
  attempts(count: number): void
  answered(attempted: Extract<Attempted, { ok: true }>): void
  failed(upstream: string, upstreamRequestId: string | undefined): void
  status(status: number): void
  /** Writes the line; a second call would be a second line, so there is none. */
  finish(outcome: Inference['outcome'], usage: Usage): void
}

/** `finished` hears once how much it was. */
export function inferenceReport(about: { observe: Observe; context: RequestContext; principal: Principal; path: string; model: string; charge: Charge | undefined; finished?: (usage: Usage) => void }): Report {
  const { observe, context, principal } = about
  const startedMs = performance.now()
  const facts: Partial<Inference> = {}
  let written = false
  return {
    attempts: (count) => void (facts.attempts = count),
    answered(attempted) {
      const { upstream, model, response } = attempted
      about.charge?.answered(attempted)
      facts.upstream = upstream.name
      facts.upstream_model = model
      facts.status = response.status
      facts.ttfb_ms = Math.round(performance.now() - startedMs)
      const id = upstream.requestId(response.headers)
      if (id !== undefined) facts.upstream_request_id = id
    },
    failed(upstream, id) {
      facts.upstream = upstream
      if (id !== undefined) facts.upstream_request_id = id
    },
    status: (status) => void (facts.status = status),
    finish(outcome, usage) {
      if (written) return
      written = true
      const bill = about.charge?.end(outcome, usage)
      about.finished?.(usage)
      observe({
        evt: 'inference',
        request_id: context.requestId,
        client_ip: context.clientIp,
        issuer: principal.issuer,
        sub: principal.sub,
        email: principal.email,
        path: about.path,
        model: about.model.slice(0, 128),
        status: 0,
        attempts: 0,
        ...facts,
        outcome,
        ms: Math.round(performance.now() - startedMs),
        ...tokens(usage),
        ...(bill?.isEstimated === true && { estimated: true }),
        ...(bill && { cost_usd: dollars(bill.cost) }),
      })
    },
  }
}

function tokens({ input, output, thinking, cacheRead, cacheWrite5m, cacheWrite1h, webSearches, speed }: Usage): Partial<Inference> {
  return {
    ...(input === undefined ? {} : { input_tokens: input }),
    ...(output === undefined ? {} : { output_tokens: output }),
    ...(thinking === undefined ? {} : { thinking_tokens: thinking }),
    ...(cacheRead === undefined ? {} : { cache_read_tokens: cacheRead }),
    ...(cacheWrite5m === undefined ? {} : { cache_write_5m_tokens: cacheWrite5m }),
    ...(cacheWrite1h === undefined ? {} : { cache_write_1h_tokens: cacheWrite1h }),
    ...(webSearches === undefined ? {} : { web_searches: webSearches }),
    ...(speed === undefined || speed === 'standard' ? {} : { speed }),
  }
}
