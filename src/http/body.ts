// Reads request bodies with a cap, so that nobody makes us hold more than the route allows.
import { GatewayError } from '../errors.ts'

/** Of requests that were made from others: those, whose bodies they have. */
const sources = new WeakMap<Request, Request>()

/**
 * A request for the same with another URL. Its body is the other one's and is read by `readBytes` alone: a copy would have
 * it pass through two more streams, which costs more than the rest of reading it.
 */
export function readdressed(request: Request, url: string): Request {
  const { method, headers, signal } = request
  const made = new Request(url, { method, headers, signal })
  sources.set(made, request)
  return made
}

/** The whole body. Throws `too_large` before reading when Content-Length says so, else as soon as the cap is passed. */
export async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get('content-length') ?? Number.NaN)
  if (declared > maxBytes) throw tooLarge(maxBytes)
  const source = sources.get(request) ?? request
  if (declared >= 0) return source.bytes()
  return readChunked(source, maxBytes)
}

async function readChunked(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength
    if (length > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** A form-encoded body, or an empty one. Throws `invalid_request` for any other content type, and for more parameters than any client sends. */
export async function readForm(request: Request, maxBytes: number): Promise<URLSearchParams> {
  if (request.headers.get('content-length') === '0') return new URLSearchParams()
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') {
    throw new GatewayError('invalid_request', 'the body must be application/x-www-form-urlencoded')
  }
  const form = new URLSearchParams(Buffer.from(await readBytes(request, maxBytes)).toString('utf8'))
  if (form.size > MAX_PARAMETERS) throw new GatewayError('invalid_request', 'too many parameters')
  return form
}

const MAX_PARAMETERS = 64

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('too_large', `request body exceeds ${maxBytes} bytes`)
}
