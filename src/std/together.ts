type Results<work extends readonly unknown[]> = { -readonly [at in keyof work]: Awaited<work[at]> }

/** What all of them come to. Where one fails, the others are waited for all the same: whoever clears up after a failure finds nothing that still begins. Throws what the first in the list failed with. */
export async function together<const work extends readonly unknown[]>(work: work): Promise<Results<work>> {
  const settled = await Promise.allSettled(work)
  const failed = settled.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as Results<work>
}
