import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { createInstallation, listening, type Installation } from './installation.ts'
import type { Program } from './program.ts'

const FIXTURES = join(import.meta.dir, '../fixtures/tls')

let installation: Installation
let program: Program
let authority: string

beforeAll(async () => {
  authority = await readFile(join(FIXTURES, 'authority.pem'), 'utf8')
  installation = await createInstallation('https')
  await install('upstream.pem', 'tls.pem')
  await install('upstream.key', 'tls.key')
  await installation.configure({ listen: { tls: tls() } })
  program = installation.serve()
  await listening(program)
})
afterAll(() => installation.remove())

const tls = () => ({ cert: join(installation.directory, 'tls.pem'), key: join(installation.directory, 'tls.key') })
const install = (fixture: string, name: string) => copyFile(join(FIXTURES, fixture), join(installation.directory, name))

/** A verified connection, as a client that asks for `serverName` makes it. Rejects when the certificate is another's. */
function handshake(serverName: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: installation.port, servername: serverName, ca: authority })
    socket.once('secureConnect', () => resolve(socket)).once('error', reject)
  })
}

/** Asks for a path on an open connection; the head of the answer. */
function get(socket: TLSSocket, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes) => resolve(bytes.toString('latin1'))).once('error', reject)
    socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${installation.port}\r\n\r\n`)
  })
}

async function untilServed(serverName: string): Promise<TLSSocket> {
  for (;;) {
    const socket = await handshake(serverName).catch(() => undefined)
    if (socket !== undefined) return socket
    await Bun.sleep(50)
  }
}

describe('listen.tls', () => {
  test('serves https with the certificate of the files, and promises to stay on https', async () => {
    const socket = await handshake('upstream.test')
    const answer = await get(socket, '/readyz')
    expect(answer).toStartWith('HTTP/1.1 200')
    expect(answer.toLowerCase()).toContain('strict-transport-security:')
    socket.destroy()
  })

  test('answers nothing to plain http', async () => {
    await expect(fetch(`http://127.0.0.1:${installation.port}/readyz`)).rejects.toThrow()
  })

  test('keeps the certificate in use while only half of a renewal is on disk, then takes the new pair without a restart', async () => {
    const before = await handshake('upstream.test')
    await install('other.pem', 'tls.pem')
    await program.printed(/listen\.tls: keeping the certificate in use: .*tls\.key is not the key of .*tls\.pem/)
    const still = await handshake('upstream.test')
    still.destroy()

    await install('other.key', 'tls.key')
    const renewed = await untilServed('other.test')
    expect(await get(renewed, '/readyz')).toStartWith('HTTP/1.1 200')
    renewed.destroy()
    before.destroy()
    await expect(handshake('upstream.test')).rejects.toThrow()
  })

  test('still drains and exits with 0 on SIGTERM after a renewal', async () => {
    program.signal('SIGTERM')
    expect(await program.exited).toBe(0)
  })
})

describe('listen.tls beside listen.reuse_port', () => {
  const KEY = 'admin-key-of-the-tests-that-is-long-enough'

  /** The process that answers a new connection for this name; undefined where the certificate is another's. */
  async function whoAnswers(serverName: string): Promise<number | undefined> {
    const options = { headers: { 'x-api-key': KEY, connection: 'close' }, keepalive: false, tls: { ca: authority, serverName } }
    const answer = await fetch(`${installation.url}/readyz?verbose=1`, options).catch(() => undefined)
    return ((await answer?.json()) as { replica: { pid: number } } | undefined)?.replica.pid
  }

  async function untilAnswered(serverName: string, by: readonly number[]): Promise<void> {
    for (const seen = new Set<number>(); seen.size < by.length; ) {
      const pid = await whoAnswers(serverName)
      if (pid !== undefined && by.includes(pid)) seen.add(pid)
    }
  }

  test('has several instances on one port, each of which takes a renewed certificate', async () => {
    await install('upstream.pem', 'tls.pem')
    await install('upstream.key', 'tls.key')
    await installation.configure({ listen: { tls: tls(), reuse_port: true }, admin: { read_keys: [{ id: 'tests', key: KEY }] } })
    const both = [installation.serve(), installation.serve()]
    await Promise.all(both.map(listening))
    const pids = both.map(({ pid }) => pid)
    await untilAnswered('upstream.test', pids)
    await install('other.pem', 'tls.pem')
    await install('other.key', 'tls.key')
    await untilAnswered('other.test', pids)
    for (const one of both) one.signal('SIGTERM')
    expect(await Promise.all(both.map(({ exited }) => exited))).toEqual([0, 0])
  })
})
