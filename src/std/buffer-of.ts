/** The same bytes with the searches of a Buffer; nothing is copied. */
export function bufferOf(bytes: Uint8Array, start = 0, end = bytes.byteLength): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
}
