// A report as a file of CSV, row by row.
import type { Observe } from '../observe/events.ts'
import { csvLine, type Cell } from './csv.ts'
import { fileAnswer } from './file-answer.ts'
import { isoSeconds } from './moment.ts'
import type { Report } from './report.ts'

export const CSV_TYPE = 'text/csv; charset=utf-8; header=present'

/** `format` decides, else what the client accepts. */
export function wantsCsv(request: Request, format: 'csv' | 'json' | undefined): boolean {
  return format === undefined ? /\btext\/csv\b/i.test(request.headers.get('accept') ?? '') : format === 'csv'
}

/** Waits for the first rows, so that what is refused or fails at once is an error and no file. */
export async function csvAnswer({ name, span, columns }: Pick<Report, 'name' | 'span' | 'columns'>, batches: AsyncGenerator<Cell[][]>, about: { observe: Observe; requestId: string }): Promise<Response> {
  const day = (ms: number) => isoSeconds(ms).slice(0, 10)
  const form = { filename: `${name}-${day(span.from)}-to-${day(span.to)}.csv`, type: CSV_TYPE, head: csvLine(columns), written: (rows: readonly Cell[][]) => rows.map(csvLine).join('') }
  return fileAnswer(form, batches, about)
}
