// Watches the bytes of an answer for its usage. It looks at each chunk once with native searches and parses only the
// events that carry usage; the bytes themselves it never changes or delays.
import { NO_USAGE, overwriteUsage, type Usage } from './usage.ts'

export interface Meter {
  watch(chunk: Uint8Array): void
  /** What is known so far; final after the last chunk. */
  usage(): Usage
  /** Everything that belongs to the answer has passed, whether or not the upstream has ended it. */
  isWhole(): boolean
  /** The last that passed was the upstream's own error event. */
  endsInError(): boolean
  /** The next byte begins an event: here the relay may put in one of its own. */
  atBoundary(): boolean
}

/** A line longer than this carries no usage; it is passed over without being kept. */
const MAX_LINE_BYTES = 1024 * 1024
const MAX_JSON_BYTES = 8 * 1024 * 1024
const [LF, CR] = [0x0a, 0x0d]
/** What the events that matter here have in common: `message_start`, `message_delta`, `message_stop`. */
const MARK = 'message_'

/** For `text/event-stream`. Only events of the stream itself count: the same words inside content are escaped there. */
export function createStreamMeter(): Meter {
  let usage = NO_USAGE
  let stopped = false
  let carry: Buffer | undefined
  let skipping = false
  /** The last four bytes. */
  let tail = 0x0a0a
  let last: Uint8Array = new Uint8Array()

  function readLines(text: string): void {
    for (const line of text.split(/\r\n|\r|\n/)) {
      if (!line.startsWith('data:') || !line.includes(MARK)) continue
      const event = parse(line.slice('data:'.length))
      usage = overwriteUsage(usage, usageOfEvent(event))
      stopped ||= event?.type === 'message_stop'
    }
  }

  return {
    watch(chunk) {
      if (chunk.length === 0) return
      last = chunk
      for (let at = Math.max(0, chunk.length - 4); at < chunk.length; at++) tail = ((tail << 8) | (chunk[at] as number)) >>> 0
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const end = Math.max(bytes.lastIndexOf(LF), bytes.lastIndexOf(CR)) + 1
      if (end > 0) {
        const lines = carry === undefined ? bytes.subarray(0, end) : Buffer.concat([carry, bytes.subarray(0, end)])
        if (lines.includes(MARK)) readLines(skipping ? lines.toString('utf8').replace(/^[^\r\n]*/, '') : lines.toString('utf8'))
        skipping = false
        carry = undefined
      }
      const rest = bytes.subarray(end)
      if (rest.length === 0 || skipping) return
      // Copied: the chunk belongs to the client from here on.
      carry = carry === undefined ? Buffer.from(rest) : Buffer.concat([carry, rest])
      if (carry.length > MAX_LINE_BYTES) [carry, skipping] = [undefined, true]
    },
    usage: () => usage,
    isWhole: () => stopped,
    endsInError: () => /(?:^|[\r\n])event: ?error\b/.test(Buffer.from(last.buffer, last.byteOffset, last.byteLength).toString('latin1')),
    atBoundary: () => (tail & 0xffff) === 0x0a0a || (tail & 0xffff) === 0x0d0d || tail === 0x0d0a0d0a,
  }
}

function usageOfEvent(event: any): unknown {
  if (event?.type === 'message_start') return event.message?.usage
  return event?.type === 'message_delta' ? event.usage : undefined
}

/** Undefined for what is not JSON. */
function parse(text: string): any {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** For a JSON answer: its usage is read once it is complete, if it is not too large to keep. */
export function createJsonMeter(): Meter {
  let chunks: Uint8Array[] = []
  let length = 0
  const answer = () => parse(Buffer.concat(chunks).toString('utf8'))
  return {
    watch(chunk) {
      length += chunk.byteLength
      if (length > MAX_JSON_BYTES) chunks = []
      else chunks.push(chunk.slice())
    },
    usage: () => overwriteUsage(NO_USAGE, answer()?.usage),
    isWhole: () => answer() !== undefined,
    endsInError: () => false,
    atBoundary: () => false,
  }
}
