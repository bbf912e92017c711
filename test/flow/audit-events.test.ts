// What an administrator asks of the stored trail: by name, person and time, in pages or as a file.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { storeEvents } from '../../src/audit/store.ts'
import { connect } from '../../src/db/connect.ts'
import { auditRecord, type TimedEvent } from '../../src/observe/audit-line.ts'
import { ADMIN, READ_KEY, until } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'

const PATH = '/v1/organizations/audit_events'
const WHO = { issuer: 'https://idp.example.com', email: 'x@example.com' }
const DAY_MS = 86_400_000
const dayFromNow = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10)
/** They are stored on the next day or the one after, as if the database had been away. */
const [BEFORE, DAY, NEXT] = [dayFromNow(-2), dayFromNow(-1), dayFromNow(0)]
const at = (minute: number) => `${DAY}T10:${String(minute).padStart(2, '0')}:00.000Z`

/** Three people, an event a minute: nr 0 is of ann, nr 1 of ben, nr 2 of a name that a spreadsheet would run. */
const PEOPLE = ['ann', 'ben', '=cmd()']
const EVENTS: TimedEvent[] = Array.from({ length: 30 }, (_, n) => ({
  ts: at(n),
  ...(n % 2 === 0 ? { evt: 'managed.serve' as const, policy: n, status: 200 } : { evt: 'spend.blocked' as const, reason: 'limit' as const }),
  ...WHO,
  sub: PEOPLE[n % 3] as string,
  request_id: `request-${n}`,
}))

/** In another order than they happened in. */
const stored = Array.from({ length: 30 }, (_, n) => (n + 15) % 30)
const latest = [...stored].reverse()

let world: World
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN, audit: { store: true } } })
  const db = connect({ url: world.database.url, maxConnections: 1, observe: () => {} })
  await storeEvents(db, { writer: crypto.randomUUID(), first: 1, records: stored.map((n) => auditRecord(EVENTS[n] as TimedEvent)) }, 5000)
  await db.close()
}, 20_000)
afterAll(() => world.stop(), 20_000)

const get = (query: string, headers: Record<string, string> = {}) => world.gateway.get(`${PATH}?${query}`, undefined, { 'x-api-key': READ_KEY, ...headers })
const ON_DAY = `from=${DAY}&to=${NEXT}`

async function requests(query: string): Promise<number[]> {
  const response = await get(query)
  const { data } = (await response.json()) as { data: { event: { request_id: string } }[] }
  return data.map(({ event }) => Number(event.request_id.slice('request-'.length)))
}


