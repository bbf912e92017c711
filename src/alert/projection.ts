/**
 * When a limit is used up at the pace of the window so far, in Unix milliseconds; undefined when it lasts until the
 * window ends, or is used up already. Pure.
 */
export function exhaustedAt({ spent, amount, startMs, endMs, nowMs }: { spent: bigint; amount: bigint; startMs: number; endMs: number; nowMs: number }): number | undefined {
  const elapsedMs = nowMs - startMs
  if (spent <= 0n || spent >= amount || elapsedMs <= 0) return undefined
  const atMs = startMs + elapsedMs * (Number(amount) / Number(spent))
  return atMs < endMs ? Math.round(atMs) : undefined
}
