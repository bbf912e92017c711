// The tokens of an answer, from the usage objects of the Messages API. Pure.

export interface Usage {
  input: number | undefined
  output: number | undefined
  cacheRead: number | undefined
  cacheWrite5m: number | undefined
  cacheWrite1h: number | undefined
  /** Part of the output. */
  thinking: number | undefined
  webSearches: number | undefined
  /** `standard` or `fast`. */
  speed: string | undefined
  inferenceGeo: string | undefined
  serviceTier: string | undefined
  /** What answered, as the upstream names it. */
  model: string | undefined
  /** Work of other iterations, which the counts above leave out. */
  beside: readonly BesideUsage[]
  /** The upstream never gave its final count: the output is judged by what was sent on. */
  isEstimated: boolean
}

/** Tokens of a `compaction` or an `advisor_message`, perhaps by another model. */
export interface BesideUsage {
  readonly kind: 'compaction' | 'advisor_message'
  readonly usage: Usage
}

export const NO_USAGE: Usage = {
  input: undefined,
  output: undefined,
  cacheRead: undefined,
  cacheWrite5m: undefined,
  cacheWrite1h: undefined,
  thinking: undefined,
  webSearches: undefined,
  speed: undefined,
  inferenceGeo: undefined,
  serviceTier: undefined,
  model: undefined,
  beside: [],
  isEstimated: false,
}

/**
 * Lays a usage object over what is known. Counts of a stream are cumulative: each one given replaces the one before,
 * nothing is added, and what is null, negative or no count is as if absent.
 */
export function overwriteUsage(known: Usage, usage: unknown): Usage {
  if (typeof usage !== 'object' || usage === null) return known
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens, cache_creation } = usage as Record<string, unknown>
  const split = typeof cache_creation === 'object' && cache_creation !== null ? (cache_creation as Record<string, unknown>) : {}
  const cacheWrite1h = count(split.ephemeral_1h_input_tokens) ?? known.cacheWrite1h
  const created = count(cache_creation_input_tokens)
  // Writes beyond the split are of five minutes.
  const cacheWrite5m = created === undefined ? count(split.ephemeral_5m_input_tokens) : Math.max(0, created - (cacheWrite1h ?? 0))
  return {
    ...known,
    input: count(input_tokens) ?? known.input,
    output: count(output_tokens) ?? known.output,
    cacheRead: count(cache_read_input_tokens) ?? known.cacheRead,
    cacheWrite5m: cacheWrite5m ?? known.cacheWrite5m,
    cacheWrite1h,
  }
}

/**
 * What an upstream reported beside its answer, where the answer itself did not say: some of Bedrock's regions give the
 * cache's counts there alone.
 */
export function fillUsage(known: Usage, beside: unknown): Usage {
  if (beside === undefined) return known
  const reported = overwriteUsage(NO_USAGE, beside)
  return {
    ...known,
    input: known.input ?? reported.input,
    output: known.output ?? reported.output,
    cacheRead: known.cacheRead || reported.cacheRead || known.cacheRead,
    cacheWrite5m: (known.cacheWrite1h ?? 0) > 0 ? known.cacheWrite5m : known.cacheWrite5m || reported.cacheWrite5m || known.cacheWrite5m,
    cacheWrite1h: known.cacheWrite1h,
  }
}

function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined
}
