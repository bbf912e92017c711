// A stored trail of a test's own, and somebody who may do what no gateway does.
import { connect, type Database } from '../../src/db/connect.ts'
import { storeEvents } from '../../src/audit/store.ts'
import { verifyTrail, type Verdict } from '../../src/audit/verify.ts'
import { auditRecord } from '../../src/observe/audit-line.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

export interface TestTrail {
  database: TestDatabase
  db: Database
  /** Stores so many events, on a day: `spend_clock()` says that it is then. */
  append(count: number, day?: string): Promise<void>
  /** Without the triggers that protect the trail, as a superuser would. */
  tamper(statement: string): Promise<void>
  /** What stands there now is what `restore` brings back. */
  keep(): Promise<void>
  restore(): Promise<void>
  verify(query?: { from?: string; to?: string; retentionDays?: number; now?: Date; anchors?: { day: string; seq: number; hash: string }[] }): Promise<Verdict>
  stop(): Promise<void>
}

const TABLES = ['audit_event', 'audit_day', 'audit_head']

export async function startTrail(): Promise<TestTrail> {
  const database = await createTestDatabase()
  const db = connect({ url: database.url, maxConnections: 3, observe: () => {} })
  const writer = crypto.randomUUID()
  let stored = 0
  return {
    database,
    db,
    async append(count, day = '2026-08-01') {
      await setClock(database, `${day}T12:00:00Z`)
      const records = Array.from({ length: count }, (_, at) => auditRecord({ ts: `${day}T11:00:00.${String(at % 1000).padStart(3, '0')}Z`, evt: 'access.denied', reason: `nr ${stored + at}`, path: '/ü', request_id: `r${stored + at}` }))
      await storeEvents(db, { writer, first: stored + 1, records }, 10_000)
      stored += count
    },
    async tamper(statement) {
      await database.sql.unsafe(`set local session_replication_role = replica; ${statement}`)
    },
    async keep() {
      await database.sql.unsafe(TABLES.map((table) => `create table kept_${table} as table ${table};`).join(' '))
    },
    async restore() {
      await database.sql.unsafe(`set local session_replication_role = replica; ${TABLES.map((table) => `delete from ${table}; insert into ${table} select * from kept_${table};`).join(' ')}`)
    },
    verify: ({ from, to, retentionDays = 1, anchors = [], now = new Date() } = {}) => verifyTrail(db, { from, to, anchors, retentionDays, now }),
    async stop() {
      await db.close()
      await database.drop()
    },
  }
}

/** A fresh database says that it is today: a trail that begins in the past has to begin there. */
export async function setClock({ sql }: TestDatabase, moment: string): Promise<void> {
  await sql.unsafe(`create or replace function spend_clock() returns timestamptz language sql stable as $$ select '${moment}'::timestamptz $$;
    set local session_replication_role = replica; update audit_head set day = '2026-01-01' where seq = 0 and day > spend_day_of(spend_clock())`)
}
