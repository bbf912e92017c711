import { createServer } from 'node:net'

/** The first of `wanted` that nobody listens on at 127.0.0.1; 0 stands for any. */
export async function choosePort(wanted: readonly number[]): Promise<number> {
  for (const port of wanted) {
    const free = await tryPort(port)
    if (free !== undefined) return free
  }
  return choosePort([0])
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(undefined))
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
