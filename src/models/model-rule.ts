// Which models `availableModels`, `availableModelsMatch` and `deniedModels` let a person use, as Claude Code reads them, so
// that what the client offers is what is served. Pure.
import { generationOf } from './generation.ts'

export interface ModelNames {
  /** The one id of every spelling of a catalogue model; undefined for what the catalogue does not know. */
  canonicalId(spelling: string): string | undefined
  /** What upstreams are asked for in the place of a model of the operator's own. */
  mappedIds(modelId: string): readonly string[]
}

/** Which of the lists is in the way of a model. */
export type ModelVerdict = 'availableModels' | 'deniedModels' | undefined

type Matcher = (modelId: string) => boolean

const FAMILIES = ['opus', 'sonnet', 'haiku', 'fable', 'mythos']
/** A beginning of ids: `claude`, `claude-opus`, `opus-5`, `claude-opus-5-5`. */
const BEGINNING = /^claude$|^(?:claude-)?(?:opus|sonnet|haiku|fable|mythos)(?:-\d{1,2}){0,2}$/

/** As much of a policy's settings as lists models. */
export interface ModelLists {
  readonly availableModels?: unknown
  readonly availableModelsMatch?: unknown
  readonly deniedModels?: unknown
}

/** `settings` undefined: every model. A list that is there and empty lets nothing through. */
export function createModelRule(settings: ModelLists | undefined, names: ModelNames): (modelId: string) => ModelVerdict {
  const { availableModels, availableModelsMatch, deniedModels } = settings ?? {}
  const available = Array.isArray(availableModels) ? matcherOf(namesIn(availableModels), availableModelsMatch === 'exact', names) : () => true
  const denied = Array.isArray(deniedModels) ? matcherOf(namesIn(deniedModels), false, names) : () => false
  return (spelling) => {
    // The operator's own entry may be under any spelling of a catalogue model.
    const modelId = names.canonicalId(spelling) ?? spelling.toLowerCase()
    if ([modelId, ...names.mappedIds(spelling).map((id) => names.canonicalId(id) ?? id.toLowerCase())].some(denied)) return 'deniedModels'
    return available(modelId) ? undefined : 'availableModels'
  }
}

/** White space, case and the client's `[1m]` mean nothing. */
function namesIn(list: readonly unknown[]): string[] {
  return list.map((name) => String(name).trim().toLowerCase().replace(/\[1m\]$/, ''))
}

function matcherOf(entries: readonly string[], isExact: boolean, names: ModelNames): Matcher {
  const specific = entries.filter((entry) => familyNamed(entry) === undefined)
  const matchers = entries.map((entry): Matcher => {
    const family = familyNamed(entry)
    if (family === undefined) return matcherOfName(entry, isExact, names)
    // Beside a model of the same family its name alone means nothing more.
    return specific.some((other) => familyOf(names.canonicalId(other) ?? withClaude(other)) === family) ? () => false : (modelId) => familyOf(modelId) === family
  })
  return (modelId) => matchers.some((matches) => matches(modelId))
}

function matcherOfName(entry: string, isExact: boolean, names: ModelNames): Matcher {
  const known = names.canonicalId(entry) ?? names.canonicalId(withClaude(entry))
  if (isExact || !BEGINNING.test(entry)) return (modelId) => modelId === (known ?? entry)
  const beginning = withClaude(entry)
  // Whole parts alone: `claude-opus-4` is no beginning of `claude-opus-47`.
  return (modelId) => modelId === beginning || modelId.startsWith(`${beginning}-`)
}

function familyNamed(entry: string): string | undefined {
  return FAMILIES.find((family) => entry === family)
}

/** Of a catalogue id, or of the beginning of one. */
function familyOf(name: string): string | undefined {
  return generationOf(name)?.family ?? /^claude-([a-z]+)$/.exec(name)?.[1]
}

function withClaude(name: string): string {
  return name.startsWith('claude') ? name : `claude-${name}`
}
