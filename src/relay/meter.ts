// Watches the bytes of an answer for its usage. It looks at them once, many events together, with native searches and
// parses only the events that carry usage; the bytes themselves it never changes or delays.
import { gatherBytes } from '../std/gathered-bytes.ts'
import { count, NO_USAGE, overwriteModel, overwriteUsage, type Usage } from '../pricing/usage.ts'
import { bufferOf } from '../std/buffer-of.ts'
import { createSentOutput } from './sent-output.ts'

export interface Meter {
  watch(chunk: Uint8Array): void
  /** What is known so far; final after the last chunk. Estimated where the upstream has not given its final count. */
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
/** Some fifty events. */
const LOOK_BYTES = 8 * 1024
const [LF, CR] = [0x0a, 0x0d]
/** What the events that matter here have in common: `message_start`, `message_delta`, `message_stop`. As bytes: a search for a string takes ten times as long. */
const MARK = Buffer.from('message_')
const DATA = Buffer.from('data:')
const NOTHING: Buffer = Buffer.alloc(0)
/** Of an output token that nobody counted: contract §5. */
const CHARACTERS_PER_TOKEN = 4

/** For `text/event-stream`. Only events of the stream itself count: the same words inside content are escaped there. */
export function createStreamMeter(): Meter {
  let usage = NO_USAGE
  let stopped = false
  /** The upstream has said how long its answer is, all of it: it counts in between, too. */
  let counted = false
  let hasCount = false
  /** Of a line that has not ended. */
  const carry = gatherBytes()
  const sent = createSentOutput()
  let skipping = false
  /** The last four bytes. */
  let tail = 0x0a0a
  /** The whole lines of the last two looks: an error event may lie across them. */
  let [before, last] = [NOTHING, NOTHING]
  /** What has passed and was not looked at yet: one look at much costs less than many. Kept, not copied. */
  let passed: Uint8Array[] = []
  let passedBytes = 0

  /** Of all lines only those with the mark are looked at. */
  function readLines(lines: Buffer): void {
    for (let mark = lines.indexOf(MARK); mark >= 0; ) {
      const start = endOfLines(lines.subarray(0, mark))
      const end = start + firstLineEnd(lines.subarray(start))
      if (isData(lines, start)) readEvent(parse(lines.toString('utf8', start + DATA.length, end)))
      mark = lines.indexOf(MARK, end)
    }
    if (counted) sent.drop()
  }

  function readEvent(event: any): void {
    if (event?.type === 'message_start') usage = overwriteUsage(overwriteModel(usage, event.message?.model), event.message?.usage)
    if (event?.type === 'message_delta') usage = overwriteUsage(usage, event.usage)
    stopped ||= event?.type === 'message_stop'
    hasCount ||= event?.type === 'message_delta' && count(event.usage?.output_tokens) !== undefined
    counted ||= hasCount && (stopped || (event?.type === 'message_delta' && typeof event.delta?.stop_reason === 'string'))
  }

  /** Whole lines, the first of which may have begun earlier. */
  function passLines(ended: Buffer): void {
    const firstEnd = skipping || carry.length() > 0 ? firstLineEnd(ended) : 0
    if (skipping) sent.addToLong(firstEnd)
    else if (firstEnd > 0 || carry.length() > 0) {
      carry.add(ended.subarray(0, firstEnd))
      look(carry.take())
    }
    skipping = false
    look(firstEnd === 0 ? ended : ended.subarray(firstEnd))
  }

  function look(lines: Buffer): void {
    if (lines.includes(MARK)) readLines(lines)
    sent.add(lines)
  }

  /** An answer that broke off before it began has no output, and nobody knows of its input. */
  function estimated(): Usage {
    const output = Math.ceil(sent.characters(carry.view()) / CHARACTERS_PER_TOKEN)
    return { ...usage, output: output === 0 ? usage.output : Math.max(usage.output ?? 0, output), isEstimated: true }
  }

  function lookAtAll(): void {
    if (passedBytes === 0) return
    const bytes = passed.length === 1 ? bufferOf(passed[0] as Uint8Array) : Buffer.concat(passed, passedBytes)
    passed = []
    passedBytes = 0
    for (let at = Math.max(0, bytes.length - 4); at < bytes.length; at++) tail = ((tail << 8) | (bytes[at] as number)) >>> 0
    const end = endOfLines(bytes)
    if (end > 0) {
      const ended = end === bytes.length ? bytes : bytes.subarray(0, end)
      before = last
      last = ended
      passLines(ended)
    }
    if (end === bytes.length) return
    if (skipping) return sent.addToLong(bytes.length)
    carry.add(bytes.subarray(end))
    if (carry.length() > MAX_LINE_BYTES) {
      sent.addLong(carry.take())
      skipping = true
    }
  }

  return {
    watch(chunk) {
      if (chunk.length === 0) return
      passed.push(chunk)
      passedBytes += chunk.length
      if (passedBytes >= LOOK_BYTES) lookAtAll()
    },
    usage() {
      lookAtAll()
      return counted ? usage : estimated()
    },
    isWhole() {
      lookAtAll()
      return stopped
    },
    endsInError() {
      lookAtAll()
      return /(?:^|[\r\n])event: ?error\b/.test(Buffer.concat([before.subarray(-LOOK_BYTES), last.subarray(-LOOK_BYTES)]).toString('latin1'))
    },
    atBoundary() {
      lookAtAll()
      return (tail & 0xffff) === 0x0a0a || (tail & 0xffff) === 0x0d0d || tail === 0x0d0a0d0a
    },
  }
}

/** Just past the last line end, 0 without one. Most chunks end with it. */
function endOfLines(bytes: Buffer): number {
  const last = bytes[bytes.length - 1]
  return last === LF || last === CR ? bytes.length : Math.max(bytes.lastIndexOf(LF), bytes.lastIndexOf(CR)) + 1
}

/** Of the first line end, or the length. */
function firstLineEnd(bytes: Buffer): number {
  const lf = bytes.indexOf(LF)
  const line = lf < 0 ? bytes : bytes.subarray(0, lf)
  const cr = line.indexOf(CR)
  return cr < 0 ? line.length : cr
}

function isData(lines: Buffer, start: number): boolean {
  for (let at = 0; at < DATA.length; at++) if (lines[start + at] !== DATA[at]) return false
  return true
}

/** Undefined for what is not JSON. */
function parse(text: string): any {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const BYTES_PER_TOKEN = 4

/** For a JSON answer: its usage is read once it is complete, if it is not too large to keep; else it is judged by its size. */
export function createJsonMeter(): Meter {
  const kept = gatherBytes()
  let sentBytes = 0
  let isTooLarge = false
  const answer = () => parse(kept.view().toString('utf8'))
  return {
    watch(chunk) {
      sentBytes += chunk.byteLength
      isTooLarge ||= kept.length() + chunk.byteLength > MAX_JSON_BYTES
      if (isTooLarge) kept.take()
      else kept.add(chunk)
    },
    usage() {
      const { model, usage } = answer() ?? {}
      const known = overwriteUsage(overwriteModel(NO_USAGE, model), usage)
      if (known.output !== undefined) return known
      return { ...known, output: sentBytes === 0 ? undefined : Math.ceil(sentBytes / BYTES_PER_TOKEN), isEstimated: true }
    },
    isWhole: () => answer() !== undefined,
    endsInError: () => false,
    atBoundary: () => false,
  }
}
