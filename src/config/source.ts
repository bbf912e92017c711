// The text of a configuration as a tree that knows where everything stands.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair, type ParsedNode, type YAMLError } from 'yaml'
import type { Path, Problem } from './problem.ts'

export interface Source {
  readonly value: unknown
  /** Keys that are given twice and tags: the rest can still be judged. */
  readonly problems: readonly Problem[]
  /** Where a key stands (or its value); for what is missing, its nearest parent. */
  offsetOf(path: Path, atKey: boolean): number
  /** `line:column` of an offset, both from 1. */
  position(offset: number): string
}

/** No further than this: the text cannot be read as a tree. */
export interface Unreadable {
  readonly position: string
  readonly message: string
}

/** An alias may stand for many others: how many nodes one document may come to. */
const MAX_ALIASES = 1000
const MAX_DEPTH = 64

/** YAML 1.2 with merge keys; JSON is a subset. */
export function parseSource(text: string): Source | Unreadable {
  const lines = new LineCounter()
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${Math.max(1, line)}:${Math.max(1, col)}`
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, uniqueKeys: false, merge: true })
  // Whatever follows the first error is a guess of the parser's.
  const [error] = document.errors
  if (error !== undefined) return { position: position(error.pos[0]), message: wordsFor(error, text) }
  const problems = [...document.warnings.map((warning) => ({ path: [], message: 'tags (!) are not supported here', offset: warning.pos[0] })), ...faultsIn(document)]
  const fatal = problems.find((problem) => 'fatal' in problem)
  if (fatal !== undefined) return { position: position(fatal.offset), message: fatal.message }
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }), problems, offsetOf: (path, atKey) => offsetOf(document, path, atKey), position }
  } catch {
    return { position: position(0), message: 'aliases (*) stand for too many nodes' }
  }
}

/** The parser's own message, less the piece of text it may quote: that can be a secret. */
function wordsFor({ code, message, pos }: YAMLError, text: string): string {
  if (text.slice(pos[0] - 1, pos[0] + 1) === '${') return 'inside { } and [ ] a reference needs quotes: "${NAME}"'
  if (code === 'RESOURCE_EXHAUSTION') return 'nested too deeply'
  if (code === 'NON_STRING_KEY') return 'keys must be text'
  if (code === 'MULTIPLE_DOCS') return 'must be one document: remove the second ---'
  return (message.split('\n')[0] ?? '').replace(/: ["'`].*$/, '')
}

interface Fault extends Problem {
  readonly offset: number
  readonly fatal?: true
}

function faultsIn(document: Document): Fault[] {
  const faults: Fault[] = []
  const walk = (node: unknown, path: Path): void => {
    const offset = (node as Node | null)?.range?.[0] ?? 0
    if (path.length > MAX_DEPTH) faults.push({ path: [], message: 'nested too deeply', offset, fatal: true })
    else if (isAlias(node)) {
      if (node.resolve(document) === undefined) faults.push({ path: [], message: `no anchor is called &${node.source}`, offset, fatal: true })
    } else if (isSeq(node)) node.items.forEach((item, at) => walk(item, [...path, at]))
    else if (isMap(node)) {
      const seen = new Set<string>()
      for (const pair of node.items) {
        const key = keyOf(pair)
        if (seen.has(key)) faults.push({ path: [...path, key], message: 'is given twice', offset: startOf(pair.key) ?? offset, atKey: true })
        seen.add(key)
        walk(pair.value, [...path, key])
      }
    }
  }
  walk(document.contents, [])
  return faults
}

const keyOf = ({ key }: Pair): string => String(isScalar(key) ? key.value : key)
const startOf = (node: unknown): number | undefined => (node as ParsedNode | null | undefined)?.range?.[0]

function offsetOf(document: Document, path: Path, atKey: boolean): number {
  let node: unknown = document.contents
  let found = { key: startOf(node) ?? 0, value: startOf(node) }
  for (const step of path) {
    const next = child(document, node, step)
    if (next === undefined) return found.key
    node = next.value
    found = { key: startOf(next.key) ?? startOf(node) ?? found.key, value: startOf(node) }
  }
  return atKey ? found.key : (found.value ?? found.key)
}

/** One step down, through aliases and merge keys. */
function child(document: Document, node: unknown, step: string | number): { key: unknown; value: unknown } | undefined {
  const here = isAlias(node) ? node.resolve(document) : node
  if (isSeq(here)) return typeof step === 'number' && step < here.items.length ? { key: undefined, value: here.items[step] } : undefined
  if (!isMap(here)) return undefined
  const pair = here.items.findLast((item) => keyOf(item) === step)
  if (pair !== undefined) return pair
  for (const merged of here.items.filter((item) => keyOf(item) === '<<')) {
    const below = child(document, merged.value, step)
    if (below !== undefined) return below
  }
  return undefined
}
