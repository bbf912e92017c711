// Where the bytes of an answer come from. Its beginning can be looked at before anything of it is the client's.

export type Chunk = { readonly done: false; readonly value: Uint8Array } | { readonly done: true; readonly value?: Uint8Array | undefined }

export interface Source {
  read(): Promise<Chunk>
  cancel(): Promise<unknown>
}

export interface PeekableSource extends Source {
  /**
   * Gives the bytes so far to `judge`, again with each chunk, until it returns something, the answer ends or `limitMs` is
   * over; undefined in the last two cases. Rejects when the answer breaks off. Whatever was looked at is read again.
   */
  peek<verdict>(judge: (beginning: Uint8Array) => verdict | undefined, limitMs: number): Promise<verdict | undefined>
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
        for (let beginning: Uint8Array = new Uint8Array(); ; ) {
          const reading = reader.read()
          ahead.push(reading)
          const chunk = await Promise.race([reading, over.promise])
          if (chunk?.value === undefined) return undefined
          beginning = beginning.byteLength === 0 ? chunk.value : Buffer.concat([beginning, chunk.value])
          const verdict = judge(beginning)
          if (verdict !== undefined) return verdict
        }
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
