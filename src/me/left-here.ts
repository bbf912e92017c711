// Browsers that were signed out while the store could not hear of it: their cookies open nothing at this replica any more.

export interface LeftHere {
  add(tokenHash: string): void
  /** The store has heard of it. */
  delete(tokenHash: string): void
  has(tokenHash: string): boolean
}

/** Anybody can sign out with a cookie that never was one: there is room for many, and an end. */
const MOST = 10_000

/** `seconds`: longer no cookie lives. `nowMs` is monotonic. */
export function createLeftHere(seconds: number, nowMs: () => number): LeftHere {
  /** Until when; left longest ago first. */
  const left = new Map<string, number>()

  function forgetOld(): void {
    for (const [tokenHash, untilMs] of left) {
      if (untilMs > nowMs() && left.size <= MOST) return
      left.delete(tokenHash)
    }
  }

  return {
    add(tokenHash) {
      left.delete(tokenHash)
      left.set(tokenHash, nowMs() + seconds * 1000)
      forgetOld()
    },
    delete: (tokenHash) => void left.delete(tokenHash),
    has: (tokenHash) => left.has(tokenHash),
  }
}
