// A report as a file, row by row.
import { describeError } from '../observe/describe-error.ts'
import type { Observe } from '../observe/events.ts'
import { csvLine, type Cell } from './csv.ts'
import { isoSeconds } from './moment.ts'
import type { Report } from './report.ts'

/** A file that ends early must not pass for a whole one: this line has too few cells for a parser, and a reader sees it. */
const BROKEN = 'INCOMPLETE: the report broke off here; ask again\r\n'

/** `format` decides, else what the client accepts. */
export function wantsCsv(request: Request, format: 'csv' | 'json' | undefined): boolean {
  return format === undefined ? /\btext\/csv\b/i.test(request.headers.get('accept') ?? '') : format === 'csv'
}

/** Waits for the first rows, so that what is refused or fails at once is an error and no file. */
export async function csvAnswer({ name, span, columns }: Pick<Report, 'name' | 'span' | 'columns'>, batches: AsyncGenerator<Cell[][]>, { observe, requestId }: { observe: Observe; requestId: string }): Promise<Response> {
  const encoder = new TextEncoder()
  const write = (rows: readonly (readonly Cell[])[]) => encoder.encode(rows.map(csvLine).join(''))
  const first = await batches.next()
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(write([columns, ...(first.done ? [] : first.value)]))
    },
    async pull(controller) {
      try {
        const { done, value } = await nextWithRows(batches)
        if (done) return controller.close()
        controller.enqueue(write(value))
      } catch (error) {
        observe({ op: 'error', message: `a report broke off: ${describeError(error)}`, request_id: requestId })
        controller.enqueue(encoder.encode(BROKEN))
        controller.close()
      }
    },
    async cancel() {
      await batches.return(undefined)
    },
  })
  const day = (ms: number) => isoSeconds(ms).slice(0, 10)
  return new Response(body, {
    headers: { 'content-type': 'text/csv; charset=utf-8; header=present', 'content-disposition': `attachment; filename="${name}-${day(span.from)}-to-${day(span.to)}.csv"`, 'cache-control': 'no-store' },
  })
}

/** Days on which nothing happened have no rows, and a stream waits for bytes. */
async function nextWithRows(batches: AsyncGenerator<Cell[][]>): Promise<IteratorResult<Cell[][]>> {
  for (;;) {
    const next = await batches.next()
    if (next.done || next.value.length > 0) return next
  }
}
