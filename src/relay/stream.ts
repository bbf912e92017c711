// The one path an answer's bytes take: read from the upstream once the client has taken what came before, so that a slow
// reader slows the upstream instead of filling memory. A stream ends exactly once, however it ends.
import type { Decoder } from '../upstream/upstream.ts'
import type { Meter } from './meter.ts'
import type { Source } from './source.ts'
import type { Usage } from '../pricing/usage.ts'

export type StreamOutcome = 'completed' | 'client_gone' | 'upstream_broke' | 'drained'

export interface RelayedStream {
  readonly body: ReadableStream<Uint8Array>
  /** Fills silence; called by the shared clock. */
  tick(nowMs: number): void
  /** Ends the stream from outside, with an event that tells the client why where the answer is an event stream. */
  end(outcome: 'client_gone' | 'drained'): void
}

/** The client's side of a stream, as the runtime gives it to whoever writes to the connection itself. */
export interface Sink {
  /** Sent at the end of the event loop's turn. A promise while the client has yet to take it. */
  write(bytes: Uint8Array): number | Promise<number>
  /** With an error the connection is cut. */
  close(error?: Error): void
}

export interface StreamOptions {
  upstream: Pick<Source, 'read'>
  /** Of an answer that is not in the Messages API's form. */
  decoder?: Decoder | undefined
  meter: Meter
  /** An event stream may get pings and an error event. */
  isEventStream: boolean
  nowMs: () => number
  abortUpstream: () => void
  /** Called once. */
  finished: (outcome: StreamOutcome, usage: Usage) => void
}

/** Proxies between here and the client close what is silent for a minute. */
const PING_AFTER_MS = 15_000
/** Every upstream that streams says something at least this often; beyond it the connection is dead. */
const SILENT_UPSTREAM_MS = 600_000
/** A client that takes nothing for this long holds an upstream for nobody. */
const STALLED_READER_MS = 300_000
/** Nor does one that takes less of what waits for it in that time: an answer has as much in a few seconds. */
const LEAST_TAKEN_BYTES = 4096
/** For so long it is read on after a client that had not taken all: what comes meanwhile says how much the answer was. */
const COUNT_ON_MS = 500
/** The listener sends headers with the first byte of a body; an event stream that has none yet gets a comment to carry them. */
const HEADERS_WITHIN_MS = 100
const encoder = new TextEncoder()
const COMMENT = encoder.encode(':\n\n')
const PING = encoder.encode('event: ping\ndata: {"type": "ping"}\n\n')
const REASONS = { upstream_broke: 'the upstream connection was lost', drained: 'the gateway is restarting', client_gone: 'the client stopped reading' }

export function relayStream(options: StreamOptions): RelayedStream {
  const { begin, cancel, ...stream } = createFlow(options)
  // Of the kind that writes to the connection itself: a second queue in between would cost as much as all else here.
  const body = new ReadableStream<Uint8Array>({ type: 'direct', pull: begin, cancel })
  return { body, ...stream }
}

export interface Flow extends Omit<RelayedStream, 'body'> {
  /** Moves everything to `sink`. Never rejects. */
  begin(sink: Sink): Promise<void>
  /** The client has gone. */
  cancel(): void
}

