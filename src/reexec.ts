// Starts the program once more, in the same process id, with an environment that means only what this page says.
// Bun reads some variables natively before any of our code runs, so unsetting them here would be too late.
import { AMBIENT_VARIABLES } from './egress/ambient-variables.ts'
import { BootError } from './errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Carries the names of what was dropped to the second start; its presence means there will be no third. */
const MARKER = 'GATEHOUSE_DROPPED_VARIABLES'
const PATH_OF_EXECUTABLE = '/proc/self/exe'

/**
 * What must be set before the process starts. Bun's fetch admits 256 requests at once otherwise, and 65535 is its highest
 * accepted number. Memory that is free goes back to the kernel after 10 ms otherwise, and is asked for again by the next
 * request: ten seconds cost a third less time for each (docs/performance.md).
 */
const REQUIRED: Readonly<Record<string, string>> = {
  BUN_CONFIG_MAX_HTTP_REQUESTS: '65535',
  MIMALLOC_PURGE_DELAY: '10000',
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
  NODE_ENV: 'production',
}

/** Where the proxy for what asks for it (`oidc.use_proxy`) is kept: Bun's fetch would use HTTPS_PROXY for every request. */
export const PROXY_VARIABLE = 'GATEHOUSE_HTTPS_PROXY'

const AMBIENT = new Set(AMBIENT_VARIABLES.map((name) => name.toUpperCase()))
/** Switches of the interpreter: inspectors, JIT options, traces, native add-ons. */
const INTERPRETER = /^(BUN_|JSC_|NODE_(OPTIONS|PATH|CHANNEL_FD|CHANNEL_SERIALIZATION_MODE|V8_COVERAGE|COMPILE_CACHE|DEBUG|DEBUG_NATIVE|REDIRECT_WARNINGS|UNIQUE_ID)$)/

/**
 * The environment to start again with, and the names that are left out. Pure.
 * Throws BootError when certificate verification is switched off: that is a mistake to correct, not to paper over.
 */
export function cleanEnvironment(env: Environment): { env: Record<string, string>; dropped: string[] } {
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    throw new BootError('NODE_TLS_REJECT_UNAUTHORIZED=0 would accept any certificate: unset it, and name a private authority with oidc.ca_cert_pem or NODE_EXTRA_CA_CERTS')
  }
  const dropped = Object.keys(env).filter((name) => !(name in REQUIRED) && isUnwanted(name))
  const kept = Object.entries(env).filter(([name, value]) => value !== undefined && !dropped.includes(name)) as [string, string][]
  const proxy = env[PROXY_VARIABLE] ?? env.https_proxy ?? env.HTTPS_PROXY
  return { env: { ...Object.fromEntries(kept), ...REQUIRED, ...(proxy ? { [PROXY_VARIABLE]: proxy } : {}) }, dropped }
}

/** True when starting again would change nothing. */
export function isClean(env: Environment): boolean {
  return Object.entries(REQUIRED).every(([name, value]) => env[name] === value) && cleanEnvironment(env).dropped.length === 0
}

/**
 * Call first, before anything is opened. In the compiled binary it replaces the process once (same pid, same standard
 * streams) and never returns from that first start; under `bun src/main.ts` it changes nothing.
 * Returns the names of the variables that were dropped. Throws BootError when the environment cannot be cleaned.
 */
export function reexecWithCleanEnvironment(): string[] {
  if (!Bun.isStandaloneExecutable) return []
  const marker = process.env[MARKER]
  if (isClean(process.env)) return marker === undefined || marker === '' ? [] : marker.split(',')
  if (marker !== undefined) throw new BootError(`the environment cannot be cleaned; unset ${MARKER} and start again`)
  const { env, dropped } = cleanEnvironment(process.env)
  return execute({ ...env, [MARKER]: dropped.join(',') })
}

function execute(env: Record<string, string>): never {
  try {
    // The path of the running file, not of its name: the file may have been replaced by an upgrade a moment ago.
    return process.execve!(PATH_OF_EXECUTABLE, [process.argv0, ...Bun.argv.slice(2)], env)
  } catch (error) {
    throw new BootError(`cannot start again with a clean environment: ${(error as Error).message}`)
  }
}

function isUnwanted(name: string): boolean {
  return AMBIENT.has(name.toUpperCase()) || INTERPRETER.test(name)
}
