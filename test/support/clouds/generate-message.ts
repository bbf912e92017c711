// What a model might answer, by a seed: thinking, text and tool use, awkward characters, and usage that differs every time.
import { createRandom, type Random } from './random.ts'

/** Tokens as a cloud bills them. */
export interface Tokens {
  input: number
  output: number
  cacheRead: number
  cacheWrite5m: number
  cacheWrite1h: number
}

/** One event of the stream: its JSON as the cloud writes it, and the tokens told up to and including it. */
export interface GeneratedEvent {
  type: string
  json: string
  said: Tokens
}

export interface GeneratedMessage {
  model: string
  text: string
  thinking: string
  /** The tool's input as JSON text; it holds an integer beyond 2^53. */
  toolInput: string
  tokens: Tokens
  /** Tokens of thinking, part of the output. */
  thinkingTokens: number
  /** The whole message as JSON, for who did not ask for a stream. */
  json: string
  /** With pings. */
  events: GeneratedEvent[]
}

/** Does not fit a double: whoever parses and writes it again changes it. */
export const BIG_INTEGER = '9007199254740993'

const PIECES = [
  'The gate is open. ',
  'naïve café, Ångström, ',
  '日本語のテキスト。',
  '🦊👩‍👩‍👧 ',
  'עברית ',
  'line one\nline two\r\n',
  'separators \u2028 and \u2029 ',
  'a "quoted" back\\slash ',
  '\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
  '{"usage":{"output_tokens":999999}} ',
  '<b>&amp;</b>\u0000\u001f ',
]

/** Gives one message after the other; the same seed gives the same ones. `prefix` begins the ids: `msg_bdrk_`. */
export function createGenerator(seed: number, prefix = 'msg_'): (model: string) => GeneratedMessage {
  const random = createRandom(seed)
  return (model) => generate(random, prefix, model)
}

function generate(random: Random, prefix: string, model: string): GeneratedMessage {
  const pieces = (count: number) => Array.from({ length: count }, () => random.oneOf(PIECES))
  const thinkingPieces = pieces(random.between(1, 3))
  const textPieces = ['pong ', ...pieces(random.between(2, 6))]
  const signature = random.letters(88)
  const toolId = `toolu_${prefix.slice(4)}${random.letters(24)}`
  const toolInput = `{"path":"/tmp/ünï ${random.letters(5)}.txt","offset":${BIG_INTEGER},"note":"🦊 \\u2028"}`
  const half = random.between(1, toolInput.length - 1)
  const id = `${prefix}${random.letters(24)}`

  const splits = random.between(0, 3) > 0
  const thinkingTokens = random.between(5, 400)
  const started: Tokens = {
    input: random.between(3, 20_000),
    output: 1,
    cacheRead: random.between(0, 90_000),
    cacheWrite5m: random.between(1, 3_000),
    cacheWrite1h: splits ? random.between(1, 2_000) : 0,
  }
  // Server tools add input while the answer runs; the last count given holds.
  const grown = random.between(0, 3) === 0 ? started.input + random.between(1, 500) : started.input
  const tokens: Tokens = { ...started, input: grown, output: thinkingTokens + random.between(20, 4_000) }
  const midway: Tokens = { ...started, output: thinkingTokens + random.between(1, 19) }

  const created = started.cacheWrite5m + started.cacheWrite1h
  const usage = (now: Tokens) => ({
    input_tokens: now.input,
    cache_creation_input_tokens: created,
    cache_read_input_tokens: now.cacheRead,
    ...(splits && { cache_creation: { ephemeral_5m_input_tokens: started.cacheWrite5m, ephemeral_1h_input_tokens: started.cacheWrite1h } }),
    output_tokens: now.output,
    service_tier: 'standard',
    inference_geo: 'not_available',
  })
  const details = { output_tokens_details: { thinking_tokens: thinkingTokens } }
  const blocks = [
    { type: 'thinking', thinking: thinkingPieces.join(''), signature },
    { type: 'text', text: textPieces.join('') },
    { type: 'tool_use', id: toolId, name: 'Read', input: '@input' },
  ]
  const head = { id, type: 'message', role: 'assistant', model }
  const finish = { stop_reason: 'tool_use', stop_sequence: null }

  const events: GeneratedEvent[] = []
  let said: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
  const push = (type: string, data: object = {}) => void events.push({ type, json: exact({ type, ...data }), said })
  const block = (index: number, opening: object, deltas: object[]) => {
    push('content_block_start', { index, content_block: opening })
    if (index === 0) push('ping')
    for (const delta of deltas) push('content_block_delta', { index, delta })
    push('content_block_stop', { index })
  }
  said = started
  push('message_start', { message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: usage(started), diagnostics: { trace: `@int:${BIG_INTEGER}` } } })
  block(0, { type: 'thinking', thinking: '', signature: '' }, [
    ...thinkingPieces.map((thinking) => ({ type: 'thinking_delta', thinking })),
    { type: 'signature_delta', signature },
  ])
  block(1, { type: 'text', text: '' }, textPieces.map((text) => ({ type: 'text_delta', text })))
  block(2, { type: 'tool_use', id: toolId, name: 'Read', input: {} }, [
    { type: 'input_json_delta', partial_json: '' },
    { type: 'input_json_delta', partial_json: toolInput.slice(0, half) },
    { type: 'input_json_delta', partial_json: toolInput.slice(half) },
  ])
  if (random.between(0, 1) === 1) {
    said = midway
    push('message_delta', { delta: { stop_reason: null, stop_sequence: null }, usage: { output_tokens: midway.output, input_tokens: null, cache_read_input_tokens: null } })
  }
  said = tokens
  const repeated = grown !== started.input || random.between(0, 1) === 1
  push('message_delta', {
    delta: finish,
    usage: { ...(repeated && { input_tokens: grown, cache_creation_input_tokens: created, cache_read_input_tokens: tokens.cacheRead }), output_tokens: tokens.output, ...details },
  })
  push('message_stop')

  return {
    model,
    text: textPieces.join(''),
    thinking: thinkingPieces.join(''),
    toolInput,
    tokens,
    thinkingTokens,
    json: exact({ ...head, content: blocks, ...finish, usage: { ...usage(tokens), ...details } }).replace('"@input"', () => toolInput),
    events,
  }
}

/** JSON with `@int:` texts as the integers they name. */
function exact(value: object): string {
  return JSON.stringify(value).replace(/"@int:(\d+)"/g, '$1')
}
