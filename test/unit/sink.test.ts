import { describe, expect, test } from 'bun:test'
import type { Observation } from '../../src/observe/events.ts'
import { createSink } from '../../src/observe/sink.ts'

function written(observations: Observation[], options: { level?: 'debug' | 'info' | 'warn' | 'error'; format?: 'text' | 'json'; times?: number[] } = {}): string[] {
  const lines: string[] = []
  const times = options.times ?? []
  const observe = createSink({ level: () => options.level ?? 'info', format: options.format ?? 'text', write: (line) => lines.push(line), now: () => new Date(times.shift() ?? 0) })
  for (const observation of observations) observe(observation)
  return lines
}

describe('the log', () => {
  test('writes an audit event as one line of JSON, at any level', () => {
    const [line] = written([{ evt: 'access.denied', reason: 'ip_denied', path: '/x', request_id: 'r' }], { level: 'error' })
    expect(JSON.parse(line as string)).toEqual({ ts: '1970-01-01T00:00:00.000Z', evt: 'access.denied', reason: 'ip_denied', path: '/x', request_id: 'r' })
  })

  // T262
  test('keeps hostile text inside its line and its field', () => {
    const hostile = 'a\n{"evt":"session.mint"}\u2028\u001b[31m\u0085\u202e'
    const lines = written([{ evt: 'access.denied', reason: hostile, path: '/' }, { op: 'warn', message: hostile }])
    expect(lines).toHaveLength(2)
    for (const line of lines) {
      expect(line.endsWith('\n')).toBe(true)
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/)
    }
    expect(JSON.parse(lines[0] as string).reason).toBe(hostile)
  })

  // T257
  test.each([
    'sk-ant-api03-canary_canary-AA',
    'sk-upstream-canary',
    'eyJhbGciOiJIUzI1NiJ9.canary.c2lnbmF0dXJl',
    'Bearer canary/canary+canary==',
    'basic Y2FuYXJ5OmNhbmFyeQ==',
  ])('never holds %s, whoever quoted it', (credential) => {
    const quoted = `401 {"error":"invalid x-api-key ${credential}"}`
    const lines = [...written([{ op: 'warn', message: quoted }]), ...written([{ op: 'warn', message: quoted }, { evt: 'access.denied', reason: quoted, path: '/' }], { format: 'json' })]
    for (const line of lines) expect(line).not.toMatch(/canary|c2lnbmF0dXJl|Y2FuYXJ5/)
    expect(JSON.parse(lines[2] as string).reason).toBe(`401 {"error":"invalid x-api-key ${credential.replace(/^(bearer |basic )?.*/i, '$1[redacted]')}"}`)
  })

  test('leaves ordinary words alone', () => {
    const text = 'task-management of risk-free desk-research; the bearer token of a basic sk-model'
    expect(written([{ op: 'warn', message: text }])[0]).toContain(text)
  })

  test('writes operations from the configured level up, as text or JSON', () => {
    const operations: Observation[] = [{ op: 'debug', message: 'd' }, { op: 'info', message: 'i', request_id: 'r' }, { op: 'error', message: 'e' }]
    expect(written(operations)).toEqual(['[gateway] 1970-01-01T00:00:00.000Z info i request_id=r\n', '[gateway] 1970-01-01T00:00:00.000Z error e\n'])
    expect(written(operations, { level: 'error', format: 'json' })).toEqual(['{"ts":"1970-01-01T00:00:00.000Z","level":"error","message":"e"}\n'])
  })

  test('counts repeated lines of one kind instead of writing them', () => {
    const line: Observation = { op: 'warn', message: 'away', repeat: 'db' }
    const lines = written([line, line, line, line], { times: [0, 0, 1000, 1000, 2000, 2000, 31_000, 31_000] })
    expect(lines.map((text) => text.slice(text.indexOf('warn')))).toEqual(['warn away\n', 'warn away (2 more like this were not written)\n'])
  })

  test('writes each of them at the level debug', () => {
    const line: Observation = { op: 'warn', message: 'away', repeat: 'db' }
    expect(written([line, line, line], { level: 'debug' })).toHaveLength(3)
  })

  test('keeps a bounded number of kinds in mind, and goes on counting', () => {
    const kinds = Array.from({ length: 5000 }, (_, at): Observation => ({ op: 'warn', message: `kind ${at}`, repeat: `kind ${at}` }))
    const last = kinds.at(-1) as Observation
    expect(written([...kinds, last, last])).toHaveLength(5000)
  })
})
