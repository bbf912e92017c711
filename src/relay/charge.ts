// What a request costs, from before it is sent to its end: its worst case is written down first, then each execution at an
// upstream, priced, with what the answer said of its usage.
import type { RequestContext } from '../http/request-context.ts'
import { executionCost, type Execution } from '../ledger/execution.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { ServedModel } from '../models/resolve.ts'
import { catalogModel } from '../models/spellings.ts'
import { executionsOf } from '../pricing/executions-of.ts'
import type { Pricing } from '../pricing/price.ts'
import { NO_USAGE, type Usage } from '../pricing/usage.ts'
import type { Principal } from '../principal.ts'
import type { AdmitSpend, Admitted } from '../spend/admission.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Answered, Tried } from './attempt.ts'
import type { MessagesRequest } from './read-request.ts'
import { likelyInput, worstCase } from './worst-case.ts'

export interface ChargeDeps {
  admitSpend: AdmitSpend
  ledger: Pick<Ledger, 'settle'>
  pricing: Pricing
  /** Monotonic, in milliseconds. */
  nowMs: () => number
}

export interface Charge {
  /** How the person's limits stand, for a successful answer. */
  readonly headers: Readonly<Record<string, string>>
  tried(attempt: Tried): void
  answered(answered: Answered): void
  /** Settles everything, the first time it is called. */
  end(outcome: Exclude<Execution['outcome'], 'swept'>, usage: Usage): Bill
}

export interface Bill {
  /** Nano-dollars, of all executions. */
  readonly cost: bigint
  readonly isEstimated: boolean
}

export interface Charged {
  readonly context: RequestContext
  readonly principal: Principal
  readonly headers: Headers
  readonly asked: MessagesRequest
  readonly model: ServedModel
  /** The upstreams in the order in which they are tried. */
  readonly upstreams: readonly Upstream[]
}

/** Throws the refusal when a limit is reached. */
export async function openCharge(deps: ChargeDeps, about: Charged): Promise<Charge> {
  const { window, maxOutput } = limitsOf(about.model)
  const first = about.upstreams.find((upstream) => about.model.upstreamId(upstream, about.asked.model) !== undefined)
  const execution = executionOf(deps, about)
  const [conservative] = execution({
    upstream: first,
    upstreamModel: (first && about.model.upstreamId(first, about.asked.model)) ?? '',
    usage: worstCase(about.asked, { window, maxOutput }),
    status: 0,
    outcome: 'swept',
    at: new Date(about.context.receivedAt),
  })
  const { requestId, clientIp } = about.context
  const admitted = await deps.admitSpend({ requestId, clientIp, principal: about.principal, conservative: conservative as Execution })
  return createCharge(deps, admitted, execution, likelyInput(about.asked, window))
}

/**
 * Of a request that is admitted. An answer may take many minutes: what is kept meanwhile is no body, which the functions in
 * here would keep had they been made in `openCharge` (JavaScriptCore: those of an async function keep all its parameters).
 */
function createCharge(deps: ChargeDeps, { headers, request }: Admitted, execution: ExecutionOf, likely: number): Charge {
  const startedMs = deps.nowMs()
  const executions: Execution[] = []
  let answer: Answer | undefined
  let bill: Bill | undefined

  function final(answer: Answer, outcome: Execution['outcome'], usage: Usage): readonly Execution[] {
    const known = answer.status === 200 ? heard(usage, outcome) : NO_USAGE
    return execution({ ...answer, usage: known, outcome, at: request.startedAt, durationMs: Math.round(deps.nowMs() - startedMs) })
  }

  /** Of an answer that did not say what it read: about what was sent, unless the upstream broke off before it said anything. */
  function heard(usage: Usage, outcome: Execution['outcome']): Usage {
    if (usage.input !== undefined) return usage
    const isSilent = outcome === 'upstream_broke' && usage.output === undefined
    return { ...usage, ...(isSilent ? {} : { input: likely }), isEstimated: true }
  }

  return {
    headers,
    tried({ upstream, request: sent, status, upstreamRequestId, startedMs: sentMs, isAbandoned }) {
      const usage = { ...NO_USAGE, ...(isAbandoned ? { input: likely } : {}), isEstimated: status < 400 }
      executions.push(...execution({ upstream, upstreamModel: sent.model, upstreamRequestId, usage, status, outcome: isAbandoned ? 'client_gone' : 'failed', at: request.startedAt, durationMs: Math.round(deps.nowMs() - sentMs) }))
    },
    answered({ upstream, model, response }) {
      answer = { upstream, upstreamModel: model, upstreamRequestId: upstream.requestId(response.headers), status: response.status, ttfbMs: Math.round(deps.nowMs() - startedMs) }
    },
    end(outcome, usage) {
      if (bill !== undefined) return bill
      if (answer !== undefined) executions.push(...final(answer, outcome, usage))
      deps.ledger.settle(request, executions)
      return (bill = { cost: executions.reduce((sum, one) => sum + one.cost, 0n), isEstimated: executions.some(({ usage }) => usage.isEstimated) })
    },
  }
}

interface Facts {
  upstream: Pick<Upstream, 'name' | 'provider' | 'region'> | undefined
  upstreamModel: string
  upstreamRequestId?: string | undefined
  usage: Usage
  status: number
  outcome: Execution['outcome']
  at: Date
  ttfbMs?: number
  durationMs?: number
}

/** What is known of an answer from its head on. */
type Answer = Pick<Facts, 'upstream' | 'upstreamModel' | 'upstreamRequestId' | 'status' | 'ttfbMs'>

type ExecutionOf = (facts: Facts) => readonly Execution[]

/** What all executions of a request have in common, and the price of each. One answer may be several: the first is its own. */
function executionOf({ pricing }: ChargeDeps, { headers, asked: { model: modelAsked }, model }: Charged): ExecutionOf {
  const [client = '', clientVersion] = headers.get('user-agent')?.match(/^([\w.-]{1,40})(?:\/([\w.+-]{1,40}))?/)?.slice(1) ?? []
  const session = headers.get('x-claude-code-session-id') ?? undefined
  const name = catalogModel(model.id)?.id ?? model.id
  return ({ upstream = { name: '', provider: '' }, upstreamModel, upstreamRequestId, usage, status, outcome, at, ttfbMs, durationMs }) =>
    executionsOf({ upstream, model: name, upstreamModel, at }, usage).map(({ kind, served, usage }) => priced({
      kind,
      session,
      client,
      clientVersion,
      modelAsked,
      model: served.model,
      upstream: upstream.name,
      provider: upstream.provider,
      upstreamModel: served.upstreamModel,
      region: upstream.region,
      upstreamRequestId,
      usage,
      status,
      outcome,
      ttfbMs,
      durationMs,
      price: pricing.known(served, usage),
    }))
}

function priced(execution: Omit<Execution, 'cost'>): Execution {
  return { ...execution, cost: executionCost(execution) }
}

function limitsOf({ id, contextWindow }: ServedModel) {
  const known = catalogModel(id)
  return { window: contextWindow ?? known?.contextWindow, maxOutput: known?.maxOutput }
}
