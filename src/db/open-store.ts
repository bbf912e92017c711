// The store at boot: reached, migrated, or one sentence that says why not.
import { sql } from 'drizzle-orm'
import { BootError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import type { StoreConfig } from './config.ts'
import { connect, type Database } from './connect.ts'
import { DatabaseError } from './database-error.ts'
import { createDatabaseMetrics, type PoolState } from './database-metrics.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations.ts'

export interface Store {
  db: Database
  /** For what reads long: it takes no connection of `db`'s, and its missed deadlines leave `db` alone. */
  reports: Database
  /** For what requests wait for and what records them: nothing else keeps it busy. */
  ledger: Database
  metrics(): MetricFamily[]
  pools(): readonly PoolState[]
  /** The newest migration that is applied: all of this program's are. */
  readonly schema: string
  close(): Promise<void>
}

/** A database that comes up together with the gateway gets this long. */
const PATIENCE_MS = 5000
const RETRY_MS = 500
/** One admits, one settles, one looks after both. */
const LEDGER = { maxConnections: 3 }
const REPORTS = { maxConnections: 2, statementTimeoutMs: 20_000 }

/** Throws BootError that names the host, never the user or the password. */
export async function openStore(config: StoreConfig, observe: Observe): Promise<Store> {
  const embedded = config.embedded === undefined ? undefined : await startEmbedded(config.embedded)
  const url = embedded?.url ?? config.postgres_url?.reveal() ?? ''
  const server = { url, username: config.username, password: config.password?.reveal(), observe }
  const metrics = createDatabaseMetrics()
  const pool = (name: string, { maxConnections, ...more }: { maxConnections: number; statementTimeoutMs?: number }) => connect({ ...server, ...more, maxConnections, meter: metrics.meter(name, maxConnections) })
  const maxConnections = embedded?.maxConnections ?? config.max_connections
  const db = pool('main', { maxConnections })
  // The embedded database takes one connection; so may a server for which no more are configured.
  const isOne = maxConnections === 1
  const reports = isOne ? db : pool('reports', REPORTS)
  const ledger = isOne ? db : pool('ledger', LEDGER)
  const close = async () => {
    await Promise.all([...new Set([db, reports, ledger])].map((one) => one.close()))
    await embedded?.stop()
  }
  try {
    await reach(db, config, observe)
    await migrate(db, migrations, observe)
    return { db, reports, ledger, metrics: metrics.families, pools: metrics.pools, schema: migrations.at(-1)?.name.replace(/\.sql$/, '') ?? '', close }
  } catch (error) {
    await close()
    throw error instanceof DatabaseError ? new BootError(`store: ${whereIs(config)}: ${why(error)}`) : error
  }
}

/** The database as it is, for a command that reads it beside a gateway. Throws BootError as `openStore` does. */
export async function openStoreToRead(config: StoreConfig, observe: Observe): Promise<Pick<Store, 'db' | 'close'>> {
  const embedded = config.embedded === undefined ? undefined : await startEmbedded(config.embedded)
  const db = connect({ url: embedded?.url ?? config.postgres_url?.reveal() ?? '', username: config.username, password: config.password?.reveal(), maxConnections: 1, observe })
  const close = async () => {
    await db.close()
    await embedded?.stop()
  }
  try {
    await reach(db, config, observe)
    return { db, close }
  } catch (error) {
    await close()
    throw error instanceof DatabaseError ? new BootError(`store: ${whereIs(config)}: ${why(error)}`) : error
  }
}

/** Waits for a database that comes up together with the gateway. Throws DatabaseError when it does not come. */
async function reach(db: Database, config: StoreConfig, observe: Observe): Promise<void> {
  const giveUpMs = performance.now() + PATIENCE_MS
  for (;;) {
    const leftMs = giveUpMs - performance.now()
    try {
      await db.run(sql`select 1`, { deadlineMs: Math.max(RETRY_MS, leftMs) })
      return
    } catch (error) {
      const isAway = error instanceof DatabaseError && (error.code === 'unreachable' || error.code === 'deadline')
      if (!isAway || giveUpMs - performance.now() < RETRY_MS) throw error
      observe({ op: 'warn', message: `store: ${whereIs(config)} does not answer yet (${error.sqlState ?? error.code})`, repeat: 'store.boot' })
      await Bun.sleep(RETRY_MS)
    }
  }
}

function why({ code, sqlState, message }: DatabaseError): string {
  if (sqlState === '28P01' || sqlState === '28000') return 'PostgreSQL refuses the user name or password'
  if (sqlState === '3D000') return 'PostgreSQL has no database of this name'
  if (code === 'unreachable' || code === 'deadline') return `PostgreSQL is not reachable (${sqlState ?? code})`
  return message
}

function whereIs({ postgres_url }: StoreConfig): string {
  const text = postgres_url?.reveal() ?? ''
  return URL.canParse(text) ? new URL(text).host || 'postgres_url' : 'postgres_url'
}

async function startEmbedded(directory: string) {
  // Loaded only when asked for: it weighs more than the rest of the program.
  const { startEmbeddedPostgres } = await import('./embedded.ts')
  return startEmbeddedPostgres({ directory })
}
