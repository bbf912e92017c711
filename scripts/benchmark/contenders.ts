// What is measured: the gateway, and beside it a bare nginx and the barest relay of the same runtime, each on the first core.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'

export interface Contender {
  readonly name: 'gatehouse' | 'nginx' | 'bare'
  readonly port: number
  readonly pid: number
  /** Milliseconds from its start until it was ready. */
  readonly readyMs: number
  stop(): Promise<void>
}

export const ROOT = resolve(import.meta.dir, '../..')
export const BINARY = resolve(process.env.GATEHOUSE_BINARY ?? join(ROOT, 'dist/gatehouse'))
export const SERVER_CORE = '0'
const READY_LIMIT_MS = 20_000

/** The gateway on this configuration. Its log goes to a file, as it would under systemd. */
export async function startGateway(config: object, port: number, directory: string, { isPinned = true, readyPort = port } = {}): Promise<Contender> {
  await Bun.write(join(directory, 'gateway.yaml'), JSON.stringify(config))
  return start('gatehouse', [BINARY, 'serve', '--config', join(directory, 'gateway.yaml')], port, { GATEHOUSE_ALLOW_LOOPBACK: '1' }, { log: join(directory, 'gatehouse.log'), isPinned, readyPort })
}

/** `program`: a file of this folder. */
export async function startBare(program: 'bare-relay.ts' | 'bare-bedrock-relay.ts', upstreamPort: number): Promise<Contender> {
  const port = await freePort()
  return start('bare', [process.execPath, join(import.meta.dir, program)], port, { PORT: String(port), UPSTREAM: `http://127.0.0.1:${upstreamPort}`, BUN_CONFIG_MAX_HTTP_REQUESTS: '65535', NODE_ENV: 'production' })
}

/** Undefined where there is no nginx. */
export async function startNginx(upstreamPort: number): Promise<Contender | undefined> {
  const program = Bun.which('nginx') ?? Bun.which('/usr/sbin/nginx')
  if (program === null) return undefined
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-nginx-'))
  const port = await freePort()
  await Bun.write(join(directory, 'nginx.conf'), nginxConf(directory, port, upstreamPort))
  const contender = await start('nginx', [program, '-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'], port, {})
  return {
    ...contender,
    async stop() {
      await contender.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const nginxConf = (directory: string, port: number, upstreamPort: number) => `
daemon off; master_process off; worker_rlimit_nofile 20000; pid ${directory}/pid; error_log stderr crit;
events { worker_connections 15000; }
http {
  access_log off; keepalive_requests 100000000; client_max_body_size 40m; client_body_buffer_size 2m;
  client_body_temp_path ${directory}; proxy_temp_path ${directory}; fastcgi_temp_path ${directory}; uwsgi_temp_path ${directory}; scgi_temp_path ${directory};
  upstream messages { server 127.0.0.1:${upstreamPort}; keepalive 10000; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=8192;
    location /readyz { return 200; }
    location / { proxy_pass http://messages; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header x-api-key sk-upstream; proxy_buffering off; proxy_read_timeout 300s; }
  }
}
`

async function start(name: Contender['name'], command: readonly string[], port: number, env: Record<string, string>, { log, isPinned = true, readyPort = port }: { log?: string; isPinned?: boolean; readyPort?: number } = {}): Promise<Contender> {
  const startedMs = performance.now()
  const output = log === undefined ? 'ignore' : Bun.file(log)
  const child = Bun.spawn(isPinned ? ['taskset', '-c', SERVER_CORE, ...command] : [...command], { env: { PATH: process.env.PATH ?? '', HOME: tmpdir(), ...env }, stdin: 'ignore', stdout: 'ignore', stderr: output })
  await ready(readyPort, () => child.exitCode, name, log)
  const readyMs = performance.now() - startedMs
  return {
    name,
    port,
    pid: child.pid,
    readyMs,
    async stop() {
      child.kill('SIGTERM')
      await Promise.race([child.exited, Bun.sleep(10_000).then(() => child.kill('SIGKILL'))])
    },
  }
}

async function ready(port: number, exitCode: () => number | null, name: string, log: string | undefined): Promise<void> {
  for (const giveUpMs = performance.now() + READY_LIMIT_MS; ; await Bun.sleep(2)) {
    if (await fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.ok, () => false)) return
    if (exitCode() !== null || performance.now() > giveUpMs) throw new Error(`${name} does not listen${log === undefined ? '' : `: ${await Bun.file(log).text()}`}`)
  }
}
