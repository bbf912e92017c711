// A port in front of a server that can go away and come back, like a process that is killed and started again.
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface RestartableListener {
  url: string
  /** Cuts every connection; from then on connections are refused. */
  kill(): Promise<void>
  restart(): Promise<void>
}

/** `url` is the server's, without a path. */
export async function startListener(url: string): Promise<RestartableListener> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let server: Server

  const listen = (port: number) =>
    new Promise<void>((resolve) => {
      server = createServer((client) => {
        const behind = connect(Number(target.port), target.hostname)
        for (const [from, to] of [[client, behind], [behind, client]] as const) {
          sockets.add(from)
          from.on('error', () => {})
          from.on('close', () => {
            sockets.delete(from)
            to.destroy()
          })
          from.pipe(to)
        }
      })
      server.listen(port, '127.0.0.1', resolve)
    })
  const kill = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.resetAndDestroy()
    })

  await listen(0)
  const { port } = server!.address() as { port: number }
  return { url: `http://127.0.0.1:${port}`, kill, restart: () => listen(port) }
}
