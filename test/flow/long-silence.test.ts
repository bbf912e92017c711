// Takes eight seconds: the shortest idle limit that the runtime can be given.
import { expect, test } from 'bun:test'
import { createServer, type Socket } from 'node:net'

test('waits for a silent upstream as long as it takes, where a bare fetch is cut', async () => {
  const guarded: Socket[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (head) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no')
      if (head.toString().startsWith('GET /guarded')) guarded.push(socket)
      // The runtime has given the control up: had it put a limit on the guarded one as well, that would be gone by now.
      else socket.on('close', () => guarded.forEach((waiting) => waiting.write('k')))
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const program = `
    import { createGuardedFetch } from ${JSON.stringify(new URL('../../src/egress/guarded-fetch.ts', import.meta.url).pathname)}
    const url = 'http://127.0.0.1:${(server.address() as { port: number }).port}'
    const answer = createGuardedFetch({ allowLoopback: true })(url + '/guarded').then((response) => response.text())
    const control = fetch(url + '/control').then((response) => response.text()).catch((error) => error.name)
    console.log(JSON.stringify(await Promise.all([answer, control])))`
  const child = Bun.spawn([process.execPath, '-e', program], { env: { BUN_CONFIG_HTTP_IDLE_TIMEOUT: '1' } })
  expect(JSON.parse(await new Response(child.stdout).text())).toEqual(['ok', 'TimeoutError'])
  server.close()
}, 30_000)
