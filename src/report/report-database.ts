// What reports see of the database: a few statements at once, each in its time.
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
import { GatewayError } from '../errors.ts'
import { createTurnstile, type Turnstile } from './turnstile.ts'

export type ReportDatabase = Pick<Database, 'run'>

/** The same turnstile for whoever waits for an answer, and for whoever waits for the next part of a file. */
export interface ReportDatabases {
  readonly hasty: ReportDatabase
  readonly patient: ReportDatabase
}

/** Statements of reports at once in one process, and how long others wait: a file that is being written longer than who asks. */
const TURNS = { atOnce: 2, mostWaiting: 20 }
const PATIENCE_MS = 3000
const PATIENCE_OF_FILES_MS = 60_000

/** `db`: connections of the reports' own, whose statements end in time. */
export function createReportDatabases(db: ReportDatabase): ReportDatabases {
  const turnstile = createTurnstile(TURNS)
  return { hasty: createReportDatabase(db, turnstile, PATIENCE_MS), patient: createReportDatabase(db, turnstile, PATIENCE_OF_FILES_MS) }
}

/** SQLSTATE query_canceled: the connection's statement_timeout. */
const CANCELED = '57014'

/** Throws `unavailable` for a statement that does not get its turn, and for one that took too long, which is given up at the server, too. */
export function createReportDatabase(db: ReportDatabase, turnstile: Turnstile, patienceMs: number): ReportDatabase {
  return {
    async run(statement, options) {
      try {
        return await turnstile.pass(() => db.run(statement, options), patienceMs)
      } catch (error) {
        if (!(error instanceof DatabaseError) || (error.sqlState !== CANCELED && error.code !== 'deadline')) throw error
        throw new GatewayError('unavailable', 'this takes the database too long; ask for fewer days at once, or in less detail', { headers: { 'retry-after': '60' }, cause: error })
      }
    },
  }
}
