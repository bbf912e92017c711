import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { messageEvents } from '../support/upstream.ts'
import { createInstallation, listening, type Installation } from './installation.ts'
import { run, type Program } from './program.ts'

let installation: Installation
let program: Program
let token: string
let catcher: ReturnType<typeof startCatcher>

beforeAll(async () => {
  installation = await createInstallation()
  catcher = startCatcher()
  program = installation.serve({ env: { HTTP_PROXY: catcher.url, HTTPS_PROXY: catcher.url, ALL_PROXY: catcher.url, http_proxy: catcher.url, BUN_CONFIG_VERBOSE_FETCH: 'curl', BUN_CONFIG_MAX_HTTP_REQUESTS: '16', NODE_ENV: 'development' } })
  await listening(program)
  token = await installation.signIn()
})
afterAll(async () => {
  await installation.remove()
  catcher.stop()
})

/** A proxy nobody configured; it only counts. */
function startCatcher() {
  let connections = 0
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { open: () => void connections++, data() {} } })
  return { url: `http://127.0.0.1:${server.port}`, connections: () => connections, stop: () => server.stop(true) }
}

describe('the running binary', () => {
  test('streams an answer as the upstream sent it', async () => {
    const events = messageEvents('claude-haiku-4-5-20251001')
    const response = await installation.ask(token)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toBe(events.join(''))
  })

  test('sent nothing through the proxies of its environment', () => {
    expect(catcher.connections()).toBe(0)
  })

  test('holds an environment without switches of the runtime, in the process it was started as', async () => {
    const environment = (await readFile(`/proc/${program.pid}/environ`, 'utf8')).split('\0')
    expect(environment).toContain('BUN_CONFIG_MAX_HTTP_REQUESTS=65535')
    expect(environment).toContain('NODE_ENV=production')
    expect(environment.filter((entry) => /^(BUN_|NODE_OPTIONS|(https?|all|no)_proxy=)/i.test(entry))).toEqual(['BUN_CONFIG_MAX_HTTP_REQUESTS=65535'])
  })

  test('wrote no header of a request to its log', () => {
    expect(program.stdout() + program.stderr()).not.toMatch(/x-api-key|authorization: bearer|sk-upstream/i)
  })

  test('is ready for a health check that never uses a proxy', async () => {
    const answer = await run(['health', installation.url], { env: { HTTP_PROXY: catcher.url, http_proxy: catcher.url } })
    expect(answer).toEqual({ exitCode: 0, stdout: 'ready\n', stderr: '' })
    expect(catcher.connections()).toBe(0)
    expect((await run(['health', 'http://127.0.0.1:1'])).exitCode).toBe(1)
  })

  test('answers a long header itself instead of the runtime', async () => {
    const taken = await fetch(`${installation.url}/v1/models`, { headers: { authorization: `Bearer ${token}`, 'x-long': 'a'.repeat(20_000) } })
    expect(taken.status).toBe(200)
    const refused = await fetch(`${installation.url}/v1/models`, { headers: { authorization: `Bearer ${token}`, 'x-long': 'a'.repeat(70_000) } })
    expect(refused.status).toBe(431)
    expect(await refused.json()).toMatchObject({ type: 'error' })
  })

  test('admits more than a thousand streams at once', async () => {
    const STREAMS = 1200
    const all = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    let open = 0
    const script = async (answer: { head: (status: number, headers: Record<string, string>) => void; chunk: (text: string) => Promise<void>; end: () => void }) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      if (++open === STREAMS) all.resolve()
      await release.promise
      await answer.chunk('data: done\n\n')
      answer.end()
    }
    installation.upstream.enqueue(...Array.from({ length: STREAMS }, () => script))
    const clients = Array.from({ length: STREAMS }, () => rawAsk(installation.port, token))
    await all.promise
    release.resolve()
    const answers = await Promise.all(clients)
    expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 200') && answer.includes('data: done')).length).toBe(STREAMS)
  })
})

/** One request on its own socket: fetch in this process admits 256 at once. */
function rawAsk(port: number, bearer: string): Promise<string> {
  const body = JSON.stringify({ model: 'claude-haiku-4-5', max_tokens: 1, stream: true, messages: [] })
  const head = ['POST /v1/messages HTTP/1.1', `host: 127.0.0.1:${port}`, `authorization: Bearer ${bearer}`, 'content-type: application/json', 'anthropic-version: 2023-06-01', 'connection: close', `content-length: ${body.length}`]
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(`${head.join('\r\n')}\r\n\r\n${body}`))
    socket.on('data', (bytes) => (text += bytes.toString('latin1')))
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
