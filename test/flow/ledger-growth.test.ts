// What the statements of the ledger look at, on tables that have grown since their plans were made: only what they are about.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect, type Database } from '../../src/db/connect.ts'
import { admitBatch, readCounters, settleBatch, type LimitedCounter } from '../../src/ledger/store.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { ALICE_KEY, conservative, execution, request, settlement } from '../support/ledger-rows.ts'

const PROCESS = '00000000-0000-4000-8000-000000000001'
const COUNTERS: LimitedCounter[] = [
  { scope: 'user', scopeId: ALICE_KEY, limits: { daily: 10n ** 15n } },
  { scope: 'organization', scopeId: '', limits: { monthly: 10n ** 15n } },
]
/** Many times what a statement may look at, for one request. */
const [PEOPLE, RUNNING] = [300, 3000]
const MOST_LOOKED_AT = 500

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createTestDatabase()
  db = connect({ url: database.url, maxConnections: 1, observe: () => {} })
  await database.sql`alter table spend_day set (autovacuum_enabled = false)`
  await database.sql`alter table usage_hold set (autovacuum_enabled = false)`
  // Plans are made now, and kept: what changes a table, or analyses it, has them made anew.
  for (let n = 0; n < 10; n++) for (const work of Object.values(STATEMENTS)) await work()
  await database.sql`
    insert into spend_day (scope, scope_id, day, spent)
    select 'user', 'https://idp.example.com ' || person, spend_day_of(spend_clock()) - ago, 1 from generate_series(1, ${PEOPLE}) person, generate_series(0, 40) ago`
  await database.sql`
    insert into usage_hold (request_id, process_id, started_at, held_on, held, conservative)
    select gen_random_uuid(), ${PROCESS}::uuid, now(), '[]', 0, '{}' from generate_series(1, ${RUNNING})`
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

function admit(held: bigint) {
  const one = request()
  return admitBatch(db, PROCESS, [{ requestId: one.requestId, counters: COUNTERS, held, conservative: conservative(one, 500) }], 5000).then(() => one)
}

const STATEMENTS = {
  'a request is admitted for which nothing is held': () => admit(0n),
  'a request is admitted for which something is held': () => admit(1000n),
  'a request is settled': async () => {
    const { requests, rows } = settlement(await admit(0n), [execution(100)])
    await settleBatch(db, requests, rows, 5000)
  },
  'counters are read': () => readCounters(db, COUNTERS, 5000),
}

/** Rows and entries of indexes that were looked at so far. */
async function lookedAt(): Promise<Record<string, number>> {
  await db.run({ text: 'select pg_stat_force_next_flush()', values: [] })
  await db.run({ text: 'select 1', values: [] })
  const rows = await database.sql`
    select relname as name, seq_tup_read::int as count from pg_stat_user_tables
    union all select indexrelname, idx_tup_read::int from pg_stat_user_indexes`
  return Object.fromEntries(rows.map(({ name, count }) => [name as string, count as number]))
}

test.each(Object.entries(STATEMENTS))('%s by looking at its own rows alone', async (_, work) => {
  const before = await lookedAt()
  await work()
  const after = await lookedAt()
  const much = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]).filter(([, count]) => (count as number) > MOST_LOOKED_AT)
  expect(much).toEqual([])
})
