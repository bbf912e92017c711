import { afterAll, describe, expect, test } from 'bun:test'
import { connect, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { createGuardedFetch, type EgressInit } from '../../src/egress/guarded-fetch.ts'
import { readSmallBody } from '../../src/egress/small-body.ts'

const certificates = new URL('../fixtures/tls/', import.meta.url)
const pem = (name: string) => Bun.file(new URL(name, certificates)).text()
const ca = await pem('authority.pem')

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const closers: (() => void)[] = []
afterAll(() => closers.forEach((close) => close()))

interface RawServer {
  port: number
  heads: string[]
  sockets: number
}
type Answer = (socket: Socket, server: RawServer) => void

const sayOk: Answer = (socket) => void socket.write(OK)

/** A server of our own on the wire: records each request head and answers it with `answer`. */
async function startServer(answer: Answer = sayOk, certificate?: string, at: { host?: string; port?: number } = {}): Promise<RawServer> {
  const server: RawServer = { port: 0, heads: [], sockets: 0 }
  const open = new Set<Socket>()
  const accept = (socket: Socket) => {
    server.sockets += 1
    open.add(socket)
    let head = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      head += bytes
      for (let end = head.indexOf('\r\n\r\n'); end >= 0; end = head.indexOf('\r\n\r\n')) {
        server.heads.push(head.slice(0, end))
        head = head.slice(end + 4)
        answer(socket, server)
      }
    })
  }
  const listener =
    certificate === undefined
      ? createServer(accept)
      : createTlsServer({ cert: await pem(`${certificate}.pem`), key: await pem(`${certificate}.key`) }, accept).on('tlsClientError', () => {})
  await new Promise<void>((ready) => listener.listen(at.port ?? 0, at.host ?? '127.0.0.1', ready))
  server.port = (listener.address() as { port: number }).port
  closers.push(() => {
    listener.close()
    for (const socket of open) socket.destroy()
  })
  return server
}

/** Every name resolves to loopback; nothing else is reachable in a test. */
const guarded = createGuardedFetch({ allowLoopback: true, resolve: async () => ['127.0.0.1'] })
const codeOf = (work: Promise<unknown>) => work.then(() => 'no error', (error) => error.code)

describe('the guarded fetch over TLS', () => {
  const get = (port: number, init: EgressInit = {}) => guarded(`https://upstream.test:${port}/x`, { tls: { ca }, ...init })

  test('connects to the judged address and speaks to the name', async () => {
    const server = await startServer(sayOk, 'upstream')
    const response = await get(server.port)
    expect(await response.text()).toBe('ok')
    expect(server.heads[0]).toContain(`\r\nHost: upstream.test:${server.port}\r\n`)
    expect(server.heads[0]?.match(/^host:/gim)).toHaveLength(1)
  })

  // T161
  test.each([
    ['of another name', 'other', { tls: { ca } }],
    ['that signed itself', 'self-signed', { tls: { ca } }],
    ['that has expired', 'expired', { tls: { ca } }],
    ['of an authority nobody named', 'upstream', { tls: {} }],
  ])('refuses a certificate %s without sending the request', async (_, certificate, init) => {
    const server = await startServer(sayOk, certificate)
    expect(await codeOf(get(server.port, init))).toBe('tls')
    expect(server.heads).toEqual([])
  })

  test('does not lend a verified connection to another name at the same address', async () => {
    const server = await startServer(sayOk, 'upstream')
    await (await get(server.port)).text()
    expect(await codeOf(guarded(`https://other.test:${server.port}/x`, { tls: { ca } }))).toBe('tls')
    expect(server.heads).toHaveLength(1)
  })

  test('reuses one connection for requests that follow each other', async () => {
    const server = await startServer(sayOk, 'upstream')
    for (let i = 0; i < 10; i++) await (await get(server.port)).text()
    expect(server.heads).toHaveLength(10)
    expect(server.sockets).toBe(1)
  })

  test('sends requests to one host at the same time, and reuses their connections', async () => {
    const held: Socket[] = []
    const server = await startServer((socket, { heads }) => {
      // Nobody is answered before everybody has arrived: a serialised client would never finish.
      held.push(socket)
      if (heads.length % 20 === 0) for (const waiting of held.splice(0)) waiting.write(OK)
    }, 'upstream')
    const burst = () => Promise.all(Array.from({ length: 20 }, async () => (await get(server.port)).text()))
    await burst()
    await burst()
    expect(server.heads).toHaveLength(40)
    expect(server.sockets).toBe(20)
  })
})

