import type { Socket } from 'bun'

/** Writes to a socket in order, also what it does not take at once: call `drained` when it takes more. */
export interface BackedWriter {
  write(bytes: Uint8Array): void
  drained(): void
}

export function createBackedWriter(socket: Pick<Socket, 'write'>): BackedWriter {
  let waiting: Uint8Array[] = []
  const push = (bytes: Uint8Array) => {
    const taken = Math.max(0, socket.write(bytes))
    if (taken < bytes.length) waiting.push(bytes.subarray(taken))
  }
  return {
    write: (bytes) => (waiting.length > 0 ? void waiting.push(bytes) : push(bytes)),
    drained() {
      const all = waiting
      waiting = []
      for (const bytes of all) if (waiting.length > 0) waiting.push(bytes)
      else push(bytes)
    },
  }
}
