// Prometheus asks here, on an address of its own: what is measured is nobody's business outside. So does whoever
// has to know whether this instance is ready, where several share a port.
import { BootError } from '../errors.ts'
import { EXPOSITION_TYPE, exposition, type MetricFamily } from '../observe/metrics.ts'
import { readinessAnswer } from './health.ts'

export interface MetricsListener {
  readonly port: number
  stop(): Promise<void>
}

export interface MetricsFacts {
  collect: () => readonly MetricFamily[]
  isReady: () => boolean
}

const PATHS = ['/metrics', '/readyz', '/healthz']

/** Serves `/metrics`, `/readyz` and `/healthz`. Throws BootError when the address is taken. */
export function listenForMetrics({ host, port }: { host: string; port: number }, facts: MetricsFacts): MetricsListener {
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      reusePort: false,
      development: false,
      fetch: (request) => answer(request, facts),
      error: () => new Response(null, { status: 500 }),
    })
    return { port: server.port as number, stop: () => server.stop(true) }
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown'
    throw new BootError(`listen.metrics: ${host}:${port}: ${code === 'EADDRINUSE' ? 'the port is already in use; each instance needs its own' : `cannot listen (${code})`}`)
  }
}

function answer(request: Request, { collect, isReady }: MetricsFacts): Response {
  const path = URL.parse(request.url)?.pathname ?? ''
  if (!PATHS.includes(path)) return new Response('not found\n', { status: 404 })
  if (request.method !== 'GET' && request.method !== 'HEAD') return new Response('method not allowed\n', { status: 405, headers: { allow: 'GET, HEAD' } })
  if (path === '/metrics') return metricsAnswer(collect)
  return path === '/readyz' ? readinessAnswer(isReady()) : new Response('ok')
}

export function metricsAnswer(collect: () => readonly MetricFamily[]): Response {
  return new Response(exposition(collect()), { headers: { 'content-type': EXPOSITION_TYPE, 'cache-control': 'no-store' } })
}
