import { describe, expect, test } from 'bun:test'
import { parse } from 'csv-parse/sync'
import { DatabaseError } from '../../src/db/database-error.ts'
import { csvAnswer, wantsCsv } from '../../src/report/csv-answer.ts'
import { csvLine, type Cell } from '../../src/report/csv.ts'
import { centsText } from '../../src/spend/amounts.ts'
import { floorTo, isoSeconds, parseDay, parseMoment, spanOf } from '../../src/report/moment.ts'
import { createPageTokens } from '../../src/http/page-token.ts'
import { readParameters } from '../../src/report/parameters.ts'
import { createReportDatabase } from '../../src/report/report-database.ts'
import { createTurnstile } from '../../src/report/turnstile.ts'
import { createSealer } from '../../src/session/seal.ts'
import { Secret } from '../../src/std/secret.ts'

describe('amounts', () => {
  test.each([
    [0n, 0, '0'],
    [1n, 0, '0.0000001'],
    [9_999_999n, 0, '0.9999999'],
    [10_000_000n, 0, '1'],
    [1_234_500_000n, 0, '123.45'],
    [1_234_500_000n, 6, '123.450000'],
    [1_234_567_891n, 6, '123.4567891'],
    [0n, 6, '0.000000'],
    [-15_000_000n, 0, '-1.5'],
    [9_223_372_036_854_775_807n, 0, '922337203685.4775807'],
    [123_456_789_012_345_678_901_234n, 0, '12345678901234567.8901234'],
  ])('%d nano-dollars are, with %d places, %s cents', (nano, places, cents) => {
    expect(centsText(nano, places)).toBe(cents)
  })
})

describe('moments', () => {
  test.each([
    ['2026-08-01T00:00:00Z', '2026-08-01T00:00:00.000Z'],
    ['2026-08-01t00:00:00z', '2026-08-01T00:00:00.000Z'],
    ['2026-08-01T00:00:00+02:00', '2026-07-31T22:00:00.000Z'],
    ['2026-08-01T00:00:00 02:00', '2026-07-31T22:00:00.000Z'],
    ['2026-08-01T00:00:00.123456789-05:30', '2026-08-01T05:30:00.123Z'],
    ['2028-02-29T23:59:59Z', '2028-02-29T23:59:59.000Z'],
  ])('%s is %s', (text, iso) => {
    expect(new Date(parseMoment(text, 'at')).toISOString()).toBe(iso)
  })

  test.each(['', '2026-08-01', '2026-13-01T00:00:00Z', '2026-02-29T00:00:00Z', '2026-08-01T24:00:01Z', '2026-08-01T00:00Z', '20260801T000000Z', '1785542400', '2026-08-01T00:00:00', '+02026-08-01T00:00:00Z', '2026-08-01T00:00:00Z; select 1', '2026-08-01T00:00:00+99:99'])('%p is none', (text) => {
    expect(() => parseMoment(text, 'at')).toThrow('at: must be an RFC 3339 timestamp')
  })

  test('a day is one of the calendar', () => {
    expect(isoSeconds(parseDay('2028-02-29', 'at'))).toBe('2028-02-29T00:00:00Z')
    for (const text of ['2026-02-29', '2026-2-1', 'x', '']) expect(() => parseDay(text, 'at')).toThrow('at: must be a day in UTC')
  })

  const at = (text: string) => Date.parse(text)
  test.each([
    ['2026-08-01T00:00:00Z', undefined, '1d', '2026-08-01T00:00:00Z', '2026-08-21T00:00:00Z'],
    ['2026-07-31T23:59:59.999Z', '2026-08-01T00:00:00Z', '1d', '2026-07-31T00:00:00Z', '2026-08-01T00:00:00Z'],
    ['2026-07-31T23:59:59.999Z', '2026-08-01T23:59:59Z', '1d', '2026-07-31T00:00:00Z', '2026-08-01T00:00:00Z'],
    ['2026-08-01T10:59:59Z', '2026-08-01T12:00:00Z', '1h', '2026-08-01T10:00:00Z', '2026-08-01T12:00:00Z'],
    ['2026-08-20T12:34:00Z', undefined, '1m', '2026-08-20T12:34:00Z', '2026-08-20T12:35:00Z'],
    ['2026-08-20T10:00:00Z', '2026-08-20T11:00:00Z', '1d', '2026-08-20T00:00:00Z', '2026-08-20T00:00:00Z'],
  ] as const)('from %s until %s by %s is from %s until %s', (starting, ending, width, from, to) => {
    const span = spanOf({ starting: at(starting), ending: ending && at(ending), now: at('2026-08-20T12:34:56Z'), width })
    expect([isoSeconds(span.from), isoSeconds(span.to)]).toEqual([from, to])
  })

  test('before 1970 buckets begin before, not after', () => {
    expect(isoSeconds(floorTo(-1, '1d'))).toBe('1969-12-31T00:00:00Z')
  })
})

