import { describe, expect, test } from 'bun:test'
import { scanObject, type JsonObject } from '../../src/json/scan.ts'
import { upstreamWords } from '../../src/relay/upstream-words.ts'

const PROMPT = 'You are helping with the merger of "Lion" and\nTiger. Keep it quiet; the price is 42 millions.'

function requestOf(more: object = {}): JsonObject {
  const bytes = Buffer.from(JSON.stringify({ model: 'claude-sonnet-5', max_tokens: 10, system: PROMPT, messages: [{ role: 'user', content: [{ type: 'text', text: 'the secret word', cache_control: { type: 'ephemeral' } }, { type: 'tool_result', tool_use_id: 'toolu_0123456789', content: 'ok' }] }], tools: [{ name: 'mcp__search__find_everything', input_schema: { type: 'object' } }], ...more }))
  const scan = scanObject(bytes)
  if (!scan.ok) throw new Error(scan.reason)
  return { bytes, members: scan.members }
}
const shown = (text: string, credentials: string[] = [], request = requestOf()) => upstreamWords(Buffer.from(text), request, credentials)

describe('the words of an upstream', () => {
  test.each([
    '{"type":"error","error":{"type":"invalid_request_error","message":"messages.0.content.1: unexpected `tool_use_id` found in `tool_result` blocks: toolu_0123456789"}}',
    '{"error":{"message":"max_tokens: 10 > 5, which is the maximum allowed number of output tokens for claude-sonnet-5"}}',
    'tools.0.mcp__search__find_everything.input_schema.type: Field required; cache_control: ephemeral is not permitted',
    '<html><title>502 Bad Gateway</title></html>',
    '',
  ])('are shown as they are: %s', (text) => expect(shown(text)).toBe(text))

  test.each([
    ['a text of the request', 'cannot read "the secret word" here', 'cannot read "[…]" here'],
    ['what it quotes of a long one', "system: 'You are helping with the merger of' is not", "system: '[…]' is not"],
    ['it where it is escaped', JSON.stringify({ message: PROMPT }), '{"message":"[…]"}'],
    ['it where it is escaped twice', JSON.stringify({ message: JSON.stringify({ system: PROMPT }) }), '{"message":"{\\"system\\":\\"[…]\\"}"}'],
    ['its end', 'x'.repeat(30) + 'quiet; the price is 42 millions.', `${'x'.repeat(30)}[…]`],
    ['it twice', 'the secret word, the secret word', '[…], […]'],
  ])('leave out %s', (_, text, expected) => expect(shown(text)).toBe(expected))

  test('leave out what it was sent with', () => {
    expect(shown('invalid x-api-key key-0123456789abcdef', ['key-0123456789abcdef'])).toBe('invalid x-api-key […]')
  })

  test('are cut where they are long, and left out where nobody could tell in time whose they are', () => {
    expect(shown('y'.repeat(5000))).toBe('y'.repeat(2000))
    const large = requestOf({ system: 'a'.repeat(9 * 1024 * 1024) })
    expect(shown('the secret word', [], large)).toBe('(15 bytes, left out: the request is too large to tell its own words in them)')
  })

  test('of a large request take little time', () => {
    const request = requestOf({ system: Array.from({ length: 100_000 }, (_, n) => `word${n}`).join(' ') })
    const begun = performance.now()
    expect(shown(`refused: ${'word1 '.repeat(100)}`, [], request)).toStartWith('refused: ')
    expect(performance.now() - begun).toBeLessThan(1000)
    expect(shown('word99990 word99991 word99992 word99993 is bad', [], request)).toBe('[…]is bad')
  })
})
