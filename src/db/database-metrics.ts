// Statements as we see them: the driver does not say how many of its connections are in use, and what waits for one is in
// flight here. More in flight than connections means that statements wait.
import { createCounter, createHistogram } from '../observe/instruments.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import type { DatabaseErrorCode } from './database-error.ts'

/** Hears of every statement of one pool. */
export interface StatementMeter {
  began(): void
  ended(ms: number, failure?: DatabaseErrorCode): void
}

export interface DatabaseMetrics {
  /** `name` is one of ours. */
  meter(name: string, maxConnections: number): StatementMeter
  /** Statements that have not been answered, and how many connections there may be. */
  pools(): readonly PoolState[]
  families(): MetricFamily[]
}

export interface PoolState {
  readonly name: string
  readonly inFlight: number
  readonly maxConnections: number
}

const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20]

export function createDatabaseMetrics(): DatabaseMetrics {
  const pools: { name: string; maxConnections: number; inFlight: number }[] = []
  const duration = createHistogram({ name: 'gatehouse_db_statement_duration_seconds', help: 'From the asking of a statement to its answer, with what it waited for a connection.', labels: ['pool'], bounds: BOUNDS })
  const failures = createCounter({ name: 'gatehouse_db_statement_failures_total', help: 'Statements that failed, by why.', labels: ['pool', 'reason'] })
  const gauge = (name: string, help: string, value: (pool: (typeof pools)[number]) => number): MetricFamily => ({ name, type: 'gauge', help, samples: pools.map((pool) => ({ labels: { pool: pool.name }, value: value(pool) })) })
  return {
    meter(name, maxConnections) {
      const pool = { name, maxConnections, inFlight: 0 }
      pools.push(pool)
      return {
        began: () => void pool.inFlight++,
        ended(ms, failure) {
          pool.inFlight--
          duration.observe(ms / 1000, name)
          if (failure !== undefined) failures.add(1, name, failure)
        },
      }
    },
    pools: () => pools.map((pool) => ({ ...pool })),
    families: () => [
      gauge('gatehouse_db_statements_in_flight', 'Statements that have not been answered; beyond gatehouse_db_connections_max they wait.', ({ inFlight }) => inFlight),
      gauge('gatehouse_db_connections_max', 'Connections that the pool may open.', ({ maxConnections }) => maxConnections),
      duration.family(),
      failures.family(),
    ],
  }
}