describe('CSV', () => {
  test.each(['=cmd()', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '＝1', '=HYPERLINK("http://evil","x")'])('makes %p harmless', (text) => {
    expect(parse(csvLine([text, 1]))).toEqual([[`'${text}`, '1']])
  })

  test.each(['plain', 'a,b', 'say "hi"', 'two\r\nlines', ' space ', 'ü🐘', "it's", ''])('brings %p through unchanged', (text) => {
    expect(parse(csvLine([text, 'end']))).toEqual([[text, 'end']])
  })

  test('writes numbers as they are, and nothing for null', () => {
    expect(csvLine([null, -5n, 0, '', 12_345_678_901_234_567_890n])).toBe(',-5,0,,12345678901234567890\r\n')
  })

  const request = (accept?: string) => new Request('http://gateway.test/', { headers: accept === undefined ? {} : { accept } })
  test.each([
    [undefined, undefined, false],
    ['text/csv', undefined, true],
    ['text/html, text/csv;q=0.9', undefined, true],
    ['application/json', undefined, false],
    ['*/*', undefined, false],
    ['text/csv', 'json', false],
    ['application/json', 'csv', true],
  ] as const)('accepted as %p with format=%p: %p', (accept, format, isCsv) => {
    expect(wantsCsv(request(accept), format)).toBe(isCsv)
  })

  const span = { from: 0, to: 86_400_000 }
  const answer = (batches: AsyncGenerator<Cell[][]>, observe = () => {}) => csvAnswer({ name: 'x', span, columns: ['a', 'b'] }, batches, { observe, requestId: 'r' })

  test('that breaks off cannot pass for a whole one', async () => {
    const seen: unknown[] = []
    const response = await answer(
      (async function* () {
        yield [['1', '2']]
        throw new DatabaseError('unreachable', 'gone')
      })(),
      ((observation: unknown) => seen.push(observation)) as never,
    )
    const text = await response.text()
    expect(text).toBe('a,b\r\n1,2\r\nINCOMPLETE: the report broke off here; ask again\r\n')
    expect(() => parse(text, { columns: true })).toThrow('Invalid Record Length')
    expect(seen).toMatchObject([{ op: 'error', request_id: 'r' }])
  })

  test('that fails at once is an error and no file', async () => {
    const failing = (async function* (): AsyncGenerator<Cell[][]> {
      throw new DatabaseError('unreachable', 'gone')
    })()
    expect(await answer(failing).catch((error) => error)).toBeInstanceOf(DatabaseError)
  })

  test('reads no further than the reader does, and stops when they leave', async () => {
    let [made, ended] = [0, false]
    const response = await answer(
      (async function* () {
        try {
          for (;;) yield [[String(made++), 'x'.repeat(100_000)]]
        } finally {
          ended = true
        }
      })(),
    )
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    await reader.read()
    await reader.cancel()
    expect([made < 6, ended]).toEqual([true, true])
  })
})

