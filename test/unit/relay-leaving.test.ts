import { describe, expect, test } from 'bun:test'
import { loneRelay } from '../support/lone-relay.ts'

// What no socket can be made to do at a given moment: a client that leaves between two steps of the relay.

describe('a client that leaves', () => {
  test('in the moment in which the answer begins takes the answer with it, and gives its place back', async () => {
    const cancelled = Promise.withResolvers<void>()
    const body = new ReadableStream({ cancel: () => cancelled.resolve() })
    const { ask, leaving, observed, inFlight, stop } = loneRelay(async () => {
      leaving.abort()
      return new Response(body)
    })
    expect((await ask()).status).toBe(499)
    await cancelled.promise
    expect(inFlight()).toBe(0)
    expect(observed).toMatchObject([{ evt: 'inference', outcome: 'client_gone', status: 499, attempts: 1 }])
    stop()
  })

  test('before its request has been read to the end has nothing sent for it', async () => {
    let sent = 0
    const { ask, leaving, observed, stop } = loneRelay(async () => {
      sent++
      return new Response('{}')
    })
    leaving.abort()
    expect((await ask()).status).toBe(499)
    expect(sent).toBe(0)
    expect(observed).toMatchObject([{ evt: 'inference', outcome: 'client_gone', status: 499, attempts: 0 }])
    stop()
  })
})

test('a fault of ours in the middle of an attempt does not keep the place', async () => {
  const { ask, inFlight, stop } = loneRelay(async () => new Response('no', { status: 500 }), {
    explain: () => {
      throw new Error('a fault')
    },
  })
  expect(ask()).rejects.toThrow('a fault')
  await ask().catch(() => {})
  expect(inFlight()).toBe(0)
  stop()
})
