// Lets a few reports through at once. The ledger is written while they are read.
import { GatewayError } from '../errors.ts'

export interface Turnstile {
  /** Runs the work when its turn comes. Throws `unavailable` with `retry-after` when it does not come in time. */
  pass<value>(work: () => Promise<value>, patienceMs: number): Promise<value>
}

export function createTurnstile({ atOnce, mostWaiting }: { atOnce: number; mostWaiting: number }): Turnstile {
  let inside = 0
  const waiting: (() => void)[] = []

  async function enter(patienceMs: number): Promise<void> {
    if (inside < atOnce) {
      inside += 1
      return
    }
    if (waiting.length >= mostWaiting) throw busy()
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(admit), 1)
        reject(busy())
      }, patienceMs)
      const admit = () => {
        clearTimeout(timer)
        resolve()
      }
      waiting.push(admit)
    })
  }

  /** The place is handed on, so that nobody who comes now overtakes who waits. */
  function leave(): void {
    const next = waiting.shift()
    if (next === undefined) inside -= 1
    else next()
  }

  return {
    async pass(work, patienceMs) {
      await enter(patienceMs)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}

function busy(): GatewayError {
  return new GatewayError('unavailable', 'other reports are being made; try again', { headers: { 'retry-after': '5' } })
}
