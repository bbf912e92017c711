// Frames of application/vnd.amazon.eventstream by Smithy's codec, as Bedrock sends them, and knives to cut them.
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { createRandom } from './random.ts'

type Headers = Record<string, string>

const codec = () =>
  new EventStreamCodec(
    (bytes) => (typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes)),
    (text) => new TextEncoder().encode(text),
  )

/** Any frame; every header is of type string. */
export function frame(headers: Headers, payload: string): Uint8Array {
  const typed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, { type: 'string' as const, value }]))
  return codec().encode({ headers: typed, body: new TextEncoder().encode(payload) })
}

/** One event of the Messages API; text is taken as its JSON. `padding` is the `p` by which Bedrock hides the length. */
export function chunkFrame(event: object | string, { padding }: { padding?: string } = {}): Uint8Array {
  const bytes = Buffer.from(typeof event === 'string' ? event : JSON.stringify(event)).toString('base64')
  return frame({ ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' }, JSON.stringify({ bytes, ...(padding !== undefined && { p: padding }) }))
}

/** `type` in camel case, as on the wire: throttlingException. */
export function exceptionFrame(type: string, payload: object): Uint8Array {
  return frame({ ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' }, JSON.stringify(payload))
}

export function errorFrame(code: string, message: string): Uint8Array {
  return frame({ ':error-code': code, ':error-message': message, ':message-type': 'error' }, '')
}

/** The frame with one bit of its last byte turned: the checksum of the message no longer holds. */
export function corrupt(bytes: Uint8Array, at = bytes.length - 1): Uint8Array {
  const broken = Uint8Array.from(bytes)
  broken[at] = (broken[at] ?? 0) ^ 1
  return broken
}

/** Whole frames, decoded with their checksums; throws on anything else. */
export function decodeFrames(bytes: Uint8Array): { headers: Headers; payload: string }[] {
  const frames: { headers: Headers; payload: string }[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0)
    const { headers, body } = codec().decode(bytes.subarray(at, at + length))
    frames.push({ headers: Object.fromEntries(Object.entries(headers).map(([name, { value }]) => [name, String(value)])), payload: new TextDecoder().decode(body) })
    at += length
  }
  return frames
}

/** Pieces of these sizes in turn, over and over until the end: `[1]` is byte by byte. */
export function cutAt(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

/** For every offset inside, the two pieces left and right of it. */
export function* everyCut(bytes: Uint8Array): Generator<[Uint8Array, Uint8Array]> {
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)]
}

/** Pieces of 1 to `most` bytes. */
export function cutAtRandom(bytes: Uint8Array, seed: number, most = 64): Uint8Array[] {
  const random = createRandom(seed)
  return cutAt(bytes, Array.from({ length: 97 }, () => random.between(1, most)))
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
