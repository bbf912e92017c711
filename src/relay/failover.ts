// Which answer of an upstream is the client's, which moves on to the next upstream, and what is said when all failed. Pure.

/** These speak of the upstream or of our account with it, not of the request. */
const MOVES_ON = new Set([401, 402, 403, 404, 429])

/** Whether another upstream may do better. A redirect is a failure: nothing is followed. */
export function movesOn(status: number, alsoOn: ReadonlySet<number>): boolean {
  return isOurFault(status) || alsoOn.has(status)
}

/** Whether a status says that the upstream, or our account with it, is not well; a 404 alone may say less. */
export function isOurFault(status: number): boolean {
  return MOVES_ON.has(status) || status >= 500 || (status >= 300 && status < 400) || status < 200
}

/** A 404 may speak of the file that a request names; 401 and 403 of the one person whose credential it is: nothing is learned of the upstream. */
export function saysNothing(status: number, hasPersonalCredentials = false): boolean {
  return status === 404 || (hasPersonalCredentials && (status === 401 || status === 403))
}

/** Kept answers of failed attempts, best first: what tells the client most. */
const WORTH_TELLING: readonly (readonly number[])[] = [[429], [401, 403], [404], [400], [501], [402], [529]]

interface Told {
  readonly status: number
  readonly told?: { readonly status: number } | undefined
}

/** The last attempt of the most telling kind; undefined when only general failure is left. */
export function mostTelling<attempt extends Told>(attempts: readonly attempt[]): attempt | undefined {
  for (const statuses of WORTH_TELLING) {
    const found = attempts.findLast(({ status, told }) => statuses.includes(told?.status ?? status))
    if (found !== undefined) return found
  }
  return undefined
}
