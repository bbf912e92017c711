// What a request can come to before anybody has counted its tokens. Pure.
import { textOf, type JsonObject } from '../json/scan.ts'
import { NO_USAGE, type Usage } from '../pricing/usage.ts'

export interface WorstCase {
  /** All of the prompt in the dearest class that it may fall into, and the longest answer. */
  readonly usage: Usage
  /** Tokens that the prompt probably has. */
  readonly likelyInput: number
}

/** Text of any language and code has more bytes to a token than this. */
const LEAST_BYTES_PER_TOKEN = 3
const LIKELY_BYTES_PER_TOKEN = 4
/** Of a model that nobody has described. */
const MOST_INPUT = 1_000_000
const MOST_OUTPUT = 128_000
const [QUOTE, MAX_WORD] = [0x22, 32]
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
    usage: {
      ...NO_USAGE,
      input: ttl === undefined ? input : undefined,
      cacheWrite5m: ttl === 'minutes' ? input : undefined,
      cacheWrite1h: ttl === 'hour' ? input : undefined,
      output: Math.min(maxOutput, maxTokens(bytes, request) ?? maxOutput),
      speed: word(request, 'speed'),
      inferenceGeo: word(request, 'inference_geo'),
      isEstimated: true,
    },
    likelyInput: Math.min(window, Math.ceil(bytes.length / LIKELY_BYTES_PER_TOKEN)),
  }
}

/** With a name twice the last one counts. */
function memberOf({ members }: JsonObject, name: string) {
  return members.findLast((member) => member.name === name)
}

/** Of a field that changes the price: whether it did, only the answer says. */
function word(request: JsonObject, name: string): string | undefined {
  const member = memberOf(request, name)
  return member !== undefined && request.bytes[member.valueStart] === QUOTE && member.end - member.valueStart < MAX_WORD ? textOf(request.bytes, member.valueStart, member.end) : undefined
}

function maxTokens(bytes: Buffer, request: JsonObject): number | undefined {
  const member = memberOf(request, 'max_tokens')
  const value = member && Number(bytes.toString('latin1', member.valueStart, member.end))
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value : undefined
}
