// The pool of PostgreSQL connections. Every statement has a deadline of ours, because the driver has none: behind a
// black-holed database its queries stay pending for ever. Only single statements are sent: a transaction held open
// across awaits crashes the driver, or commits half of itself, when its backend dies.
import { PgDialect } from 'drizzle-orm/pg-core'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { SQL } from 'drizzle-orm'
import postgres from 'postgres'
import type { Observe } from '../observe/events.ts'
import { DatabaseError, toDatabaseError } from './database-error.ts'
import type { StatementMeter } from './database-metrics.ts'
import { splitSocketDirectory } from './socket-directory.ts'

export const DEFAULT_DEADLINE_MS = 5000
const CONNECT_TIMEOUT_SECONDS = 5

export interface ConnectOptions {
  /** `postgres://…`; `?host=/directory` means the unix socket there. */
  url: string
  username?: string | undefined
  /** Wins over the URL's, and may hold any character. */
  password?: string | undefined
  maxConnections: number
  /** After this the server gives a statement up. */
  statementTimeoutMs?: number
  observe: Observe
  meter?: StatementMeter | undefined
}

export interface RunOptions {
  deadlineMs?: number
}

export interface Database {
  /** Runs one statement and returns its rows. Throws DatabaseError; its text never holds parameters. */
  run<row>(statement: SQL, options?: RunOptions): Promise<row[]>
  /** Runs one query built with drizzle's typed builder, under the same deadline. */
  query<rows>(build: (orm: PostgresJsDatabase) => PromiseLike<rows>, options?: RunOptions): Promise<rows>
  /** Sends several statements as one message, which PostgreSQL runs as one implicit transaction. No parameters. */
  script(text: string, options?: RunOptions): Promise<void>
  isReachable(): Promise<boolean>
  close(): Promise<void>
}

/** Opens the pool lazily: no connection is made before the first statement. */
export function connect(options: ConnectOptions): Database {
  const dialect = new PgDialect()
  let pool = openPool(options)
  let rotatedAt = 0

  /** After a missed deadline the connection may be dead without knowing it: new statements get a new pool. */
  function rotate(): void {
    if (Date.now() - rotatedAt < 1000) return
    rotatedAt = Date.now()
    const old = pool
    pool = openPool(options)
    old.client.end({ timeout: DEFAULT_DEADLINE_MS / 1000 }).catch(() => {})
    options.observe({ op: 'warn', message: 'database: a statement missed its deadline; opening new connections', repeat: 'db.deadline' })
  }

  async function within<value>(work: PromiseLike<value>, deadlineMs: number): Promise<value> {
    let timer: Timer | undefined
    let failed: DatabaseError | undefined
    const startedMs = performance.now()
    options.meter?.began()
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new DatabaseError('deadline', `no answer within ${deadlineMs} ms`)), deadlineMs)
    })
    try {
      return await Promise.race([work, deadline])
    } catch (error) {
      failed = toDatabaseError(error)
      if (failed.code === 'deadline') rotate()
      throw failed
    } finally {
      clearTimeout(timer)
      options.meter?.ended(performance.now() - startedMs, failed?.code)
    }
  }

  return {
    async run<row>(statement: SQL, { deadlineMs = DEFAULT_DEADLINE_MS }: RunOptions = {}) {
      const { sql, params } = dialect.sqlToQuery(statement)
      const rows = await within(pool.client.unsafe(sql, params as never[], { prepare: true }), deadlineMs)
      // A statement whose connection was killed may end as one that found nothing.
      if (rows.command === null || rows.command === undefined) throw new DatabaseError('unreachable', 'not reachable (the answer broke off)', { sqlState: 'CONNECTION_CLOSED' })
      return [...rows] as row[]
    },
    query: (build, { deadlineMs = DEFAULT_DEADLINE_MS } = {}) => within(build(pool.orm), deadlineMs),
    async script(text, { deadlineMs = DEFAULT_DEADLINE_MS } = {}) {
      await within(pool.client.unsafe(text).simple(), deadlineMs)
    },
    async isReachable() {
      try {
        await within(pool.client.unsafe('select 1'), 1000)
        return true
      } catch {
        return false
      }
    },
    async close() {
      // end() can hang after a connection reset; the process must still exit.
      await Promise.race([pool.client.end({ timeout: 2 }), Bun.sleep(3000)]).catch(() => {})
    },
  }
}

function openPool({ username, password, maxConnections, statementTimeoutMs = 30_000, ...options }: ConnectOptions) {
  const { url, ...socket } = splitSocketDirectory(options.url)
  const client = postgres(url, {
    ...socket,
    max: maxConnections,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    idle_timeout: 300,
    fetch_types: false,
    onnotice: () => {},
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    connection: { application_name: 'gatehouse', DateStyle: 'ISO', statement_timeout: statementTimeoutMs },
  })
  return { client, orm: drizzle(client) }
}
