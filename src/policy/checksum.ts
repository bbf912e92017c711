import { createHash } from 'node:crypto'
import type { Json } from './merge.ts'

/** `sha256:` and the hex SHA-256 of the JSON with keys sorted at every level and no white space: what the client computes too. */
export function settingsChecksum(settings: Json): string {
  return `sha256:${createHash('sha256').update(canonicalJson(settings)).digest('hex')}`
}

/** JSON with the keys of every object in code unit order and no white space. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value as { [key: string]: Json }).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
}