describe('the guarded fetch', () => {
  const get = (port: number, init: EgressInit = {}) => guarded(`http://upstream.test:${port}/x?y=1`, init)

  // T157, T160
  test('hands a redirect back and does not follow it', async () => {
    const catcher = await startServer()
    const server = await startServer((socket) => void socket.write(`HTTP/1.1 307 x\r\nlocation: http://upstream.test:${catcher.port}/\r\ncontent-length: 0\r\n\r\n`))
    const response = await get(server.port, { method: 'POST', body: 'secret', headers: { 'x-api-key': 'secret' } })
    expect(response.status).toBe(307)
    expect(response.headers.get('location')).toContain(String(catcher.port))
    expect(catcher.sockets).toBe(0)
  })

  // T159
  test('connects to the address that was judged, although the name has changed since', async () => {
    const server = await startServer()
    const answers = [['127.0.0.1'], ['169.254.169.254']]
    let asked = 0
    const fetch = createGuardedFetch({ allowLoopback: true, resolve: async () => answers[Math.min(asked++, 1)] as string[] })
    expect((await fetch(`http://rebinding.test:${server.port}/`)).status).toBe(200)
    expect((await fetch(`http://rebinding.test:${server.port}/`)).status).toBe(200)
    expect(asked).toBe(1)
  })

  test.each([
    ['a name that resolves to metadata', 'http://a.test/', ['169.254.169.254']],
    ['a name that resolves to loopback', 'http://a.test/', ['127.0.0.1']],
    ['a name that resolves to loopback as well', 'http://a.test/', ['192.0.2.1', '::1']],
    ['metadata in decimal', 'http://2852039166/', []],
    ['metadata mapped into IPv6', 'http://[::ffff:a9fe:a9fe]/', []],
    ['metadata by name', 'http://metadata.google.internal/computeMetadata/v1/', ['192.0.2.1']],
    ['loopback in hexadecimal', 'http://0x7f000001/', []],
    ['an unspecified address', 'http://0/', []],
  ])('refuses %s', async (_, url, answer) => {
    const fetch = createGuardedFetch({ allowLoopback: false, resolve: async () => answer })
    expect(await codeOf(fetch(url))).toBe('blocked_address')
  })

  test.each([['file:///etc/passwd'], ['data:text/plain,x'], ['blob:x'], ['http://user:hunter2@upstream.test/'], ['no url']])('sends nothing to %s', async (url) => {
    const error = await guarded(url).catch((thrown) => thrown)
    expect(error.code).toBe('protocol')
    expect(error.message).not.toContain('hunter2')
  })

  test('tries the next address when the first could not be connected to, and stays with it', async () => {
    const server = await startServer()
    const fetch = createGuardedFetch({ allowLoopback: true, resolve: async () => ['127.0.0.9', '127.0.0.1'] })
    const post = () => fetch(`http://two.test:${server.port}/`, { method: 'POST', body: 'x' })
    expect((await post()).status).toBe(200)
    const late = await startServer(sayOk, undefined, { host: '127.0.0.9', port: server.port })
    expect((await post()).status).toBe(200)
    expect([server.heads.length, late.heads.length]).toEqual([2, 0])
  })

  test('never sends a request twice after a connection broke', async () => {
    const server = await startServer((socket) => void socket.destroy(), undefined, { host: '0.0.0.0' })
    const fetch = createGuardedFetch({ allowLoopback: true, resolve: async () => ['127.0.0.1', '127.0.0.2'] })
    expect(await codeOf(fetch(`http://two.test:${server.port}/`, { method: 'POST', body: 'x' }))).toBe('connect')
    expect(server.heads).toHaveLength(1)
  })

  test('removes hop-by-hop headers and writes its own framing', async () => {
    const server = await startServer()
    await get(server.port, { method: 'POST', body: 'abc', headers: { connection: 'x-hop', 'x-hop': '1', 'content-length': '99', te: 'trailers', host: 'evil.test' } })
    expect(server.heads[0]).toMatch(/^POST \/x\?y=1 HTTP\/1\.1\r\n/)
    expect(server.heads[0]).not.toMatch(/x-hop|trailers|evil/i)
    expect(server.heads[0]).toMatch(/content-length: 3/i)
  })

  test('hands coded bodies over as they came when told not to decode them', async () => {
    const coded = Bun.gzipSync(new TextEncoder().encode('hello'))
    const server = await startServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${coded.length}\r\n\r\n`)
      socket.write(coded)
    })
    const response = await get(server.port, { decompress: false })
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(coded)
    expect(server.heads[0]).toMatch(/accept-encoding: identity/i)
  })

  test('gives up after headersTimeoutMs without headers, and leaves the body alone afterwards', async () => {
    const silent = await startServer(() => {})
    expect(await codeOf(get(silent.port, { headersTimeoutMs: 20 }))).toBe('timeout')

    const slow = await startServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no')
      setTimeout(() => socket.write('k'), 400)
    })
    expect(await (await get(slow.port, { headersTimeoutMs: 300 })).text()).toBe('ok')
  })

  test('counts the resolver into headersTimeoutMs', async () => {
    const fetch = createGuardedFetch({ allowLoopback: true, resolve: () => new Promise(() => {}) })
    expect(await codeOf(fetch('http://a.test/', { headersTimeoutMs: 20 }))).toBe('timeout')
  })

  test('ends the request and the body when the caller gives up', async () => {
    const closed = Promise.withResolvers<void>()
    const server = await startServer((socket) => {
      socket.on('close', () => closed.resolve())
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx')
    })
    const caller = new AbortController()
    const response = await get(server.port, { signal: caller.signal, headersTimeoutMs: 5_000 })
    caller.abort(new Error('the client went away'))
    await expect(response.text()).rejects.toThrow()
    await closed.promise

    expect(await codeOf(get(server.port, { signal: caller.signal }))).toBe('aborted')
  })

  test('names the failure and the host, never the address, the path or the query', async () => {
    const closing = await startServer((socket) => void socket.end())
    const garbled = await startServer((socket) => void socket.end(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(1_000)}\r\n`))
    const plain = createServer((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    await new Promise<void>((ready) => plain.listen(0, '127.0.0.1', ready))
    closers.push(() => plain.close())
    const targets = [
      ['connect', 'http://upstream.test:1/p?key=secret'],
      ['connect', `http://upstream.test:${closing.port}/p?key=secret`],
      ['protocol', `http://upstream.test:${garbled.port}/p?key=secret`],
      ['tls', `https://upstream.test:${(plain.address() as { port: number }).port}/p?key=secret`],
    ] as const
    for (const [code, url] of targets) {
      const error = await guarded(url).catch((thrown) => thrown)
      expect({ url, code: error.code }).toEqual({ url, code })
      expect(error.message).toContain('upstream.test')
      expect(Bun.inspect(error)).not.toMatch(/secret|127\.0\.0\.1/)
    }
  })

  test('refuses a header value that would start a new line', async () => {
    const server = await startServer()
    expect(await codeOf(get(server.port, { headers: { 'x-name': 'a\r\nx-injected: 1' } }))).toBe('protocol')
    expect(server.heads).toEqual([])
  })

  // T162
  test('ignores the proxies of the environment, and uses the configured one', async () => {
    const proxy = await startServer()
    const server = await startServer()
    process.env.HTTP_PROXY = `http://127.0.0.1:${proxy.port}`
    try {
      expect(await (await get(server.port)).text()).toBe('ok')
      expect(proxy.sockets).toBe(0)
      await fetch(`http://127.0.0.1:${server.port}/control`)
      expect(proxy.heads.shift()).toContain('/control')
      await (await get(server.port, { proxy: `http://user:pass@proxy.test:${proxy.port}` })).text()
      expect(proxy.heads[0]).toStartWith(`GET http://upstream.test:${server.port}/x?y=1 HTTP/1.1`)
      expect(server.heads).toHaveLength(1)
    } finally {
      delete process.env.HTTP_PROXY
    }
  })

  test('verifies the certificate of the name through a proxy that tunnels', async () => {
    const tunnels: string[] = []
    /** RFC 9110 §9.3.6, as a proxy whose resolver knows every name as this machine. */
    const proxy = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', (head) => {
        const [, authority = ''] = head.toString().split(' ')
        tunnels.push(authority)
        const target = connect(Number(authority.split(':')[1]), '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'))
        target.on('error', () => {})
        socket.pipe(target).pipe(socket)
      })
    })
    await new Promise<void>((ready) => proxy.listen(0, '127.0.0.1', ready))
    closers.push(() => proxy.close())
    const init = { proxy: `http://proxy.test:${(proxy.address() as { port: number }).port}`, tls: { ca } }

    const server = await startServer(sayOk, 'upstream')
    const response = await guarded(`https://upstream.test:${server.port}/x`, init)
    expect(await response.text()).toBe('ok')
    expect(tunnels).toEqual([`upstream.test:${server.port}`])
    expect(server.heads[0]).toContain(`\r\nHost: upstream.test:${server.port}\r\n`)

    const other = await startServer(sayOk, 'other')
    expect(await codeOf(guarded(`https://upstream.test:${other.port}/x`, init))).toBe('tls')
    expect(other.heads).toEqual([])
  })

  test('judges the address of a proxy, and an address behind it', async () => {
    const fetch = createGuardedFetch({ allowLoopback: false, resolve: async () => ['192.0.2.1'] })
    expect(await codeOf(fetch('http://a.test/', { proxy: 'http://169.254.169.254/' }))).toBe('blocked_address')
    expect(await codeOf(fetch('http://169.254.169.254/', { proxy: 'http://proxy.test/' }))).toBe('blocked_address')
    expect(await codeOf(fetch('http://metadata.google.internal/', { proxy: 'http://proxy.test/' }))).toBe('blocked_address')
  })
})

