// What an upstream has refused of a model's requests, so that it is left out of the next ones: a beta value, or a field by
// its path. Kept in memory for a day, because clouds learn new fields without telling anybody.
//
// A refusal may quote what a client wrote, and what is learned from it everybody goes without. So only the beginning of
// the text is believed, and only once the same request without the item was taken, or refused for something else.
import { resolvePath, type Path } from '../json/drop-paths.ts'
import { readRefusal } from './cloud-errors.ts'
import type { LeftOut, Refusal, UpstreamRequest } from './upstream.ts'

export interface Learned {
  /** Betas that a request goes without. */
  betas(request: UpstreamRequest): ReadonlySet<string>
  /** Fields that a request goes without when it has these betas. One that the refused request lacked may be what a field needs. */
  paths(request: UpstreamRequest, sentBetas: readonly string[]): readonly Path[]
  /**
   * What a refusal's text names, if the request has it and can do without: from now on left out of this request, and of
   * others once this one is taken. Its names, or undefined when there is nothing to leave out.
   */
  learn(text: string, request: UpstreamRequest, sentBetas: readonly string[]): string | undefined
  /** The request was taken, with these betas. */
  accepted(request: UpstreamRequest, sentBetas: readonly string[]): void
  list(): readonly LeftOut[]
}