export function createFlow({ upstream, decoder, meter, isEventStream, nowMs, abortUpstream, finished }: StreamOptions): Flow {
  let sink: Sink | undefined
  let over = false
  /** The client gets nothing more; what has come and it has not taken is still counted, since it is paid for. */
  let leaving: Exclude<StreamOutcome, 'completed'> | undefined
  let countingOn: Timer | undefined
  /** Set while the client has yet to take something. */
  let stopWaiting: (() => void) | undefined
  /** The client has taken everything and waits for what has not come yet. */
  let wanted = false
  let lastUpstreamByteMs = nowMs()
  let lastSentMs = lastUpstreamByteMs
  /** Since when the client has not once waited for us, and what it took in that time. */
  let behind = { sinceMs: lastUpstreamByteMs, takenBytes: 0 }
  let headersTimer = isEventStream ? setTimeout(() => say(COMMENT), HEADERS_WITHIN_MS) : undefined

  function say(bytes: Uint8Array): void {
    if (over || leaving !== undefined || sink === undefined) return
    void sink.write(bytes)
  }

  function stopHeadersTimer(): void {
    clearTimeout(headersTimer)
    headersTimer = undefined
  }

  function finish(outcome: StreamOutcome): void {
    over = true
    stopHeadersTimer()
    clearTimeout(countingOn)
    finished(outcome, meter.usage())
  }

  /** Says that the answer is not whole: an error event where there can be one, else a connection that breaks. */
  function breakOff(outcome: 'upstream_broke' | 'drained'): void {
    if (over || leaving !== undefined) return conclude()
    if (isEventStream) {
      const error = JSON.stringify({ type: 'error', error: { type: 'api_error', message: REASONS[outcome] } })
      say(encoder.encode(`${meter.atBoundary() ? '' : '\n\n'}event: error\ndata: ${error}\n\n`))
    }
    leave(outcome)
    sink?.close(isEventStream ? undefined : new Error(REASONS[outcome]))
  }

  /** At once, where the client has taken all that has come. */
  function leave(outcome: Exclude<StreamOutcome, 'completed'>): void {
    if (over || leaving !== undefined) return
    leaving = outcome
    if (stopWaiting === undefined) return conclude()
    countingOn = setTimeout(conclude, COUNT_ON_MS)
    stopWaiting()
  }

  /** Many a client leaves as soon as it has read the last event, before the upstream has ended. */
  function conclude(): void {
    if (over || leaving === undefined) return
    try {
      finish(leaving === 'client_gone' && meter.isWhole() ? 'completed' : leaving)
    } finally {
      abortUpstream()
    }
  }

  async function begin(given: Sink): Promise<void> {
    sink = given
    if (over) return given.close(new Error(REASONS.drained))
    try {
      while (!over) {
        if (leaving !== undefined && isEventStream && meter.isWhole()) return conclude()
        const reading = upstream.read()
        wanted = true
        const batch = reading instanceof Promise ? await reading : reading
        wanted = false
        if (over) return
        if (batch.value !== undefined && batch.value.length > 0) lastUpstreamByteMs = nowMs()
        for (const chunk of batch.value ?? []) {
          const taken = pass(chunk)
          // A slow reader slows the upstream instead of filling memory.
          if (taken !== undefined) await taking(taken)
          if (over) return
        }
        if (batch.done) return ended()
      }
    } catch {
      breakOff('upstream_broke')
    }
  }

  /** A promise while the client has yet to take it. A decoder may need more before there is something to say. */
  function pass(chunk: Uint8Array): Promise<unknown> | undefined {
    const bytes = decoder === undefined ? chunk : decoder.decode(chunk)
    return bytes.byteLength > 0 ? write(bytes) : undefined
  }

  function write(bytes: Uint8Array): Promise<unknown> | undefined {
    if (headersTimer !== undefined) stopHeadersTimer()
    meter.watch(bytes)
    if (leaving !== undefined) return undefined
    lastSentMs = lastUpstreamByteMs
    behind.takenBytes += bytes.byteLength
    const written = sink?.write(bytes)
    return written instanceof Promise ? written : undefined
  }

  /** Until the client has taken it, or gets nothing more. */
  function taking(taken: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    stopWaiting = () => {
      stopWaiting = undefined
      resolve()
    }
    taken.then(stopWaiting, cancel)
    return promise
  }

  function ended(): void {
    const rest = decoder?.end()
    if (rest !== undefined && rest.bytes.byteLength > 0) write(rest.bytes)
    if (leaving !== undefined) return conclude()
    const isWhole = rest?.isWhole ?? (!isEventStream || meter.isWhole())
    // A connection that ends cleanly in the middle of an answer must not look like its end.
    const isTold = () => isEventStream && (decoder !== undefined || meter.endsInError())
    if (!isWhole && !isTold()) return breakOff('upstream_broke')
    finish(isWhole ? 'completed' : 'upstream_broke')
    sink?.close()
  }

  function cancel(): void {
    leave('client_gone')
  }

  /** An upstream that holds the connection after its last event has nothing more to say. */
  function letGo(): void {
    finish('completed')
    abortUpstream()
    sink?.close()
  }

  /** A client that waits for us has taken everything: however little that was, a slow upstream is no slow reader. */
  function isStalled(now: number): boolean {
    const isLong = now - behind.sinceMs > STALLED_READER_MS
    if (!wanted && (now - lastSentMs > STALLED_READER_MS || (isLong && behind.takenBytes < LEAST_TAKEN_BYTES))) return true
    if (wanted || isLong) behind = { sinceMs: now, takenBytes: 0 }
    return false
  }

  function giveUpReader(): void {
    cancel()
    sink?.close(new Error(REASONS.client_gone))
  }

  return {
    begin,
    cancel,
    tick(now) {
      if (over || leaving !== undefined) return
      if (isStalled(now)) return giveUpReader()
      if (wanted && now - lastUpstreamByteMs > SILENT_UPSTREAM_MS) return breakOff('upstream_broke')
      if (!isEventStream || !wanted || now - lastSentMs < PING_AFTER_MS || !meter.atBoundary()) return
      if (meter.isWhole()) return letGo()
      lastSentMs = now
      say(PING)
    },
    end: (outcome) => (outcome === 'client_gone' ? cancel() : breakOff('drained')),
  }
}
