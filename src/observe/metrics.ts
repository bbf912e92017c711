// The Prometheus text exposition format, version 0.0.4. Pure: values are read when somebody asks.

export interface MetricFamily {
  /** In snake case; a counter's ends in `_total`, and a unit stands before that: `_seconds`, `_bytes`. */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

export interface Sample {
  /** One that is empty is as good as absent, and left out. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Which line of a histogram this is. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Families without a sample are left out. Of one name there must be one family: its lines stand together. */
export function exposition(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${samples.map((sample) => line(name, sample)).join('')}`)
    .join('')
}

/** A gauge or counter with one value and no labels. */
export function single(name: string, type: 'counter' | 'gauge', help: string, value: number): MetricFamily {
  return { name, type, help, samples: [{ labels: {}, value }] }
}

function line(name: string, { labels, value, suffix }: Sample): string {
  const pairs = Object.entries(labels).flatMap(([label, text]) => (text === '' ? [] : [`${label}="${escapeLabel(text)}"`]))
  return `${name}${suffix ?? ''}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${formatValue(value)}\n`
}

export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
