import { expect, test } from 'bun:test'
import { scanObject } from '../../src/json/scan.ts'
import { likelyInput, worstCase } from '../../src/relay/worst-case.ts'

const WINDOW = { window: 200_000, maxOutput: 64_000 }

function of(body: object | string, model: Parameters<typeof worstCase>[1] = WINDOW) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const scan = scanObject(bytes)
  if (!scan.ok) throw new Error('a test needs JSON')
  const request = { bytes, members: scan.members, marks: scan.marks }
  return { usage: worstCase(request, model), likelyInput: likelyInput(request, model.window) }
}

test.each([
  [{ max_tokens: 1000 }, 1000],
  [{ max_tokens: 0 }, 0],
  [{ max_tokens: 1e6 }, 64_000],
  [{}, 64_000],
  [{ max_tokens: -5 }, 64_000],
  [{ max_tokens: 'many' }, 64_000],
  [{ max_tokens: 1.5 }, 64_000],
  ['{"max_tokens":7,"max_tokens":9}', 9],
  // What is not the request's own field says nothing.
  [{ metadata: { max_tokens: 1 } }, 64_000],
])('%j can produce %p tokens', (body, output) => expect(of(body).usage.output).toBe(output))

test('input is bounded by the window, and is as dear as a cache may make it', () => {
  const text = 'x'.repeat(2988)
  expect(of(`{"a":"${text}"}`)).toMatchObject({ usage: { input: 999, cacheWrite5m: undefined, cacheWrite1h: undefined, isEstimated: true }, likelyInput: 749 })
  expect(of({ cache_control: { type: 'ephemeral' } })).toMatchObject({ usage: { input: undefined, cacheWrite5m: 13, cacheWrite1h: undefined } })
  expect(of({ cache_control: { type: 'ephemeral', ttl: '1h' } })).toMatchObject({ usage: { input: undefined, cacheWrite5m: undefined, cacheWrite1h: 17 } })
  expect(of({ image: 'x'.repeat(1_000_000) })).toMatchObject({ usage: { input: 200_000 }, likelyInput: 200_000 })
  expect(of({ speed: 'fast', inference_geo: 'us' })).toMatchObject({ usage: { speed: 'fast', inferenceGeo: 'us' } })
  expect(of({ speed: 1, inference_geo: 'x'.repeat(100) })).toMatchObject({ usage: { speed: undefined, inferenceGeo: undefined } })
})

test.each([
  [{ source: { type: 'url', url: 'https://example.com/a.pdf' } }, { input: 200_000 }],
  [{ source: { type: 'file', file_id: 'file_1' } }, { input: 200_000 }],
  ['{"source":{"type" \n:\t"url","url":"https://example.com/a.pdf"}}', { input: 200_000 }],
  // Nothing is fetched for an argument of that name, nor for a text that speaks of it.
  [{ tools: [{ input_schema: { properties: { url: { type: 'string' }, kind: { enum: ['url', 'text'] } }, required: ['url'] } }] }, { input: 40 }],
  [{ content: 'use {"type":"url","file_id":1}' }, { input: 17 }],
  // A word may be spelled with escapes, and one that is no name of the API's means nothing.
  ['{"cache\\u005fcontrol":{"ttl":"\\u0031h"}}', { cacheWrite1h: 14 }],
  ['{"cache\\u005fcontrol":{}}', { cacheWrite5m: 9 }],
  ['{"source":{"type":"u\\u0072l"}}', { input: 200_000 }],
  ['{"content":"\\u001b[31m of cache_control, \\u0031h"}', { input: 17 }],
])('%#: what a request names and does not hold, and what it hides, is as dear as can be', (body, usage) => {
  expect(of(body).usage).toMatchObject(usage)
})

const inMessage = (block: object) => ({ messages: [{ role: 'user', content: [{ type: 'tool_result', content: [block] }] }] })
const LONG = 'A'.repeat(3_000_000)

test.each<[string, object, [least: number, most: number]]>([
  ['an image', inMessage({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: LONG } }), [2500, 2600]],
  ['an image with its type behind it', inMessage({ type: 'image', source: { data: LONG, media_type: 'image/png', type: 'base64' } }), [2500, 2600]],
  ['a large document', inMessage({ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: LONG } }), [100_000, 101_000]],
  ['a small document', inMessage({ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: LONG.slice(0, 4000) } }), [2500, 2600]],
  ['a text of which somebody says that it is a document', inMessage({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: LONG } }), [750_000, 751_000]],
  ['an argument of a tool', inMessage({ type: 'tool_use', input: { type: 'base64', media_type: 'image/png', data: LONG } }), [750_000, 751_000]],
  ['a member of that name of the request itself', { type: 'base64', media_type: 'image/png', data: LONG }, [750_000, 751_000]],
  ['a text that speaks of one', inMessage({ type: 'text', text: `{"type":"base64","media_type":"image/png","data":"${LONG}"}` }), [750_000, 751_000]],
])('%s in a prompt is guessed as what it is', (_, body, [least, most]) => {
  for (const text of [JSON.stringify(body), JSON.stringify(body, null, 1)]) expect(of(text, {}).likelyInput).toBeWithin(least, most)
})

test('a block with many members, over and over of the same name, is looked at once', () => {
  const data = `"data":"${'A'.repeat(1100)}",`
  const text = `{"a":{${data.repeat(900)}${'"a":1,'.repeat(490_000)}"type":"base64","media_type":"image/png"}}`
  expect(of(text, {}).likelyInput).toBeWithin(1, 1_000_001)
})

test('blocks that lie in each other are no files, and the innermost is looked at once', () => {
  const open = `{"data":"${'A'.repeat(1100)}","type":"base64","media_type":"image/png","a":`
  const text = `{"a":${open.repeat(900)}[${'1,'.repeat(490_000)}1]${'}'.repeat(901)}`
  expect(of(text, {}).likelyInput).toBeWithin(450_000, 550_000)
})

test('a model that nobody has described is bounded all the same', () => {
  expect(of({ image: 'x'.repeat(5_000_000) }, {})).toMatchObject({ usage: { input: 1_000_000, output: 128_000 } })
})