describe('GET /v1/organizations/audit_events', () => {
  test.each([
    ['', latest],
    ['&order=asc', stored],
    ['&limit=3', [14, 13, 12]],
    ['&evt=spend.blocked', latest.filter((n) => n % 2 === 1)],
    ['&evt=spend.blocked&evt=managed.serve', latest],
    ['&evt=session.mint', []],
    ['&user_id=ann', latest.filter((n) => n % 3 === 0)],
    ['&user_id=ben&evt=managed.serve&order=asc', stored.filter((n) => n % 3 === 1 && n % 2 === 0)],
    ["&user_id=ann'%20or%20'1'%3D'1", []],
    ['&request_id=request-7', [7]],
  ])('answers %s in the order in which it was stored', async (query, expected) => {
    expect(await requests(`${ON_DAY}${query}`)).toEqual(expected)
  })

  test.each([
    [`from=${DAY}T10:28:00Z&to=${NEXT}`, [29, 28]],
    [`from=${DAY}T12:28:00%2B02:00&to=${NEXT}`, [29, 28]],
    [`from=${DAY}&to=${DAY}T10:02:00Z`, [1, 0]],
    [`to=${DAY}T10:02:00Z`, [1, 0]],
    [`to=${DAY}`, []],
  ])('takes %s as from a moment to just before another', async (query, expected) => {
    expect(await requests(query)).toEqual(expected)
  })

  test('says of each event where it is in the trail, and what it said', async () => {
    const { data } = (await (await get(`${ON_DAY}&request_id=request-0`)).json()) as { data: object[] }
    const [row] = await world.database.sql`select day::text, seq, encode(hash, 'hex') as hash from audit_event where request_id = 'request-0'`
    expect(data).toEqual([{ type: 'audit_event', id: `${row?.day}:${row?.seq}`, hash: row?.hash, event: EVENTS[0] as object }])
  })

  test.each(['asc', 'desc'])('is read page by page, %s, each event once', async (order) => {
    const seen: number[] = []
    let pages = 0
    for (let page = ''; ; pages++) {
      const answer = (await (await get(`${ON_DAY}&order=${order}&limit=7${page}`)).json()) as { data: { event: { request_id: string } }[]; has_more: boolean; next_page: string | null }
      seen.push(...answer.data.map(({ event }) => Number(event.request_id.slice('request-'.length))))
      expect(answer.has_more).toBe(answer.next_page !== null)
      if (answer.next_page === null) break
      page = `&page=${answer.next_page}`
    }
    expect([seen, pages]).toEqual([order === 'asc' ? stored : latest, 4])
  })

  // T237
  test('takes a page only where it was made', async () => {
    const { next_page } = (await (await get(`${ON_DAY}&limit=7`)).json()) as { next_page: string }
    for (const query of [`from=${DAY}&limit=7&page=${next_page}`, `${ON_DAY}&order=asc&limit=7&page=${next_page}`, `${ON_DAY}&page=${next_page.slice(0, -3)}AAA`, `${ON_DAY}&page=1`]) {
      expect((await get(query)).status).toBe(400)
    }
  })

  // T236, T237
  test.each([
    ['limit=1000000000', 'limit: must be between 1 and 1000'],
    ['limit=0', 'limit: must be between 1 and 1000'],
    ['offset=-1', 'offset: not a parameter of this report, which takes evt, user_id, request_id, from, to, order, limit, page, format'],
    ['from=0000-01-01', 'from: must be of the years 1900 to 9998'],
    ['to=0000-01-01T00:00:00Z', 'to: must be of the years 1900 to 9998'],
    ['from=9999-12-31T23:59:59-23:59', 'from: must be of the years 1900 to 9998'],
    ['order=asc,(select%20pg_sleep(5))', 'order: must be asc or desc'],
    ['sort=id%22;drop%20table--', expect.stringMatching(/^sort: not a parameter/)],
    ['evt=session.mint%27', expect.stringMatching(/^evt: must be config\.load, /)],
    ['evt=inferense', expect.stringMatching(/^evt: must be config\.load, /)],
    ['from=yesterday', expect.stringMatching(/^from: must be an RFC 3339 timestamp/)],
    ['to=2026-02-31', expect.stringMatching(/^to: must be a day/)],
    ['from=2026-08-01&from=2026-08-02', 'from: given twice'],
    ['user_id=a%00b', 'user_id: has a control character'],
    ['format=xml', 'format: must be json, csv or ndjson'],
    ['format=csv&page=x', 'page: a file holds all pages'],
  ])('refuses %s', async (query, message) => {
    const response = await get(query)
    expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ error: { type: 'invalid_request_error', message } })])
  })

  // T225
  test('is for administrators', async () => {
    const alice = await world.signIn('alice')
    for (const headers of [{}, { authorization: `Bearer ${alice.access_token}` }, { 'x-api-key': 'x'.repeat(40) }]) {
      expect((await fetch(`${world.gateway.url}${PATH}`, { headers: headers as Record<string, string> })).status).toBe(401)
    }
    expect((await fetch(`${world.gateway.url}${PATH}`, { method: 'DELETE', headers: { 'x-api-key': READ_KEY } })).status).toBeGreaterThanOrEqual(404)
    await until(async () => (await requestsOf('admin.denied')) > 0)
  })

  const requestsOf = async (evt: string) => ((await (await get(`evt=${evt}`)).json()) as { data: unknown[] }).data.length

  test('says that nothing is stored where nothing is', async () => {
    const silent = await world.replica({ audit: { store: false } })
    const response = await silent.get(PATH, undefined, { 'x-api-key': READ_KEY })
    expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ error: { type: 'not_found_error', message: 'audit events are not stored: audit.store is false' } })])
    await silent.stop()
  })
})

