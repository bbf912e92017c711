// A file that is written while it is read, some rows at a time: what it holds at once is one batch.
import { describeError } from '../observe/describe-error.ts'
import type { Observe } from '../observe/events.ts'

export interface FileForm<row> {
  readonly filename: string
  readonly type: string
  /** What stands before all rows. */
  readonly head: string
  written(rows: readonly row[]): string
}

/** A file that ends early must not pass for a whole one: no parser takes this line, and a reader sees it. */
const BROKEN = 'INCOMPLETE: the report broke off here; ask again'

/** Waits for the first rows, so that what is refused or fails at once is an error and no file. */
export async function fileAnswer<row>({ filename, type, head, written }: FileForm<row>, batches: AsyncGenerator<row[]>, { observe, requestId }: { observe: Observe; requestId: string }): Promise<Response> {
  const encoder = new TextEncoder()
  const first = await batches.next()
  const beginning = head + (first.done ? '' : written(first.value))
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (beginning !== '') controller.enqueue(encoder.encode(beginning))
    },
    async pull(controller) {
      try {
        const { done, value } = await nextWithRows(batches)
        if (done) return controller.close()
        controller.enqueue(encoder.encode(written(value)))
      } catch (error) {
        observe({ op: 'error', message: `a report broke off: ${describeError(error)}`, request_id: requestId })
        controller.enqueue(encoder.encode(`${BROKEN}\r\n`))
        controller.close()
      }
    },
    async cancel() {
      await batches.return(undefined)
    },
  })
  return new Response(body, { headers: { 'content-type': type, 'content-disposition': `attachment; filename="${filename}"`, 'cache-control': 'no-store' } })
}

/** Days on which nothing happened have no rows, and a stream waits for bytes. */
async function nextWithRows<row>(batches: AsyncGenerator<row[]>): Promise<IteratorResult<row[]>> {
  for (;;) {
    const next = await batches.next()
    if (next.done || next.value.length > 0) return next
  }
}
