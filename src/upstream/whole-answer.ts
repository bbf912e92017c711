// For an answer that can only be read whole.
import type { Decoder } from './upstream.ts'

const NOTHING = new Uint8Array()

/**
 * `translate` gives the answer in the Messages API's words, or undefined when it cannot; then, and beyond `maxBytes`, what
 * the upstream said is not whole.
 */
export function wholeAnswerDecoder(maxBytes: number, translate: (answer: Uint8Array) => Uint8Array | undefined): Decoder {
  const chunks: Uint8Array[] = []
  let length = 0
  return {
    decode(chunk) {
      length += chunk.byteLength
      if (length <= maxBytes) chunks.push(chunk.slice())
      return NOTHING
    },
    end() {
      const bytes = length <= maxBytes ? translate(Buffer.concat(chunks)) : undefined
      return { bytes: bytes ?? NOTHING, isWhole: bytes !== undefined }
    },
    usage: () => undefined,
  }
}
