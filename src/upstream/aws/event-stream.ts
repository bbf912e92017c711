// The framing of `application/vnd.amazon.eventstream`, as bytes come:
//   u32 total length | u32 headers length | u32 CRC of those | headers | payload | u32 CRC of all before it
//   header = u8 name length | name | u8 type | value
import { crc32 } from 'node:zlib'
import { gatherBytes } from '../../std/gathered-bytes.ts'
import { bufferOf } from '../../std/buffer-of.ts'

export interface Frame {
  /** String headers alone: every other type carries nothing that is needed here. */
  readonly headers: ReadonlyMap<string, string>
  readonly payload: Buffer
}

export interface FrameReader {
  /** The frames that are complete now, each as it is asked for. Throws FrameError where the stream is none any more: then no more follows. */
  read(chunk: Uint8Array): Iterable<Frame>
  /** Bytes of a frame that is not complete yet. */
  pending(): number
}

export class FrameError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FrameError'
  }
}

const PRELUDE_BYTES = 12
const CRC_BYTES = 4
/** Mostly a few hundred, one event of the Messages API each. The protocol has 24 MiB, which every stream could make us keep. */
const MAX_FRAME_BYTES = 2 * 1024 * 1024
/** The protocol's own limit. */
const MAX_HEADERS_BYTES = 128 * 1024
/** Sizes of the values of types 0 to 9; -1 has its length before it. */
const VALUE_BYTES = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16]
const STRING = 7

export function createFrameReader(): FrameReader {
  /** Of a frame that is not complete yet, and how many bytes of it are needed to go on. */
  const pending = gatherBytes()
  let needed = PRELUDE_BYTES
  /** Most frames of a stream have the very same headers. */
  let lastBlock: Buffer | undefined
  let lastHeaders: ReadonlyMap<string, string> = new Map()

  function headersOf(block: Buffer): ReadonlyMap<string, string> {
    if (lastBlock === undefined || !lastBlock.equals(block)) {
      lastHeaders = readHeaders(block)
      lastBlock = Buffer.from(block)
    }
    return lastHeaders
  }

  function frameAt(bytes: Buffer, at: number, length: number): Frame {
    const checked = at + length - CRC_BYTES
    if (crc32(bytes.subarray(at, checked)) !== bytes.readUInt32BE(checked)) throw new FrameError('a frame does not match its checksum')
    const payloadAt = at + PRELUDE_BYTES + bytes.readUInt32BE(at + 4)
    return { headers: headersOf(bytes.subarray(at + PRELUDE_BYTES, payloadAt)), payload: bytes.subarray(payloadAt, checked) }
  }

  return {
    *read(chunk) {
      const bytes = bufferOf(chunk)
      let at = 0
      // What began in an earlier chunk: first its prelude, then the rest.
      while (pending.length() > 0 && at < bytes.length) {
        const end = Math.min(bytes.length, at + needed - pending.length())
        pending.add(bytes.subarray(at, end))
        at = end
        if (pending.length() < needed) return
        if (needed === PRELUDE_BYTES) needed = lengthOfFrame(pending.view(), 0)
        else {
          yield frameAt(pending.take(), 0, needed)
          needed = PRELUDE_BYTES
        }
      }
      while (at < bytes.length) {
        const length = bytes.length - at < PRELUDE_BYTES ? PRELUDE_BYTES : lengthOfFrame(bytes, at)
        if (bytes.length - at < length) {
          needed = length
          pending.add(bytes.subarray(at))
          return
        }
        yield frameAt(bytes, at, length)
        at += length
      }
    },
    pending: () => pending.length(),
  }
}

/** By its prelude, checked before the length is believed, so that four stray bytes cannot make the reader wait for more. */
function lengthOfFrame(bytes: Buffer, at: number): number {
  if (crc32(bytes.subarray(at, at + 8)) !== bytes.readUInt32BE(at + 8)) throw new FrameError('a prelude does not match its checksum')
  const length = bytes.readUInt32BE(at)
  const headersLength = bytes.readUInt32BE(at + 4)
  if (length > MAX_FRAME_BYTES || headersLength > MAX_HEADERS_BYTES || length < PRELUDE_BYTES + headersLength + CRC_BYTES) throw new FrameError('a frame has an impossible length')
  return length
}

function readHeaders(block: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < block.length; ) {
    const nameEnd = at + 1 + (block[at] as number)
    const type = block[nameEnd]
    const fixed = type === undefined ? undefined : VALUE_BYTES[type]
    if (fixed === undefined) throw new FrameError('a frame has a header of an unknown type')
    const valueAt = nameEnd + 1 + (fixed < 0 ? 2 : 0)
    if (fixed < 0 && valueAt > block.length) throw new FrameError('a header ends beyond its frame')
    const end = valueAt + (fixed < 0 ? block.readUInt16BE(nameEnd + 1) : fixed)
    if (end > block.length) throw new FrameError('a header ends beyond its frame')
    if (type === STRING) headers.set(block.toString('utf8', at + 1, nameEnd), block.toString('utf8', valueAt, end))
    at = end
  }
  return headers
}
