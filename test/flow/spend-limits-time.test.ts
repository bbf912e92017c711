// Limits that come and go: temporary ones, ones that wait for somebody, and what the other replicas know of it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { connect } from '../../src/db/connect.ts'
import { createBindPending } from '../../src/spend/bind-pending.ts'
import { createLimitList, type LimitList } from '../../src/spend/limit-list.ts'
import { limitsOf } from '../../src/spend/limits-of.ts'
import { expireLimits, forgetLimitChanges } from '../../src/spend/store.ts'
import type { Observation } from '../../src/observe/events.ts'
import { ADMIN, adminCalls, until, type Call } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'

let world: World
let call: Call
let limits: LimitList
let db: ReturnType<typeof connect>
const observed: Observation[] = []
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN } })
  call = adminCalls(world.gateway)
  await world.signIn('alice')
  db = connect({ url: world.database.url, maxConnections: 2, observe: () => {} })
  // What another replica holds.
  limits = createLimitList({ db, observe: (observation) => observed.push(observation), pollMs: 20 })
  await limits.refresh()
  limits.start()
})
afterAll(async () => {
  limits.stop()
  await db.close()
  await world.stop()
})
beforeEach(async () => {
  await world.database.sql`delete from spend_limit`
  await setClock('0 seconds')
})

