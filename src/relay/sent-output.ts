// What an event stream has passed on of an answer, in characters: for streams that end before the upstream has counted.
// Bytes are only kept as they come; they are looked into when somebody asks, or when there are too many of them.
import { bufferOf } from '../std/buffer-of.ts'

export interface SentOutput {
  /** Lines that have ended. They are kept, not copied: their memory must not be used again. */
  add(lines: Uint8Array): void
  /** The beginning of a line that is too long to keep. */
  addLong(line: Uint8Array): void
  /** More of that line. */
  addToLong(bytes: number): void
  /** Text, thinking and input of tools, `unended` being the line that has not ended yet. */
  characters(unended: Uint8Array): number
  /** From here on nothing is kept. */
  drop(): void
}

const MOST_KEPT_BYTES = 64 * 1024
/** Where a line says what it is about. */
const HEAD_BYTES = 256

export function createSentOutput(): SentOutput {
  let kept: Uint8Array[] = []
  let keptBytes = 0
  let counted = 0
  let isLongCounted = false
  let isDropped = false

  function forget(): void {
    kept = []
    keptBytes = 0
  }

  return {
    add(lines) {
      if (isDropped) return
      if (keptBytes + lines.byteLength > MOST_KEPT_BYTES) {
        counted += charactersInAll(kept)
        forget()
      }
      kept.push(lines)
      keptBytes += lines.byteLength
    },
    addLong(line) {
      // A block may begin with something large that no model wrote, as the pages that a search found.
      isLongCounted = !isDropped && !bufferOf(line.subarray(0, HEAD_BYTES)).includes('content_block_start')
      if (isLongCounted) counted += line.byteLength
    },
    addToLong(bytes) {
      if (isLongCounted) counted += bytes
    },
    characters: (unended) => counted + charactersInAll(kept) + charactersIn(unended),
    drop() {
      isDropped = true
      forget()
    },
  }
}

/** What a delta adds, up to its end or the end of what there is. Inside a string the quotes of the names would be escaped. */
const ADDED = /"delta"\s*:\s*\{[^{}\r\n]*?"(?:text|thinking|partial_json)"\s*:\s*"((?:[^"\\\r\n]|\\.)*)/g
const ESCAPE = /\\(?:u[0-9a-fA-F]{4}|.)/g

function charactersInAll(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + charactersIn(piece), 0)
}

/** A third of the time that parsing every event takes. */
function charactersIn(lines: Uint8Array): number {
  let characters = 0
  for (const [, text = ''] of bufferOf(lines).toString('utf8').matchAll(ADDED)) characters += text.includes('\\') ? text.replace(ESCAPE, ' ').length : text.length
  return characters
}
