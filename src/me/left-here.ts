// Browsers that were signed out while the store could not hear of it: their cookies open nothing at this replica any more.

export interface LeftHere {
  /** `isKnown`: the cookie was seen to open something. */
  add(tokenHash: string, isKnown: boolean): void
  /** The store has heard of it. */
  delete(tokenHash: string): void
  has(tokenHash: string): boolean
}

/** Anybody can sign out with a cookie that never was one: there is room for many, and an end, and none of them drives out one that was. */
const MOST = 10_000

/** `seconds`: longer no cookie lives. `nowMs` is monotonic. */
export function createLeftHere(seconds: number, nowMs: () => number): LeftHere {
  /** Until when; left longest ago first. */
  const known = new Map<string, number>()
  const unknown = new Map<string, number>()

  function forgetOld(left: Map<string, number>): void {
    for (const [tokenHash, untilMs] of left) {
      if (untilMs > nowMs() && left.size <= MOST) return
      left.delete(tokenHash)
    }
  }

  function forget(tokenHash: string): void {
    known.delete(tokenHash)
    unknown.delete(tokenHash)
  }

  return {
    add(tokenHash, isKnown) {
      // Once known it stays so: signed out twice, it is no longer recalled the second time.
      const left = isKnown || known.has(tokenHash) ? known : unknown
      forget(tokenHash)
      left.set(tokenHash, nowMs() + seconds * 1000)
      forgetOld(left)
    },
    delete: forget,
    has: (tokenHash) => known.has(tokenHash) || unknown.has(tokenHash),
  }
}
