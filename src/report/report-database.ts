// What reports see of the database: a few statements at once, each in its time.
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
import { GatewayError } from '../errors.ts'
import type { Turnstile } from './turnstile.ts'

export type ReportDatabase = Pick<Database, 'run'>

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
        throw new GatewayError('unavailable', 'the report takes too long; ask for fewer days at once, or leave out a group_by[]', { headers: { 'retry-after': '60' }, cause: error })
      }
    },
  }
}
