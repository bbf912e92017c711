// Many callers, one statement at a time: whoever comes while one is under way goes with the next.

export interface GroupCommit<entry, answer> {
  /** Rejects with what the statement was rejected with, or with a TimeoutError once `limitMs` have passed since the call. */
  add(entry: entry): Promise<answer>
  /** Statements so far, and entries in them. */
  readonly counts: { readonly batches: number; readonly entries: number }
  /** A statement is under way. */
  isBusy(): boolean
}

export class TimeoutError extends Error {
  /** Whether the statement with the entry was under way: it may take effect later. */
  readonly wasSent: boolean

  constructor(wasSent: boolean) {
    super('no answer in time')
    this.name = 'TimeoutError'
    this.wasSent = wasSent
  }
}

interface Waiting<entry, answer> {
  readonly entry: entry
  readonly resolve: (answer: answer) => void
  readonly reject: (error: unknown) => void
  isSent: boolean
  isOver: boolean
}

/** `send` answers a batch in its order; `isWanted` says whether somebody still waits for the answer to an entry. */
export type SendBatch<entry, answer> = (entries: readonly entry[], isWanted: (entry: entry) => boolean) => Promise<readonly answer[]>

export function createGroupCommit<entry, answer>({ send, most, limitMs }: { send: SendBatch<entry, answer>; most: number; limitMs: number }): GroupCommit<entry, answer> {
  let queue: Waiting<entry, answer>[] = []
  let isBusy = false
  const counts = { batches: 0, entries: 0 }

  async function work(): Promise<void> {
    if (isBusy) return
    isBusy = true
    while (queue.length > 0) {
      const batch = queue.slice(0, most)
      queue = queue.slice(most)
      for (const one of batch) one.isSent = true
      counts.batches++
      counts.entries += batch.length
      const isWanted = (entry: entry) => batch.some((one) => one.entry === entry && !one.isOver)
      await Promise.try(send, batch.map(({ entry }) => entry), isWanted).then(
        (answers) => batch.forEach((one, at) => one.resolve(answers[at] as answer)),
        (error: unknown) => batch.forEach((one) => one.reject(error)),
      )
    }
    isBusy = false
  }

  return {
    counts,
    isBusy: () => isBusy,
    add(entry) {
      return new Promise<answer>((resolve, reject) => {
        const end = <value>(settle: (value: value) => void) => (value: value) => {
          if (one.isOver) return
          one.isOver = true
          clearTimeout(timer)
          settle(value)
        }
        const one: Waiting<entry, answer> = { entry, resolve: end(resolve), reject: end(reject), isSent: false, isOver: false }
        const timer = setTimeout(() => {
          queue = queue.filter((other) => other !== one)
          one.reject(new TimeoutError(one.isSent))
        }, limitMs)
        queue.push(one)
        void work()
      })
    },
  }
}
