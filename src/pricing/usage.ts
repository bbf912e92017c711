// The tokens of an answer, from the usage objects of the Messages API. Pure. What an upstream says is not trusted: a count
// is a whole number or nothing, a word is short and plain or nothing.

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
  /** The model that answered after the one that was asked had declined: the counts above are this model's. */
  fallbackModel?: string | undefined
  /** Work of other iterations, which the counts above leave out. */
  beside: readonly BesideUsage[]
  /** The upstream never gave its final count: the output is judged by what was sent on. */
  isEstimated: boolean
}

/**
 * Tokens of a `compaction` or an `advisor_message`, perhaps by another model, or of a `declined_message`: what a model had
 * written before it declined and another one went on.
 */
export interface BesideUsage {
  readonly kind: 'compaction' | 'advisor_message' | 'declined_message'
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

/** An answer has a handful of iterations; each becomes a row of its own. */
const MOST_BESIDE = 100

/**
 * Lays a usage object over what is known. Counts of a stream are cumulative: each one given replaces the one before,
 * nothing is added, and what is null, negative or no count is as if absent.
 */
export function overwriteUsage(known: Usage, usage: unknown): Usage {
  const given = fieldsOf(usage)
  if (given === undefined) return known
  const counted = { ...known, ...countsOver(known, given), ...wordsOver(known, given) }
  return Array.isArray(given.iterations) ? { ...counted, ...readIterations(counted, given.iterations) } : counted
}

/** The name of the model that answered, laid over what is known. */
export function overwriteModel(known: Usage, model: unknown): Usage {
  return { ...known, model: word(model) ?? known.model }
}

/** A count that an upstream gave; undefined for anything else. */
export function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined
}

/** All of an answer's prompt, read from the cache or not. */
export function promptTokens({ input, cacheRead, cacheWrite5m, cacheWrite1h }: Usage): number {
  return (input ?? 0) + (cacheRead ?? 0) + (cacheWrite5m ?? 0) + (cacheWrite1h ?? 0)
}

function countsOver(known: Usage, given: Fields): Partial<Usage> {
  const split = fieldsOf(given.cache_creation)
  const cacheWrite1h = count(split?.ephemeral_1h_input_tokens) ?? known.cacheWrite1h
  const created = count(given.cache_creation_input_tokens)
  // Writes beyond the split are of five minutes.
  const cacheWrite5m = created === undefined ? count(split?.ephemeral_5m_input_tokens) : Math.max(0, created - (cacheWrite1h ?? 0))
  return {
    input: count(given.input_tokens) ?? known.input,
    output: count(given.output_tokens) ?? known.output,
    cacheRead: count(given.cache_read_input_tokens) ?? known.cacheRead,
    cacheWrite5m: cacheWrite5m ?? known.cacheWrite5m,
    cacheWrite1h,
    thinking: count(fieldsOf(given.output_tokens_details)?.thinking_tokens) ?? known.thinking,
    webSearches: count(fieldsOf(given.server_tool_use)?.web_search_requests) ?? known.webSearches,
  }
}

function wordsOver(known: Usage, given: Fields): Partial<Usage> {
  return {
    speed: word(given.speed) ?? known.speed,
    inferenceGeo: word(given.inference_geo) ?? known.inferenceGeo,
    serviceTier: word(given.service_tier) ?? known.serviceTier,
  }
}

/**
 * What the counts of the whole leave out. Compactions and advice are never in them. After a fallback they are those of the
 * model that answered; one that had declined is billed for what it had written, and for nothing when that is nothing.
 */
function readIterations(whole: Usage, iterations: readonly unknown[]): Partial<Usage> {
  const entries = iterations.map(fieldsOf).filter((entry) => entry !== undefined)
  const fallbackModel = word(entries.findLast(({ type }) => type === 'fallback_message')?.model)
  const isDeclined = ({ type, model, output_tokens }: Fields) =>
    fallbackModel !== undefined && type === 'message' && word(model) !== undefined && word(model) !== fallbackModel && (count(output_tokens) ?? 0) > 0
  const beside = entries.flatMap((entry): BesideUsage[] => {
    if (entry.type === 'compaction' || entry.type === 'advisor_message') return [{ kind: entry.type, usage: usageBeside(whole, entry) }]
    return isDeclined(entry) ? [{ kind: 'declined_message', usage: usageBeside(whole, entry) }] : []
  })
  return { beside: beside.slice(0, MOST_BESIDE), ...(fallbackModel === undefined ? {} : { fallbackModel, model: fallbackModel }) }
}

/** Where and how a request runs holds for all of it; an advisor is another model, whose speed nobody asked for. */
function usageBeside({ speed, inferenceGeo, serviceTier }: Usage, entry: Fields): Usage {
  const known = { ...NO_USAGE, inferenceGeo, serviceTier, model: word(entry.model), speed: entry.type === 'advisor_message' ? undefined : speed }
  return { ...known, ...countsOver(known, entry) }
}

/**
 * What an upstream reported beside its answer, where the answer itself did not say: some of Bedrock's regions give the
 * cache's counts there alone.
 */
export function fillUsage(known: Usage, beside: unknown): Usage {
  if (beside === undefined) return known
  const reported = overwriteUsage(NO_USAGE, beside)
  const isCounted = known.isEstimated && reported.output !== undefined
  return {
    ...known,
    input: known.input ?? reported.input,
    output: isCounted ? reported.output : (known.output ?? reported.output),
    cacheRead: known.cacheRead || reported.cacheRead || known.cacheRead,
    cacheWrite5m: (known.cacheWrite1h ?? 0) > 0 ? known.cacheWrite5m : known.cacheWrite5m || reported.cacheWrite5m || known.cacheWrite5m,
    cacheWrite1h: known.cacheWrite1h,
    isEstimated: known.isEstimated && !isCounted,
  }
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined
}

/** It is written into the ledger and compared with names. */
function word(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\x21-\x7e]{1,64}$/.test(value) ? value : undefined
}
