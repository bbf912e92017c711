// What a request can come to before anybody has counted its tokens. Pure.
import { findMembers, outerOf } from '../json/find-members.ts'
import { fieldsOf, isStringAt, memberOf, skipString, stringAt, textOf, type JsonObject, type MarkedObject } from '../json/scan.ts'
import { OTHERS_WORDS } from './others-words.ts'
import { NO_USAGE, type Usage } from '../pricing/usage.ts'
import { bufferOf } from '../std/buffer-of.ts'

/** Text of any language and code has more bytes to a token than this. */
const LEAST_BYTES_PER_TOKEN = 3
const LIKELY_BYTES_PER_TOKEN = 4
/** Of a model that nobody has described. */
const MOST_INPUT = 1_000_000
const MOST_OUTPUT = 128_000
const [QUOTE, BRACE_OPEN, MAX_WORD] = [0x22, 0x7b, 32]
const BASE64 = Buffer.from('"base64"')
/** Files that are looked at: more than the API takes. What is beyond counts as text. */
const MOST_HELD = 1000
const [LEAST_HELD_BYTES, IMAGE_TOKENS] = [1024, 2500]
/** Of base64: a page of a scan has 200 KB and 2,000 tokens, one of text 20 KB and 3,000. */
const BYTES_PER_TOKEN_OF_DOCUMENT = 30

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

/** Tokens that a prompt probably has: its text by the byte, each image or document that it holds as what such a one comes to. */
export function likelyInput({ bytes, marks }: MarkedObject, window = MOST_INPUT): number {
  const held = marks.data ? heldIn(bytes) : []
  const [heldBytes, heldTokens] = [held.reduce((sum, one) => sum + one.bytes, 0), held.reduce((sum, one) => sum + one.tokens, 0)]
  return Math.min(window, Math.ceil((bytes.length - heldBytes) / LIKELY_BYTES_PER_TOKEN) + heldTokens)
}

/** What the API reads as a file: `data` beside a `type` of base64. Anything else of that name is text, and counts as that. */
function heldIn(bytes: Uint8Array): { bytes: number; tokens: number }[] {
  // The walk takes as long as all else that is done about a request's body.
  if (!bufferOf(bytes).includes(BASE64)) return []
  const found = findMembers(bytes, bytes.indexOf(BRACE_OPEN), { name: 'data', except: OTHERS_WORDS, most: MOST_HELD })
  // Of a name that is given again and again the last one counts. A file holds no other: a thousand that did would be a thousand passes.
  const outer = outerOf(found, 1)
  const blocks = new Map(found.map(({ path, valueStart }) => [path.at(-1)?.open ?? 0, valueStart]))
  return [...blocks].filter(([open]) => !outer.has(open)).flatMap(([open, valueStart]) => {
    const length = isStringAt(bytes, valueStart) ? skipString(bytes, valueStart) - valueStart : 0
    if (length < LEAST_HELD_BYTES) return []
    const fields = fieldsOf(bytes, open, ['type', 'media_type'])
    const wordOf = (name: string) => {
      const field = memberOf(fields, name)
      return field !== undefined && isStringAt(bytes, field.valueStart) ? stringAt(bytes, field.valueStart) : ''
    }
    if (wordOf('type') !== 'base64') return []
    return [{ bytes: length, tokens: wordOf('media_type').startsWith('image/') ? IMAGE_TOKENS : Math.max(IMAGE_TOKENS, Math.ceil(length / BYTES_PER_TOKEN_OF_DOCUMENT)) }]
  })
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
