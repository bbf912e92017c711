// The ledger of one process beside others, on a real PostgreSQL whose answers get lost.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connect, type Database } from '../../src/db/connect.ts'
import { DatabaseError } from '../../src/db/database-error.ts'
import { createLedger, LedgerUnavailable, type Ledger, type LedgerOptions } from '../../src/ledger/ledger.ts'
import { ledgerMetrics } from '../../src/ledger/ledger-metrics.ts'
import type { Observation } from '../../src/observe/events.ts'
import { exposition } from '../../src/observe/metrics.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { ALICE, ALICE_KEY, execution, request } from '../support/ledger-rows.ts'

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createTestDatabase()
  db = connect({ url: database.url, maxConnections: 5, observe: () => {} })
})
const open: Ledger[] = []
afterEach(async () => {
  for (const ledger of open.splice(0)) await ledger.stop()
  await database.sql`truncate usage, usage_hour, usage_day, usage_hold, spend_day, person, group_set, gateway_process`
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

const RETENTION = { usageDays: 400, spendMonths: 13, identityDays: 90 }
const observed: Observation[] = []

async function start(options: Partial<LedgerOptions> = {}): Promise<Ledger> {
  const ledger = await createLedger({ db, observe: (one) => void observed.push(one), retention: RETENTION, nowMs: () => performance.now(), ...options })
  open.push(ledger)
  return ledger
}

const asking = (one = request(), reserves = false) => ({ ...one, counters: [{ scope: 'user' as const, scopeId: ALICE_KEY, limits: { daily: 1000n } }], reserves, conservative: execution(500, { outcome: 'swept' as const }) })
const counted = async (table: string): Promise<number> => (await database.sql.unsafe(`select count(*)::int as count from ${table}`))[0]?.count

/** A database on which statements with these words fail in a way, this many times. */
function failing(words: string, times: number, error: () => DatabaseError, isDone = false): Database {
  let left = times
  return {
    ...db,
    async run(statement, options) {
      const isMeant = JSON.stringify(statement, (_, value) => (typeof value === 'bigint' ? String(value) : value)).includes(words)
      if (!isMeant || left === 0) return db.run(statement, options)
      left--
      if (isDone) await db.run(statement, options)
      throw error()
    },
  }
}
const away = () => new DatabaseError('unreachable', 'not reachable (CONNECTION_CLOSED)', { sqlState: 'CONNECTION_CLOSED' })

describe('an admission', () => {
  test.each([
    ['was not heard', false],
    ['was heard, and its answer was not', true],
  ])('whose connection breaks when it %s is written down all the same, once', async (_, isDone) => {
    const ledger = await start({ db: failing('spend_admit', 2, away, isDone) })
    const one = asking(request(), true)
    expect(await ledger.admit(one)).toMatchObject({ requestId: one.requestId, isAdmitted: true })
    const [hold] = await database.sql`select request_id, held::int from usage_hold`
    const [day] = await database.sql`select held::int from spend_day`
    expect([hold, day] as unknown).toEqual([{ request_id: one.requestId, held: 500 }, { held: 500 }])
  })

  test.each([
    ['was not heard', false],
    ['was heard, and its answer was not', true],
  ])('that holds nothing and whose connection breaks when it %s is written down all the same, once', async (_, isDone) => {
    const ledger = await start({ db: failing('spend_note', 2, away, isDone) })
    const one = asking(request(), false)
    const { startedAt, ...admitted } = await ledger.admit(one)
    expect(admitted).toMatchObject({ requestId: one.requestId, isAdmitted: true })
    const holds = await database.sql`select request_id, held::int, started_at from usage_hold`
    expect([...holds] as unknown).toEqual([{ request_id: one.requestId, held: 0, started_at: startedAt }])
  })

  test('that no connection takes says so, and the next ones do not wait for it', async () => {
    const ledger = await start({ db: failing('spend_note', Infinity, away) })
    const failed = await ledger.admit(asking()).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(LedgerUnavailable)
    const told: string[] = []
    const ask = (name: string) => ledger.admit(asking()).catch((error: LedgerUnavailable) => void told.push(`${name} ${error.reason}`))
    await Promise.all([ask('who looks again'), ask('who came meanwhile')])
    expect(told).toEqual(['who came meanwhile unreachable', 'who looks again unreachable'])
    expect(ledger.state().unanswered).toBe(3)
  })

  test('is refused while more waits for the database than may be kept', async () => {
    const ledger = await start({ db: failing('spend_settle', 3, away), mostWaiting: 2 })
    for (let n = 0; n < 2; n++) ledger.settle(request(), [execution(5)])
    expect(await ledger.admit(asking()).catch((error: LedgerUnavailable) => error.reason)).toBe('full')
    expect(await ledger.flush(10_000)).toBe(true)
    expect((await ledger.admit(asking())).isAdmitted).toBe(true)
  })

  test('whose answer came too late for its request is let go', async () => {
    const ledger = await start({ db: failing('spend_admit', 4, away, true), timing: { beatMs: 10, deadAfterSeconds: 3600 } })
    expect(await ledger.admit(asking(request(), true)).catch(() => 'late')).toBe('late')
    expect(await counted('usage_hold')).toBe(1)
    await database.sql`update usage_hold set started_at = now() - interval '2 minutes'`
    while ((await counted('usage_hold')) > 0);
    const [day] = await database.sql`select spent::int, held::int from spend_day where scope = 'user' and day = spend_day_of(now() - interval '2 minutes')`
    expect([day, await counted('usage')] as unknown).toEqual([{ spent: 0, held: 0 }, 0])
  })
})

describe('a settlement', () => {
  test('counts for its person before the database has it', async () => {
    const ledger = await start({ db: failing('spend_settle', 1, away) })
    ledger.settle(request(), [execution(5), execution(7)])
    expect(ledger.unsettled(ALICE_KEY)).toBe(12n)
    expect(await ledger.flush(10_000)).toBe(true)
    expect([ledger.unsettled(ALICE_KEY), await counted('usage')]).toEqual([0n, 2])
  })

  // T278
  test('whose answer is lost is sent again, and counts once', async () => {
    const ledger = await start({ db: failing('spend_settle', 3, away, true) })
    const one = asking(request(), true)
    await ledger.admit(one)
    ledger.settle({ ...one, startedAt: new Date() }, [execution(7)])
    expect(await ledger.flush(10_000)).toBe(true)
    const [day] = await database.sql`select spent::int, held::int from spend_day where scope = 'user'`
    expect([day, await counted('usage')] as unknown).toEqual([{ spent: 7, held: 0 }, 1])
  })

  test.each([
    ['is held', true, 0n],
    ['is not held, and counts for its person', false, 7n],
  ])('that the database can never take is kept as a hold, and said with its cost, which %s; its neighbours are written', async (_, reserves, unwritable) => {
    const ledger = await start()
    const one = asking(request(), reserves)
    await ledger.admit(one)
    // No column of the ledger takes this.
    ledger.settle({ ...one, startedAt: new Date() }, [execution(7, { status: 99_999 })])
    ledger.settle(request(), [execution(5)])
    while (ledger.state().settled < 1) await Bun.sleep(1)
    expect([await counted('usage'), await counted('usage_hold'), ledger.state().setAside, ledger.unsettled(ALICE_KEY)]).toEqual([1, 1, 1, unwritable])
    expect(observed).toContainEqual(expect.objectContaining({ op: 'error', message: expect.stringMatching(/is kept as a hold: .*; cost 7 nano-dollars$/), request_id: one.requestId }))
    expect(ledger.unwritable(ALICE_KEY)).toBe(unwritable)
  })

  // It ran while the ledger could not be read.
  test('that the database can never take, and nothing is held for, is said to be that, and goes on counting for its person for a day', async () => {
    let laterMs = 0
    const ledger = await start({ nowMs: () => performance.now() + laterMs, timing: { beatMs: 20, deadAfterSeconds: 1e9 } })
    const one = request()
    ledger.settle(one, [execution(7, { status: 99_999 })])
    ledger.settle(request(), [execution(5)])
    expect(await ledger.flush(10_000)).toBe(true)
    expect([await counted('usage'), await counted('usage_hold'), ledger.state().setAside]).toEqual([1, 0, 1])
    expect([ledger.unsettled(ALICE_KEY), ledger.unwritable(ALICE_KEY)]).toEqual([7n, 7n])
    laterMs = 86_400_001
    while (ledger.unsettled(ALICE_KEY) > 0n) await Bun.sleep(1)
    expect(ledger.unwritable(ALICE_KEY)).toBe(0n)
    const said = observed.flatMap((observation) => ('op' in observation && observation.request_id === one.requestId ? [observation.message] : []))
    expect(said).toEqual([expect.stringMatching(/^usage ledger: a settlement cannot be written, and nothing is known to be held for it: .*; cost 7 nano-dollars/)])
  })
})

describe('a process that is not seen any more', () => {
  test('has what it held settled by another, which has itself been well for as long', async () => {
    const dead = await start({ timing: { beatMs: 3_600_000, deadAfterSeconds: 3600 } })
    const one = asking(request(), true)
    await dead.admit(one)
    await database.sql`update gateway_process set seen_at = now() - interval '1 hour'`
    let now = 0
    const living = await start({ nowMs: () => now, timing: { beatMs: 5, deadAfterSeconds: 60 } })
    const beaten = async () => {
      const before = (await database.sql`select max(seen_at) as seen from gateway_process`)[0]?.seen.getTime()
      while ((await database.sql`select max(seen_at) as seen from gateway_process`)[0]?.seen.getTime() === before);
    }
    await beaten()
    await beaten()
    expect(await counted('usage_hold')).toBe(1)
    now = 61_000
    while ((await counted('usage_hold')) > 0);
    const [row] = await database.sql`select outcome, cost::int from usage`
    expect([row, (await database.sql`select sum(held)::int as held from spend_day`)[0]] as unknown).toEqual([{ outcome: 'swept', cost: 500 }, { held: 0 }])
    while (living.state().swept !== 1) await Bun.sleep(1)
  })
})

test('metrics say what is held, what waits and for how long', async () => {
  let now = 1000
  const ledger = await start({ db: failing('spend_settle', 1, away), nowMs: () => now })
  await ledger.admit(asking())
  ledger.settle(request({ person: ALICE }), [execution(5)])
  now = 3500
  const text = exposition(ledgerMetrics(ledger.state(), now))
  expect(text).toContain('gatehouse_ledger_requests_held 2\n')
  expect(text).toContain('gatehouse_ledger_settlements_waiting 1\n')
  expect(text).toContain('gatehouse_ledger_lag_seconds 2.5\n')
  await ledger.flush(10_000)
  expect(exposition(ledgerMetrics(ledger.state(), now))).toContain('gatehouse_ledger_settled_total 1\n')
})
