// What a request can come to before anybody has counted its tokens. Pure.
import { memberOf, skipSpace, textOf, type JsonObject, type MarkedObject } from '../json/scan.ts'
import { NO_USAGE, type Usage } from '../pricing/usage.ts'
import { bufferOf } from '../std/buffer-of.ts'

/** Text of any language and code has more bytes to a token than this. */
const LEAST_BYTES_PER_TOKEN = 3
const LIKELY_BYTES_PER_TOKEN = 4
/** Of a model that nobody has described. */
const MOST_INPUT = 1_000_000
const MOST_OUTPUT = 128_000
const [QUOTE, MAX_WORD] = [0x22, 32]
const DATA = Buffer.from('"data":')
const [LEAST_HELD_BYTES, HELD_TOKENS] = [1024, 2500]

/**
 * All of the prompt in the dearest class that it may fall into, and the longest answer. Bounded by what the model can read
 * and write. The input may all be written to the cache, for as long as the request says somewhere; what it names instead of
 * holding may fill the window. What tools of the server add, and a dearer model that it falls back to, is not in it.
 */
export function worstCase(request: MarkedObject, { window = MOST_INPUT, maxOutput = MOST_OUTPUT }: { window?: number | undefined; maxOutput?: number | undefined }): Usage {
  const { bytes, marks } = request
  // A source is of type `url`, or a file is named by its id. A tool may have an argument `url`: that is a key, not a value.
  const isFetched = marks.url || marks.fileId
  const input = isFetched ? window : Math.min(window, Math.ceil(bytes.length / LEAST_BYTES_PER_TOKEN))
  const ttl = marks.hour ? 'hour' : marks.cacheControl ? 'minutes' : undefined
  return {
    ...NO_USAGE,
    input: ttl === undefined ? input : undefined,
    cacheWrite5m: ttl === 'minutes' ? input : undefined,
    cacheWrite1h: ttl === 'hour' ? input : undefined,
    output: Math.min(maxOutput, maxTokens(request) ?? maxOutput),
    speed: word(request, 'speed'),
    inferenceGeo: word(request, 'inference_geo'),
    isEstimated: true,
  }
}

/** Tokens that a prompt probably has: its text by the byte, each image or document that it holds as a page or two. */
export function likelyInput({ bytes, marks }: MarkedObject, window = MOST_INPUT): number {
  const held = marks.data ? heldIn(bufferOf(bytes)) : { files: 0, bytes: 0 }
  return Math.min(window, Math.ceil((bytes.length - held.bytes) / LIKELY_BYTES_PER_TOKEN) + held.files * HELD_TOKENS)
}

function heldIn(bytes: Buffer): { files: number; bytes: number } {
  const held = { files: 0, bytes: 0 }
  for (let at = bytes.indexOf(DATA); at >= 0; at = bytes.indexOf(DATA, at)) {
    const start = skipSpace(bytes, at + DATA.length)
    const end = bytes[start] === QUOTE ? bytes.indexOf(QUOTE, start + 1) : start
    if (end - start > LEAST_HELD_BYTES) {
      held.bytes += end - start - 1
      held.files++
    }
    at = end
  }
  return held
}

/** Of a field that changes the price: whether it did, only the answer says. */
function word(request: JsonObject, name: string): string | undefined {
  const member = memberOf(request.members, name)
  return member !== undefined && request.bytes[member.valueStart] === QUOTE && member.end - member.valueStart < MAX_WORD ? textOf(request.bytes, member.valueStart, member.end) : undefined
}

function maxTokens({ bytes, members }: JsonObject): number | undefined {
  const member = memberOf(members, 'max_tokens')
  const value = member && Number(bufferOf(bytes, member.valueStart, member.end).toString('latin1'))
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value : undefined
}
