// A real PostgreSQL for the tests: started once per process from the npm package, one database per test file, cloned
// from a template that is migrated once. TEST_DATABASE_URL names another server instead.
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { connect } from '../../src/db/connect.ts'
import { migrate } from '../../src/db/migrate.ts'
import { migrations } from '../../src/db/migrations.ts'
import { startPostgres, type PostgresServer } from './postgres-server.ts'

export interface TestDatabase {
  url: string
  /** A client of the test's own, beside the gateway's pool. */
  sql: postgres.Sql
  drop(): Promise<void>
}

const TEMPLATE = `gatehouse_template_${process.pid}`
let server: Promise<PostgresServer> | undefined
let template: Promise<void> | undefined

/** A database of its own. `migrated: false` leaves it empty. */
export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  server ??= sharedServer()
  const { url: serverUrl } = await server
  if (migrated) await (template ??= createTemplate(serverUrl))
  const name = `gatehouse_test_${randomBytes(6).toString('hex')}`
  await administer(serverUrl, migrated ? `create database ${name} template ${TEMPLATE}` : `create database ${name}`)
  const url = withDatabase(serverUrl, name)
  const sql = postgres(url, { max: 2, onnotice: () => {} })
  return {
    url,
    sql,
    async drop() {
      await sql.end({ timeout: 1 })
      await administer(serverUrl, `drop database if exists ${name} with (force)`)
    },
  }
}

async function sharedServer(): Promise<PostgresServer> {
  const url = process.env.TEST_DATABASE_URL
  return url === undefined ? startPostgres() : { url, stop: async () => {} }
}

/** Called when the test process ends. */
export async function stopSharedServer(): Promise<void> {
  if (server === undefined) return
  const { url, stop } = await server
  if (template !== undefined) await administer(url, `drop database if exists ${TEMPLATE} with (force)`).catch(() => {})
  await stop()
}

async function createTemplate(serverUrl: string): Promise<void> {
  await administer(serverUrl, `drop database if exists ${TEMPLATE} with (force)`)
  await administer(serverUrl, `create database ${TEMPLATE}`)
  const db = connect({ url: withDatabase(serverUrl, TEMPLATE), maxConnections: 1, observe: () => {} })
  await migrate(db, migrations, () => {})
  await db.close()
}

async function administer(serverUrl: string, statement: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
