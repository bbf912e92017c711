import { expect, test } from 'bun:test'
import { scanObject } from '../../src/json/scan.ts'
import { worstCase } from '../../src/relay/worst-case.ts'

const WINDOW = { window: 200_000, maxOutput: 64_000 }

function of(body: object | string, model: Parameters<typeof worstCase>[1] = WINDOW) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const scan = scanObject(bytes)
  if (!scan.ok) throw new Error('a test needs JSON')
  return worstCase({ bytes, members: scan.members }, model)
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

test('a model that nobody has described is bounded all the same', () => {
  expect(of({ image: 'x'.repeat(5_000_000) }, {})).toMatchObject({ usage: { input: 1_000_000, output: 128_000 } })
})
