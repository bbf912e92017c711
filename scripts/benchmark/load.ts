// Clients of the bench: a fixed number of connections, each of which asks again as soon as it has its answer.
import type { Socket } from 'bun'
import { createBackedWriter, type BackedWriter } from './backed-writer.ts'
import { createFraming, type Framing } from './http-framing.ts'

export interface LoadOptions {
  readonly port: number
  readonly request: Uint8Array
  readonly connections: number
  readonly seconds: number
  /** Between an answer and the next request; 0 unless given. */
  readonly pauseMs?: number
}

export interface LoadResult {
  readonly requests: number
  readonly failed: number
  readonly seconds: number
  /** Milliseconds to the complete answer. */
  readonly p50Ms: number
  readonly p99Ms: number
}

interface Client {
  framing: Framing
  writer: BackedWriter
  askedMs: number
}

/** Runs until the time is over and every answer is there. */
export async function runLoad({ port, request, connections, seconds, pauseMs = 0 }: LoadOptions): Promise<LoadResult> {
  const times: number[] = []
  let failed = 0
  const startedMs = performance.now()
  const endMs = startedMs + seconds * 1000
  const over = Array.from({ length: connections }, () => Promise.withResolvers<void>())

  function ask(socket: Socket<Client>): void {
    socket.data.framing = createFraming()
    socket.data.askedMs = performance.now()
    socket.data.writer.write(request)
  }

  await Promise.all(
    over.map(async ({ promise, resolve }) => {
      let isDone = false
      await Bun.connect<Client>({
        hostname: '127.0.0.1',
        port,
        socket: {
          open(socket) {
            socket.data = { framing: createFraming(), writer: createBackedWriter(socket), askedMs: 0 }
            ask(socket)
          },
          data(socket, bytes) {
            if (!socket.data.framing.take(bytes)) return
            const nowMs = performance.now()
            if (socket.data.framing.head().startsWith('HTTP/1.1 200')) times.push(nowMs - socket.data.askedMs)
            else failed++
            if (nowMs < endMs) return pauseMs === 0 ? ask(socket) : void setTimeout(ask, pauseMs, socket)
            isDone = true
            socket.end()
            resolve()
          },
          drain: (socket) => socket.data.writer.drained(),
          close() {
            if (!isDone) failed++
            resolve()
          },
          error() {
            resolve()
          },
        },
      })
      await promise
    }),
  )
  times.sort((a, b) => a - b)
  return { requests: times.length, failed, seconds: (performance.now() - startedMs) / 1000, p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) }
}

/** Of numbers in order. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}

export function median(numbers: readonly number[]): number {
  return percentile([...numbers].sort((a, b) => a - b), 50)
}
