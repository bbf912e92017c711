// What a client relies on in a stream of the Messages API, checked event by event. A block without its field crashed clients.

export interface ReadMessage {
  /** The JSON of each event as it stood, pings left out. */
  events: string[]
  pings: number
  comments: number
  text: string
  thinking: string
  /** JSON text. */
  toolInput: string
  /** Of the last message_delta over message_start. */
  usage: Record<string, any>
  /** Set when the stream ended in an error event instead of message_stop. */
  error: { type: string; message: string } | undefined
}

/** Throws with the first rule that the text breaks. */
export function readMessageEvents(text: string): ReadMessage {
  const message: ReadMessage = { events: [], pings: 0, comments: 0, text: '', thinking: '', toolInput: '', usage: {}, error: undefined }
  let phase: 'before' | 'open' | 'ending' | 'over' = 'before'
  let index = 0
  let block: any
  const rule = (holds: unknown, what: string) => {
    if (!holds) throw new Error(`${what} (event ${message.events.length}: ${message.events.at(-1)?.slice(0, 300)})`)
  }
  rule(text.endsWith('\n\n'), 'the stream ends in the middle of an event')
  for (const part of text.slice(0, -2).split('\n\n')) {
    if (part === ':') {
      message.comments++
      continue
    }
    const lines = part.replace(/^\n+/, '').split('\n')
    rule(lines.length === 2 && lines[0]?.startsWith('event: ') && lines[1]?.startsWith('data: '), `not one event line and one data line: ${part.slice(0, 200)}`)
    const [name, json] = [(lines[0] as string).slice(7), (lines[1] as string).slice(6)]
    const event = JSON.parse(json)
    rule(event.type === name, `${name} carries ${event.type}`)
    rule(phase !== 'over', `${name} after the end`)
    if (name === 'ping') {
      message.pings++
      continue
    }
    message.events.push(json)
    switch (name) {
      case 'message_start':
        rule(phase === 'before', 'a second message_start')
        phase = 'open'
        rule(typeof event.message?.id === 'string' && event.message.type === 'message' && event.message.role === 'assistant' && typeof event.message.model === 'string', 'message_start without its message')
        rule(Array.isArray(event.message.content) && event.message.content.length === 0 && event.message.stop_reason === null, 'message_start with content')
        rule(isCount(event.message.usage?.input_tokens) && isCount(event.message.usage.output_tokens), 'message_start without usage')
        message.usage = event.message.usage
        break
      case 'content_block_start':
        rule(phase === 'open' && block === undefined && event.index === index, 'a block out of its turn')
        block = event.content_block
        rule(isWholeBlock(block), 'a block without its fields')
        break
      case 'content_block_delta': {
        rule(block !== undefined && event.index === index, 'a delta of no open block')
        const field = DELTAS[block.type]?.[event.delta?.type]
        rule(field !== undefined && typeof event.delta[field] === 'string', `${event.delta?.type} in a block of ${block.type}`)
        if (field === 'text') message.text += event.delta.text
        if (field === 'thinking') message.thinking += event.delta.thinking
        if (field === 'partial_json') message.toolInput += event.delta.partial_json
        break
      }
      case 'content_block_stop':
        rule(block !== undefined && event.index === index, 'the end of no open block')
        if (block.type === 'tool_use') JSON.parse(message.toolInput)
        block = undefined
        index++
        break
      case 'message_delta':
        rule((phase === 'open' || phase === 'ending') && block === undefined, 'message_delta with a block open')
        phase = 'ending'
        rule('stop_reason' in event.delta && isCount(event.usage?.output_tokens), 'message_delta without its fields')
        for (const [field, value] of Object.entries(event.usage)) if (value !== null) message.usage[field] = value
        break
      case 'message_stop':
        rule(phase === 'ending', 'message_stop before a message_delta')
        phase = 'over'
        break
      case 'error':
        rule(typeof event.error?.type === 'string' && typeof event.error.message === 'string', 'an error without its fields')
        message.error = event.error
        phase = 'over'
        break
      default:
        rule(false, `an event of an unknown type ${name}`)
    }
  }
  rule(phase === 'over', 'no end')
  return message
}

const DELTAS: Record<string, Record<string, string>> = {
  text: { text_delta: 'text' },
  thinking: { thinking_delta: 'thinking', signature_delta: 'signature' },
  tool_use: { input_json_delta: 'partial_json' },
}

/** Of a block as it opens, and as it stands in a whole message. */
export function isWholeBlock(block: any): boolean {
  switch (block?.type) {
    case 'text':
      return typeof block.text === 'string'
    case 'thinking':
      return typeof block.thinking === 'string' && typeof block.signature === 'string'
    case 'tool_use':
      return typeof block.id === 'string' && typeof block.name === 'string' && typeof block.input === 'object' && block.input !== null
    default:
      return false
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
