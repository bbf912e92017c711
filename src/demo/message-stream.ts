// A finished answer as the Messages API streams it: word by word, with a ping now and then and the usage at the end.
import { setTimeout as sleep } from 'node:timers/promises'

export interface Message {
  readonly id: string
  readonly model: string
  readonly words: readonly string[]
  readonly stopReason: 'end_turn' | 'max_tokens'
  readonly inputTokens: number
}

const WORDS_BETWEEN_PINGS = 20

/** The complete answer in one document. */
export function messageDocument({ id, model, words, stopReason, inputTokens }: Message) {
  return {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text: words.join('') }],
    stop_reason: stopReason as string | null,
    stop_sequence: null,
    usage: { input_tokens: inputTokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: words.length },
  }
}

/** Server-sent events, each made when the reader asks for it; a reader that leaves ends the work. */
export function streamMessage(message: Message, wordDelayMs: number): ReadableStream<Uint8Array> {
  const events = eventsOf(message)
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const next = events.next()
      if (next.done) return controller.close()
      const { type } = next.value
      if (type === 'content_block_delta') await sleep(wordDelayMs)
      controller.enqueue(encoder.encode(`event: ${type}\ndata: ${JSON.stringify(next.value)}\n\n`))
    },
    cancel: () => void events.return(),
  })
}

function* eventsOf(message: Message): Generator<{ type: string }, void> {
  const { usage, ...head } = messageDocument(message)
  yield { type: 'message_start', message: { ...head, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } } as { type: string }
  yield { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } } as { type: string }
  for (const [n, text] of message.words.entries()) {
    if (n % WORDS_BETWEEN_PINGS === 0) yield { type: 'ping' }
    yield { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } } as { type: string }
  }
  yield { type: 'content_block_stop', index: 0 } as { type: string }
  yield { type: 'message_delta', delta: { stop_reason: message.stopReason, stop_sequence: null }, usage: { output_tokens: message.words.length } } as { type: string }
  yield { type: 'message_stop' }
}