const setClock = (later: string) => world.database.sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select now() + interval '${later}' $$`)
const ALICE = { type: 'user', user_id: 'alice' }
const soon = () => new Date(Date.now() + 3_600_000).toISOString()
const rules = { groupLimitMode: 'min', billingGroupTag: undefined } as const
/** Cents that a person may spend in a month, as the other replica sees it. */
function heldFor(sub = 'alice', email = `${sub}@example.com`): number | undefined {
  const monthly = limitsOf({ issuer: world.idp.issuer, sub, email, groups: [] }, limits.current(), rules).own.find(({ period }) => period === 'monthly')
  return monthly && Number(monthly.amount / 10_000_000n)
}
const trailOf = async (id: string) => (await call('GET', '/audit?limit=1000')).body.data.filter(({ target_id }: { target_id: string }) => target_id === id)

describe('a change', () => {
  test('is known to another replica within its poll', async () => {
    const { id } = (await call('POST', '', { scope: ALICE, amount: '100' })).body
    await until(() => heldFor() === 100)
    await call('POST', '', { scope: ALICE, amount: '5' })
    await until(() => heldFor() === 5)
    await call('DELETE', `/${id}`)
    await until(() => heldFor() === undefined)
  })

  test('is known to the replica that made it when it answers', async () => {
    await call('POST', '', { scope: ALICE, amount: '100' })
    expect((await call('GET', '/effective?user_ids[]=alice&period[]=monthly')).body.data).toMatchObject([{ amount: '100' }])
  })

  test('is known to a gateway beside it, which nobody told', async () => {
    const at = adminCalls(await world.replica())
    await call('POST', '', { scope: ALICE, amount: '77' })
    await until(async () => (await at('GET', '/effective?user_ids[]=alice&period[]=monthly')).body.data[0].amount === '77')
  })
})

test('while the database is away the last list stands, with a warning, and afterwards it is followed again', async () => {
  const { hostname, port } = new URL(world.database.url)
  const proxy = await createTcpProxy(hostname, Number(port))
  const url = new URL(world.database.url)
  url.port = String(proxy.port)
  const said: Observation[] = []
  const behind = connect({ url: url.href, maxConnections: 1, observe: () => {} })
  const list = createLimitList({ db: behind, observe: (observation) => said.push(observation), pollMs: 20 })
  const held = () => limitsOf({ issuer: '', sub: 'alice', email: undefined, groups: [] }, list.current(), rules).own[0]?.amount
  try {
    await call('POST', '', { scope: ALICE, amount: '1' })
    await list.refresh()
    list.start()
    proxy.set('refuse')
    await call('POST', '', { scope: ALICE, amount: '2' })
    await until(() => said.some((observation) => 'op' in observation && observation.op === 'warn' && observation.message.startsWith('spend limits: keeping the last list: ')))
    expect(held()).toBe(10_000_000n)
    proxy.set('pass')
    await until(() => held() === 20_000_000n)
  } finally {
    list.stop()
    await behind.close()
    proxy.stop()
  }
})

describe('a temporary limit', () => {
  test('is laid over the one before, and gives way to it when its time is over by the clock of the database', async () => {
    const base = (await call('POST', '', { scope: ALICE, amount: '100' })).body
    const expires_at = soon()
    const raised = (await call('POST', '', { scope: ALICE, amount: '900', expires_at, reason: 'release week' })).body
    expect(raised).toEqual({ ...base, updated_at: raised.updated_at, amount: '900', expires_at, base_amount: '100' })
    expect((await call('GET', `/${base.id}`)).body).toEqual(raised)
    await until(() => heldFor() === 900)

    await setClock('2 hours')
    await until(() => heldFor() === 100)
    expect((await call('GET', `/${base.id}`)).body).toMatchObject({ amount: '100' })
    expect((await call('GET', `/${base.id}`)).body).not.toHaveProperty('expires_at')
    await expireLimits(db)
    await forgetLimitChanges(db, 365)
    expect((await trailOf(base.id))[0]).toMatchObject({ actor: 'gateway', action: 'expire', before: { amount: '900', expires_at, base_amount: '100' }, after: { amount: '100' } })
    expect(await trailOf(base.id)).toHaveLength(3)
    await expireLimits(db)
    await forgetLimitChanges(db, 365)
    expect(await trailOf(base.id)).toHaveLength(3)
  })

  test('goes without a trace in the list where there was none before', async () => {
    const { id, ...raised } = (await call('POST', '', { scope: ALICE, amount: null, expires_at: soon() })).body
    expect(raised).not.toHaveProperty('base_amount')
    await call('POST', '', { scope: { type: 'organization' }, amount: '7' })
    await until(() => heldFor() === undefined && heldFor('bob') === 7)
    await setClock('2 hours')
    await until(() => heldFor() === 7)
    expect((await call('GET', `/${id}`)).status).toBe(404)
    expect((await call('GET', '?scope_type=user')).body.data).toEqual([])
    expect((await call('DELETE', `/${id}`)).status).toBe(404)
    expect((await trailOf(id))[0]).toMatchObject({ action: 'expire', after: null })
    const next = (await call('POST', '', { scope: ALICE, amount: '3' })).body
    expect(next.id).not.toBe(id)
  })

  test('ends with the next one that is set without an end', async () => {
    const { id } = (await call('POST', '', { scope: ALICE, amount: '900', expires_at: soon() })).body
    const base = (await call('POST', '', { scope: ALICE, amount: '50' })).body
    expect([base.id, base.amount, base.expires_at]).toEqual([id, '50', undefined])
    await until(() => heldFor() === 50)
  })

  test('may be laid over another, and the base stays', async () => {
    await call('POST', '', { scope: ALICE, amount: null })
    await call('POST', '', { scope: ALICE, amount: '900', expires_at: soon() })
    expect((await call('POST', '', { scope: ALICE, amount: '5', expires_at: '2999-01-01T01:00:00+01:00' })).body).toMatchObject({ amount: '5', base_amount: null, expires_at: '2999-01-01T00:00:00.000Z' })
  })

  test('is past by the clock of the database, not by ours', async () => {
    await setClock('2 hours')
    const { status, body } = await call('POST', '', { scope: ALICE, amount: '5', expires_at: soon() })
    expect([status, body.error.message]).toEqual([400, 'expires_at: is past'])
    await setClock('-20 years')
    expect((await call('POST', '', { scope: ALICE, amount: '5', expires_at: '2020-01-01T00:00:00Z' })).status).toBe(200)
  })
})

describe('a limit for an address', () => {
  const CAROL = { type: 'user', user_email: 'Carol@Example.com' }

  test('holds by the address until its person signs in, and is theirs from then on', async () => {
    const pending = (await call('POST', '', { scope: CAROL, amount: '40' })).body
    expect(pending).toMatchObject({ scope: { type: 'user', user_email: 'carol@example.com' }, matched: false, warning: 'nobody has signed in as carol@example.com; the limit is theirs from their first sign-in with this address' })
    expect((await call('POST', '', { scope: CAROL, amount: '41' })).body).toMatchObject({ id: pending.id, created_at: pending.created_at })
    await until(() => heldFor('sub-of-carol', 'CAROL@example.com') === 41)

    world.idp.setClaims('carol', { email: 'carol@example.com', email_verified: true, name: 'Carol', groups: [] })
    await world.signIn('carol')
    expect(await world.gateway.saw('admin.limit.bind', ({ limit_id }) => limit_id === pending.id)).toMatchObject({ sub: 'carol', email: 'carol@example.com', period: 'monthly', outcome: 'bound' })
    const bound = (await call('GET', `/${pending.id}`)).body
    expect(bound).toMatchObject({ scope: { type: 'user', user_id: 'carol' }, amount: '41' })
    expect(bound).not.toHaveProperty('matched')
    expect((await trailOf(pending.id))[0]).toMatchObject({ actor: 'gateway', action: 'bind', before: { scope: { user_email: 'carol@example.com' } }, after: { scope: { user_id: 'carol' } } })
    // The address is free again: somebody else may get it.
    await until(() => heldFor('carol', 'another@example.com') === 41 && heldFor('another', 'carol@example.com') === undefined)
    expect((await call('POST', '', { scope: CAROL, amount: '42' })).body).toMatchObject({ id: pending.id, amount: '42' })
  })

  test('gives way to one of the person’s own for the same period, and the trail says so', async () => {
    const scope = { type: 'user', user_email: 'bob@example.com' }
    const [monthly, daily] = [(await call('POST', '', { scope, amount: '1' })).body, (await call('POST', '', { scope, amount: '2', period: 'daily' })).body]
    const own = (await call('POST', '', { scope: { type: 'user', user_id: 'bob' }, amount: '3' })).body
    await until(() => heldFor('bob') === 3)
    await world.signIn('bob')
    expect((await call('GET', '?scope_type=user')).body.data.map(({ id }: { id: string }) => id)).toEqual([daily.id, own.id])
    expect((await trailOf(monthly.id))[0]).toMatchObject({ action: 'bind', after: null, reason: `they have a monthly limit already: ${own.id}` })
    expect((await trailOf(daily.id))[0]).toMatchObject({ action: 'bind', after: { scope: { user_id: 'bob' } } })
  })

  test('is found again by the address when its person was missed', async () => {
    const { id } = (await call('POST', '', { scope: ALICE, amount: '1' })).body
    // As it is when they signed in at a replica that had not heard of it.
    await world.database.sql`update spend_limit set scope_id = '', user_email = 'alice@example.com' where id = ${id}`
    expect((await call('POST', '', { scope: { type: 'user', user_email: 'alice@example.com' }, amount: '2' })).body).toMatchObject({ id, scope: ALICE, amount: '2' })
  })

  test('does not stop a sign-in whose limit cannot be bound', async () => {
    const said: Observation[] = []
    const { sql } = world.database
    const { id } = (await call('POST', '', { scope: { type: 'user', user_email: 'dave@example.com' }, amount: '1' })).body
    await limits.refresh()
    const bind = createBindPending({ db, limits, observe: (observation) => said.push(observation), tell: (observation) => said.push(observation) })
    await sql.unsafe(`create function test_refuse() returns trigger language plpgsql as $$ begin raise exception 'no audit today'; end $$;
      create trigger test_refuse before insert on spend_limit_audit for each row execute function test_refuse()`)
    try {
      await bind({ sub: 'dave', email: 'dave@example.com' }, { requestId: 'r', clientIp: '127.0.0.1' })
    } finally {
      await sql.unsafe('drop trigger test_refuse on spend_limit_audit; drop function test_refuse()')
    }
    expect(said).toMatchObject([{ op: 'warn', message: 'spend limits: not bound to who signed in: database: statement failed (P0001)' }])
    expect((await call('GET', `/${id}`)).body).toMatchObject({ scope: { user_email: 'dave@example.com' } })
    expect(heldFor('dave')).toBe(1)
  })
})

test('a group with a limit is not cut from the token of somebody with very many groups', async () => {
  const groups = Array.from({ length: 900 }, (_, at) => `a-group-with-quite-a-long-name-${at}`)
  world.idp.setClaims('erin', { email: 'erin@example.com', email_verified: true, groups })
  await call('POST', '', { scope: { type: 'rbac_group', rbac_group_id: groups[899] }, amount: '1' })
  const { access_token } = await world.signIn('erin')
  const payload = JSON.parse(Buffer.from(access_token.split('.')[1] as string, 'base64url').toString()) as { groups: string[] }
  expect(payload.groups.length).toBeLessThan(900)
  expect(payload.groups).toContain(groups[899] as string)
})
