import { afterAll, beforeAll, expect, test } from 'bun:test'
import { is } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import * as tables from '../../src/db/tables.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const described = Object.values(tables).filter((table) => is(table, PgTable)).map(getTableConfig)

test.each(described.map((table) => [table.name, table] as const))('the typed table %s is the migrated one', async (name, { columns, foreignKeys }) => {
  const migrated = await database.sql`
    select column_name as name, data_type as type, is_nullable = 'NO' as required, column_default is not null as defaulted
    from information_schema.columns where table_schema = 'public' and table_name = ${name} order by ordinal_position`
  const typed = columns.map((column) => ({ name: column.name, type: column.getSQLType(), required: column.notNull, defaulted: column.hasDefault }))
  expect(typed.length).toBeGreaterThan(0)
  expect([...migrated] as unknown).toEqual(typed)
  const references = await database.sql`
    select confrelid::regclass::text as target, confdeltype = 'c' as cascades from pg_constraint where contype = 'f' and conrelid = ${name}::regclass`
  expect([...references] as unknown).toEqual(foreignKeys.map((key) => ({ target: getTableConfig(key.reference().foreignTable).name, cascades: key.onDelete === 'cascade' })))
})
