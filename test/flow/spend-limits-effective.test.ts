// What holds for whom, and what they have spent (contract §6).
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, adminCalls, type Call } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'

let world: World
let call: Call
let issuer: string
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN } })
  call = adminCalls(world.gateway)
  issuer = world.idp.issuer
  const { sql } = world.database
  // A Sunday: the week began on Monday the 23rd of February, the month yesterday.
  await sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select timestamptz '2026-03-01T12:00:00Z' $$`)
  const people: [string, string | null, string | null, string[]][] = [
    ['ada', 'ada@example.com', 'Ada Lovelace', ['eng', 'ops']],
    ['bea', 'Bea@Example.com', 'Bea 100% _', ['ops']],
    ['cyd', null, null, []],
    ['dan', 'dan@example.com', 'Dan', ['eng']],
  ]
  for (const [sub, email, name, groups] of people) await sql`insert into person (issuer, sub, email, name, groups) values (${issuer}, ${sub}, ${email}, ${name}, ${JSON.stringify(groups)}::text::jsonb)`
  const spend: [string, string, bigint][] = [
    ['ada', '2026-03-01', 10_000_000n * 300n],
    ['ada', '2026-02-28', 10_000_000n * 40n],
    ['ada', '2026-02-22', 10_000_000n * 5000n],
    ['ada', '2026-03-02', 10_000_000n * 7000n],
    ['bea', '2026-03-01', 412_801_250_000n],
    ['bea', '2026-02-23', 1n],
    ['cyd', '2026-02-28', 10_000_000n],
  ]
  for (const [sub, day, spent] of spend) await sql`insert into spend_day (scope, scope_id, day, spent) values ('user', ${`${issuer} ${sub}`}, ${day}, ${spent.toString()})`
  const set = async (scope: object, amount: string | null, more = {}) => (await call('POST', '', { scope, amount, ...more })).body.id
  ids = {
    organization: await set({ type: 'organization' }, '10000'),
    eng: await set({ type: 'rbac_group', rbac_group_id: 'eng' }, '900'),
    ops: await set({ type: 'rbac_group', rbac_group_id: 'ops' }, '800'),
    dan: await set({ type: 'user', user_id: 'dan' }, null),
    daily: await set({ type: 'organization' }, '0', { period: 'daily' }),
  }
})
afterAll(() => world.stop())

let ids: Record<string, string>
interface Summary {
  scope: { user_id: string }
  period: string
  amount: string | null
  spend_limit_id: string | null
  source: { type: string } | null
  period_to_date_spend: string
}
const rows = async (query: string): Promise<Summary[]> => (await call('GET', `/effective${query}`)).body.data
const brief = (summaries: readonly Summary[]) => summaries.map(({ scope, period, amount, source, period_to_date_spend }) => `${scope.user_id} ${period} ${source?.type} ${amount} ${period_to_date_spend}`)

describe('what holds', () => {
  test('is told for everybody who spent, period by period', async () => {
    expect(brief(await rows(''))).toEqual([
      'ada daily organization 0 300',
      'ada weekly undefined null 340',
      'ada monthly rbac_group 800 300',
      'bea daily organization 0 41280.125',
      'bea weekly undefined null 41280.1250001',
      'bea monthly rbac_group 800 41280.125',
      'cyd daily organization 0 0',
      'cyd weekly undefined null 1',
      'cyd monthly organization 10000 0',
      'dan daily organization 0 0',
      'dan weekly undefined null 0',
      'dan monthly user null 0',
    ])
  })

  test('has exactly the contract’s shape', async () => {
    const { body } = await call('GET', '/effective?user_ids[]=ada&period[]=monthly')
    expect(body).toEqual({
      data: [
        {
          scope: { type: 'user', user_id: 'ada' },
          groups: ['eng', 'ops'],
          actor: { type: 'user_actor', user_id: 'ada', name: 'Ada Lovelace', email_address: 'ada@example.com', deleted: false },
          amount: '800',
          currency: 'USD',
          period: 'monthly',
          source: { type: 'rbac_group', rbac_group_id: 'ops' },
          spend_limit_id: ids.ops,
          period_to_date_spend: '300',
        },
      ],
      next_page: null,
    })
    expect((await rows('?user_ids[]=dan&period[]=monthly'))[0]).toMatchObject({ amount: null, source: { type: 'user', user_id: 'dan' }, spend_limit_id: ids.dan })
    expect((await rows('?user_ids[]=dan&period[]=weekly'))[0]).toMatchObject({ amount: null, source: null, spend_limit_id: null })
  })

  test('is told of whoever is named, with the brackets plain or encoded, seen or not', async () => {
    const expected = ['ada monthly rbac_group 800 300', 'nobody monthly organization 10000 0']
    for (const query of ['?user_ids[]=ada&user_ids[]=nobody&period[]=monthly', '?user_ids%5B%5D=ada&user_ids%5B%5D=nobody&period%5B%5D=monthly', '?user_ids=ada&user_ids=nobody&user_ids=ada&period=monthly&beta=true']) expect(brief(await rows(query))).toEqual(expected)
    expect((await rows('?user_ids[]=nobody&period[]=daily'))[0]).toMatchObject({ actor: { name: null, email_address: null }, groups: [] })
  })

  test('knows somebody who signed in and has not spent', async () => {
    await world.signIn('alice')
    expect((await rows('?user_ids[]=alice&period[]=daily'))[0]).toMatchObject({ actor: { name: 'Alice A', email_address: 'alice@example.com' }, groups: ['engineering'] })
    expect(brief(await rows('?period[]=daily'))).toHaveLength(4)
  })

  test.each([
    ['ADA', ['ada']],
    ['lovelace', ['ada']],
    ['@example.com', ['ada', 'bea', 'dan']],
    // No wildcard is one.
    ['%25', ['bea']],
    ['_', ['bea']],
    ["'", []],
    ['cyd', ['cyd']],
    ['a@ea', []],
  ])('is found by a part of the sub, address or name: %s', async (search, expected) => {
    expect((await rows(`?q=${search}&period[]=monthly`)).map(({ scope }) => scope.user_id)).toEqual(expected)
  })

  test('comes with the most spent first', async () => {
    expect(brief(await rows('?sort=spend_desc&period[]=weekly')).map((row) => row.split(' ')[0])).toEqual(['bea', 'ada', 'cyd', 'dan'] as never)
    expect(brief(await rows('?sort=spend_desc&period[]=monthly')).map((row) => row.split(' ')[0])).toEqual(['bea', 'ada', 'cyd', 'dan'] as never)
  })

  test.each(['', '?period[]=monthly', '?period[]=daily&period[]=monthly', '?sort=spend_desc&period[]=weekly', '?sort=spend_desc&period[]=daily', '?q=a', '?user_ids[]=dan&user_ids[]=nobody&user_ids[]=ada'])('comes page by page, each row once: %p', async (query) => {
    const whole = await rows(query === '' ? '?limit=1000' : `${query}&limit=1000`)
    for (const limit of [1, 2, 3, 5, 7]) {
      const paged: Summary[] = []
      let page = ''
      do {
        const { body } = await call('GET', `/effective${query === '' ? '?' : `${query}&`}limit=${limit}${page}`)
        expect(body.data.length).toBeLessThanOrEqual(limit)
        paged.push(...body.data)
        page = body.next_page === null ? '' : `&page=${encodeURIComponent(body.next_page)}`
      } while (page !== '' && paged.length <= whole.length)
      expect(paged).toEqual(whole)
    }
  })

  test('turns a page of this query alone', async () => {
    const { next_page } = (await call('GET', '/effective?limit=1')).body
    expect(next_page).toMatch(/^page_/)
    const flipped = next_page.replace(/^(page_.{4})(.)/, (_: string, head: string, letter: string) => head + (letter === 'A' ? 'B' : 'A'))
    for (const [query, page] of [['period[]=daily', next_page], ['q=a', next_page], ['user_ids[]=ada', next_page], ['limit=1', flipped], ['limit=1', 'page_'], ['limit=1', '2'], ['limit=1', `${next_page}x`], ['limit=1', "page_'--.0000000000000000"], ['limit=1', '%00']]) {
      const { status, body } = await call('GET', `/effective?${query}&page=${page}`)
      expect([status, body.error.message]).toEqual([400, 'page: does not belong to this query: begin with its first page'])
    }
  })

  test.each([
    ['period[]=yearly', 'period[]: must be one of daily, weekly, monthly'],
    ['period[]=toString', 'period[]: must be one of daily, weekly, monthly'],
    ['sort=spend_desc', 'sort: spend_desc needs exactly one period[]'],
    ['sort=spend_desc&period[]=daily&period[]=weekly', 'sort: spend_desc needs exactly one period[]'],
    ['sort=spend_asc&period[]=daily', 'sort: must be spend_desc'],
    ['sort=%22id%22;drop%20table%20spend_limit--&period[]=daily', 'sort: must be spend_desc'],
    ['sort=spend_desc,(select%20pg_sleep(5))&period[]=daily', 'sort: must be spend_desc'],
    ['limit=0', 'limit: must be a whole number from 1 to 1000'],
    ['limit=1000000000', 'limit: must be a whole number from 1 to 1000'],
    ['q=%00', 'q: has a character that cannot be printed'],
    ['q=a&q=b', 'q: is given twice'],
    ['user_ids[]=a%00', 'user_ids[]: has a character that cannot be printed'],
  ])('is not told with %s', async (query, message) => {
    const { status, body } = await call('GET', `/effective?${query}`)
    expect([status, body.error.message]).toEqual([400, message])
  })

  // T236
  test.each(["?q=')%20or%20pg_sleep(5)--", "?user_ids[]='%20or%201=1--", '?order=asc,(select%20pg_sleep(5))', '?q=%5C'])('takes %s for what it says', async (query) => {
    expect((await call('GET', `/effective${query}`)).status).toBe(200)
  })

  test('shows what is shared beside what is each one’s own', async () => {
    const { sql } = world.database
    const pool = (await call('POST', '', { scope: { type: 'rbac_group', rbac_group_id: 'ops' }, amount: '5000', shared: true })).body
    const everybody = (await call('POST', '', { scope: { type: 'organization' }, amount: '90000', shared: true })).body
    await sql`insert into spend_day (scope, scope_id, day, spent) values ('rbac_group', 'ops', '2026-03-01', 12345000), ('rbac_group', 'ops', '2026-02-28', 99000000), ('organization', '', '2026-03-01', 50000000)`
    expect((await rows('?user_ids[]=ada&period[]=monthly'))[0]).toMatchObject({
      amount: '800',
      pools: [
        { scope: { type: 'rbac_group', rbac_group_id: 'ops' }, amount: '5000', spend_limit_id: pool.id, period_to_date_spend: '1.2345' },
        { scope: { type: 'organization' }, amount: '90000', spend_limit_id: everybody.id, period_to_date_spend: '5' },
      ],
    })
    expect((await rows('?user_ids[]=cyd&period[]=monthly'))[0]).toMatchObject({ pools: [{ spend_limit_id: everybody.id }] })
    expect((await rows('?user_ids[]=ada&period[]=weekly'))[0]).not.toHaveProperty('pools')
    for (const { id } of [pool, everybody]) await call('DELETE', `/${id}`)
  })

  test('follows group_limit_mode', async () => {
    const replica = await world.replica({ admin: { ...ADMIN, group_limit_mode: 'max' } })
    const { body } = await adminCalls(replica)('GET', '/effective?user_ids[]=ada&period[]=monthly')
    expect(body.data).toMatchObject([{ amount: '900', source: { type: 'rbac_group', rbac_group_id: 'eng' }, spend_limit_id: ids.eng }])
  })
})
