// Reports that are large, slow, or many at once.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { parse } from 'csv-parse/sync'
import { sql } from 'drizzle-orm'
import { connect } from '../../src/db/connect.ts'
import { createReportDatabase } from '../../src/report/report-database.ts'
import { createTurnstile } from '../../src/report/turnstile.ts'
import { startWorld, type World } from '../support/gateway.ts'
import { setClock, settle } from '../support/report-rows.ts'

const READ = 'read-key-canary-of-more-than-32-bytes'
const USAGE = '/v1/organizations/usage_report/messages'
/** More than one answer may hold, and more than twice what one statement of a file reads. */
const MANY = 10_050

let world: World
beforeAll(async () => {
  world = await startWorld({ config: { admin: { write_keys: [], read_keys: [{ id: 'finance', key: READ }] } } })
  await setClock(world.database.sql, '2026-08-20T12:34:56Z')
  const session = (at: number) => (at === 0 ? null : at === 1 ? '' : `=session-${at}`)
  await settle(world.database.sql, Array.from({ length: 3 }, (_, at) => ({ at: `2026-08-0${at + 1}T00:00:00Z`, input: 1, session: 'small' })))
  await settle(world.database.sql, Array.from({ length: MANY }, (_, at) => ({ at: '2026-08-04T05:00:00Z', input: 1, session: session(at) })))
})
afterAll(() => world.stop())

const get = (query: string) => world.gateway.get(`${USAGE}?${query}`, undefined, { 'x-api-key': READ })
const DAYS = 'starting_at=2026-08-01T00:00:00Z&ending_at=2026-08-06T00:00:00Z&group_by[]=session'

describe('a report of very many results', () => {
  test('comes in fewer buckets than were asked for, and says so', async () => {
    const first = (await (await get(DAYS)).json()) as { data: { results: object[] }[]; has_more: boolean; next_page: string }
    expect([first.data.map(({ results }) => results.length), first.has_more]).toEqual([[1, 1, 1], true])
    const second = await get(`${DAYS}&page=${first.next_page}`)
    expect([second.status, ((await second.json()) as { error: { message: string } }).error.message]).toEqual([400, 'group_by[]: more than 10000 results in one bucket; filter, take narrower buckets, or ask with format=csv'])
  })

  test('is whole as a file: each row once, over several statements, and its cells are no formulas', async () => {
    const rows = parse(await (await get(`${DAYS}&format=csv`)).text(), { columns: true }) as { session_id: string; uncached_input_tokens: string }[]
    // No session and an empty one say the same.
    expect(rows).toHaveLength(3 + MANY - 1)
    expect(new Set(rows.slice(3).map(({ session_id }) => session_id)).size).toBe(MANY - 1)
    expect(rows.reduce((sum, row) => sum + Number(row.uncached_input_tokens), 0)).toBe(3 + MANY)
    expect(rows.filter(({ session_id }) => session_id.startsWith('='))).toEqual([])
  })
})

describe('slow reports', () => {
  test('keep other reports waiting a moment, and nobody who signs in or asks a model', async () => {
    const { access_token } = await world.signIn('alice')
    const locked = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const lock = world.database.sql.begin(async (transaction) => {
      await transaction`lock table usage_hour, usage_day in access exclusive mode`
      locked.resolve()
      await release.promise
    })
    await locked.promise
    const slow = [get('starting_at=2026-08-01T00:00:00Z'), get('starting_at=2026-08-02T00:00:00Z')]
    // Both have a connection and wait there.
    for (let waiting = 0; waiting < 2; ) waiting = Number((await world.database.sql`select count(*) from pg_locks where relation in ('usage_hour'::regclass, 'usage_day'::regclass) and not granted`)[0]?.count)
    const refused = await get('starting_at=2026-08-03T00:00:00Z')
    expect([refused.status, refused.headers.get('retry-after'), ((await refused.json()) as { error: { message: string } }).error.message]).toEqual([503, '5', 'other reports are being made; try again'])
    expect((await world.gateway.post('/v1/messages', { model: 'claude-sonnet-5', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] }, access_token)).status).toBe(200)
    expect((await world.signIn('bob')).access_token).toBeString()
    release.resolve()
    await lock
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200])
  })

  test('are given up at the server, and their asker is told to ask for less', async () => {
    const db = connect({ url: world.database.url, maxConnections: 1, statementTimeoutMs: 50, observe: () => {} })
    const reports = createReportDatabase(db, createTurnstile({ atOnce: 1, mostWaiting: 1 }), 1000)
    expect(await reports.run(sql`select pg_sleep(20)`).catch((error) => error)).toMatchObject({ kind: 'unavailable', message: 'this takes the database too long; ask for fewer days at once, or in less detail' })
    expect(await reports.run(sql`select 1 as one`)).toEqual([{ one: 1 }])
    await db.close()
  })
})
