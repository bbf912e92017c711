// The end of a listener: what has begun is finished, what is new goes elsewhere.
import type { Listener } from './server.ts'

export interface DrainOptions {
  readonly listener: Listener
  /** Others listen on the port, too: new connections are for them. */
  readonly isShared: boolean
  /** How many requests are under way that may take long. */
  readonly inFlight: () => number
  /** Cuts them. */
  readonly endAll: () => void
  readonly drainSeconds: number
}

/** How long the last streams may take to say that they are cut. */
const FAREWELL_MS = 1000
/** For so long answers end their connection before the port is left: one that is closed without a word may have a request on its way. */
const LEAVING_MS = 1000
const STEP_MS = 50

/**
 * Resolves when every connection is closed. From before the call on the caller sends new requests elsewhere: with a refusal,
 * which a balancer understands, or on a shared port with the answer they ask for and `connection: close`.
 */
export async function drain({ listener, isShared, inFlight, endAll, drainSeconds }: DrainOptions): Promise<void> {
  if (isShared) await Bun.sleep(LEAVING_MS)
  const left = isShared ? listener.close() : undefined
  const idle = () => inFlight() === 0
  if (!(await within(drainSeconds * 1000, idle))) {
    endAll()
    await within(FAREWELL_MS, idle)
  }
  await Promise.race([left ?? listener.close(), Bun.sleep(FAREWELL_MS)])
  listener.abort()
}

async function within(limitMs: number, condition: () => boolean): Promise<boolean> {
  for (const endMs = performance.now() + limitMs; performance.now() < endMs; ) {
    if (condition()) return true
    await Bun.sleep(STEP_MS)
  }
  return condition()
}
