/** Lines on their way to where the log goes, some at a time: a write for each costs more than making it. */
export interface LineBuffer {
  /** Takes a line with its end. */
  write(line: string): void
  /** Writes what is there now; call it before the process ends. */
  flush(): void
}

/** What a process that is killed takes along is no older than this. */
const DELAY_MS = 20
const MOST_CHARACTERS = 64 * 1024

export function createLineBuffer(write: (text: string) => void, delayMs = DELAY_MS): LineBuffer {
  let lines: string[] = []
  let characters = 0
  let timer: Timer | undefined

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (lines.length === 0) return
    const text = lines.join('')
    lines = []
    characters = 0
    write(text)
  }

  return {
    flush,
    write(line) {
      lines.push(line)
      characters += line.length
      if (characters >= MOST_CHARACTERS) return flush()
      timer ??= setTimeout(flush, delayMs)
    },
  }
}
