// Writes observations: audit events as one JSON line each, operations as text or JSON, both to stderr.
import { auditLine, escaped } from './audit-line.ts'
import { isAudit, type Level, type Observation, type Observe } from './events.ts'
import { isWritten } from './log-level.ts'
import { redact } from './redact.ts'

export interface SinkOptions {
  /** From which level on operations are written, at this moment. */
  level: () => Level
  format: 'text' | 'json'
  write: (line: string) => void
  now: () => Date
}

/** Lines of the same kind within this time are counted instead of written. */
const REPEAT_MS = 30_000
/** Kinds of lines that are kept in mind; some of them quote what an upstream said. */
const MOST_KINDS = 1000

/** A sink that never throws: a log that cannot be written must not stop a request. */
export function createSink({ level, format, write: writeLine, now }: SinkOptions): Observe {
  const write = (line: string) => writeLine(redact(line))
  const repeats = new Map<string, { until: number; held: number }>()

  /** Undefined when the line is held back; else what to append about those held before it. */
  function admitRepeat(key: string | undefined): string | undefined {
    if (key === undefined) return ''
    const nowMs = now().getTime()
    const known = repeats.get(key)
    if (known !== undefined && nowMs < known.until) {
      known.held += 1
      return undefined
    }
    if (known === undefined && repeats.size >= MOST_KINDS) forgetKinds(nowMs)
    repeats.set(key, { until: nowMs + REPEAT_MS, held: 0 })
    return known !== undefined && known.held > 0 ? ` (${known.held} more like this were not written)` : ''
  }

  /** Those of which nothing is held back, and when there are none, all. */
  function forgetKinds(nowMs: number): void {
    for (const [key, { until, held }] of repeats) if (nowMs >= until && held === 0) repeats.delete(key)
    if (repeats.size >= MOST_KINDS) repeats.clear()
  }

  return (observation: Observation) => {
    const ts = now().toISOString()
    if (isAudit(observation)) return writeLine(`${auditLine(observation.ts === undefined ? { ts, ...observation } : observation)}\n`)
    const current = level()
    if (!isWritten(observation.op, current)) return
    // Who debugs wants to see each of them.
    const suffix = current === 'debug' ? '' : admitRepeat(observation.repeat)
    if (suffix === undefined) return
    const message = observation.message + suffix
    const id = observation.request_id
    if (format === 'json') return write(`${escaped(JSON.stringify({ ts, level: observation.op, message, ...(id === undefined ? {} : { request_id: id }) }))}\n`)
    write(`[gateway] ${ts} ${observation.op} ${printable(message)}${id === undefined ? '' : ` request_id=${id}`}\n`)
  }
}

function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escapeUnit)
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
