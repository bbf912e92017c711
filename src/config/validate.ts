// A parsed document against the schema: the configuration, or every problem there is.
import * as v from 'valibot'
import { crossCheck } from './cross-checks.ts'
import { knownKeys } from './known-keys.ts'
import { nearest } from '../std/nearest.ts'
import { pathText, type Path, type Problem } from './problem.ts'
import { gatewaySchema, type GatewayConfig } from './schema.ts'

export type Validated = { ok: true; config: GatewayConfig } | { ok: false; problems: Problem[] }

export interface ValidateOptions {
  readonly allowLoopback: boolean
  /** References that could not be replaced left these places blank: what the schema says of them is noise. */
  readonly unresolved: readonly Path[]
}

/** Problems name keys, never values: a value may be a secret. */
export function validate(document: unknown, { allowLoopback, unresolved }: ValidateOptions): Validated {
  const result = v.safeParse(gatewaySchema, document)
  const blank = new Set(unresolved.map(pathText))
  const problems = (result.issues ?? []).flatMap((issue) => explain(issue, document)).filter(({ path }) => !blank.has(pathText(path)))
  const spoiled = new Set([...problems.map(({ path }) => path), ...unresolved].map(([section]) => section))
  // Sections without an issue are complete although others are not.
  const crossed = isObject(result.output) ? crossCheck(result.output as GatewayConfig, { isWhole: (section) => !spoiled.has(section), allowLoopback }) : []
  const all = [...problems, ...crossed]
  return result.success && all.length === 0 ? { ok: true, config: result.output } : { ok: false, problems: all }
}

function explain(issue: v.BaseIssue<unknown>, document: unknown): Problem[] {
  const path = pathOf(issue)
  if (issue.type !== 'strict_object') return [{ path, message: wording(issue) }]
  if (issue.expected === 'never') return unknownKeys(path.slice(0, -1), issue, document)
  // Only a missing key is reported with the key as expectation.
  if (issue.received === 'undefined' && path.length > 0) return [{ path, message: 'is required' }]
  return [{ path, message: path.length === 0 ? 'the file must hold a mapping' : 'must be a mapping' }]
}

/** valibot stops at the first unknown key of a mapping; the operator wants all of them. */
function unknownKeys(parent: Path, issue: v.BaseIssue<unknown>, document: unknown): Problem[] {
  const known = knownKeys(gatewaySchema, parent, document)
  const given = Object.keys((issue.path?.at(-1)?.input ?? {}) as object)
  return given
    .filter((key) => !known.includes(key))
    .map((key) => {
      const near = nearest(key, known)
      return { path: [...parent, key], message: near === undefined ? 'unknown key' : `unknown key; did you mean ${near}?`, atKey: true }
    })
}

/** Our schemas word their own messages; valibot's default ones quote the value. */
function wording(issue: v.BaseIssue<unknown>): string {
  return issue.message.startsWith('Invalid ') ? `must be ${issue.expected ?? 'valid'}` : issue.message
}

function pathOf(issue: v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map((item) => item.key as string | number)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
