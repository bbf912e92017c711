// How `gatehouse price` is set: figures stand by their decimal point, and what does not apply is there and dim.
import { paintFor, type Paint } from '../std/paint.ts'
import type { ExecutionReport, PriceLine, PriceReport } from './price.ts'

const KINDS: Readonly<Record<ExecutionReport['kind'], string>> = {
  message: 'The answer',
  compaction: 'A compaction, which the counts of the answer leave out',
  advisor_message: 'Advice, which the counts of the answer leave out',
  declined_message: 'What another model had written before it declined',
}

const ABOUT: Readonly<Record<string, string>> = {
  price_row: 'price',
  price_history: 'price history',
  prompt_length: 'long prompt',
  fast: 'fast mode',
  batch: 'batch',
  us_inference_geo: 'US inference',
  bedrock_regional: 'regional premium',
  vertex_regional: 'regional premium',
  foundry_us_data_zone: 'US data zone',
  multiplier: 'multiplier',
}

const LINES: Readonly<Record<PriceLine['of'], string>> = {
  input: 'input',
  output: 'output',
  cacheRead: 'cache read',
  cacheWrite5m: 'cache write, 5 minutes',
  cacheWrite1h: 'cache write, 1 hour',
  webSearches: 'web searches, each',
}

export function priceText(report: PriceReport, color: boolean): string {
  const paint = paintFor(color)
  const { executions, upstream, at, cost_usd } = report
  const [answer] = executions
  const place = [upstream.provider === upstream.name ? undefined : upstream.provider, upstream.region].filter((part) => part !== undefined && part !== null).join(', ')
  const sum = executions.length === 1 ? [] : ['', paint.bold(`All of the request  ${cost_usd} USD`)]
  return [
    paint.bold(`${answer?.model} at ${upstream.name}${place === '' ? '' : ` (${place})`}`),
    paint.dim(`Request of ${at.replace('T', ' ').slice(0, 16)} UTC. List prices of ${report.catalog_as_of}. USD per million tokens.`),
    ...executions.flatMap((execution) => ['', ...executionLines(execution, executions.length > 1, paint)]),
    ...sum,
    '',
  ].join('\n')
}

function executionLines(execution: ExecutionReport, isNamed: boolean, paint: Paint): string[] {
  const title = `${KINDS[execution.kind]}: ${execution.upstream_model}`
  return [...(isNamed ? [paint.bold(title), ''] : []), ...stepLines(execution.steps, paint), '', ...amountLines(execution, paint)]
}

function stepLines(steps: ExecutionReport['steps'], paint: Paint): string[] {
  const width = widest(steps.map(({ about }) => ABOUT[about] ?? about))
  const factors = steps.map(({ about, applies, ratio }) => (about === 'price_row' ? '' : !applies ? 'no' : ratio === null ? 'yes' : `× ${ratio}`))
  const factorWidth = widest(factors)
  return steps.map(({ about, applies, why }, at) => {
    const text = `  ${(ABOUT[about] ?? about).padEnd(width)}  ${(factors[at] ?? '').padEnd(factorWidth)}  ${why}`
    return applies ? text : paint.dim(text)
  })
}

function amountLines({ lines, exact_usd, cost_usd }: ExecutionReport, paint: Paint): string[] {
  const label = Math.max(widest(lines.map(({ of }) => LINES[of])), 'kept in the ledger'.length)
  const counts = column('tokens', lines.map(({ count }) => count.toLocaleString('en-US')))
  const base = pointColumn('price', lines.map(({ base_usd }) => base_usd ?? ''))
  const rates = pointColumn('rate', lines.map(({ rate_usd }) => rate_usd))
  const amounts = pointColumn('USD', [...lines.map(({ amount_usd }) => amount_usd), exact_usd, cost_usd])
  const row = (at: number, name: string) => `  ${name.padEnd(label)}  ${counts[at]}  ${base[at]}  ×  ${rates[at]}  =  ${amounts[at]}`.trimEnd()
  const before = Bun.stringWidth(row(1, '')) - Bun.stringWidth((amounts[1] ?? '').trimEnd())
  const sum = (at: number, name: string) => `  ${name.padEnd(before - 2)}${amounts[at]}`.trimEnd()
  const head = `  ${''.padEnd(label)}  ${counts[0]}  ${base[0]}     ${rates[0]}     ${amounts[0]}`.trimEnd()
  return [
    paint.bold(head),
    ...lines.map(({ of, count }, at) => (count === 0 ? paint.dim(row(at + 1, LINES[of])) : row(at + 1, LINES[of]))),
    paint.dim(`  ${'─'.repeat(before - 2 + widest(amounts))}`),
    sum(lines.length + 1, 'exactly'),
    paint.bold(sum(lines.length + 2, 'kept in the ledger')),
  ]
}

/** The title first; set to the right. */
function column(title: string, cells: readonly string[]): string[] {
  const width = widest([title, ...cells])
  return [title, ...cells].map((cell) => cell.padStart(width))
}

/** Decimal points one below the other. */
function pointColumn(title: string, cells: readonly string[]): string[] {
  const places = widest(cells.map((cell) => cell.slice(cell.indexOf('.') + 1)))
  return column(title, cells.map((cell) => (cell === '' ? '' : cell + ' '.repeat(places - (cell.length - cell.indexOf('.') - 1)))))
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => Bun.stringWidth(text)))
}
