// T297, T298: what a supervisor's signal does.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { HELD_EVENTS as events, heldStream } from '../support/held-stream.ts'
import { createInstallation, listening, untilStatus, type Installation } from './installation.ts'

let installation: Installation
beforeAll(async () => {
  installation = await createInstallation()
})
afterEach(() => installation.configure())
afterAll(() => installation.remove())

/** Starts the program with one stream in flight whose first event has reached the client. */
async function streaming() {
  const program = installation.serve()
  await listening(program)
  const token = await installation.signIn()
  const held = heldStream()
  installation.upstream.enqueue(held.script)
  const response = await installation.ask(token)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const first = new TextDecoder().decode((await reader.read()).value)
  const rest = async () => {
    const chunks: Uint8Array[] = []
    for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value)
    return first + Buffer.concat(chunks).toString('utf8')
  }
  return { program, token, held, rest }
}

describe('SIGTERM', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('ends an idle gateway with exit code 0 (%s)', async (signal) => {
    const program = installation.serve()
    await listening(program)
    program.signal(signal)
    expect(await program.exited).toBe(0)
  })

  test('fails readiness first, refuses new work, finishes the stream in flight, then exits with 0', async () => {
    const { program, token, held, rest } = await streaming()
    program.signal('SIGTERM')
    await untilStatus(`${installation.url}/readyz`, 503)
    expect((await fetch(`${installation.url}/healthz`)).status).toBe(200)
    const refused = await installation.ask(token)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).not.toBeNull()
    held.finish()
    expect(await rest()).toBe(events.join(''))
    expect(await program.exited).toBe(0)
    expect(program.stderr()).toMatch(/"evt":"inference".*"outcome":"completed"/)
  })

  test('cuts what is still running at listen.drain_seconds, closes the upstream, and exits with 0', async () => {
    await installation.configure({ listen: { drain_seconds: 1 } })
    const { program, held, rest } = await streaming()
    program.signal('SIGTERM')
    // The client sees an end that is not a complete answer: an error event or a broken connection.
    const seen = await rest().catch(() => 'broken')
    expect(seen).not.toContain('message_stop')
    await held.closed
    expect(await program.exited).toBe(0)
    expect(program.stderr()).toContain('"evt":"inference"')
  })

  test('exits at once when it comes a second time', async () => {
    await installation.configure({ listen: { drain_seconds: 3600 } })
    const { program, held, rest } = await streaming()
    program.signal('SIGTERM')
    await program.printed(/SIGTERM/)
    program.signal('SIGTERM')
    expect(await program.exited).toBe(1)
    await rest().catch(() => 'broken')
    await held.closed
  })
})
