// A proxy that breaks connections in the ways networks do.
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  port: number
  /** `refuse` resets what is open and what comes; `black-hole` swallows every byte from now on. */
  set(mode: 'pass' | 'refuse' | 'black-hole'): void
  stop(): void
}

export async function createTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let mode: 'pass' | 'refuse' | 'black-hole' = 'pass'
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (mode === 'refuse') return client.resetAndDestroy()
    const target = connect(port, host)
    for (const [from, to] of [[client, target], [target, client]] as const) {
      sockets.add(from)
      from.on('data', (bytes) => {
        if (mode === 'pass') to.write(bytes)
      })
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.on('error', () => {})
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    set(next) {
      mode = next
      // After a black hole the streams have gaps: a connection that lived through it is of no use.
      if (next !== 'black-hole') for (const socket of sockets) socket.resetAndDestroy()
    },
    stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
