// What a request can come to before anybody has counted its tokens. Pure.
import type { JsonObject } from '../json/scan.ts'

export interface WorstCase {
  /** Tokens, all of them at the price of the dearest class they may fall into. */
  readonly input: number | undefined
  readonly cacheWrite5m: number | undefined
  readonly cacheWrite1h: number | undefined
  readonly output: number
  /** Tokens that it probably has. */
  readonly likelyInput: number
}

/** Text of any language and code has more bytes to a token than this. */
const LEAST_BYTES_PER_TOKEN = 3
const LIKELY_BYTES_PER_TOKEN = 4
/** Of a model that nobody has described. */
const MOST_INPUT = 1_000_000
const MOST_OUTPUT = 128_000
const HOUR = Buffer.from('"1h"')
const CACHE_CONTROL = Buffer.from('cache_control')

/**
 * Bounded by what the model can read and write. Its input may all be written to the cache, for as long as the request
 * says somewhere; an image has far fewer tokens than its bytes suggest, and is bounded by the window alone.
 */
export function worstCase(request: JsonObject, { window = MOST_INPUT, maxOutput = MOST_OUTPUT }: { window?: number | undefined; maxOutput?: number | undefined }): WorstCase {
  const bytes = Buffer.from(request.bytes.buffer, request.bytes.byteOffset, request.bytes.byteLength)
  const input = Math.min(window, Math.ceil(bytes.length / LEAST_BYTES_PER_TOKEN))
  const ttl = !bytes.includes(CACHE_CONTROL) ? undefined : bytes.includes(HOUR) ? 'hour' : 'minutes'
  return {
    input: ttl === undefined ? input : undefined,
    cacheWrite5m: ttl === 'minutes' ? input : undefined,
    cacheWrite1h: ttl === 'hour' ? input : undefined,
    output: Math.min(maxOutput, maxTokens(bytes, request) ?? maxOutput),
    likelyInput: Math.min(window, Math.ceil(bytes.length / LIKELY_BYTES_PER_TOKEN)),
  }
}

/** With a name twice the last one counts. */
function maxTokens(bytes: Buffer, { members }: JsonObject): number | undefined {
  const member = members.findLast(({ name }) => name === 'max_tokens')
  const value = member && Number(bytes.toString('latin1', member.valueStart, member.end))
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value : undefined
}