describe('a file of audit events', () => {
  test.each([
    ['&format=ndjson', {}],
    ['', { accept: 'application/x-ndjson' }],
    ['', { accept: 'application/ndjson' }],
  ])('holds a line of JSON for each: %s %j', async (format, headers) => {
    const response = await get(`${ON_DAY}&order=asc&user_id=ann${format}`, headers)
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="audit-events.ndjson"')
    const lines = (await response.text()).trimEnd().split('\n').map((line) => JSON.parse(line))
    expect(lines.map(({ event }) => event)).toEqual(stored.map((n) => EVENTS[n]).filter((event) => event !== undefined && 'sub' in event && event.sub === 'ann') as object[])
  })

  test.each([
    ['&format=csv', {}],
    ['', { accept: 'text/csv' }],
  ])('of CSV holds the lines as they were hashed, and no formulas: %s %j', async (format, headers) => {
    const response = await get(`${ON_DAY}&order=asc&limit=1${format}`, headers)
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present')
    const [head, ...lines] = (await response.text()).trimEnd().split('\r\n')
    expect(head).toBe('id,ts,evt,request_id,issuer,user_id,hash,line')
    expect(lines).toHaveLength(30)
    const place = stored.indexOf(2)
    expect(lines[place]).toMatch(new RegExp(`^[\\d-]+:\\d+,${DAY}T10:02:00\\.000000Z,managed\\.serve,request-2,https://idp\\.example\\.com,'=cmd\\(\\),[0-9a-f]{64},"\\{""ts"":""${DAY}T10:02:00\\.000Z"",.*\\}"$`))
    const kept = (await world.database.sql`select line from audit_event where ts < ${NEXT}::timestamptz order by day, seq`).map(({ line }) => line as string)
    expect(lines.map((line) => line.slice(line.indexOf('"{') + 1, -1).replaceAll('""', '"'))).toEqual(kept)
  })

  test('shows a line that no gateway wrote as it is, and all others', async () => {
    const { sql } = world.database
    const [{ line }] = (await sql`select line from audit_event where request_id = 'request-7'`) as unknown as [{ line: string }]
    const set = (text: string) => sql.begin(async (one) => {
      await one`set local session_replication_role = replica`
      await one`update audit_event set line = ${text} where request_id = 'request-7'`
    })
    await set('no JSON')
    const lines = (await (await get(`${ON_DAY}&format=ndjson`)).text()).trimEnd().split('\n').map((one) => JSON.parse(one))
    expect([lines.length, lines.filter(({ event }) => event === 'no JSON').length]).toEqual([30, 1])
    await set(line)
  })

  test('holds more than is read at once', async () => {
    const db = connect({ url: world.database.url, maxConnections: 1, observe: () => {} })
    const records = Array.from({ length: 4500 }, (_, n) => auditRecord({ ts: `${BEFORE}T00:00:00.000Z`, evt: 'managed.serve', policy: n, status: 200 }))
    await storeEvents(db, { writer: crypto.randomUUID(), first: 1, records }, 20_000)
    await db.close()
    const text = await (await get(`to=${DAY}&order=asc&format=ndjson`)).text()
    expect(text.trimEnd().split('\n').map((line) => JSON.parse(line).event.policy)).toEqual(Array.from({ length: 4500 }, (_, n) => n))
    expect((await (await get('to=2026-01-01&format=csv')).text()).trimEnd().split('\r\n')).toHaveLength(1)
    expect(await (await get('to=2026-01-01&format=ndjson')).text()).toBe('')
  })
})
