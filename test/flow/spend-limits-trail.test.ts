// Who changed which limit; and that no change is there without its line in the trail.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { connect } from '../../src/db/connect.ts'
import { expireLimits, forgetLimitChanges } from '../../src/spend/store.ts'
import { ADMIN, adminCalls, type Call } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'

let world: World
let call: Call
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN } })
  call = adminCalls(world.gateway)
})
afterAll(() => world.stop())
beforeEach(async () => {
  await world.database.sql`delete from spend_limit`
})

const ALICE = { type: 'user', user_id: 'alice' }
const trail = async (query = '') => (await call('GET', `/audit${query}`)).body

describe('the trail', () => {
  test('has a line for every change, newest first, with what was before and after', async () => {
    const first = (await call('POST', '', { scope: ALICE, amount: '100', reason: 'starts today' })).body
    const second = (await call('POST', '', { scope: ALICE, amount: '200' })).body
    await call('DELETE', `/${first.id}?reason=has%20left`)
    const { warning: _, matched: __, ...plain } = first
    const line = { type: 'audit_event', id: expect.stringMatching(/^aud_[0-9a-f]{32}$/), created_at: expect.stringMatching(/Z$/), actor: 'admin-key:ops', target_id: first.id }
    expect((await trail('?limit=3')).data as unknown).toEqual([
      { ...line, action: 'delete', before: { ...plain, amount: '200', updated_at: second.updated_at }, after: null, reason: 'has left' },
      { ...line, action: 'upsert', before: plain, after: { ...plain, amount: '200', updated_at: second.updated_at }, reason: null },
      { ...line, action: 'upsert', before: null, after: plain, reason: 'starts today' },
    ])
  })

  test('knows from where and in which request', async () => {
    const { headers, body } = await call('POST', '', { scope: ALICE, amount: '100' })
    const [row] = await world.database.sql`select request_id, client_ip from spend_limit_audit where target_id = ${body.id}`
    expect(row as unknown).toEqual({ request_id: headers.get('x-request-id'), client_ip: '127.0.0.1' })
  })

  test('is told on standard error as well', async () => {
    const { headers, body } = await call('POST', '', { scope: ALICE, amount_usd: '1' })
    const request_id = headers.get('x-request-id') as string
    expect(await world.gateway.saw('admin.limit.upsert', (event) => event.request_id === request_id)).toEqual({
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/), evt: 'admin.limit.upsert', request_id, client_ip: '127.0.0.1', actor: 'admin-key:ops', limit_id: body.id, scope: 'user', scope_id: 'alice', period: 'monthly', shared: false, amount: '100',
    })
    await call('DELETE', `/${body.id}`)
    expect(await world.gateway.saw('admin.limit.delete', ({ limit_id }) => limit_id === body.id)).toMatchObject({ actor: 'admin-key:ops', scope_id: 'alice', amount_before: '100' })
  })

  test('is read page by page', async () => {
    for (const amount of ['1', '2', '3']) await call('POST', '', { scope: { type: 'organization' }, amount })
    const first = await trail('?limit=2')
    expect(first).toMatchObject({ has_more: true, data: [{ after: { amount: '3' } }, { after: { amount: '2' } }] })
    expect(await trail(`?limit=1&after_id=${first.data[1].id}`)).toMatchObject({ data: [{ after: { amount: '1' } }] })
    const [{ count }] = (await world.database.sql`select count(*)::int from spend_limit_audit`) as unknown as [{ count: number }]
    expect(await trail(`?limit=${count}`)).toMatchObject({ has_more: false })
    expect(await trail(`?limit=${count - 1}`)).toMatchObject({ has_more: true })
  })

  test.each(['limit=0', 'limit=x', 'after_id=spl_00000000000000000000000000000000', 'after_id=aud_1'])('is not read with %s', async (query) => {
    expect((await call('GET', `/audit?${query}`)).status).toBe(400)
  })

  // T231
  test('that cannot be written stops the change', async () => {
    const { sql } = world.database
    const { id } = (await call('POST', '', { scope: ALICE, amount: '100' })).body
    const mark = async () => (await sql`select version from spend_limit_mark`)[0]?.version
    const before = [await sql`select * from spend_limit`, await mark()]
    await sql.unsafe(`create function test_refuse() returns trigger language plpgsql as $$ begin raise exception 'no audit today'; end $$;
      create trigger test_refuse before insert on spend_limit_audit for each row execute function test_refuse()`)
    try {
      for (const answer of [await call('POST', '', { scope: ALICE, amount: '200' }), await call('POST', '', { scope: { type: 'organization' }, amount: '0' }), await call('DELETE', `/${id}`)]) {
        expect([answer.status, answer.body.error.message]).toEqual([500, 'internal error'])
      }
      expect([await sql`select * from spend_limit`, await mark()]).toEqual(before as never)
    } finally {
      await sql.unsafe('drop trigger test_refuse on spend_limit_audit; drop function test_refuse()')
    }
    expect((await call('POST', '', { scope: ALICE, amount: '200' })).body).toMatchObject({ id, amount: '200' })
  })

  // T233
  test.each(["update spend_limit_audit set actor = 'nobody'", 'delete from spend_limit_audit', 'truncate spend_limit_audit'])('refuses to be rewritten: %s', async (statement) => {
    const { sql } = world.database
    await call('POST', '', { scope: ALICE, amount: '100' })
    const before = await sql`select * from spend_limit_audit order by id`
    const failure = await sql.unsafe(statement).then(() => 'done', (error: Error) => error.message)
    expect(failure).toBe('the audit trail is append-only')
    expect(await sql`select * from spend_limit_audit order by id`).toEqual(before)
  })

  test('forgets what it keeps no longer, and nothing else, and then refuses again', async () => {
    const { sql } = world.database
    const { id } = (await call('POST', '', { scope: ALICE, amount: '100' })).body
    await sql`insert into spend_limit_audit (created_at, actor, action, target_id) values (now() - interval '364 days', 'x', 'upsert', 'younger'), (now() - interval '366 days', 'x', 'upsert', 'older')`
    const db = connect({ url: world.database.url, maxConnections: 1, observe: () => {} })
    try {
      await expireLimits(db)
      await forgetLimitChanges(db, 365)
      const left = (await sql`select target_id from spend_limit_audit`).map(({ target_id }) => target_id as string)
      expect(left).toContain('younger')
      expect(left).toContain(id)
      expect(left).not.toContain('older')
      // The same connection, so that nothing of the sweep is left on it.
      expect(await db.script('delete from spend_limit_audit').catch((error: Error) => error.message)).toBe('database: statement failed (P0001)')
    } finally {
      await db.close()
    }
  })
})
