// Secrets of a configuration: `${VAR}` anywhere in a string, `${file:/abs/path}` as a whole value.
import { readFileSync } from 'node:fs'
import type { Path, Problem } from './problem.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const FILE = /^\$\{file:([^}]*)\}$/
const VARIABLE = /\$\{([^}]*)\}/g
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** The document with every reference replaced. What cannot be replaced is a problem that names the reference, never a value. */
export function expand(document: unknown, environment: Environment): { value: unknown; problems: Problem[] } {
  const problems: Problem[] = []
  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return expandText(value, environment, (message) => problems.push({ path, message }))
    if (Array.isArray(value)) return value.map((item, at) => visit(item, [...path, at]))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]))
  }
  return { value: visit(document, []), problems }
}

function expandText(text: string, environment: Environment, refuse: (message: string) => void): string {
  const file = FILE.exec(text)?.[1]
  if (file !== undefined) return readSecret(file, refuse)
  return text.replace(VARIABLE, (reference, name: string) => {
    const value = NAME.test(name) ? environment[name] : undefined
    if (value !== undefined) return value
    if (name.startsWith('file:')) refuse(`${reference} must be the whole value`)
    else if (!NAME.test(name)) refuse(`${reference} is not the name of a variable`)
    else refuse(`the environment has no ${name}`)
    return ''
  })
}

function readSecret(file: string, refuse: (message: string) => void): string {
  if (!file.startsWith('/')) {
    refuse(`\${file:${file}} needs an absolute path`)
    return ''
  }
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    refuse(`cannot read ${file} (${(error as { code?: string }).code ?? 'unknown'})`)
    return ''
  }
}
