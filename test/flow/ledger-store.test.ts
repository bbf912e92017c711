// The statements of the ledger on a real PostgreSQL: once, whatever is repeated, interrupted or done at the same time.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connect, type Database } from '../../src/db/connect.ts'
import { DatabaseError } from '../../src/db/database-error.ts'
import type { LedgerRequest } from '../../src/ledger/execution.ts'
import { admitBatch, forget, makePartitions, markAlive, readCounters, settleBatch, sweepDead, type LimitedCounter } from '../../src/ledger/store.ts'
import { NO_USAGE } from '../../src/pricing/usage.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { ALICE, ALICE_KEY, conservative, execution, request, settlement } from '../support/ledger-rows.ts'

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createTestDatabase()
  db = connect({ url: database.url, maxConnections: 10, observe: () => {} })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
afterEach(async () => {
  await database.sql`truncate usage, usage_hour, usage_day, usage_hold, spend_day, person, group_set, gateway_process`
  await setClock('now()')
})

const PROCESS = '00000000-0000-4000-8000-000000000001'
const LIMIT: LimitedCounter = { scope: 'user', scopeId: ALICE_KEY, limits: { daily: 1000n } }

/** Puts the clock of all rules about money to a moment of the test's. */
async function setClock(expression: string): Promise<void> {
  await database.sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select ${expression} $$`)
}
const at = (moment: string) => setClock(`timestamptz '${moment}'`)

const admit = (one: LedgerRequest, { counters = [] as LimitedCounter[], held = 0, cost = 500 } = {}) =>
  admitBatch(db, PROCESS, [{ requestId: one.requestId, counters, held: BigInt(held), conservative: conservative(one, cost) }], 5000).then(([row]) => row as NonNullable<typeof row>)

const settle = (one: LedgerRequest, ...costs: number[]) => {
  const { requests, rows } = settlement(one, costs.map((cost) => execution(cost)))
  return settleBatch(db, requests, rows, 5000)
}

/** What the ledger says, in each of the ways in which it says it. */
async function totals() {
  const [usage] = await database.sql`select count(*)::int as rows, coalesce(sum(cost), 0)::int as cost from usage`
  const [hour] = await database.sql`select coalesce(sum(requests), 0)::int as requests, coalesce(sum(cost), 0)::int as cost from usage_hour`
  const [ofDays] = await database.sql`select coalesce(sum(requests), 0)::int as requests, coalesce(sum(cost), 0)::int as cost from usage_day`
  const [day] = await database.sql`select coalesce(sum(spent) filter (where scope = 'user'), 0)::int as spent, coalesce(sum(spent) filter (where scope = 'organization'), 0)::int as all_spent, coalesce(sum(held), 0)::int as held from spend_day`
  const [holds] = await database.sql`select count(*)::int as holds from usage_hold`
  return { rows: usage?.rows, cost: usage?.cost, hourRows: hour?.requests, hourCost: hour?.cost, dayRows: ofDays?.requests, dayCost: ofDays?.cost, spent: day?.spent, allSpent: day?.all_spent, held: day?.held, holds: holds?.holds }
}
const standing = (rows: number, cost: number, { held = 0, holds = 0 } = {}) => ({ rows, cost, hourRows: rows, hourCost: cost, dayRows: rows, dayCost: cost, spent: cost, allSpent: cost, held, holds })

test.each(['a "quoted" team', 'back\\slash', '{a,b}', 'null', 'equipe α\n'])('the limit of a pool called %p holds', async (scopeId) => {
  const limited = request({ pools: [scopeId] })
  const counters: LimitedCounter[] = [{ scope: 'rbac_group', scopeId, limits: { weekly: 60n } }]
  expect(await admit(limited, { counters })).toMatchObject({ isAdmitted: true })
  await settle(limited, 60)
  expect(await admit(request(), { counters })).toMatchObject({ isAdmitted: false, sums: [{ spent: { weekly: 60n } }] })
  // The answer to the first attempt was lost: it is still running.
  const running = request()
  const { startedAt } = await admit(running)
  expect(await admit(running, { counters })).toMatchObject({ isAdmitted: true, startedAt })
})

describe('a settlement', () => {
  test('ends the hold, writes a row for each execution, and moves counters and the ledger by hour', async () => {
    const one = request({ pools: ['engineering'] })
    const { startedAt } = await admit(one, { counters: [LIMIT], held: 500 })
    expect(await totals()).toEqual({ ...standing(0, 0), held: 500, holds: 1 })
    expect(await settle(one, 0, 70)).toBe(2)
    expect(await totals()).toEqual(standing(2, 70))
    const rows = await database.sql`select seq, started_at, issuer, sub, client, rate_input::int, input_tokens::int, cost::int from usage order by seq`
    expect([...rows] as unknown).toEqual([0, 70].map((cost, n) => ({ seq: n + 1, started_at: startedAt, issuer: ALICE.issuer, sub: 'alice', client: 'claude-cli', rate_input: 1_000_000, input_tokens: cost, cost })))
    const [pool] = await database.sql`select spent::int from spend_day where scope = 'rbac_group' and scope_id = 'engineering'`
    const [person] = await database.sql`select email, name, groups from person`
    const [groups] = await database.sql`select groups from group_set join usage on usage.group_set = group_set.id limit 1`
    expect([pool?.spent, person, groups] as unknown).toEqual([70, { email: ALICE.email, name: 'Alice', groups: ALICE.groups }, { groups: ['engineering', 'staff'] }])
  })

  // T221
  test.each([true, false])('counts once however often it is sent, at the same time too (held before: %p)', async (isHeld) => {
    const many = Array.from({ length: 20 }, () => request())
    if (isHeld) for (const one of many) await admit(one, { counters: [LIMIT], held: 1 })
    const parts = many.map((one) => settlement(one, [execution(10)]))
    const send = () => settleBatch(db, parts.flatMap(({ requests }) => requests), parts.flatMap(({ rows }) => rows), 5000)
    const fresh = await Promise.all(Array.from({ length: 5 }, send))
    expect(fresh.reduce((sum, count) => sum + count)).toBe(20)
    expect(await totals()).toEqual(standing(20, 200))
  })

  test('of a request whose admission was never heard of begins when it says, and once', async () => {
    const one = request({ startedAt: new Date(Date.now() - 3000) })
    await settle(one, 10)
    await settle(one, 10)
    const [row] = await database.sql`select started_at from usage`
    expect([row?.started_at, await totals()]).toEqual([one.startedAt, standing(1, 10)])
  })

  // The answer to an admission was lost, and then the one to its settlement.
  test('is found again although the program believes in another beginning', async () => {
    const one = request({ startedAt: new Date(Date.now() + 5000) })
    await admit(one)
    await Promise.all([settle(one, 10), settle(one, 10), settle(one, 10)])
    expect(await totals()).toEqual(standing(1, 10))
  })

  test('without executions lets the hold go, and costs nothing', async () => {
    const one = request()
    await admit(one, { counters: [LIMIT], held: 500 })
    await settleBatch(db, [{ request_id: one.requestId }], [], 5000)
    expect(await totals()).toEqual(standing(0, 0))
  })

  // T223, T293
  test.each([
    ['a NUL', 'a\u0000b'],
    ['half of a surrogate pair', 'a\ud800b'],
    ['a control character', 'a\u001b[31mb'],
    ['20 MB', 'x'.repeat(20_000_000)],
  ])('with %s in what somebody sent is written, and so are its neighbours', async (_, text) => {
    const odd = settlement(request({ person: { ...ALICE, sub: 'odd', name: text, email: text, groups: [text] } }), [execution(7, { session: text, client: text, modelAsked: text, upstreamRequestId: text, usage: { ...NO_USAGE, input: 7, speed: text } })])
    const plain = settlement(request(), [execution(5)])
    expect(await settleBatch(db, [...odd.requests, ...plain.requests], [...odd.rows, ...plain.rows], 20_000)).toBe(2)
    expect(await totals()).toEqual(standing(2, 12))
  })

  test('takes five thousand rows in one statement', async () => {
    const many = Array.from({ length: 5000 }, (_, n) => settlement(request({ person: { ...ALICE, sub: `p${n % 50}` } }), [execution(2)]))
    expect(await settleBatch(db, many.flatMap(({ requests }) => requests), many.flatMap(({ rows }) => rows), 30_000)).toBe(5000)
    expect(await totals()).toEqual(standing(5000, 10_000))
  })

  test('with a figure that cannot be is kept within what sums can hold', async () => {
    const rates = { ...execution(0).price.rates, input: 10n ** 15n }
    const { requests, rows } = settlement(request(), [execution(0, { usage: { ...NO_USAGE, input: Number.MAX_SAFE_INTEGER }, price: { ...execution(0).price, rates } })])
    await settleBatch(db, requests, rows, 5000)
    const [row] = await database.sql`select cost from usage`
    expect(row?.cost).toBe('1000000000000000')
  })
})

describe('admission', () => {
  test('lets through below a limit, refuses at it, and then writes nothing down', async () => {
    await settle(request(), 999)
    expect((await admit(request(), { counters: [LIMIT] })).isAdmitted).toBe(true)
    await settle(request(), 1)
    const refused = await admit(request(), { counters: [LIMIT] })
    expect([refused.isAdmitted, refused.sums[0]?.spent.daily]).toEqual([false, 1000n])
    expect((await totals()).holds).toBe(1)
  })

  test('looks at every limit of every counter', async () => {
    await settle(request({ pools: ['engineering'] }), 100)
    const pool = (limits: LimitedCounter['limits']): LimitedCounter => ({ scope: 'rbac_group', scopeId: 'engineering', limits })
    const verdicts = [[LIMIT], [LIMIT, pool({})], [LIMIT, pool({ monthly: 101n })], [LIMIT, pool({ monthly: 100n })], [LIMIT, pool({ weekly: 100n, monthly: 1000n })], [{ ...LIMIT, limits: { daily: 0n } }]]
    const admitted = []
    for (const counters of verdicts) admitted.push((await admit(request(), { counters })).isAdmitted)
    expect(admitted).toEqual([true, true, true, false, false, false])
  })

  test('of somebody without a limit holds nothing on any counter', async () => {
    const one = request()
    expect((await admit(one, { held: 500 })).isAdmitted).toBe(true)
    expect(await totals()).toEqual(standing(0, 0, { holds: 1 }))
    await settle(one, 10)
    expect(await totals()).toEqual(standing(1, 10))
  })

  // T208: each costs 100 of 1000; two replicas, one statement a request
  test.each([
    ['one by one', 1],
    ['in batches', 50],
  ])('of 200 requests at once on two replicas holds no more than the limit and one request, %s', async (_, size) => {
    const other = connect({ url: database.url, maxConnections: 10, observe: () => {} })
    const requests = Array.from({ length: 200 }, () => request())
    const batches = Array.from({ length: 200 / size }, (_, n) => requests.slice(n * size, (n + 1) * size))
    const rows = await Promise.all(batches.map((batch, n) => admitBatch(n % 2 === 0 ? db : other, PROCESS, batch.map((one) => ({ requestId: one.requestId, counters: [LIMIT], held: 100n, conservative: conservative(one, 100) })), 20_000)))
    const admitted = rows.flat().filter(({ isAdmitted }) => isAdmitted)
    expect([admitted.length, (await totals()).held]).toEqual([10, 1000])
    await Promise.all(admitted.map(({ requestId }) => settle(request({ requestId }), 100)))
    expect(await totals()).toEqual(standing(10, 1000))
    await other.close()
  })

  test('of many people on the same pools in any order never ends in a deadlock', async () => {
    const people = Array.from({ length: 8 }, (_, n) => `person-${n}`)
    const counters = (shift: number): LimitedCounter[] => people.map((_, n) => ({ scope: 'user', scopeId: people[(n + shift) % people.length] as string, limits: { daily: 10n ** 9n } }))
    await Promise.all(Array.from({ length: 60 }, (_, n) => admit(request(), { counters: n % 2 === 0 ? counters(n) : counters(n).reverse(), held: 1 })))
    const sums = await database.sql`select distinct held::int from spend_day`
    expect([...sums] as unknown).toEqual([{ held: 60 }])
  })

  test('of many who hold nothing judges each by its own limits, in their order, and reads a counter that they share once', async () => {
    await settle(request({ pools: ['engineering'] }), 100)
    const pool: LimitedCounter = { scope: 'rbac_group', scopeId: 'engineering', limits: { monthly: 101n } }
    const all: LimitedCounter[][] = [[LIMIT, pool], [{ ...LIMIT, limits: { daily: 100n } }, pool], [], [{ ...pool, limits: { weekly: 100n } }], [pool]]
    const requests = all.map(() => request())
    const rows = await admitBatch(db, PROCESS, requests.map((one, at) => ({ requestId: one.requestId, counters: all[at] as LimitedCounter[], held: 0n, conservative: conservative(one, 1) })), 5000)
    expect(rows.map(({ requestId, isAdmitted, sums }) => [requestId, isAdmitted, sums.map(({ spent }) => spent.monthly)])).toEqual([
      [requests[0]?.requestId, true, [100n, 100n]],
      [requests[1]?.requestId, false, [100n, 100n]],
      [requests[2]?.requestId, true, []],
      [requests[3]?.requestId, false, [100n]],
      [requests[4]?.requestId, true, [100n]],
    ] as never)
    const holds = await database.sql`select request_id, conservative->'rows'->0->>'cost' as cost from usage_hold order by request_id`
    expect([...holds] as unknown).toEqual([0, 2, 4].map((at) => ({ request_id: requests[at]?.requestId, cost: '1' })).sort((a, b) => ((a.request_id as string) < (b.request_id as string) ? -1 : 1)))
  })

  test('that holds nothing is looked at with what others hold', async () => {
    await admit(request(), { counters: [LIMIT], held: 1000 })
    expect((await admit(request(), { counters: [LIMIT] })).isAdmitted).toBe(false)
  })

  // T278
  test.each([600, 0])('sent again after its answer was lost, and the limit was reached meanwhile, is there once (it holds %p)', async (held) => {
    const one = request()
    const first = await admit(one, { counters: [LIMIT], held })
    await settle(request(), 1000)
    const second = await admit(one, { counters: [LIMIT], held })
    expect([second.isAdmitted, second.startedAt, (await totals()).held, (await totals()).holds]).toEqual([true, first.startedAt, held, 1])
  })
})

// T218, T219: the database's clock decides, in UTC; a request belongs to the moment it began.
describe('periods', () => {
  const sums = async () => (await readCounters(db, [LIMIT], 5000)).sums[0]?.spent
  test.each([
    ['the last moment of a day', '2026-08-06T23:59:59.999Z', '2026-08-07T00:00:00Z', { daily: 0n, weekly: 10n, monthly: 10n }],
    ['Sunday, seen on Monday', '2026-08-09T23:59:59.999Z', '2026-08-10T00:00:00Z', { daily: 0n, weekly: 0n, monthly: 10n }],
    ['a month, seen in the next', '2026-07-31T23:59:59.999Z', '2026-08-01T00:00:00Z', { daily: 0n, weekly: 10n, monthly: 0n }],
    ['a year, within one ISO week', '2026-12-31T23:59:59.999Z', '2027-01-01T00:00:00Z', { daily: 0n, weekly: 10n, monthly: 0n }],
    ['29 February', '2028-02-29T23:00:00Z', '2028-02-29T23:30:00Z', { daily: 10n, weekly: 10n, monthly: 10n }],
    ['the night of summer time', '2026-03-29T00:59:59Z', '2026-03-29T02:00:00Z', { daily: 10n, weekly: 10n, monthly: 10n }],
  ])('%s', async (_, spent, seen, expected) => {
    await at(spent)
    const one = request()
    await admit(one)
    // Its stream crosses the edge.
    await at(seen)
    await settle(one, 10)
    expect(await sums()).toEqual(expected)
  })

  test('do not depend on the time zone of the connection', async () => {
    await at('2026-08-07T00:30:00Z')
    await database.sql`set time zone 'America/Los_Angeles'`
    const { requests, rows } = settlement(request({ startedAt: new Date('2026-08-07T00:30:00Z') }), [execution(5)])
    await database.sql.unsafe('select spend_settle($1::text::jsonb, $2::text::jsonb)', [JSON.stringify(requests), JSON.stringify(rows)])
    await database.sql`set time zone 'UTC'`
    const [day] = await database.sql`select day::text from spend_day limit 1`
    const [hour] = await database.sql`select hour from usage_hour`
    expect([day?.day, hour?.hour]).toEqual(['2026-08-07', new Date('2026-08-07T00:00:00Z')])
  })
})

describe('the sweep', () => {
  // T281
  test('settles what dead processes held at its conservative cost, once, however many sweep', async () => {
    for (let n = 0; n < 10; n++) await admit(request(), { counters: [LIMIT], held: 1, cost: 50 })
    const swept = await Promise.all(Array.from({ length: 4 }, () => sweepDead(db, 60, 3)))
    expect(swept.reduce((sum, { swept: count }) => sum + count, 0)).toBe(10)
    expect(await totals()).toEqual(standing(10, 500))
    const [row] = await database.sql`select distinct outcome, estimated, status from usage`
    expect(row as unknown).toEqual({ outcome: 'swept', estimated: true, status: 0 })
  })

  test('leaves alone what living processes hold, and dead ones that were seen a moment ago', async () => {
    await markAlive(db, PROCESS)
    await admit(request())
    expect(await sweepDead(db, 60, 100)).toEqual({ swept: 0, stuck: 0 })
    await database.sql`update gateway_process set seen_at = now() - interval '61 seconds'`
    expect(await sweepDead(db, 60, 100)).toEqual({ swept: 1, stuck: 0 })
  })

  test('marks what the ledger refuses, and settles the others now and later', async () => {
    const many = Array.from({ length: 4 }, () => request())
    for (const one of many) await admit(one, { cost: 50 })
    await database.sql`update usage_hold set conservative = jsonb_set(conservative::jsonb, '{rows,0,status}', '99999') where request_id = ${many[1]?.requestId as string}`
    expect(await sweepDead(db, 60, 100)).toEqual({ swept: 3, stuck: 1 })
    await admit(request(), { cost: 50 })
    expect(await sweepDead(db, 60, 100)).toEqual({ swept: 1, stuck: 0 })
    expect(await totals()).toEqual(standing(4, 200, { holds: 1 }))
  })

  test('adds nothing for a request that was settled before its hold came', async () => {
    const one = request({ startedAt: new Date(Date.now() - 2000) })
    await settle(one, 10)
    await admit(one, { counters: [LIMIT], held: 500, cost: 500 })
    expect(await sweepDead(db, 60, 100)).toEqual({ swept: 1, stuck: 0 })
    expect(await totals()).toEqual(standing(1, 10))
  })

  test('is taken back when the process that was taken for dead had sent nothing', async () => {
    const one = request({ pools: ['engineering'] })
    await admit(one, { counters: [LIMIT], held: 500, cost: 500 })
    await sweepDead(db, 60, 100)
    await settle(one)
    await settle(one)
    expect(await totals()).toEqual(standing(1, 0))
    const [pool] = await database.sql`select spent::int from spend_day where scope = 'rbac_group'`
    expect(pool?.spent).toBe(0)
  })

  test('is corrected by the process that was taken for dead, and by its repetitions not again', async () => {
    const one = request()
    await admit(one, { counters: [LIMIT], held: 500, cost: 500 })
    await sweepDead(db, 60, 100)
    await Promise.all([settle(one, 10, 20), settle(one, 10, 20)])
    await settle(one, 10, 20)
    expect(await totals()).toEqual(standing(2, 30))
    const outcomes = await database.sql`select outcome, estimated from usage order by seq`
    expect([...outcomes] as unknown).toEqual([{ outcome: 'completed', estimated: false }, { outcome: 'completed', estimated: false }])
    const [hour] = await database.sql`select estimated_cost::int from usage_hour`
    expect(hour?.estimated_cost).toBe(0)
  })
})

describe('the months', () => {
  test('are partitions, made ahead by whoever comes first', async () => {
    await at('2027-05-15T00:00:00Z')
    await Promise.all(Array.from({ length: 4 }, () => makePartitions(db)))
    const one = request()
    await admit(one)
    await settle(one, 10)
    const [row] = await database.sql`select tableoid::regclass::text as part from usage`
    expect(row?.part).toBe('usage_2027_05')
  })

  test('that nobody made still take rows', async () => {
    await at('2031-01-01T00:00:00Z')
    const one = request()
    await admit(one)
    await settle(one, 10)
    expect(await totals()).toEqual(standing(1, 10))
    await makePartitions(db)
    expect(await totals()).toEqual(standing(1, 10))
  })

  test('are forgotten by one at a time, and whoever waits for no lock', async () => {
    const [locked] = [Promise.withResolvers<void>()]
    const release = Promise.withResolvers<void>()
    const other = database.sql.begin(async (transaction) => {
      await transaction`select pg_advisory_xact_lock(73054663)`
      locked.resolve()
      await release.promise
    })
    await locked.promise
    await forget(db, { usageDays: 1, spendMonths: 1, identityDays: 1 })
    await makePartitions(db)
    release.resolve()
    await other
  })

  test('are dropped whole when they are old enough, and names end before the figures do', async () => {
    for (const moment of ['2027-05-15T00:00:00Z', '2027-06-15T00:00:00Z', '2027-07-15T00:00:00Z']) {
      await at(moment)
      await makePartitions(db)
      const one = request()
      await admit(one)
      await settle(one, 10)
    }
    await database.sql`update person set last_seen_at = '2027-05-01'`
    await at('2027-08-01T00:00:00Z')
    await forget(db, { usageDays: 40, spendMonths: 1, identityDays: 30 })
    const kept = await database.sql`select to_char(started_at, 'YYYY-MM') as month from usage order by 1`
    const days = await database.sql`select distinct to_char(day, 'YYYY-MM') as month from spend_day order by 1`
    const [person] = await database.sql`select sub, email, name, groups from person`
    expect([[...kept], [...days], person] as unknown).toEqual([[{ month: '2027-06' }, { month: '2027-07' }], [{ month: '2027-07' }], { sub: 'alice', email: null, name: null, groups: [] }])
  })
})

test('a statement that PostgreSQL cuts off leaves nothing half done', async () => {
  const one = request()
  await admit(one, { counters: [LIMIT], held: 500 })
  const parts = Array.from({ length: 3000 }, () => settlement(request(), [execution(1)]))
  const { requests, rows } = settlement(one, [execution(10)])
  const running = settleBatch(db, [...requests, ...parts.flatMap((part) => part.requests)], [...rows, ...parts.flatMap((part) => part.rows)], 20_000).catch((error: unknown) => error)
  let killed = 0
  while (killed === 0) killed = (await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like '%spend_settle%' and state = 'active' and pid <> pg_backend_pid()`).length
  expect(await running).toBeInstanceOf(DatabaseError)
  expect(await totals()).toEqual({ ...standing(0, 0), held: 500, holds: 1 })
  await settleBatch(db, [...requests, ...parts.flatMap((part) => part.requests)], [...rows, ...parts.flatMap((part) => part.rows)], 20_000)
  expect(await totals()).toEqual(standing(3001, 3010))
})
