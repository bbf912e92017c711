import { describe, expect, test } from 'bun:test'
import { answerTo, newestText } from '../../src/demo/answer.ts'
import { messageDocument, streamMessage, type Message } from '../../src/demo/message-stream.ts'

describe('answerTo', () => {
  test('names the person, the model and what was asked', () => {
    const answer = answerTo({ model: 'claude-haiku-4-5', text: 'Why\n  is the sky blue?', email: 'alice@example.com' })
    expect(answer).toStartWith('Good day, Alice! You asked for claude-haiku-4-5,')
    expect(answer).toContain('You said “Why is the sky blue?”.')
  })

  test('greets a stranger, and quotes a long text only in part', () => {
    const answer = answerTo({ model: 'claude-sonnet-5', text: '🙂'.repeat(500), email: undefined })
    expect(answer).toStartWith('Good day, stranger!')
    expect(answer).toContain(`“${'🙂'.repeat(60)}…”`)
    expect(answer.isWellFormed()).toBe(true)
  })
})

describe('newestText', () => {
  test('reads what was typed last, past the reminders a client puts around it', () => {
    const messages = [
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'answer' },
      { role: 'user', content: [{ type: 'text', text: 'second' }, { type: 'text', text: '<system-reminder>be kind</system-reminder>' }] },
      { role: 'system', content: 'more reminders' },
    ]
    expect(newestText(messages)).toBe('second')
  })

  test.each([{ messages: undefined }, { messages: 'text' }, { messages: [] }, { messages: [null] }, { messages: [{ role: 'user' }] }, { messages: [{ role: 'user', content: [7, null, { type: 'image' }] }] }])('makes nothing of %j', ({ messages }) => {
    expect(newestText(messages)).toBe('')
  })
})

const message: Message = { id: 'msg_1', model: 'claude-haiku-4-5', words: ['one ', 'two ', '"three"'], stopReason: 'end_turn', inputTokens: 9 }

describe('streamMessage', () => {
  test('sends the words of the whole document, between a head without them and the usage', async () => {
    const text = await new Response(streamMessage(message, 0)).text()
    const events = text.trim().split('\n\n').map((event) => event.split('\n').map((line) => line.slice(line.indexOf(': ') + 2)))
    const data = events.map(([, json]) => JSON.parse(json as string))
    expect(events.map(([name]) => name)).toEqual(data.map(({ type }) => type))
    expect(data.map(({ type }) => type)).toEqual([
      'message_start', 'content_block_start', 'ping', 'content_block_delta', 'content_block_delta', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop',
    ])
    expect(data[0].message).toMatchObject({ content: [], stop_reason: null, usage: { input_tokens: 9, output_tokens: 1 } })
    expect(data.flatMap(({ delta }) => delta?.text ?? []).join('')).toBe(messageDocument(message).content[0]?.text as string)
    expect(data[7]).toMatchObject({ delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } })
  })

  test('makes no further event once the reader has gone', async () => {
    const reader = streamMessage(message, 0).getReader()
    await reader.read()
    await reader.cancel()
    expect(await reader.read()).toEqual({ done: true, value: undefined })
  })
})
