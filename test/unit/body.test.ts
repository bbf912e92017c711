import { afterAll, describe, expect, test } from 'bun:test'
import { readBytes, readdressed } from '../../src/http/body.ts'

const CAP = 100_000
const server = Bun.serve({
  port: 0,
  async fetch(request) {
    const inner = readdressed(request, 'http://inside.test/path?a=b')
    try {
      const body = await readBytes(inner, CAP)
      return Response.json({ url: inner.url, method: inner.method, type: inner.headers.get('content-type'), body: Buffer.from(body).toString() })
    } catch (error) {
      return Response.json({ kind: (error as { kind: string }).kind })
    }
  },
})
afterAll(() => server.stop(true))

const chunked = (text: string) => new ReadableStream({
  start(controller) {
    for (let at = 0; at < text.length; at += 10_000) controller.enqueue(new TextEncoder().encode(text.slice(at, at + 10_000)))
    controller.close()
  },
})
const post = async (body: RequestInit['body']) => (await fetch(server.url, { method: 'POST', body: body as string, headers: { 'content-type': 'text/plain', connection: 'close' } })).json() as Promise<Record<string, string>>

describe('a request that was given another URL', () => {
  test.each([['of a known length', (text: string) => text], ['in chunks', chunked]])('has the body, the method and the headers of the first, %s', async (_, written) => {
    const text = 'ä'.repeat(20_000)
    expect(await post(written(text))).toEqual({ url: 'http://inside.test/path?a=b', method: 'POST', type: 'text/plain', body: text })
    expect(await post(written(''))).toMatchObject({ body: '' })
  })

  test.each([['of a known length', (text: string) => text], ['in chunks', chunked]])('is held to the cap, %s', async (_, written) => {
    expect(await post(written('x'.repeat(CAP)))).toMatchObject({ method: 'POST' })
    expect(await post(written('x'.repeat(CAP + 1)))).toEqual({ kind: 'too_large' })
  })

  test('ends when the first does', () => {
    const ending = new AbortController()
    const inner = readdressed(new Request('http://outside.test/', { signal: ending.signal }), 'http://inside.test/')
    expect(inner.signal.aborted).toBe(false)
    ending.abort()
    expect(inner.signal.aborted).toBe(true)
  })
})
