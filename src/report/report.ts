// What every report can do, whatever it is about. Types only.
import type { Cell } from './csv.ts'
import type { Span } from './moment.ts'
import type { PageTokens } from '../http/page-token.ts'
import type { ReportDatabase } from './report-database.ts'

export interface Report {
  /** Begins the name of its file. */
  readonly name: string
  readonly span: Span
  readonly columns: readonly string[]
  /** All of its rows, some thousand at a time. Throws `invalid_request` for more than anybody should ask for. */
  rows(db: ReportDatabase): AsyncGenerator<Cell[][]>
  /** One answer of it. Throws `invalid_request` for a page that is none. */
  page(db: ReportDatabase, tokens: PageTokens): Promise<object>
}

/** Rows of one statement of a report that is written as a file. */
export const ROWS_AT_ONCE = 5000
