// gateway.yaml from disk to a frozen configuration: read, parse, expand, validate. All problems of a file come in one run.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BootError } from '../errors.ts'
import { expand, type Environment } from './expand.ts'
import { pathText, type Path, type Problem } from './problem.ts'
import type { GatewayConfig } from './schema.ts'
import { parseSource, type Source } from './source.ts'
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
  const source = parseSource(text)
  if (!('value' in source)) throw new BootError(`${file}:${source.position}  ${source.message}`)
  const expanded = expand(source.value, environment)
  const allowLoopback = (environment.GATEHOUSE_ALLOW_LOOPBACK ?? environment.CLAUDE_GATEWAY_ALLOW_LOOPBACK) === '1'
  const validated = validate(expanded.value, { allowLoopback, unresolved: expanded.problems.map(({ path }) => path) })
  const problems = [...source.problems, ...expanded.problems, ...(validated.ok ? [] : validated.problems)]
  if (!validated.ok || problems.length > 0) throw new BootError(report(file, source, problems))
  return {
    config: deepFreeze(validated.config),
    warnings: [...expanded.warnings, ...warningsOf(validated.config, { allowLoopback })],
    sha256: createHash('sha256').update(text).digest('hex'),
  }
}

/** One line each, in the order of the file. */
function report(file: string, source: Source, problems: readonly Problem[]): string {
  const placed = problems.map(({ path, message, atKey, offset }) => {
    const at = offset ?? source.offsetOf(path, atKey === true)
    return { at, line: `${file}:${source.position(at)}  ${subject(path)}${message}` }
  })
  return placed
    .sort((a, b) => a.at - b.at)
    .map(({ line }) => line)
    .join('\n')
}

function subject(path: Path): string {
  return path.length === 0 ? '' : `${pathText(path)}: `
}

function deepFreeze<value>(value: value): value {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const item of Object.values(value)) deepFreeze(item)
  return Object.freeze(value)
}
