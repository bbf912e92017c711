// A parsed document against the schema: the configuration, or every problem there is.
import * as v from 'valibot'
import { crossCheck } from './cross-checks.ts'
import { knownKeys } from './known-keys.ts'
import { nearest } from './nearest.ts'
import type { Path, Problem } from './problem.ts'
import { gatewaySchema, type GatewayConfig } from './schema.ts'

export type Validated = { ok: true; config: GatewayConfig } | { ok: false; problems: Problem[] }

/** Problems name keys, never values: a value may be a secret. */
export function validate(document: unknown): Validated {
  const result = v.safeParse(gatewaySchema, document)
  if (!result.success) return { ok: false, problems: result.issues.flatMap((issue) => explain(issue, document)) }
  const problems = crossCheck(result.output)
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config: result.output }
}

function explain(issue: v.BaseIssue<unknown>, document: unknown): Problem[] {
  const path = pathOf(issue)
  if (issue.type !== 'strict_object') return [{ path, message: wording(issue) }]
  const parent = path.slice(0, -1)
  if (issue.expected === 'never') return [{ path, message: unknownKey(parent, String(path.at(-1)), document), atKey: true }]
  // Only a missing key is reported with the key as expectation.
  if (issue.received === 'undefined' && path.length > 0) return [{ path, message: 'is required' }]
  return [{ path, message: path.length === 0 ? 'the file must hold a mapping' : 'must be a mapping' }]
}

function unknownKey(parent: Path, key: string, document: unknown): string {
  const near = nearest(key, knownKeys(gatewaySchema, parent, document))
  return near === undefined ? 'unknown key' : `unknown key; did you mean ${near}?`
}

/** Our schemas word their own messages; valibot's default ones quote the value. */
function wording(issue: v.BaseIssue<unknown>): string {
  return issue.message.startsWith('Invalid ') ? `must be ${issue.expected ?? 'valid'}` : issue.message
}

function pathOf(issue: v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map((item) => item.key as string | number)
}
