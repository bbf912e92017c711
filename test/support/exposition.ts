// Reads the Prometheus text format as strictly as its description has it, and throws at the first line that breaks a rule.
export interface ReadFamily {
  type: string
  help: string
  /** By the name of the line, which a histogram has three of. */
  lines: { name: string; labels: Record<string, string>; value: number }[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y

export function readExposition(text: string): Map<string, ReadFamily> {
  const families = new Map<string, ReadFamily>()
  const rule = (holds: unknown, what: string) => {
    if (!holds) throw new Error(what)
  }
  rule(text.endsWith('\n'), 'the last line has no end')
  let family: ReadFamily | undefined
  let current = ''
  const seen = new Set<string>()
  const lines = text.slice(0, -1).split('\n')
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string
    if (line.startsWith('#')) {
      const [, name = '', help = ''] = /^# HELP (\S+) (.+)$/.exec(line) ?? []
      rule(NAME.test(name), `not a HELP line: ${line}`)
      rule(!/\\[^\\n]/.test(help.replaceAll('\\\\', '')), `HELP with a wrong escape: ${line}`)
      rule(!families.has(name), `${name} stands in two places`)
      const [, type = ''] = new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`).exec(lines[++at] ?? '') ?? []
      rule(type !== '', `HELP of ${name} is not followed by its TYPE: ${lines[at]}`)
      family = { type, help, lines: [] }
      current = name
      families.set(name, family)
      continue
    }
    const [, name = '', inBraces, value = ''] = LINE.exec(line) ?? []
    rule(family !== undefined && name !== '', `not a sample: ${line}`)
    const suffixes = family?.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    rule(suffixes.some((suffix) => name === current + suffix), `${name} stands below ${current}`)
    rule(/^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/.test(value), `not a number: ${line}`)
    const labels = readLabels(inBraces ?? '', line)
    const key = `${name}${JSON.stringify(Object.entries(labels).sort())}`
    rule(!seen.has(key), `the same series twice: ${line}`)
    seen.add(key)
    family?.lines.push({ name, labels, value: Number(value.replace('Inf', 'Infinity')) })
  }
  for (const [name, { type, lines }] of families) {
    rule(lines.length > 0, `${name} has no sample`)
    rule(type !== 'counter' || (name.endsWith('_total') && lines.every(({ value }) => value >= 0)), `${name} is no counter`)
    rule(type === 'counter' || !name.endsWith('_total'), `${name} is called a counter`)
    if (type === 'histogram') checkHistogram(name, lines, rule)
  }
  return families
}

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  for (let end = 0; end < text.length; end = LABEL.lastIndex) {
    const [, name = '', value = ''] = LABEL.exec(text) ?? []
    if (name === '' || name in labels) throw new Error(`not labels: ${line}`)
    labels[name] = value.replace(/\\([\\"n])/g, (_, char: string) => (char === 'n' ? '\n' : char))
  }
  return labels
}

/** Of each series: buckets in ascending order, never falling, the last is +Inf and as much as the count. */
function checkHistogram(name: string, lines: ReadFamily['lines'], rule: (holds: unknown, what: string) => void): void {
  const series = new Map<string, { le: number[]; counts: number[]; sum: number[]; count: number[] }>()
  for (const { name: line, labels, value } of lines) {
    const { le, ...rest } = labels
    const key = JSON.stringify(Object.entries(rest).sort())
    const one = series.get(key) ?? { le: [], counts: [], sum: [], count: [] }
    series.set(key, one)
    if (line.endsWith('_bucket')) {
      one.le.push(Number(le?.replace('Inf', 'Infinity')))
      one.counts.push(value)
    } else one[line.endsWith('_sum') ? 'sum' : 'count'].push(value)
  }
  for (const [key, { le, counts, sum, count }] of series) {
    rule(le.every((bound, at) => at === 0 || bound > (le[at - 1] as number)), `${name}${key}: bounds do not ascend`)
    rule(counts.every((one, at) => at === 0 || one >= (counts[at - 1] as number)), `${name}${key}: buckets are not cumulative`)
    rule(le.at(-1) === Number.POSITIVE_INFINITY && sum.length === 1 && count.length === 1 && counts.at(-1) === count[0], `${name}${key}: +Inf is not the count`)
  }
}
