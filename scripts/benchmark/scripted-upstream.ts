// The upstream of the bench: reads a request to its end and answers with bytes that were made before.
import type { Socket, TCPSocketListener } from 'bun'
import { createBackedWriter, type BackedWriter } from './backed-writer.ts'
import { createFraming, type Framing } from './http-framing.ts'

export interface ScriptedUpstream {
  readonly port: number
  /** What is answered from here on: parts that are written one turn of the loop after the other. */
  answerWith(parts: readonly Uint8Array[]): void
  /** From here on every request is answered with `head` and stays open. */
  holdOpen(head: Uint8Array): void
  /** The open streams, for who writes events to them. */
  readonly open: ReadonlySet<BackedWriter>
  stop(): void
}

interface Connection {
  framing: Framing
  writer: BackedWriter
}

export function startScriptedUpstream(): ScriptedUpstream {
  let parts: readonly Uint8Array[] = []
  let isHeldOpen = false
  const open = new Set<BackedWriter>()

  function answer(socket: Socket<Connection>): void {
    const { writer } = socket.data
    socket.data.framing = createFraming()
    if (isHeldOpen) open.add(writer)
    if (parts.length === 1) writer.write(parts[0] as Uint8Array)
    else writeFrom(0, parts, writer)
  }

  const server: TCPSocketListener<Connection> = Bun.listen<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => void (socket.data = { framing: createFraming(), writer: createBackedWriter(socket) }),
      data: (socket, bytes) => {
        if (socket.data.framing.take(bytes)) answer(socket)
      },
      drain: (socket) => socket.data.writer.drained(),
      close: (socket) => void open.delete(socket.data.writer),
      error: () => {},
    },
  })
  return {
    port: server.port,
    answerWith(given) {
      isHeldOpen = false
      parts = given
    },
    holdOpen(head) {
      // Connections of streams that have ended are used again, by whoever comes.
      open.clear()
      isHeldOpen = true
      parts = [head]
    },
    open,
    stop: () => server.stop(true),
  }
}

function writeFrom(at: number, parts: readonly Uint8Array[], writer: BackedWriter): void {
  writer.write(parts[at] as Uint8Array)
  if (at + 1 < parts.length) setImmediate(writeFrom, at + 1, parts, writer)
}
