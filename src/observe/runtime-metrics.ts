// The process itself: what it is, since when, what it takes of the machine, and whether it keeps up.
import { createHistogram } from './instruments.ts'
import { single, type MetricFamily } from './metrics.ts'

export interface RuntimeFacts {
  readonly version: string
  /** Of the configuration file, where there is one. */
  readonly configSha256: string | undefined
  /** What the process takes of the machine now, as far as the program can ask. */
  readonly usage: (() => ProcessUsage) | undefined
}

export interface ProcessUsage {
  readonly residentBytes: number
  readonly cpuSeconds: number
}

export interface RuntimeMetrics {
  families(): MetricFamily[]
  stop(): void
}

const STEP_MS = 100
const BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

export function measureRuntime({ version, configSha256, usage }: RuntimeFacts): RuntimeMetrics {
  const delay = createHistogram({ name: 'gatehouse_event_loop_delay_seconds', help: `How late a timer of ${STEP_MS} ms is: everything waits as long.`, bounds: BOUNDS })
  let dueMs = performance.now() + STEP_MS
  const timer = setInterval(() => {
    const nowMs = performance.now()
    delay.observe(Math.max(0, nowMs - dueMs) / 1000)
    dueMs = nowMs + STEP_MS
  }, STEP_MS)
  timer.unref()

  function process(): MetricFamily[] {
    if (usage === undefined) return []
    const { residentBytes, cpuSeconds } = usage()
    return [
      single('process_resident_memory_bytes', 'gauge', 'Resident memory.', residentBytes),
      single('process_cpu_seconds_total', 'counter', 'User and system time of the processor.', cpuSeconds),
    ]
  }

  return {
    families: () => [
      { name: 'gatehouse_build_info', type: 'gauge', help: 'The version that runs; 1.', samples: [{ labels: { version, runtime: `bun ${Bun.version}` }, value: 1 }] },
      { name: 'gatehouse_config_info', type: 'gauge', help: 'SHA-256 of the configuration file that was loaded; 1.', samples: configSha256 === undefined ? [] : [{ labels: { sha256: configSha256 }, value: 1 }] },
      single('process_start_time_seconds', 'gauge', 'When the process began, since the epoch.', performance.timeOrigin / 1000),
      ...process(),
      delay.family(),
    ],
    stop: () => clearInterval(timer),
  }
}
