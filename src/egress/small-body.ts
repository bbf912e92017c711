// Bodies that must be small: discovery documents, tokens, error texts. The other side decides neither how much memory
// nor how much time reading them takes.
import { EgressError } from './egress-error.ts'

/** The same response with a body that fails with `too_large` once it passes `maxBytes`. */
export function capBody(response: Response, maxBytes: number, host: string): Response {
  const { body, status, statusText, headers } = response
  if (body === null) return response
  if (declaredLength(headers) > maxBytes) {
    void body.cancel().catch(() => {})
    throw new EgressError('too_large', host)
  }
  let received = 0
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      received += chunk.byteLength
      if (received > maxBytes) throw new EgressError('too_large', host)
      controller.enqueue(chunk)
    },
  })
  return new Response(body.pipeThrough(limit), { status, statusText, headers })
}

/**
 * The whole body. Throws EgressError: `too_large` beyond `maxBytes`, `timeout` when it has not ended after `timeoutMs`,
 * `connect` when it breaks off. The connection is closed on each of them.
 */
export async function readSmallBody(response: Response, maxBytes: number, timeoutMs: number): Promise<Uint8Array> {
  const host = hostOf(response)
  if (response.body === null) return new Uint8Array()
  const reader = response.body.getReader()
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new EgressError('timeout', host)), timeoutMs)
  try {
    return await Promise.race([readAll(reader, maxBytes, host), late.promise])
  } catch (error) {
    void reader.cancel().catch(() => {})
    throw error instanceof EgressError ? error : new EgressError('connect', host)
  } finally {
    clearTimeout(timer)
  }
}

async function readAll(reader: Pick<ReadableStreamDefaultReader<Uint8Array>, 'read'>, maxBytes: number, host: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let received = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    received += value.byteLength
    if (received > maxBytes) throw new EgressError('too_large', host)
    chunks.push(value)
  }
  const whole = new Uint8Array(received)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}

function declaredLength(headers: Headers): number {
  // With a content coding the length is that of the coded bytes, which says nothing of the decoded ones.
  return headers.has('content-encoding') ? 0 : Number(headers.get('content-length') ?? 0)
}

function hostOf(response: Response): string {
  return URL.canParse(response.url) ? new URL(response.url).host : 'the server'
}
