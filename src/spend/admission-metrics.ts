import { createHistogram } from '../observe/instruments.ts'
import type { MetricFamily } from '../observe/metrics.ts'
import type { AdmitSpend } from './admission.ts'

const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2]

/** The same check, with how long each takes: the one thing that a request waits for before it is sent. */
export function timeAdmission(admit: AdmitSpend): { admit: AdmitSpend; families: () => MetricFamily[] } {
  const duration = createHistogram({ name: 'gatehouse_spend_check_duration_seconds', help: 'How long requests wait to be written down and held against spend limits.', labels: ['outcome'], bounds: BOUNDS })
  const timed: AdmitSpend = async (request) => {
    const startedMs = performance.now()
    const done = (outcome: 'admitted' | 'refused') => duration.observe((performance.now() - startedMs) / 1000, outcome)
    try {
      const admitted = await admit(request)
      done('admitted')
      return admitted
    } catch (error) {
      done('refused')
      throw error
    }
  }
  return { admit: timed, families: () => [duration.family()] }
}