describe('page tokens', () => {
  const tokens = (secret = 'a-test-secret-of-more-than-thirty-two-bytes') => createPageTokens(createSealer([new Secret(secret)]), 'not a next_page of this report')

  test('give back a position to the question they were made for', () => {
    expect(tokens().read(['q', 1], tokens().make(['q', 1], [5, 'x']))).toEqual([5, 'x'])
  })

  test('are refused altered, with another question, of another gateway, or made up', () => {
    const token = tokens().make(['q'], [5])
    const others = [token.replace('page_', ''), `${token}x`, token.slice(0, -2), tokens('another-secret-of-more-than-thirty-two-bytes').make(['q'], [5]), 'page_', '', 'page_MjAyNS0wNS0xNFQwMDowMDowMFo=']
    for (const other of others) expect(() => tokens().read(['q'], other)).toThrow('page: not a next_page of this report')
    expect(() => tokens().read(['p'], token)).toThrow('page: not a next_page of this report')
  })
})

describe('parameters', () => {
  test('that are unknown are named without what could be in the name', () => {
    expect(() => readParameters(new URLSearchParams([[`x\u0000\u202e${'y'.repeat(100)}`, '1']]), ['limit'])).toThrow(`x${'y'.repeat(39)}: not a parameter of this report, which takes limit`)
  })

  test.each([['prototype'], ['__proto__'], ['constructor']])('have no %s', (name) => {
    expect(() => readParameters(new URLSearchParams([[name, '1']]), ['limit'])).toThrow('not a parameter')
  })
})

describe('the turnstile', () => {
  const deferred = () => Promise.withResolvers<void>()

  test('lets two through at once, the others in their order, and each as soon as there is room', async () => {
    const turnstile = createTurnstile({ atOnce: 2, mostWaiting: 10 })
    const gates = Array.from({ length: 5 }, deferred)
    const started: number[] = []
    const all = gates.map(({ promise }, at) => turnstile.pass(() => (started.push(at), promise), 10_000))
    await Promise.resolve()
    expect(started).toEqual([0, 1])
    gates[1]?.resolve()
    await all[1]
    await Promise.resolve()
    expect(started).toEqual([0, 1, 2])
    for (const gate of gates) gate.resolve()
    await Promise.all(all)
    expect(started).toEqual([0, 1, 2, 3, 4])
  })

  test('refuses with a time to come back who waits too long, or when too many wait, and is free again after a failure', async () => {
    const turnstile = createTurnstile({ atOnce: 1, mostWaiting: 1 })
    const gate = deferred()
    const first = turnstile.pass(() => gate.promise, 1)
    const [second, third] = await Promise.all([turnstile.pass(async () => 'never', 1), turnstile.pass(async () => 'never', 10_000)].map((pass) => pass.catch((error) => error)))
    expect([second, third]).toEqual([expect.objectContaining({ kind: 'unavailable', headers: { 'retry-after': '5' } }), expect.objectContaining({ kind: 'unavailable' })])
    gate.reject(new Error('broken'))
    expect(await first.catch(({ message }) => message)).toBe('broken')
    expect(await turnstile.pass(async () => 'mine', 1)).toBe('mine')
  })

  test('tells whose report took too long what to do', async () => {
    for (const failure of [new DatabaseError('failed', 'x', { sqlState: '57014' }), new DatabaseError('deadline', 'x')]) {
      const db = createReportDatabase({ run: () => Promise.reject(failure) }, createTurnstile({ atOnce: 1, mostWaiting: 1 }), 1)
      expect(await db.run(undefined as never).catch((error) => error)).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('ask for fewer days') as never })
    }
    const db = createReportDatabase({ run: () => Promise.reject(new DatabaseError('unreachable', 'x')) }, createTurnstile({ atOnce: 1, mostWaiting: 1 }), 1)
    expect(await db.run(undefined as never).catch((error) => error)).toBeInstanceOf(DatabaseError)
  })
})