interface Lesson {
  /** `beta:<value>`, or a path joined by dots. */
  readonly name: string
  /** Undefined for a beta. */
  readonly path: Path | undefined
  /** Of the request that it was refused in. */
  readonly betas: readonly string[]
  readonly lifeMs: number
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
 * Without these a request says something else, or nothing, or goes elsewhere, or costs ten times as much. What is left out
 * besides is left out of objects of the same type alone.
 */
const MEANING = new Set([
  ...['messages', 'system', 'tools', 'tool_choice', 'max_tokens', 'model', 'anthropic_version', 'thinking', 'stop_sequences', 'temperature', 'top_p', 'top_k', 'metadata', 'safeguards', 'format', 'stream'],
  ...['inference_geo', 'service_tier', 'user_profile_id', 'container', 'output_config', 'effort', 'budget_tokens', 'fallbacks'],
  ...['role', 'content', 'type', 'text', 'id', 'name', 'input', 'input_schema', 'source', 'data', 'media_type', 'tool_use_id', 'signature', 'is_error', 'cache_control', 'description'],
])

/** What a beta value is called among fields. */
export const BETA = 'beta:'

/** What Bedrock puts before the model's own words. */
const PREFIX = '(?:The model returned the following errors: |Malformed input request: |ValidationException: ){0,2}'
/** Pydantic's words, and those of the JSON schema in front of older Bedrock models: `#/tools/0: extraneous key [x] is not permitted`. */
const EXTRA_INPUT = new RegExp(`^${PREFIX}([A-Za-z_][\\w-]{0,99}(?:\\.[\\w-]{1,100}){0,20}): Extra inputs are not permitted`)
const EXTRANEOUS_KEY = new RegExp(`^${PREFIX}#((?:/[\\w.-]{1,100}){0,20}):? extraneous key \\[([\\w.-]{1,100})\\] is not permitted`)
/** The first-party API's words: ``Unexpected value(s) `a`, `b` for the `anthropic-beta` header``. */
const NAMED_BETAS = new RegExp(`^${PREFIX}Unexpected value\\(s\\) ((?:\`[\\w-]{1,128}\`(?:, )?){1,32}) for the \`anthropic-beta\` header`)
/** Refuses a value, or all there may be, without saying which. */
const NAMELESS_BETA = new RegExp(`^${PREFIX}(?:invalid beta flag|anthropic_beta: Extra inputs are not permitted|#:? extraneous key \\[anthropic_beta\\])`, 'i')

export function createLearned(now: () => Date): Learned {
  const models = new Map<string, Map<string, Item>>()
  /** Betas that each model has taken: not suspected when a refusal names none. */
  const taken = new Map<string, Set<string>>()
  /** Of requests that have not been taken yet. */
  const pending = new WeakMap<UpstreamRequest, Lesson[]>()

  function itemsOf(key: string): Map<string, Item> {
    const items = models.get(key) ?? new Map<string, Item>()
    const nowMs = now().getTime()
    for (const [name, { forgetAtMs }] of items) if (nowMs >= forgetAtMs) items.delete(name)
    return items
  }

  function remember(key: string, { name, path, betas, lifeMs }: Lesson): void {
    const items = itemsOf(key)
    makeRoom(models, key, MAX_MODELS)
    makeRoom(items, name, MAX_ITEMS)
    const known = items.get(name)
    items.set(name, { path, betas: new Set([...(known?.betas ?? []), ...betas].slice(0, MAX_ITEMS)), forgetAtMs: now().getTime() + lifeMs, refusals: (known?.refusals ?? 0) + 1 })
    models.set(key, items)
  }

  return {
    betas(request) {
      const learned = [...itemsOf(keyOf(request))].map(([name, { path }]) => ({ name, path }))
      return new Set([...learned, ...(pending.get(request) ?? [])].flatMap(({ name, path }) => (path === undefined ? [name.slice(BETA.length)] : [])))
    },
    paths(request, sentBetas) {
      const learned = [...itemsOf(keyOf(request)).values()].filter(({ betas }) => sentBetas.every((beta) => betas.has(beta)))
      return [...learned, ...(pending.get(request) ?? [])].flatMap(({ path }) => (path === undefined ? [] : [path]))
    },
    learn(text, request, sentBetas) {
      const lessons = readLessons(text, request, sentBetas, taken.get(keyOf(request)) ?? new Set())
      if (lessons.length === 0) return undefined
      const before = pending.get(request) ?? []
      // A refusal of something else says that leaving out the first was right; the next request then needs one retry, not two.
      if (!lessons.some(({ name }) => before.some((one) => one.name === name))) for (const lesson of before) remember(keyOf(request), lesson)
      pending.set(request, lessons)
      return lessons.map(({ name }) => name).join(', ')
    },
    accepted(request, sentBetas) {
      const key = keyOf(request)
      for (const lesson of pending.get(request) ?? []) remember(key, lesson)
      pending.delete(request)
      const known = taken.get(key) ?? new Set()
      makeRoom(taken, key, MAX_MODELS)
      taken.set(key, known)
      for (const beta of sentBetas) if (known.size < MAX_ITEMS) known.add(beta)
    },
    list: () => [...models].flatMap(([key]) => [...itemsOf(key)].map(([item, { refusals }]) => ({ model: key.slice(key.indexOf(' ') + 1), item, refusals }))),
  }
}

/** Why a refused request is worth sending once more: what it now goes without. */
export function leaveOut(learned: Learned, { status, body }: Refusal, request: UpstreamRequest, sentBetas: readonly string[]): string | undefined {
  const left = status === 400 ? learned.learn(readRefusal(body).text, request, sentBetas) : undefined
  return left && `left out: ${left}`
}

/** Counting takes less than answering does. */
function keyOf({ surface, model }: UpstreamRequest): string {
  return `${surface} ${model}`
}

/** The oldest goes when a new one comes and there are as many as there may be. */
function makeRoom(map: Map<string, unknown>, key: string, most: number): void {
  if (!map.has(key) && map.size >= most) map.delete(map.keys().next().value as string)
}

function readLessons(text: string, request: UpstreamRequest, sent: readonly string[], taken: ReadonlySet<string>): Lesson[] {
  const path = rejectedField(text, request)
  if (path !== undefined) return [{ name: path.join('.'), path, betas: sent, lifeMs: NAMED_MS }]
  const { betas, lifeMs } = rejectedBetas(text, sent, taken)
  return betas.map((beta) => ({ name: BETA + beta, path: undefined, betas: sent, lifeMs }))
}

function rejectedField(text: string, { body }: UpstreamRequest): Path | undefined {
  const [, dotted] = EXTRA_INPUT.exec(text) ?? []
  const [, place = '', key] = EXTRANEOUS_KEY.exec(text) ?? []
  const named = dotted !== undefined ? dotted.split('.') : key !== undefined ? [...place.split('/').slice(1), key] : []
  if (named.length === 0 || MEANING.has(named.at(-1) as string)) return undefined
  const path = resolvePath(body, named)
  return path === undefined || path.join('.').length > MAX_PATH ? undefined : path
}

/** The values that the text names; when it names none, which is how Bedrock says it, those that were never taken, else all. */
function rejectedBetas(text: string, sent: readonly string[], taken: ReadonlySet<string>): { betas: readonly string[]; lifeMs: number } {
  const named = NAMED_BETAS.exec(text)?.[1]?.match(/[\w-]+/g)
  if (named !== undefined && named !== null) return { betas: sent.filter((beta) => named.includes(beta)), lifeMs: NAMED_MS }
  if (!NAMELESS_BETA.test(text)) return { betas: [], lifeMs: 0 }
  const suspects = sent.filter((beta) => !taken.has(beta))
  return { betas: suspects.length > 0 ? suspects : sent, lifeMs: GUESSED_MS }
}
