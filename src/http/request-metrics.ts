// How many requests each surface answers, with what, and how soon. Paths are the clients': a label says the surface.
import { createCounter, createHistogram } from '../observe/instruments.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import { surfaceOf } from './surfaces.ts'

export interface RequestMetrics {
  /** `path` is empty for a request that the gate refused. */
  answered(path: string, status: number, ms: number): void
  families(): MetricFamily[]
}

const BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export function createRequestMetrics(): RequestMetrics {
  const requests = createCounter({ name: 'gatehouse_http_requests_total', help: 'Answers by surface and status; 499 is a caller that left.', labels: ['surface', 'code'] })
  const duration = createHistogram({ name: 'gatehouse_http_request_duration_seconds', help: 'From the head of a request to the head of its answer.', labels: ['surface'], bounds: BOUNDS })
  return {
    answered(path, status, ms) {
      const surface = surfaceOf(path)
      requests.add(1, surface, String(status))
      duration.observe(ms / 1000, surface)
    },
    families: () => [requests.family(), duration.family()],
  }
}
