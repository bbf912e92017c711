// Several instances of the compiled file on one port of one machine.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { freePort } from '../support/free-port.ts'
import { HELD_EVENTS, heldStream } from '../support/held-stream.ts'
import { createInstallation, listening, untilStatus, type Installation } from './installation.ts'
import type { Program } from './program.ts'

const KEY = 'admin-key-of-the-tests-that-is-long-enough'
const SHARED = { listen: { reuse_port: true }, admin: { read_keys: [{ id: 'tests', key: KEY }] } }

let installation: Installation
let running: Program[] = []
beforeAll(async () => {
  installation = await createInstallation()
})
afterEach(async () => {
  await Promise.all(running.map((program) => program.end()))
  running = []
})
afterAll(() => installation.remove())

async function serve(): Promise<Program> {
  const program = installation.serve()
  running.push(program)
  await listening(program)
  return program
}

/** Over a connection of its own: who answers, and how many requests it works on. */
async function whoAnswers(): Promise<{ pid: number; requests: number }> {
  const answer = await fetch(`${installation.url}/readyz?verbose=1`, { headers: { 'x-api-key': KEY, connection: 'close' }, keepalive: false })
  const facts = (await answer.json()) as { replica: { pid: number }; requests_in_flight: number }
  return { pid: facts.replica.pid, requests: facts.requests_in_flight }
}

async function until<found>(look: () => Promise<found | undefined>): Promise<found> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
  }
}

/** A request that is whole only when `finish()` is called, which gives the head of its answer in lower case. */
async function begun(token: string): Promise<{ finish: () => Promise<string> }> {
  const socket = connect(installation.port, '127.0.0.1')
  const head = new Promise<string>((read, failed) => {
    let text = ''
    socket.on('data', (bytes) => ((text += bytes.toString('latin1')), text.includes('\r\n\r\n') && read(text.toLowerCase())))
    socket.on('error', failed).on('close', () => failed(new Error(`closed after: ${text}`)))
  })
  await new Promise<void>((written) => void socket.write(`GET /v1/models HTTP/1.1\r\nhost: gateway.test\r\nauthorization: Bearer ${token}\r\n`, () => written()))
  const finish = () => {
    socket.write('\r\n')
    return head.finally(() => socket.destroy())
  }
  return { finish }
}

describe('listen.reuse_port', () => {
  test('lets two instances share a port, and new connections reach both', async () => {
    await installation.configure(SHARED)
    const pids = new Set([(await serve()).pid, (await serve()).pid])
    const seen = new Set<number>()
    await until(async () => (seen.add((await whoAnswers()).pid).size === 2 ? true : undefined))
    expect(seen).toEqual(pids)
  })

  test('leaves the port to the others when an instance stops, answers what has reached it, and finishes its streams', async () => {
    await installation.configure(SHARED)
    const both = [await serve(), await serve()]
    const held = heldStream()
    const token = await installation.signIn()
    installation.upstream.enqueue(held.script)
    const stream = await installation.ask(token)
    const busy = await until(async () => {
      const { pid, requests } = await whoAnswers()
      return requests > 0 ? pid : undefined
    })
    const [stopping, staying] = both[0]?.pid === busy ? [both[0], both[1]] : [both[1], both[0]]
    const requests = await Promise.all(Array.from({ length: 30 }, () => begun(token)))
    stopping?.signal('SIGTERM')
    await stopping?.printed(/finishing what is in flight/)
    await until(async () => {
      // The kernel resets what it has just given to an instance that leaves; clients ask again.
      for (let n = 0; n < 30; n++) if ((await whoAnswers().catch(() => undefined))?.pid !== staying?.pid) return undefined
      return true
    })
    const heads = await Promise.all(requests.map(({ finish }) => finish()))
    expect([...new Set(heads.map((head) => head.slice(0, 12)))]).toEqual(['http/1.1 200'])
    // Of those that the stopping one has; the others stay.
    expect([...new Set(heads.map((head) => head.includes('\r\nconnection: close\r\n')))].sort()).toEqual([false, true])
    held.finish()
    expect(await stream.text()).toBe(HELD_EVENTS.join(''))
    expect(await stopping?.exited).toBe(0)
  })

  test('says at the metrics port of each instance when it is ready, and that the port is its own', async () => {
    const port = await freePort()
    await installation.configure({ ...SHARED, listen: { reuse_port: true, metrics: { port } } })
    const program = await serve()
    const ask = async (path: string, method = 'GET') => (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status
    expect([await ask('/readyz'), await ask('/healthz'), await ask('/metrics'), await ask('/status'), await ask('/readyz', 'POST')]).toEqual([200, 200, 200, 404, 405])
    const second = installation.serve()
    expect(await second.exited).toBe(1)
    expect(second.stderr()).toContain(`listen.metrics: 127.0.0.1:${port}: the port is already in use; each instance needs its own\n`)
    program.signal('SIGTERM')
    await untilStatus(`http://127.0.0.1:${port}/readyz`, 503)
    expect(await program.exited).toBe(0)
  })

  test('is refused beside a program that does not share the port, with a word on what every instance needs', async () => {
    await installation.configure({ admin: SHARED.admin })
    await serve()
    await installation.configure(SHARED)
    const second = installation.serve()
    expect(await second.exited).toBe(1)
    expect(second.stderr()).toContain(`listen: 127.0.0.1:${installation.port}: the port is already in use, by a program that does not share it: every instance needs listen.reuse_port, and the same user`)
  })

  test('is not taken by a program that was not told to share', async () => {
    await installation.configure(SHARED)
    await serve()
    await installation.configure()
    const second = installation.serve()
    expect(await second.exited).toBe(1)
    expect(second.stderr()).toContain(`listen: 127.0.0.1:${installation.port}: the port is already in use\n`)
  })
})
