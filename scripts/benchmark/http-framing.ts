// As much of HTTP/1.1 as both ends of the bench need, on bytes: a fetch or a server of the runtime would cost more than what
// is measured.

/** What has to arrive yet of a message whose beginning is known. */
export interface Framing {
  /** Takes bytes; true once the message is complete. */
  take(bytes: Uint8Array): boolean
  /** The head, once it is there. */
  head(): string
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LAST_CHUNK = '0\r\n\r\n'

/** One message at a time on a connection: whoever uses it starts the next only when this one has ended. */
export function createFraming(): Framing {
  let head = ''
  let carried = Buffer.alloc(0)
  /** Of a body with a length; undefined for chunks, which end with the last one. */
  let left: number | undefined
  let tail = ''

  function takeBody(body: Uint8Array): boolean {
    if (left !== undefined) {
      left -= body.length
      return left <= 0
    }
    tail = (tail + Buffer.from(body.buffer, body.byteOffset + Math.max(0, body.length - LAST_CHUNK.length), Math.min(body.length, LAST_CHUNK.length)).toString('latin1')).slice(-LAST_CHUNK.length)
    return tail === LAST_CHUNK
  }

  return {
    head: () => head,
    take(bytes) {
      if (head !== '') return takeBody(bytes)
      const all = carried.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : Buffer.concat([carried, bytes])
      const end = all.indexOf(HEAD_END)
      if (end < 0) {
        // The bytes are the socket's, and are written over.
        carried = Buffer.from(all)
        return false
      }
      head = all.toString('latin1', 0, end)
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
      left = length === undefined ? undefined : Number(length)
      if (left === undefined && !/\r\ntransfer-encoding: *chunked/i.test(head)) return true
      return left === 0 || takeBody(all.subarray(end + HEAD_END.length))
    },
  }
}

/** A complete request. */
export function requestBytes(path: string, headers: Readonly<Record<string, string>>, body: string | Uint8Array): Buffer {
  const bytes = Buffer.from(body)
  const lines = Object.entries({ ...headers, 'content-length': String(bytes.length) }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), bytes])
}

/** One chunk of a chunked body. */
export function chunk(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}
