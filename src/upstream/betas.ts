// Which values of `anthropic-beta` go to which provider. One that a cloud does not know fails the whole request there, and
// what it knows differs by model and region; what this table gets wrong is learned from the refusal (learned.ts).
// Sources: the clouds' documentation, live probes published by Envoy AI Gateway and others, LiteLLM's list; November 2026.
import { generationOf, type Generation } from '../models/generation.ts'
import type { UpstreamRequest } from './upstream.ts'

/** The operator's lists of an upstream. */
export interface BetaLists {
  readonly allow?: readonly string[] | undefined
  readonly deny?: readonly string[] | undefined
}

type Since = number
/** From the first generation of models on that takes it; 0 is every one. */
type Accepted = Readonly<Record<string, Since>>

const CLAUDE_4_6: Since = 406
const CLAUDE_4_7: Since = 407
/** Takes `effort` although it is older than the others that do. */
const EFFORT_EARLY = 'opus'

const BEDROCK: Accepted = {
  'claude-code-20250219': 0,
  'interleaved-thinking-2025-05-14': 0,
  'context-1m-2025-08-07': 0,
  'context-management-2025-06-27': 0,
  'tool-search-tool-2025-10-19': 0,
  'fine-grained-tool-streaming-2025-05-14': 0,
  'computer-use-2025-01-24': 0,
  'computer-use-2025-11-24': 0,
  'compact-2026-01-12': CLAUDE_4_6,
  'effort-2025-11-24': CLAUDE_4_6,
  'dangerous-tool-use-2026-09-03': CLAUDE_4_7,
  'thinking-binding-controls-2026-08-01': CLAUDE_4_7,
  'thinking-display-updates-2026-08-18': CLAUDE_4_7,
  'mid-conversation-output-config-2026-07-01': CLAUDE_4_7,
  'mid-conversation-tool-changes-2026-07-01': CLAUDE_4_7,
}

const VERTEX: Accepted = {
  'claude-code-20250219': 0,
  'interleaved-thinking-2025-05-14': 0,
  'context-1m-2025-08-07': 0,
  'context-management-2025-06-27': 0,
  'tool-search-tool-2025-10-19': 0,
  'web-search-2025-03-05': 0,
  'computer-use-2025-01-24': 0,
  'computer-use-2025-11-24': 0,
  'compact-2026-01-12': CLAUDE_4_6,
  'compact-2026-09-04': CLAUDE_4_6,
  'dangerous-tool-use-2026-09-03': CLAUDE_4_7,
  'per-turn-control-2026-07-01': CLAUDE_4_7,
  'thinking-binding-controls-2026-08-01': CLAUDE_4_7,
  'thinking-display-updates-2026-08-18': CLAUDE_4_7,
}

/** Providers that are not here speak the Messages API itself: their list is open. */
const TABLES: Readonly<Record<string, Accepted>> = { bedrock: BEDROCK, vertex: VERTEX }
/** What the first-party API calls by one name and these clouds by another. */
const RENAMED: Readonly<Record<string, string>> = { 'advanced-tool-use-2025-11-20': 'tool-search-tool-2025-10-19' }

/** The values of the header in their order, each once (a client may repeat the header or a value). What cannot be one is none. */
export function readBetas(header: string | null): string[] {
  return [...new Set((header ?? '').split(',').map((beta) => beta.trim()).filter((beta) => /^[A-Za-z0-9][\w-]{0,127}$/.test(beta)))]
}

/** What goes with a request: of the client's betas those that the provider takes, without the ones it has refused. */
export function sentBetas(provider: string, { headers, servedModel }: UpstreamRequest, lists: BetaLists, refused: ReadonlySet<string>): string[] {
  return betasFor(provider, readBetas(headers.get('anthropic-beta')), generationOf(servedModel), lists).filter((beta) => !refused.has(beta))
}

/** No header rather than an empty one. */
export function setBetas(headers: Headers, betas: readonly string[]): void {
  if (betas.length === 0) headers.delete('anthropic-beta')
  else headers.set('anthropic-beta', betas.join(','))
}

/**
 * What of the client's betas goes there, each once. Never adds one that the client did not ask for. The operator's lists
 * mean a beta by either of its names.
 */
export function betasFor(provider: string, asked: readonly string[], generation: Generation | undefined, { allow, deny = [] }: BetaLists): string[] {
  const table = TABLES[provider]
  const nameOf = (beta: string) => (table !== undefined && Object.hasOwn(RENAMED, beta) ? (RENAMED[beta] as string) : beta)
  const isListed = (list: readonly string[], beta: string) => list.includes(beta) || list.includes(nameOf(beta))
  const isTaken = (beta: string) => (allow !== undefined ? isListed(allow, beta) : table === undefined || isAccepted(table, nameOf(beta), generation))
  return [...new Set(asked.filter((beta) => isTaken(beta) && !isListed(deny, beta)).map(nameOf))]
}

/** A model of the operator's own counts as the newest. */
function isAccepted(table: Accepted, beta: string, generation: Generation | undefined): boolean {
  const since = Object.hasOwn(table, beta) ? table[beta] : undefined
  if (since === undefined) return false
  if (beta.startsWith('effort-') && generation?.family === EFFORT_EARLY && generation.number === 405) return true
  return generation === undefined || generation.number >= since
}
