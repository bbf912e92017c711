// Which models `availableModels`, `availableModelsMatch` and `deniedModels` let a person use, as Claude Code reads them, so
// that what the client offers is what is served. Pure.

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
  const available = Array.isArray(availableModels) ? availableMatcher(namesIn(availableModels), availableModelsMatch === 'exact', names) : () => true
  const denied = Array.isArray(deniedModels) ? deniedMatcher(namesIn(deniedModels), names) : () => false
  return (spelling) => {
    // The operator's own entry may be under any spelling of a catalogue model.
    const modelId = canonical(spelling, names)
    // What a name of the operator's own stands for is denied with it, and a model under any name.
    if ([modelId, ...names.mappedIds(spelling).map((id) => canonical(id, names))].some(denied)) return 'deniedModels'
    return available(modelId) ? undefined : 'availableModels'
  }
}

function canonical(spelling: string, names: ModelNames): string {
  return names.canonicalId(spelling) ?? spelling.toLowerCase()
}

/** White space, case and the client's `[1m]` mean nothing. */
function namesIn(list: readonly unknown[]): string[] {
  return list.map((name) => String(name).toLowerCase().replace(/\[\d+m\]\s*$/, '').trim())
}

function availableMatcher(entries: readonly string[], isExact: boolean, names: ModelNames): Matcher {
  const specific = entries.filter((entry) => !FAMILIES.includes(entry))
  const matchers = entries.map((entry): Matcher => {
    if (!FAMILIES.includes(entry)) return matcherOfName(entry, isExact, names)
    // Beside a model of the same family its name alone means nothing more.
    const isNarrowed = specific.some((other) => mentions(names.canonicalId(other) ?? other, entry))
    return (modelId) => modelId === entry || (!isNarrowed && mentions(modelId, entry))
  })
  return (modelId) => matchers.some((matches) => matches(modelId))
}

function matcherOfName(entry: string, isExact: boolean, names: ModelNames): Matcher {
  const known = names.canonicalId(entry) ?? names.canonicalId(withClaude(entry))
  if (isExact || !BEGINNING.test(entry)) return (modelId) => modelId === (known ?? entry)
  const beginning = withClaude(entry)
  // Whole parts alone: `claude-opus-4` is no beginning of `claude-opus-47`.
  return (modelId) => modelId === entry || modelId === beginning || modelId.startsWith(`${beginning}-`)
}

/** An entry takes away whatever it can mean, and no entry gives back what another takes. */
function deniedMatcher(entries: readonly string[], names: ModelNames): Matcher {
  const matchers = entries.map((entry) => {
    const known = names.canonicalId(entry) ?? names.canonicalId(withClaude(entry)) ?? entry
    const family = entry === 'claude' ? entry : FAMILIES.find((name) => entry === name || entry === `claude-${name}`)
    const version = versionIn(entry)
    return (modelId: string, own: Version | undefined) =>
      modelId === entry || modelId === known || (family !== undefined && (mentions(modelId, family) || own?.family === family)) || (version !== undefined && isOf(version, own))
  })
  return (modelId) => {
    const own = versionIn(modelId)
    return matchers.some((matches) => matches(modelId, own))
  }
}

/** A word of a name, between anything but letters and digits: `opus` of `us.anthropic.claude-opus-4-7`. */
function mentions(name: string, word: string): boolean {
  return name.split(/[^a-z0-9]+/).includes(word)
}

interface Version {
  readonly family: string
  readonly major: number
  /** Undefined where a name leaves it open. */
  readonly minor: number | undefined
}

/** As it stands in any name: `opus-4-7`, `opus4.7`, `anthropic.claude-3-5-haiku-20241022-v1:0`. A date closes what is before it. */
function versionIn(name: string): Version | undefined {
  const [, family, major, minor, date] = /(?:^|[^a-z0-9])(opus|sonnet|haiku|fable|mythos)[-._]?(\d{1,2})(?!\d)(?:[-._](\d{1,2})(?!\d))?([-@]\d{8})?/.exec(name) ?? []
  if (family !== undefined) return { family, major: Number(major), minor: minor === undefined && date === undefined ? undefined : Number(minor ?? 0) }
  const [, oldMajor, oldMinor, oldFamily] = /claude-(\d)(?:-(\d))?-(opus|sonnet|haiku)/.exec(name) ?? []
  return oldFamily === undefined ? undefined : { family: oldFamily, major: Number(oldMajor), minor: Number(oldMinor ?? 0) }
}

/** A major version means each of its minor ones. */
function isOf(meant: Version, version: Version | undefined): boolean {
  return version !== undefined && version.family === meant.family && version.major === meant.major && (meant.minor === undefined || meant.minor === (version.minor ?? 0))
}

function withClaude(name: string): string {
  return name.startsWith('claude') ? name : `claude-${name}`
}
