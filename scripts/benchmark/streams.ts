// Many streams at once, each with so many events a second. The events carry the moment at which they were written, so that
// whoever reads them knows how long they took.
import { createBackedWriter, type BackedWriter } from './backed-writer.ts'
import { chunk } from './http-framing.ts'
import { percentile } from './load.ts'
import type { ScriptedUpstream } from './scripted-upstream.ts'

export interface StreamsOptions {
  readonly port: number
  readonly upstream: ScriptedUpstream
  readonly request: Uint8Array
  readonly streams: number
  /** Before the streams are ended. */
  readonly beforeEnd?: () => void
  readonly eventsPerSecond: number
  readonly seconds: number
}

export interface StreamsResult {
  readonly failed: number
  readonly events: number
  /** Milliseconds from the upstream's write to the client's read. */
  readonly p50Ms: number
  readonly p99Ms: number
}

const HEAD = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n')
const event = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`
const START = chunk(event('message_start', { message: { id: 'msg_bench', type: 'message', role: 'assistant', model: 'claude-sonnet-5', content: [], stop_reason: null, usage: { input_tokens: 900, output_tokens: 1 } } }))
const END = Buffer.concat([
  chunk(event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 100 } }) + event('message_stop', {})),
  Buffer.from('0\r\n\r\n'),
])
const STAMP = Buffer.from('"stamp ')
const STAMP_DIGITS = 15
/** Upstream writes are spread over the second in so many turns. */
const TICK_MS = 5
/** One client in so many looks at its stamps. */
const SAMPLED = 8
const CONNECTS_AT_ONCE = 50
const GRACE_MS = 20_000

/** Opens all streams, writes events to them for so long, ends them, and waits until every client has the end of its own. */
export async function runStreams({ port, upstream, request, streams, beforeEnd, eventsPerSecond, seconds }: StreamsOptions): Promise<StreamsResult> {
  const times: number[] = []
  let [failed, events, ended] = [0, 0, 0]
  const all = Promise.withResolvers<void>()
  upstream.holdOpen(Buffer.concat([HEAD, START]))

  async function connect(number: number): Promise<void> {
    let tail = Buffer.alloc(0)
    let isOver = false
    const settle = (ok: boolean) => {
      if (isOver) return
      isOver = true
      if (!ok) failed++
      if (++ended === streams) all.resolve()
    }
    let writer: BackedWriter | undefined
    await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        open(socket) {
          writer = createBackedWriter(socket)
          writer.write(request)
        },
        data(socket, bytes) {
          if (number % SAMPLED === 0) readStamp(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), times)
          tail = Buffer.concat([tail, bytes.length > 64 ? bytes.subarray(bytes.length - 64) : bytes]).subarray(-64)
          if (!tail.includes('0\r\n\r\n')) return
          settle(tail.includes('message_stop'))
          socket.end()
        },
        drain: () => writer?.drained(),
        close: () => settle(false),
        error: () => settle(false),
      },
    }).catch(() => settle(false))
  }

  for (let from = 0; from < streams; from += CONNECTS_AT_ONCE) await Promise.all(Array.from({ length: Math.min(CONNECTS_AT_ONCE, streams - from) }, (_, at) => connect(from + at)))
  for (const giveUpMs = performance.now() + GRACE_MS; upstream.open.size < streams && failed === 0 && performance.now() < giveUpMs; ) await Bun.sleep(5)

  const writers = [...upstream.open]
  const perTick = (writers.length * eventsPerSecond * TICK_MS) / 1000
  const startedMs = performance.now()
  for (let [turn, due] = [0, 0]; performance.now() - startedMs < seconds * 1000; ) {
    const turns = Math.floor((performance.now() - startedMs) / TICK_MS)
    for (due += (turns - turn) * perTick, turn = turns; due >= 1; due--) {
      ;(writers[events++ % writers.length] as BackedWriter).write(stamped())
    }
    await Bun.sleep(1)
  }
  beforeEnd?.()
  for (const writer of writers) writer.write(END)
  await Promise.race([all.promise, Bun.sleep(GRACE_MS)])
  times.sort((a, b) => a - b)
  return { failed: failed + streams - ended, events, p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) }
}

function stamped(): Buffer {
  const words = performance.now().toFixed(3).padStart(STAMP_DIGITS, '0')
  return chunk(`event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"stamp ${words} and a few words of an answer"}}\n\n`)
}

function readStamp(bytes: Buffer, times: number[]): void {
  const at = bytes.indexOf(STAMP)
  if (at < 0) return
  const written = Number(bytes.toString('latin1', at + STAMP.length, at + STAMP.length + STAMP_DIGITS))
  if (written > 0) times.push(performance.now() - written)
}
