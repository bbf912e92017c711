// A proxy that breaks connections in the ways networks do.
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  port: number
  set(mode: ProxyMode): void
  stop(): void
}

/** `refuse` resets what is open and what comes; `black-hole` swallows every byte from now on, `mute` those of the answers. */
export type ProxyMode = 'pass' | 'refuse' | 'black-hole' | 'mute'

export async function createTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let mode: ProxyMode = 'pass'
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (mode === 'refuse') return client.resetAndDestroy()
    const target = connect(port, host)
    for (const [from, to] of [[client, target], [target, client]] as const) {
      sockets.add(from)
      from.on('data', (bytes) => {
        if (mode === 'pass' || (mode === 'mute' && from === client)) to.write(bytes)
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
      // What was swallowed is missing from the streams: a connection that lived through it is of no use.
      if (next === 'pass' || next === 'refuse') for (const socket of sockets) socket.resetAndDestroy()
    },
    stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