describe('small bodies', () => {
  const bodyOf = (text: string): Answer => (socket) => void socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n`)
  const get = (port: number, init: EgressInit = {}) => guarded(`http://upstream.test:${port}/`, init)

  test('fail beyond maxResponseBytes, declared or not', async () => {
    const declared = await startServer((socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n'))
    expect(await codeOf(get(declared.port, { maxResponseBytes: 10 }))).toBe('too_large')
    const chunked = await startServer(bodyOf('x'.repeat(11)))
    const response = await get(chunked.port, { maxResponseBytes: 10 })
    expect(await codeOf(response.text())).toBe('too_large')
  })

  test('pass up to maxResponseBytes', async () => {
    const server = await startServer((socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789'))
    expect(await (await get(server.port, { maxResponseBytes: 10 })).text()).toBe('0123456789')
  })

  test('are capped after decoding, so that a small coded body cannot swell', async () => {
    const coded = Bun.gzipSync(new Uint8Array(1_000_000))
    const server = await startServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${coded.length}\r\n\r\n`)
      socket.write(coded)
    })
    const response = await get(server.port)
    expect(await codeOf(readSmallBody(response, 10_000, 5_000))).toBe('too_large')
  })

  test('are read whole, or end in a named failure and a closed connection', async () => {
    const closed = Promise.withResolvers<void>()
    const endless = await startServer((socket) => {
      socket.on('close', () => closed.resolve())
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n')
    })
    expect(await codeOf(readSmallBody(await get(endless.port), 100, 20))).toBe('timeout')
    await closed.promise

    const cut = await startServer((socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi'))
    expect(await codeOf(readSmallBody(await get(cut.port), 100, 1_000))).toBe('connect')

    const whole = await startServer()
    expect(new TextDecoder().decode(await readSmallBody(await get(whole.port), 2, 1_000))).toBe('ok')
  })
})
