import type { MetricFamily } from '../observe/metrics.ts'
import type { CollectorReport } from './collector.ts'

/** How the relay of telemetry does, by collector; the names are the configuration's, so the label sets are bounded. */
export function telemetryMetrics(reports: readonly CollectorReport[]): MetricFamily[] {
  return [
    {
      name: 'gatehouse_telemetry_exports_total',
      type: 'counter',
      help: 'Exports of clients by collector, signal and what became of them; all but delivered are lost.',
      samples: reports.flatMap(({ name, outcomes }) => Object.entries(outcomes).flatMap(([signal, of]) => Object.entries(of).map(([outcome, value]) => ({ labels: { collector: name, signal, outcome }, value })))),
    },
    {
      name: 'gatehouse_telemetry_held_bytes',
      type: 'gauge',
      help: 'Exports in memory that wait for a collector.',
      samples: reports.map(({ name, heldBytes }) => ({ labels: { collector: name }, value: heldBytes })),
    },
    {
      name: 'gatehouse_telemetry_spooled_bytes',
      type: 'gauge',
      help: 'Disk taken by exports that a collector does not have yet, with those that are in memory, too.',
      samples: reports.flatMap(({ name, spooledBytes }) => (spooledBytes === undefined ? [] : [{ labels: { collector: name }, value: spooledBytes }])),
    },
    {
      name: 'gatehouse_telemetry_up',
      type: 'gauge',
      help: 'Whether the last attempt reached the collector and was taken: 1 or 0; 1 before the first.',
      samples: reports.map(({ name, trouble }) => ({ labels: { collector: name }, value: trouble === undefined ? 1 : 0 })),
    },
  ]
}
