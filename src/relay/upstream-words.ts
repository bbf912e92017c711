// What an upstream said of a request that it refused, for the log: its own words, without what it quotes of the request.
import type { JsonObject } from '../json/scan.ts'

const MOST_SHOWN = 2000
/** Of a request that is larger, its words cannot be told from the upstream's in time. */
const MOST_BYTES = 8 * 1024 * 1024
/** Shorter texts are words that everybody uses. */
const LEAST_QUOTED = 6
/** So many characters in a row are nobody's by chance. */
const RUN = 24
const CUT = '[…]'
/** Members that people's words are in. */
const OF_PEOPLE = new Set(['messages', 'system', 'tools', 'metadata'])
/** Values that the protocol chooses, and names that an error has to name. */
const OF_PROTOCOL = new Set(['type', 'role', 'name', 'id', 'tool_use_id'])

/** `credentials`: what the request was sent with. */
export function upstreamWords(body: Uint8Array, request: JsonObject, credentials: readonly string[]): string {
  if (request.bytes.length > MOST_BYTES) return `(${body.length} bytes, left out: the request is too large to tell its own words in them)`
  const text = credentials.reduce((rest, credential) => rest.replaceAll(credential, CUT), Buffer.from(body).toString('utf8'))
  return withoutQuotes(text.slice(0, MOST_SHOWN), wordsOf(request))
}

function wordsOf({ bytes, members }: JsonObject): string[] {
  const words = new Set<string>()
  for (const { name, valueStart, end } of members) if (OF_PEOPLE.has(name)) gather(JSON.parse(Buffer.from(bytes.subarray(valueStart, end)).toString('utf8')), words)
  return [...words]
}

function gather(value: unknown, into: Set<string>): void {
  if (typeof value === 'string') into.add(value)
  else if (Array.isArray(value)) for (const item of value) gather(item, into)
  else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) if (typeof item !== 'string' || !OF_PROTOCOL.has(key)) gather(item, into)
}

function withoutQuotes(text: string, words: readonly string[]): string {
  const isQuoted = new Uint8Array(text.length)
  const runs = runsOf(text)
  // As they are in a text, in a string of JSON, and in one that is in another.
  for (const word of words) for (const spelled of new Set([word, escapedOnce(word), escapedOnce(escapedOnce(word))])) mark(spelled, text, runs, isQuoted)
  let shown = ''
  for (let at = 0; at < text.length; at++) {
    if (isQuoted[at] === 0) shown += text[at]
    else if (at === 0 || isQuoted[at - 1] === 0) shown += CUT
  }
  return shown
}

function mark(word: string, text: string, runs: ReadonlyMap<number, readonly number[]>, isQuoted: Uint8Array): void {
  if (word.length < LEAST_QUOTED) return
  if (word.length < RUN) {
    for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) isQuoted.fill(1, at, at + word.length)
    return
  }
  forEachHash(word, (hash, from) => {
    for (const at of runs.get(hash) ?? []) if (word.startsWith(text.slice(at, at + RUN), from)) isQuoted.fill(1, at, at + RUN)
  })
}

/** Where in a text there are runs of a hash. */
function runsOf(text: string): ReadonlyMap<number, readonly number[]> {
  const runs = new Map<number, number[]>()
  forEachHash(text, (hash, at) => void (runs.get(hash)?.push(at) ?? runs.set(hash, [at])))
  return runs
}

const BASE = 31
const LEAVING = Array.from({ length: RUN }).reduce<number>((power) => Math.imul(power, BASE), 1)

/** Hashes of all runs, each made from the one before it (Karp and Rabin). */
function forEachHash(text: string, hear: (hash: number, at: number) => void): void {
  let hash = 0
  for (let end = 0; end < text.length; end++) {
    hash = (Math.imul(hash, BASE) + text.charCodeAt(end)) | 0
    if (end >= RUN) hash = (hash - Math.imul(text.charCodeAt(end - RUN), LEAVING)) | 0
    if (end >= RUN - 1) hear(hash, end - RUN + 1)
  }
}

function escapedOnce(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
