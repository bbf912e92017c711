// What an administrator asks of the log, judged strictly.
import type { Level } from '../observe/events.ts'
import { LEVELS, MOST_SECONDS } from '../observe/log-level.ts'
import { checkKeys, parseReason, readObject } from '../spend/parse.ts'
import { refuse } from '../spend/refuse.ts'

export interface WantedLevel {
  readonly level: Level
  /** For good where there is none. */
  readonly seconds: number | undefined
  readonly reason: string | undefined
}

const FIELDS = ['level', 'for_seconds', 'reason']

/** The body of `PUT /v1/organizations/log_level`. Throws `invalid_request`. */
export function parseLevel(body: Uint8Array): WantedLevel {
  const fields = readObject(body)
  checkKeys(fields, FIELDS, '')
  const level = LEVELS.find((one) => one === fields.level) ?? refuse('level', `must be one of ${LEVELS.join(', ')}`)
  return { level, seconds: parseSeconds(fields.for_seconds), reason: parseReason(fields.reason) }
}

function parseSeconds(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MOST_SECONDS) refuse('for_seconds', `must be a whole number from 1 to ${MOST_SECONDS}`)
  return value
}
