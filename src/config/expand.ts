// Secrets of a configuration: `${VAR}` anywhere in a string, `${file:/abs/path}` or `${credential:name}` as a whole value.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Path, Problem } from './problem.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Expanded {
  value: unknown
  problems: Problem[]
  /** Sentences about files that anybody may read. */
  warnings: string[]
}

const FILE = /^\$\{file:([^}]*)\}$/
const CREDENTIAL = /^\$\{credential:([^}]*)\}$/
/** systemd.exec(5): what `LoadCredential=` may call one. */
const CREDENTIAL_NAME = /^(?!\.{1,2}$)[\w.-]{1,255}$/
const VARIABLE = /\$\{([^}]*)\}/g
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
/** More than any secret or certificate; what is longer was not meant. */
const MAX_FILE_BYTES = 1024 * 1024
const READABLE_BY_OTHERS = 0o004

/** The document with every reference replaced. What cannot be replaced is a problem that names the reference, never a value. */
export function expand(document: unknown, environment: Environment): Expanded {
  const problems: Problem[] = []
  const warnings = new Set<string>()
  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return expandText(value, environment, (message) => problems.push({ path, message }), (warning) => warnings.add(warning))
    if (Array.isArray(value)) return value.map((item, at) => visit(item, [...path, at]))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]))
  }
  return { value: visit(document, []), problems, warnings: [...warnings] }
}

type Say = (sentence: string) => void

function expandText(text: string, environment: Environment, refuse: Say, warn: Say): string {
  const file = FILE.exec(text)?.[1]
  if (file !== undefined) return readSecret(file, refuse, warn)
  const credential = CREDENTIAL.exec(text)?.[1]
  if (credential !== undefined) return readCredential(credential, environment, refuse, warn)
  return text.replace(VARIABLE, (reference, name: string) => {
    const value = NAME.test(name) ? environment[name] : undefined
    if (value !== undefined) return value
    if (/^(?:file|credential):/.test(name)) refuse(`${reference} must be the whole value`)
    else if (!NAME.test(name)) refuse(`${reference} is not the name of a variable`)
    else refuse(`the environment has no ${name}`)
    return ''
  })
}

/** What systemd loaded for this service, in a directory of its own. */
function readCredential(name: string, { CREDENTIALS_DIRECTORY: directory }: Environment, refuse: Say, warn: Say): string {
  if (!CREDENTIAL_NAME.test(name)) refuse(`\${credential:${name}} is not the name of a credential`)
  else if (directory === undefined) refuse(`\${credential:${name}} needs CREDENTIALS_DIRECTORY, which systemd sets where a unit has LoadCredential`)
  else return readSecret(join(directory, name), refuse, warn)
  return ''
}

function readSecret(file: string, refuse: Say, warn: Say): string {
  if (!file.startsWith('/')) {
    refuse(`\${file:${file}} needs an absolute path`)
    return ''
  }
  try {
    const { text, mode } = readStart(file)
    if (Buffer.byteLength(text) > MAX_FILE_BYTES) refuse(`${file} is larger than ${MAX_FILE_BYTES} bytes`)
    if (mode & READABLE_BY_OTHERS) warn(`${file} can be read by every user of this machine`)
    return text.trim()
  } catch (error) {
    refuse(`cannot read ${file} (${(error as { code?: string }).code ?? 'unknown'})`)
    return ''
  }
}

/** A path may be a pipe or a device that never ends: one byte more than allowed is enough to know. */
function readStart(file: string): { text: string; mode: number } {
  const descriptor = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read) read = readSync(descriptor, bytes, length, bytes.length - length, null)
    return { text: bytes.toString('utf8', 0, length), mode: fstatSync(descriptor).mode }
  } finally {
    closeSync(descriptor)
  }
}
