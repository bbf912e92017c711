// What an upstream has refused of a model's requests, so that it is left out of the next ones: a beta value, or a field by
// its path. Kept in memory for a day, because clouds learn new fields without telling anybody.
import { resolvePath, type Path } from '../json/drop-paths.ts'
import type { LeftOut, UpstreamRequest } from './upstream.ts'

export interface Learned {
  betas(model: string): ReadonlySet<string>
  /** What to leave out of a request that goes there with these betas. One that the refused request lacked may be what a field needs. */
  paths(model: string, sentBetas: readonly string[]): readonly Path[]
  /**
   * Remembers what a refusal's text names, if the request has it and can do without. Returns its names, or undefined when
   * there is nothing to leave out. `sentBetas` are the values as they were sent.
   */
  learn(text: string, request: UpstreamRequest, sentBetas: readonly string[]): string | undefined
  /** These values were part of a request that was taken. */
  accepted(model: string, betas: readonly string[]): void
  list(): readonly LeftOut[]
}

interface Item {
  readonly path: Path | undefined
  /** Of every request that it was refused in. */
  readonly betas: ReadonlySet<string>
  readonly forgetAtMs: number
  /** How often it was refused. */
  readonly refusals: number
}

const NAMED_MS = 24 * 3_600_000
/** A refusal that names no value: the guess is tried again sooner. */
const GUESSED_MS = 3_600_000
/** Models are the operator's, fields are the client's: neither may fill the memory. */
const MAX_MODELS = 256
const MAX_ITEMS = 64
const MAX_PATH = 500

/**
 * Without these a request says something else, or nothing, or costs ten times as much: one person's misplaced field must
 * not take them from everybody. What is left out besides is left out of objects of the same type alone.
 */
const MEANING = new Set([
  ...['messages', 'system', 'tools', 'tool_choice', 'max_tokens', 'model', 'anthropic_version', 'thinking', 'stop_sequences', 'temperature', 'top_p', 'top_k', 'metadata', 'safeguards', 'format'],
  ...['role', 'content', 'type', 'text', 'id', 'name', 'input', 'input_schema', 'source', 'data', 'media_type', 'tool_use_id', 'signature', 'is_error', 'cache_control', 'description', 'budget_tokens'],
])

/** What a beta value is called among fields. */
export const BETA = 'beta:'

/** Not what only says that a feature needs a beta. */
const INVALID_BETA = /invalid beta|(?:unexpected|unknown|invalid|unsupported|not supported)[^]{0,200}anthropic[-_]beta|anthropic[-_]beta[^]{0,200}(?:unexpected|unknown|invalid|unsupported|not supported|not permitted)/i
/** Refuses a value, or all there may be, without saying which. */
const NAMELESS = /invalid beta flag|anthropic_beta: extra inputs are not permitted|extraneous key \[anthropic_beta\]/i
/** Pydantic's words, and those of the JSON schema in front of older Bedrock models: `#/tools/0: extraneous key [x] is not permitted`. */
const EXTRA_INPUT = /(?<![\w.-])([A-Za-z_][\w.-]{0,200}): Extra inputs are not permitted/g
const EXTRANEOUS_KEY = /#((?:\/[\w.-]{1,200}){0,20}):? extraneous key \[([\w.-]{1,200})\] is not permitted/g

export function createLearned(now: () => Date): Learned {
  const models = new Map<string, Map<string, Item>>()
  /** Betas that each model has taken: not suspected when a refusal names none. */
  const taken = new Map<string, Set<string>>()

  function itemsOf(model: string): Map<string, Item> | undefined {
    const items = models.get(model)
    if (items === undefined) return undefined
    const nowMs = now().getTime()
    for (const [name, { forgetAtMs }] of items) if (nowMs >= forgetAtMs) items.delete(name)
    return items
  }

  function remember(model: string, name: string, path: Path | undefined, betas: readonly string[], lifeMs: number): void {
    const items = models.get(model) ?? new Map<string, Item>()
    if (!models.has(model) && models.size >= MAX_MODELS) models.delete(models.keys().next().value as string)
    models.set(model, items)
    if (!items.has(name) && items.size >= MAX_ITEMS) items.delete(items.keys().next().value as string)
    const known = itemsOf(model)?.get(name)
    items.set(name, { path, betas: new Set([...(known?.betas ?? []), ...betas].slice(0, MAX_ITEMS)), forgetAtMs: now().getTime() + lifeMs, refusals: (known?.refusals ?? 0) + 1 })
  }

  return {
    betas: (model) => new Set([...(itemsOf(model) ?? [])].flatMap(([name, { path }]) => (path === undefined ? [name.slice(BETA.length)] : []))),
    paths: (model, sentBetas) => [...(itemsOf(model)?.values() ?? [])].flatMap(({ path, betas }) => (path !== undefined && sentBetas.every((beta) => betas.has(beta)) ? [path] : [])),
    learn(text, request, sentBetas) {
      const found: string[] = []
      const add = (name: string, path: Path | undefined, lifeMs: number) => {
        found.push(name)
        remember(request.model, name, path, sentBetas, lifeMs)
      }
      for (const path of rejectedFields(text, request)) add(path.join('.'), path, NAMED_MS)
      if (found.length === 0) {
        const { named, betas } = rejectedBetas(text, sentBetas, taken.get(request.model) ?? new Set())
        for (const beta of betas) add(BETA + beta, undefined, named ? NAMED_MS : GUESSED_MS)
      }
      return found.length === 0 ? undefined : found.join(', ')
    },
    accepted(model, betas) {
      const known = taken.get(model) ?? new Set()
      if (!taken.has(model) && taken.size < MAX_MODELS) taken.set(model, known)
      for (const beta of betas) if (known.size < MAX_ITEMS) known.add(beta)
    },
    list: () => [...models.keys()].flatMap((model) => [...(itemsOf(model) ?? [])].map(([item, { refusals }]) => ({ model, item, refusals }))),
  }
}

function rejectedFields(text: string, { body }: UpstreamRequest): Path[] {
  const named = [
    ...[...text.matchAll(EXTRA_INPUT)].map(([, path = '']) => path.split('.')),
    ...[...text.matchAll(EXTRANEOUS_KEY)].map(([, place = '', key = '']) => [...place.split('/').slice(1), key]),
  ]
  return named.filter((path) => !MEANING.has(path.at(-1) as string)).flatMap((path) => {
    const resolved = resolvePath(body, path)
    return resolved === undefined || resolved.join('.').length > MAX_PATH ? [] : [resolved]
  })
}

/** The values that the text names; when it names none, which is how Bedrock says it, those that were never taken, else all. */
function rejectedBetas(text: string, sent: readonly string[], taken: ReadonlySet<string>): { named: boolean; betas: readonly string[] } {
  if (!INVALID_BETA.test(text)) return { named: false, betas: [] }
  // The whole value: a part of it is another one.
  const named = sent.filter((beta) => new RegExp(`(?<![\\w-])${RegExp.escape(beta)}(?![\\w-])`).test(text))
  if (named.length > 0) return { named: true, betas: named }
  if (!NAMELESS.test(text)) return { named: false, betas: [] }
  const suspects = sent.filter((beta) => !taken.has(beta))
  return { named: false, betas: suspects.length > 0 ? suspects : sent }
}
