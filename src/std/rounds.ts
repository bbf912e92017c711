export interface Rounds {
  /** One round now; nothing while one is under way. Never rejects. */
  run(): Promise<void>
  /** No more rounds. Resolves when the one under way has ended. */
  stop(): Promise<void>
}

/** Does `work` again and again, one round at a time however long it takes; `failed` hears of each that does not succeed. */
export function startRounds(everyMs: number, work: () => Promise<unknown>, failed: (error: Error) => void): Rounds {
  let underWay: Promise<void> | undefined
  const run = async () => {
    if (underWay !== undefined) return
    underWay = work().then(() => {}, failed)
    await underWay
    underWay = undefined
  }
  const timer = setInterval(run, everyMs)
  return {
    run,
    async stop() {
      clearInterval(timer)
      await underWay
    },
  }
}
