// Where the bytes of an answer come from. Its beginning can be looked at before anything of it is the client's.

/** What has come since the last read; `done` says that no more follows. */
export interface Batch {
  readonly done: boolean
  readonly value?: readonly Uint8Array[] | undefined
}

export interface Source {
  /** Everything that is there, at once; a promise where nothing is yet. */
  read(): Batch | Promise<Batch>
  cancel(): Promise<unknown>
}

export interface PeekableSource extends Source {
  /**
   * Gives chunk after chunk to `judge` until it returns something, the answer ends or `limitMs` is over; undefined in the
   * last two cases. Rejects when the answer breaks off. Whatever was looked at is read again.
   */
  peek<verdict>(judge: (chunk: Uint8Array) => verdict | undefined, limitMs: number): Promise<verdict | undefined>
}

export function createSource(body: ReadableStream<Uint8Array>): PeekableSource {
  // One read for all chunks that wait costs as much as one for each.
  const reader = body.getReader() as unknown as { readMany(): Batch | Promise<Batch>; cancel(): Promise<void> }
  const ahead: (Batch | Promise<Batch>)[] = []
  return {
    read: () => ahead.shift() ?? reader.readMany(),
    cancel: () => reader.cancel(),
    async peek(judge, limitMs) {
      const over = Promise.withResolvers<undefined>()
      const timer = setTimeout(() => over.resolve(undefined), limitMs)
      try {
        for (;;) {
          const reading = reader.readMany()
          ahead.push(reading)
          const batch = await Promise.race([reading, over.promise])
          if (batch === undefined) return undefined
          for (const chunk of batch.value ?? []) {
            const verdict = judge(chunk)
            if (verdict !== undefined) return verdict
          }
          if (batch.done) return undefined
        }
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
