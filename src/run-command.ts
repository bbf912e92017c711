// What each command does: environment, signals, exit codes. Loaded once the environment is right (main.ts).
import { hostname } from 'node:os'
import { version } from '../package.json'
import { verifyAudit } from './audit/verify.ts'
import { checkConfig, exampleConfig, printConfig, type Outcome } from './config/commands.ts'
import { loadConfig } from './config/load.ts'
import { laterFeatures } from './config/later-features.ts'
import { createGateway, type Gateway } from './gateway.ts'
import { explainPolicy } from './explain/policy.ts'
import { listModels } from './explain/models.ts'
import { explainPrice } from './explain/price.ts'
import { describeError } from './observe/describe-error.ts'
import type { Level, Observe } from './observe/events.ts'
import { createLogLevel, LEVELS, type LogLevel } from './observe/log-level.ts'
import { createLineBuffer } from './observe/line-buffer.ts'
import { createSink } from './observe/sink.ts'
import { USAGE, type Command } from './arguments.ts'
import { PROXY_VARIABLE } from './reexec.ts'

const EXIT_FAILURE = 1

const log = createLineBuffer((text) => process.stderr.write(text))
process.on('exit', log.flush)

/** `dropped`: variables that the environment was cleaned of. Throws BootError when it cannot begin. */
export async function runCommand(command: Command, dropped: readonly string[]): Promise<void> {
  try {
    await run(command, dropped)
  } finally {
    // What is said after a failure comes last.
    log.flush()
  }
}

async function run(command: Command, dropped: readonly string[]): Promise<void> {
  switch (command.name) {
    case 'serve':
      return serve(command.config, dropped)
    case 'demo':
      return demo(command)
    case 'health':
      return health(command.url)
    case 'config check':
      return finish(await checkConfig(command.config, process.env))
    case 'config print':
      return finish(await printConfig(command.config, process.env))
    case 'config example':
      return finish({ text: exampleConfig(), exitCode: 0 })
    case 'models':
      return finish(await listModels({ ...command, environment: process.env, color: process.stdout.isTTY === true }))
    case 'policy explain':
      return finish(await explainPolicy({ ...command, environment: process.env, color: process.stdout.isTTY === true }))
    case 'price':
      return finish(await explainPrice({ ...command, environment: process.env, now: new Date(), color: process.stdout.isTTY === true }))
    case 'audit verify':
      return finish(await verifyAudit({ ...command, environment: process.env, color: process.stdout.isTTY === true, progress: process.stderr.isTTY ? showProgress : undefined }))
    case 'version':
      return finish({ text: `gatehouse ${version}\n`, exitCode: 0 })
    case 'help':
      return finish({ text: USAGE, exitCode: 0 })
  }
}

async function serve(configPath: string, dropped: readonly string[]): Promise<void> {
  const { observe, logLevel } = createLog()
  if (dropped.length > 0) observe({ op: 'warn', message: `environment: left out, because it would change requests or the runtime: ${dropped.join(', ')}` })
  const { config, warnings, sha256 } = await loadConfig(configPath, process.env)
  const loaded = { ts: new Date().toISOString(), evt: 'config.load' as const, file: configPath, sha256 }
  observe(loaded)
  for (const message of [...warnings, ...laterFeatures(config)]) observe({ op: 'warn', message })
  const proxyUrl = process.env[PROXY_VARIABLE]
  await running(createGateway({ config, observe, logLevel, earlier: [loaded], allowLoopback: allowsLoopback(), proxyUrl, environment: process.env, configFile: { path: configPath, sha256 }, machine: { host: hostname(), pid: process.pid }, usage }), observe)
}

async function demo(options: { port: number | undefined; directory: string | undefined }): Promise<void> {
  // The demonstration carries a database; a production gateway loads none of it.
  const { runDemo } = await import('./demo/demo.ts')
  const { observe, logLevel } = createLog('warn')
  await running(runDemo({ ...options, observe, logLevel, print: (text) => process.stdout.write(text), color: process.stdout.isTTY === true }), observe)
}

function usage() {
  const { user, system } = process.cpuUsage()
  return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 }
}

/** For container health checks: exit 0 when the gateway at `url` is ready. */
async function health(url: string): Promise<void> {
  const { probeHealth } = await import('./egress/probe-health.ts')
  finish(await probeHealth(url))
}

/** Boots, and stops again on a signal: the first one drains, also when it came during the boot; a second one ends at once. */
async function running(starting: Promise<Pick<Gateway, 'stop'>>, observe: Observe): Promise<void> {
  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) process.exit(EXIT_FAILURE)
    stopping = true
    observe({ op: 'info', message: `${signal}: finishing what is in flight` })
    await starting.then((gateway) => gateway.stop(), () => {})
    process.exit(0)
  }
  process.on('SIGTERM', () => void stop('SIGTERM'))
  process.on('SIGINT', () => void stop('SIGINT'))
  process.on('unhandledRejection', (error) => observe({ op: 'error', message: `unhandled rejection: ${describeError(error)}` }))
  process.on('uncaughtException', (error) => observe({ op: 'error', message: `uncaught exception: ${describeError(error)}` }))
  await starting
}

/** The log, and the signals that make it say more or less from now on. */
function createLog(defaultLevel: Level = 'info'): { observe: Observe; logLevel: LogLevel } {
  const asked = setting('LOG_LEVEL')
  const logLevel = createLogLevel(isLevel(asked) ? asked : defaultLevel, { replica: `${hostname()}/${process.pid}` })
  const observe = createSink({
    level: logLevel.current,
    format: setting('LOG_FORMAT') === 'json' ? 'json' : 'text',
    write: log.write,
    now: () => new Date(),
  })
  logLevel.tells(observe)
  process.on('SIGUSR1', () => logLevel.step(1, 'SIGUSR1'))
  process.on('SIGUSR2', () => logLevel.step(-1, 'SIGUSR2'))
  return { observe, logLevel }
}

/** Our own variable, or the reference's of the same meaning. */
function setting(name: string): string | undefined {
  return process.env[`GATEHOUSE_${name}`] ?? process.env[`CLAUDE_GATEWAY_${name}`]
}

function allowsLoopback(): boolean {
  return setting('ALLOW_LOOPBACK') === '1'
}

function isLevel(text: string | undefined): text is Level {
  return LEVELS.some((level) => level === text)
}

/** One line that is written over, and is gone when something else is said. ECMA-48 §8.3.41. */
function showProgress(text: string): void {
  process.stderr.write(`\r\u001b[K${text}\r`)
}

function finish({ text, exitCode, asides = '' }: Outcome): void {
  const stream = exitCode === 0 ? process.stdout : process.stderr
  stream.write(text)
  process.stderr.write(asides)
  process.exitCode = exitCode
}
