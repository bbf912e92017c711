// What the gateway itself adds to a request, and what is under way in it.
import { createHistogram } from '../observe/instruments.ts'
import { single, type MetricFamily } from '../observe/metrics.ts'
import type { Surface } from '../upstream/upstream.ts'

export interface RelayMetrics {
  /** From the head of a request to its first sending, without the time that its body took to arrive. */
  beforeSend(surface: Surface, ms: number): void
  /** From an upstream's answer to ours. */
  afterAnswer(surface: Surface, ms: number): void
  families(underWay: { requests: number; streams: number }): MetricFamily[]
}

const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

export function createRelayMetrics(): RelayMetrics {
  const overhead = createHistogram({
    name: 'gatehouse_overhead_seconds',
    help: 'What the gateway adds: before_send is from the head of a request to its first sending, the checks of policy and spend included and the arrival of its body left out; after_answer from the head of the answer to its handing on.',
    labels: ['surface', 'stage'],
    bounds: BOUNDS,
  })
  return {
    beforeSend: (surface, ms) => overhead.observe(ms / 1000, surface, 'before_send'),
    afterAnswer: (surface, ms) => overhead.observe(ms / 1000, surface, 'after_answer'),
    families: ({ requests, streams }) => [
      overhead.family(),
      single('gatehouse_requests_in_flight', 'gauge', 'Inference requests under way, streams included.', requests),
      single('gatehouse_streams_in_flight', 'gauge', 'Answers that are being passed on.', streams),
    ],
  }
}
