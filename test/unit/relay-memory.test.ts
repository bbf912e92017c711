import { expect, test } from 'bun:test'
import { loneRelay } from '../support/lone-relay.ts'

const STREAMS = 40

test('a stream does not hold the body that it answers', async () => {
  const bodies: WeakRef<Uint8Array>[] = []
  const event = new TextEncoder().encode('event: ping\ndata: {"type": "ping"}\n\n')
  const { ask, inFlight, stop } = loneRelay(async () => new Response(new ReadableStream({ start: (upstream) => upstream.enqueue(event) }), { headers: { 'content-type': 'text/event-stream' } }), {
    maxConcurrency: undefined,
    prepare: async ({ body }) => {
      bodies.push(new WeakRef(body.bytes))
      return { url: 'http://127.0.0.1/', headers: new Headers(), body: new Uint8Array() }
    },
  })
  const answers = await Promise.all(Array.from({ length: STREAMS }, () => ask('words '.repeat(10_000))))
  expect([bodies.length, inFlight()]).toEqual([STREAMS, STREAMS])
  // A reference that was just made is kept until this turn is over; the stack may seem to hold one more.
  await new Promise(setImmediate)
  Bun.gc(true)
  expect(bodies.filter((body) => body.deref() !== undefined).length).toBeLessThan(5)
  for (const answer of answers) await answer.body?.cancel()
  stop()
})
