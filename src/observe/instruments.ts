// Numbers that grow while the gateway works. Counting is a lookup in maps and an addition: no text is built until
// somebody asks. However many values a label meets, the number of series has an end.
import { formatValue, type MetricFamily, type Sample } from './metrics.ts'

export interface About {
  readonly name: string
  readonly help: string
  /** Names of labels, in the order of their values. */
  readonly labels?: readonly string[]
  /** Sets of values that are kept apart; all beyond are counted together as `other`. */
  readonly most?: number
}

export interface Counter {
  /** The value so far for these values of the labels. */
  add(by: number, ...values: readonly string[]): void
  family(): MetricFamily
}

export interface Histogram {
  observe(value: number, ...values: readonly string[]): void
  family(): MetricFamily
}

/** What a label says of everything that has no name here. */
export const OTHER = 'other'
const MOST_SERIES = 1000

export function createCounter({ name, help, labels = [], most }: About): Counter {
  const cells = createCells(labels, most, () => ({ value: 0 }))
  return {
    add: (by, ...values) => void (cells.of(values).value += by),
    family: () => ({ name, type: 'counter', help, samples: cells.all().map(({ labels, cell }) => ({ labels, value: cell.value })) }),
  }
}

interface Buckets {
  /** Of each bound alone, and of what is beyond the last. */
  readonly counts: number[]
  sum: number
}

/** `bounds`: ascending, inclusive upper bounds of the buckets, without infinity. */
export function createHistogram({ name, help, labels = [], most, bounds }: About & { bounds: readonly number[] }): Histogram {
  const cells = createCells<Buckets>(labels, most, () => ({ counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 }))
  return {
    observe(value, ...values) {
      const cell = cells.of(values)
      const at = bounds.findIndex((bound) => value <= bound)
      cell.counts[at === -1 ? bounds.length : at]!++
      cell.sum += value
    },
    family: () => ({ name, type: 'histogram', help, samples: cells.all().flatMap(({ labels, cell }) => samplesOf(labels, cell, bounds)) }),
  }
}

function samplesOf(labels: Sample['labels'], { counts, sum }: Buckets, bounds: readonly number[]): Sample[] {
  let below = 0
  const buckets = counts.map((count, at): Sample => ({ suffix: '_bucket', labels: { ...labels, le: formatValue(bounds[at] ?? Number.POSITIVE_INFINITY) }, value: (below += count) }))
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: below }]
}

type Level<cell> = Map<string, Level<cell> | { readonly cell: cell }>

/** One cell for each set of values, up to `most`. */
function createCells<cell>(names: readonly string[], most = MOST_SERIES, make: () => cell) {
  const root: Level<cell> = new Map()
  const made: { labels: Record<string, string>; cell: cell }[] = []

  function find(values: readonly string[]): cell | undefined {
    let at: Level<cell> | { readonly cell: cell } | undefined = root
    for (let depth = 0; depth <= names.length && at instanceof Map; depth++) at = at.get(values[depth] ?? '')
    return at instanceof Map ? undefined : at?.cell
  }

  function add(values: readonly string[]): cell {
    const cell = make()
    made.push({ labels: Object.fromEntries(names.map((name, at) => [name, values[at] ?? ''])), cell })
    let level = root
    for (let depth = 0; depth < names.length; depth++) {
      const next = level.get(values[depth] ?? '') ?? new Map()
      level.set(values[depth] ?? '', next)
      level = next as Level<cell>
    }
    level.set('', { cell })
    return cell
  }

  const others = names.map(() => OTHER)
  return {
    of: (values: readonly string[]): cell => find(values) ?? (made.length < most ? add(values) : (find(others) ?? add(others))),
    all: () => made,
  }
}

/** A name of these, or `other`: what somebody sent us never becomes a label. */
export function boundedTo(names: Iterable<string>): (name: string) => string {
  const known = new Set(names)
  return (name) => (known.has(name) ? name : OTHER)
}
