// Prometheus asks here, on an address of its own: what is measured is nobody's business outside.
import { BootError } from '../errors.ts'
import { EXPOSITION_TYPE, exposition, type MetricFamily } from '../observe/metrics.ts'

export interface MetricsListener {
  readonly port: number
  stop(): Promise<void>
}

/** Serves `GET /metrics`. Throws BootError when the address is taken. */
export function listenForMetrics({ host, port }: { host: string; port: number }, collect: () => readonly MetricFamily[]): MetricsListener {
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      reusePort: false,
      development: false,
      fetch: (request) => answer(request, collect),
      error: () => new Response(null, { status: 500 }),
    })
    return { port: server.port as number, stop: () => server.stop(true) }
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown'
    throw new BootError(`listen.metrics: ${host}:${port}: ${code === 'EADDRINUSE' ? 'the port is already in use' : `cannot listen (${code})`}`)
  }
}

function answer(request: Request, collect: () => readonly MetricFamily[]): Response {
  const path = URL.parse(request.url)?.pathname
  if (path !== '/metrics') return new Response('not found\n', { status: 404 })
  if (request.method !== 'GET' && request.method !== 'HEAD') return new Response('method not allowed\n', { status: 405, headers: { allow: 'GET, HEAD' } })
  return metricsAnswer(collect)
}

export function metricsAnswer(collect: () => readonly MetricFamily[]): Response {
  return new Response(exposition(collect()), { headers: { 'content-type': EXPOSITION_TYPE, 'cache-control': 'no-store' } })
}
