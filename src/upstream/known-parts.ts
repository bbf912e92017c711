// Of a text that somebody else wrote, what is surely nobody's prompt and nobody's secret: words that errors are made of, and
// names, places and quantities of a strict form. Everything else is cut. The rule is this way round because what is quoted
// takes any form (escaped, cut short, in pieces), and because nothing of the request has to be read for it.
import { ERROR_VOCABULARY } from './error-vocabulary.ts'

export const CUT = '[…]'
const MOST_READ = 1000
/** So few known words between unknown ones are what every text is made of. */
const FEW_WORDS = 2

/** A run between white space. */
interface Token {
  /** Brackets and quotes. */
  readonly before: string
  readonly core: string
  /** And what ends a sentence. */
  readonly after: string
}

interface Part {
  readonly kind: 'word' | 'quantity' | 'mark' | 'cut'
  readonly text: string
}

/** The first thousand characters with `[…]` for what is not known; `names` are known besides, as they are. */
export function knownParts(text: string, names: readonly string[] = []): string {
  const tokens = tokensOf(text.slice(0, MOST_READ))
  // What was cut through may look like something else.
  if (text.length > MOST_READ) tokens.splice(-1, 1, { before: '', core: QUOTATION, after: '' })
  const cores = tokens.map(({ core }) => core)
  return joined(withoutIslands(tokens.map((token, at) => partOf(token, names.includes(token.core) ? 'word' : kindOf(cores, at)))))
}

