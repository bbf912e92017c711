// gateway.yaml from disk to a frozen configuration: read, parse, expand, validate. All problems of a file come in one run.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document, type Node } from 'yaml'
import { BootError } from '../errors.ts'
import { expand, type Environment } from './expand.ts'
import { pathText, type Path, type Problem } from './problem.ts'
import type { GatewayConfig } from './schema.ts'
import { validate } from './validate.ts'
import { warningsOf } from './warnings.ts'

export interface LoadedConfig {
  config: GatewayConfig
  /** Sentences for the operator that stop nothing. */
  warnings: string[]
  /** Of the file as it lies on disk, so that a change can be proven without showing it. */
  sha256: string
}

const MAX_FILE_BYTES = 4 * 1024 * 1024
const MAX_ALIASES = 100

/** Reads a configuration file. Throws BootError with every problem, one a line: `file:line:column  section.key: what is wrong`. */
export async function loadConfig(file: string, environment: Environment): Promise<LoadedConfig> {
  const text = await readFile(file, 'utf8').catch((error: { code?: string }) => {
    throw new BootError(`${file}: cannot read the configuration (${error.code ?? 'unknown'})`)
  })
  return parseConfig(text, file, environment)
}

/** The same for a text that is already here; `file` names it in messages. */
export function parseConfig(text: string, file: string, environment: Environment): LoadedConfig {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) throw new BootError(`${file}: larger than ${MAX_FILE_BYTES} bytes`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new BootError(document.errors.map((error) => `${file}:${position(lines, error.pos[0])}  ${error.message.split('\n')[0]}`).join('\n'))
  }
  const { value, problems } = expand(toPlain(document, file), environment)
  const validated = validate(value)
  if (!validated.ok || problems.length > 0) {
    // A reference that could not be replaced left its value blank: what the schema says of that place is noise.
    const unresolved = new Set(problems.map(({ path }) => pathText(path)))
    const others = validated.ok ? [] : validated.problems.filter(({ path }) => !unresolved.has(pathText(path)))
    throw new BootError([...problems, ...others].map((problem) => line(file, document, lines, problem)).join('\n'))
  }
  const sha256 = createHash('sha256').update(text).digest('hex')
  return { config: deepFreeze(validated.config), warnings: warningsOf(validated.config), sha256 }
}

function toPlain(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    throw new BootError(`${file}: ${(error as Error).message}`)
  }
}

function line(file: string, document: Document, lines: LineCounter, { path, message, atKey }: Problem): string {
  const at = offsetOf(document, path, atKey === true)
  return `${file}:${position(lines, at)}  ${pathText(path)}${path.length === 0 ? '' : ': '}${message}`
}

function position(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset)
  return `${Math.max(1, line)}:${Math.max(1, col)}`
}

/** Where a key stands; for a key that is missing, its nearest parent. */
function offsetOf(document: Document, path: Path, atKey: boolean): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : (document.getIn(path.slice(0, length - 1), true) as Node | undefined)
    const key = path[length - 1]
    const pair = isMap(parent) ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key) : undefined
    const keyStart = isScalar(pair?.key) ? pair.key.range?.[0] : undefined
    if (keyStart !== undefined && (atKey || length < path.length)) return keyStart
    const node = document.getIn(path.slice(0, length), true) as Node | undefined
    const start = node?.range?.[0] ?? keyStart
    if (start !== undefined) return start
  }
  return 0
}

function deepFreeze<value>(value: value): value {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const item of Object.values(value)) deepFreeze(item)
  return Object.freeze(value)
}
