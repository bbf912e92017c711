// Where the bytes of an answer come from. Its beginning can be looked at before anything of it is the client's.

export type Chunk = { readonly done: false; readonly value: Uint8Array } | { readonly done: true; readonly value?: Uint8Array | undefined }

export interface Source {
  read(): Promise<Chunk>
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
  const reader = body.getReader() as { read(): Promise<Chunk>; cancel(): Promise<void> }
  const ahead: Promise<Chunk>[] = []
  return {
    read: () => ahead.shift() ?? reader.read(),
    cancel: () => reader.cancel(),
    async peek(judge, limitMs) {
      const over = Promise.withResolvers<undefined>()
      const timer = setTimeout(() => over.resolve(undefined), limitMs)
      try {
        for (;;) {
          const reading = reader.read()
          ahead.push(reading)
          const chunk = await Promise.race([reading, over.promise])
          if (chunk?.value === undefined) return undefined
          const verdict = judge(chunk.value)
          if (verdict !== undefined) return verdict
        }
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
