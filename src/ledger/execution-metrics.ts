// What the ledger is told of executions, as metrics: tokens, cost, and how long answers take. Names are OpenTelemetry's for
// generative AI where it has one: https://github.com/open-telemetry/semantic-conventions-genai (gen-ai-metrics.md).
// No person is in a label, and names of models and upstreams are the configuration's and the catalogue's.
import { boundedTo, createCounter, createHistogram } from '../observe/instruments.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import { promptTokens } from '../pricing/usage.ts'
import type { Execution } from './execution.ts'

export interface ExecutionMetrics {
  count(executions: readonly Execution[]): void
  families(): MetricFamily[]
}

/** As the conventions want them. */
const TOKEN_BOUNDS = Array.from({ length: 14 }, (_, at) => 4 ** at)
const FIRST_BYTE_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80]
/** Beyond the conventions' last bound: an agent's answer may take minutes. */
const DURATION_BOUNDS = [0.04, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36]
/** Values of `gen_ai.provider.name` that are well known. */
const PROVIDERS: Readonly<Record<string, string>> = { bedrock: 'aws.bedrock', mantle: 'aws.bedrock', vertex: 'gcp.vertex_ai', foundry: 'azure.ai.inference' }
const NANO = 1e9

/** `models` and `upstreams`: every name there is; what has another is counted as `other`. */
export function createExecutionMetrics({ models, upstreams }: { models: Iterable<string>; upstreams: Iterable<string> }): ExecutionMetrics {
  const modelOf = boundedTo(models)
  const upstreamOf = boundedTo(upstreams)
  const about = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'upstream']
  const tokens = createCounter({ name: 'gatehouse_tokens_total', help: 'Tokens as the ledger has them, by class: input is what was neither read from the cache nor written to it.', labels: ['model', 'upstream', 'class'] })
  const cost = createCounter({ name: 'gatehouse_cost_dollars_total', help: 'Cost of executions at an upstream, as the ledger has it.', labels: ['model', 'upstream'] })
  const executions = createCounter({ name: 'gatehouse_executions_total', help: 'Executions at an upstream by how they ended, as the ledger has them.', labels: ['model', 'upstream', 'outcome'] })
  const estimated = createCounter({ name: 'gatehouse_executions_estimated_total', help: 'Executions whose usage the upstream did not say, so that it was judged.', labels: ['upstream'] })
  const perRequest = createHistogram({ name: 'gen_ai_client_token_usage', help: 'Tokens of an execution; input is the whole prompt, whether it was cached or not.', labels: [...about, 'gen_ai_token_type'], bounds: TOKEN_BOUNDS })
  const firstByte = createHistogram({ name: 'gen_ai_server_time_to_first_token_seconds', help: 'From the admission of a request to the first byte of its answer, whatever was tried before.', labels: about, bounds: FIRST_BYTE_BOUNDS })
  const duration = createHistogram({ name: 'gen_ai_server_request_duration_seconds', help: 'From the sending of a request to the last byte of the answer, streams included. error_type is the status or how the answer ended.', labels: [...about, 'error_type'], bounds: DURATION_BOUNDS })

  function count(execution: Execution): void {
    const { usage, kind, status, outcome, ttfbMs, durationMs } = execution
    const [model, upstream, provider] = [modelOf(execution.model), upstreamOf(execution.upstream), PROVIDERS[execution.provider] ?? 'anthropic']
    tokens.add(usage.input ?? 0, model, upstream, 'input')
    tokens.add(usage.output ?? 0, model, upstream, 'output')
    tokens.add(usage.cacheRead ?? 0, model, upstream, 'cache_read')
    tokens.add(usage.cacheWrite5m ?? 0, model, upstream, 'cache_write_5m')
    tokens.add(usage.cacheWrite1h ?? 0, model, upstream, 'cache_write_1h')
    cost.add(Number(execution.cost) / NANO, model, upstream)
    executions.add(1, model, upstream, outcome)
    if (usage.isEstimated) estimated.add(1, upstream)
    if (status === 200) {
      perRequest.observe(promptTokens(usage), 'chat', provider, model, upstream, 'input')
      perRequest.observe(usage.output ?? 0, 'chat', provider, model, upstream, 'output')
    }
    // What ran beside an answer has no time of its own.
    if (kind !== 'message') return
    if (status === 200 && ttfbMs !== undefined) firstByte.observe(ttfbMs / 1000, 'chat', provider, model, upstream)
    if (durationMs !== undefined) duration.observe(durationMs / 1000, 'chat', provider, model, upstream, errorType(status, outcome))
  }

  return {
    count: (executions) => executions.forEach(count),
    families: () => [tokens, cost, executions, estimated, perRequest, firstByte, duration].map((instrument) => instrument.family()),
  }
}

/** Empty for a success. */
function errorType(status: number, outcome: Execution['outcome']): string {
  if (status >= 400) return String(status)
  return outcome === 'completed' ? '' : outcome
}
