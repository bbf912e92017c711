// Bytes that come in pieces of any size and are needed in one.

export interface GatheredBytes {
  length(): number
  /** Copies it: whose memory it is may use it again. */
  add(piece: Uint8Array): void
  /** All so far; valid until the next `add`. */
  view(): Buffer
  /** All so far, to keep. Begins anew. */
  take(): Buffer
}

const NOTHING = Buffer.alloc(0)

/** The place for them doubles when it is full, so that a megabyte in single bytes is copied a few times over, not a million times. */
export function gatherBytes(): GatheredBytes {
  let place = NOTHING
  let length = 0
  return {
    length: () => length,
    add(piece) {
      const needed = length + piece.byteLength
      if (needed > place.length) {
        const larger = Buffer.allocUnsafe(Math.max(needed, 2 * place.length))
        place.copy(larger, 0, 0, length)
        place = larger
      }
      place.set(piece, length)
      length = needed
    },
    view: () => place.subarray(0, length),
    take() {
      const taken = place.subarray(0, length)
      place = NOTHING
      length = 0
      return taken
    },
  }
}