/** Between double quotes or backticks there is one name, or somebody's words; an end that was cut off is further on. */
const QUOTED = /(["`])([^"`]*)(?:\1|$)/g
/** Stands for somebody's words; known to nobody. */
const QUOTATION = '\u0000'
const TOKEN = /^([[({<'"`#/]{0,3})(.*?)((?<!\[\d{1,5})[\])}>'"`.,:;!?/]{0,4})$/s

function tokensOf(text: string): Token[] {
  const plain = text.replaceAll(/[‘’]/g, "'").replaceAll(/[“”]/g, '"')
  const named = plain.replaceAll(QUOTED, (quoted, _, inner: string) => (/\s/.test(inner.trim()) ? ` ${QUOTATION} ` : quoted))
  return named.split(/\s+/).flatMap((run) => {
    const [, before = '', core = '', after = ''] = TOKEN.exec(run) ?? []
    if (run === '') return []
    return core === '' ? [{ before: '', core: run, after: '' }] : [{ before, core, after }]
  })
}

function partOf({ before, core, after }: Token, kind: Part['kind']): Part {
  if (kind !== 'cut') return { kind, text: before + core + after }
  const path = maskedPath(core)
  return path === undefined ? { kind, text: before + CUT + after } : { kind: 'word', text: before + path + after }
}

const UNITS = new Set('token tokens byte bytes second seconds minute minutes min hours requests request input output maximum pixels images pages document characters validation mb'.split(' '))
const MARK = /^(?:[-&=<>+|/:,.]|[<>]=|#:?)$/
const COMPARISON = /^(?:[<>+]|[<>]=)$/
const NUMBER = /^(?:\d{1,8}|\d{1,3}(?:,\d{3}){1,2})$/
const DAY = /^20[23]\d-[01]\d-[0-3]\d$/
const BEFORE_DAY = new Set(['on', 'until', 'after', 'before', 'since', 'version', 'anthropic-version'])

/** What the token at a place is, by its form and by those beside it. */
function kindOf(cores: readonly string[], at: number): Part['kind'] {
  const [previous = '', core = '', next = ''] = [cores[at - 1], cores[at], cores[at + 1]]
  if (MARK.test(core)) return 'mark'
  if (NUMBER.test(core)) return UNITS.has(next.toLowerCase()) || COMPARISON.test(previous) || COMPARISON.test(next) ? 'quantity' : 'cut'
  if (DAY.test(core)) return BEFORE_DAY.has(previous.toLowerCase()) ? 'quantity' : 'cut'
  if (/^\d\d:\d\d$/.test(core)) return next === 'UTC' ? 'quantity' : 'cut'
  return isWord(core) || FORMS.some((form) => form.test(core)) ? 'word' : 'cut'
}

const REGION = String.raw`(?:[a-z]{2}(?:-gov)?-(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-\d|[a-z]{2,12}-(?:north|south|east|west|central|northeast|southeast)\d{1,2})`
const MODEL = String.raw`(?:(?:global|us|eu|au|jp|in|apac|us-gov)\.)?(?:anthropic[./-])?claude(?:-(?:opus|sonnet|haiku|fable|mythos|instant|latest|fast|v?\d{1,2}|20\d{6}))+(?:@20\d{6}|-v\d)?(?::\d{1,3})?`
const NAME = String.raw`[\w+=,.@-]{1,64}`
/** Names in the operator's own cloud, and AWS's way to write a time. */
const FORMS = [
  MODEL,
  REGION,
  String.raw`arn:aws(?:-cn|-us-gov)?:sts::\d{12}:assumed-role/${NAME}/${NAME}`,
  String.raw`arn:aws(?:-cn|-us-gov)?:iam::\d{12}:(?:role|user)/${NAME}`,
  String.raw`arn:aws(?:-cn|-us-gov)?:bedrock:${REGION}:(?:\d{12})?:(?:(?:application-)?inference-profile/(?:${MODEL}|[a-z0-9]{8,16})|foundation-model/${MODEL})`,
  String.raw`(?:aiplatform\.googleapis\.com/)?projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/locations/(?:global|us|eu|${REGION})(?:/publishers/anthropic/models/${MODEL})?`,
  String.raw`20[23]\d[01]\d[0-3]\dT[0-2]\d[0-5]\d[0-5]\dZ`,
].map((form) => new RegExp(`^${form}$`))

/** A word, or several of them that are one name: `max_tokens`, `InvokeModel`, `value(s)`, `effort-2025-11-24`. */
export function isWord(text: string): boolean {
  const name = text.replace(/\(s$|[-_]20[23]\d-?[01]\d-?[0-3]\d$/, '')
  return ERROR_VOCABULARY.has(name) || name.split(/[-_./:]+/).every(isAtom)
}

/** Letters in the cases of words and names; others would be a code. */
function isAtom(text: string): boolean {
  const word = text.replace(/(?:'s|n't)$/, '')
  if (/^(?:[a-z]+(?:64)?|[A-Z][a-z]+|[A-Z]+)$/.test(word)) return ERROR_VOCABULARY.has(word.toLowerCase())
  return /^[a-z]*(?:[A-Z]{2,})?(?:[A-Z][a-z]+)+$/.test(word) && word.split(/(?=[A-Z][a-z])/).every((one) => ERROR_VOCABULARY.has(one.toLowerCase()))
}

const PATH = /^(?:messages|system|tools|tool_choice|thinking|output_config|context_management|mcp_servers|container|fallbacks)(?:\.[\w-]{1,128}|\[\d{1,5}\]){1,24}$/

/** A place in the request without the names that the client made up; undefined for what is none. */
function maskedPath(text: string): string | undefined {
  if (!PATH.test(text)) return undefined
  return text.split('.').map((name) => (/^\d{1,5}$/.test(name) || isWord(name.replace(/(?:\[\d{1,5}\])+$/, '')) ? name : CUT)).join('.')
}

/** Cuts few known words behind what is cut, too. */
function withoutIslands(parts: readonly Part[]): Part[] {
  const kept: Part[] = []
  for (let [from, end] = [0, 0]; from < parts.length; from = end + 1) {
    for (end = from; end < parts.length && parts[end]?.kind !== 'cut'; ) end++
    const island = parts.slice(from, end)
    const isSmall = from > 0 && island.filter(({ kind }) => kind === 'word').length <= FEW_WORDS
    kept.push(...(isSmall ? island.map((): Part => ({ kind: 'cut', text: CUT })) : island), ...parts.slice(end, end + 1))
  }
  return kept
}

function joined(parts: readonly Part[]): string {
  const isCut = (at: number) => parts[at]?.kind === 'cut'
  return parts.flatMap(({ text }, at) => (!isCut(at) ? [text] : isCut(at - 1) ? [] : [isCut(at + 1) ? CUT : text])).join(' ')
}
