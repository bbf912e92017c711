// The pool of PostgreSQL connections. Every statement has a deadline of ours, because the driver has none: behind a
// black-holed database its queries stay pending for ever. Only single statements are sent: a transaction held open
// across awaits crashes the driver, or commits half of itself, when its backend dies.
import type { SQL } from 'drizzle-orm'
import postgres from 'postgres'
import type { Observe } from '../observe/events.ts'
import { DatabaseError, toDatabaseError } from './database-error.ts'
import type { StatementMeter } from './database-metrics.ts'
import { toStatement, type Statement } from './prepared.ts'
import { splitSocketDirectory } from './socket-directory.ts'

export const DEFAULT_DEADLINE_MS = 5000
const CONNECT_TIMEOUT_SECONDS = 5

/** On a connection: a statement that was sent behind another could not be taken back (giveUp). The driver's types do not know of it. */
const ONE_AT_A_TIME = { max_pipeline: 0 }

const asItIs = (value: string) => value
/**
 * In place of the driver's own, by their numbers in pg_type. Moments stay text, because a Date has no microseconds. JSON
 * goes out as whoever sends it wrote it: written once more it would be a JSON string.
 */
const TYPES = {
  date: { to: 1184, from: [1082, 1114, 1184], serialize: asItIs, parse: asItIs },
  json: { to: 114, from: [114, 3802], serialize: asItIs, parse: JSON.parse },
}

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
  run<row>(statement: SQL | Statement, options?: RunOptions): Promise<row[]>
  /** Sends several statements as one message, which PostgreSQL runs as one implicit transaction. No parameters. */
  script(text: string, options?: RunOptions): Promise<void>
  isReachable(): Promise<boolean>
  close(): Promise<void>
}

/** Opens the pool lazily: no connection is made before the first statement. */
export function connect(options: ConnectOptions): Database {
  let pool = openPool(options)
  let rotatedAt = 0

  /** After a missed deadline the connection may be dead without knowing it: new statements get a new pool. */
  function rotate(): void {
    if (Date.now() - rotatedAt < 1000) return
    rotatedAt = Date.now()
    const old = pool
    pool = openPool(options)
    old.end({ timeout: DEFAULT_DEADLINE_MS / 1000 }).catch(() => {})
    options.observe({ op: 'warn', message: 'database: a statement missed its deadline; opening new connections', repeat: 'db.deadline' })
  }

  async function within<value>(work: PromiseLike<value>, deadlineMs: number): Promise<value> {
    let timer: Timer | undefined
    let failed: DatabaseError | undefined
    const startedMs = performance.now()
    options.meter?.began()
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        giveUp(work)
        reject(new DatabaseError('deadline', `no answer within ${deadlineMs} ms`))
      }, deadlineMs)
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
    async run<row>(statement: SQL | Statement, { deadlineMs = DEFAULT_DEADLINE_MS }: RunOptions = {}) {
      const { text, values } = toStatement(statement)
      // Prepared by name: the driver asks for the types of any other statement first, and each run is two round trips.
      const rows = await within(pool.unsafe(text, values as never[], { prepare: true }), deadlineMs)
      // A statement whose connection was killed may end as one that found nothing.
      if (rows.command === null || rows.command === undefined) throw new DatabaseError('unreachable', 'not reachable (the answer broke off)', { sqlState: 'CONNECTION_CLOSED' })
      return [...rows] as row[]
    },
    async script(text, { deadlineMs = DEFAULT_DEADLINE_MS } = {}) {
      await within(pool.unsafe(text).simple(), deadlineMs)
    },
    async isReachable() {
      try {
        await within(pool.unsafe('select 1'), 1000)
        return true
      } catch {
        return false
      }
    },
    async close() {
      // end() can hang after a connection reset; the process must still exit.
      await Promise.race([pool.end({ timeout: 2 }), Bun.sleep(3000)]).catch(() => {})
    },
  }
}

/** Of the driver's own queries; its types do not know of them. `state` is there once it was sent. */
interface UnsentQuery {
  state: unknown
  strings: readonly string[]
  args: readonly unknown[]
}

/**
 * One that still waits for a connection is not run any more: whoever asked is told that it failed. One that was sent may
 * take effect. Nothing is sent in its place, which the server answers. It is not cancelled: a connection that is being
 * made for it would then send nothing, wait for the answer, and serve nobody again.
 */
function giveUp(work: PromiseLike<unknown>): void {
  const query = work as postgres.PendingQuery<[]> & UnsentQuery
  if (query.state !== null) return
  query.simple()
  query.strings = ['']
  query.args = []
}

function openPool({ username, password, maxConnections, statementTimeoutMs = 30_000, ...options }: ConnectOptions) {
  const { url, ...socket } = splitSocketDirectory(options.url)
  return postgres(url, {
    ...socket,
    max: maxConnections,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    idle_timeout: 300,
    fetch_types: false,
    ...ONE_AT_A_TIME,
    onnotice: () => {},
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    connection: { application_name: 'gatehouse', DateStyle: 'ISO', statement_timeout: statementTimeoutMs },
    types: TYPES,
  })
}
