// Reads request bodies with a cap, so that nobody makes us hold more than the route allows.
import { GatewayError } from '../errors.ts'

/** The whole body. Throws `too_large` before reading when Content-Length says so, else as soon as the cap is passed. */
export async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get('content-length') ?? Number.NaN)
  if (declared > maxBytes) throw tooLarge(maxBytes)
  if (declared >= 0) return request.bytes()
  return readChunked(request, maxBytes)
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
