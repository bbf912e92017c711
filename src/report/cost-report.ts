// GET /v1/organizations/cost_report, in the shape of Anthropic's Admin API. 
import { centsText } from '../spend/amounts.ts'
import { bucketed } from './bucketed.ts'
import { dimensionCells, dimensionColumns, dimensionFields, readDimensions, readFilters } from './broken-out.ts'
import { FILTERS } from './dimensions.ts'
import { parseMoment, spanOf } from './moment.ts'
import type { Parameters } from './parameters.ts'
import type { CostLine, LedgerRow } from './query.ts'
import type { Report } from './report.ts'
import type { ReportFacts } from './report-facts.ts'
import { readCostLines, readLedger } from './store.ts'

export const COST_PARAMETERS = ['starting_at', 'ending_at', 'bucket_width', 'group_by[]', ...Object.values(FILTERS), 'limit', 'page', 'format']

const LIMIT = { least: 1, most: 31, otherwise: 7 }
const WIDTH = '1d'
const COST = ['cost'] as const
/** What a rate is for. */
const PRICED = ['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens', 'web_searches', 'cost'] as const

/** Throws `invalid_request` as `parameter: reason`. */
export function costReport(parameters: Parameters, { now, groupTag, canonicalModel, modelName }: ReportFacts): Report {
  parameters.choice('bucket_width', [WIDTH])
  const [starting, ending] = [parameters.required('starting_at'), parameters.one('ending_at')]
  const by = readDimensions(parameters, ['description'])
  const described = parameters.many('group_by[]').includes('description')
  const filters = readFilters(parameters, canonicalModel)
  const span = spanOf({ starting: parseMoment(starting, 'starting_at'), ending: ending === undefined ? undefined : parseMoment(ending, 'ending_at'), now, width: WIDTH })
  const beside = described ? (['model', 'service_tier', 'inference_geo'] as const).filter((dimension) => !by.includes(dimension)) : []
  return bucketed({
    name: 'cost',
    query: { span, width: WIDTH, by, filters, groupTag, described, sums: described ? PRICED : COST },
    limit: parameters.whole('limit', LIMIT),
    question: ['cost', starting, ending, by, filters, described],
    page: parameters.one('page'),
    read: described ? readCostLines : async (db, query, part) => (await readLedger(db, { ...query, sums: COST }, part)).map(undescribed),
    result: (line) => ({
      currency: 'USD',
      amount: centsText(line.cost),
      workspace_id: null,
      description: described ? description(line, modelName) : null,
      cost_type: described ? line.costType : null,
      context_window: null,
      token_type: line.tokenType,
      ...dimensionFields(line.of),
    }),
    columns: [...dimensionColumns([...by, ...beside]), ...(described ? ['description', 'cost_type', 'token_type'] : []), 'amount', 'currency'],
    cells: (line) => [...dimensionCells(line.of, [...by, ...beside]), ...(described ? [description(line, modelName), line.costType, line.tokenType] : []), centsText(line.cost), 'USD'],
  })
}

function undescribed({ place, of, sums }: LedgerRow<'cost'>): CostLine {
  return { place, of, costType: 'tokens', tokenType: null, cost: sums.cost }
}

const KINDS: Readonly<Record<string, string>> = {
  uncached_input_tokens: 'Input Tokens',
  output_tokens: 'Output Tokens',
  cache_read_input_tokens: 'Input Tokens, Cache Read',
  'cache_creation.ephemeral_5m_input_tokens': 'Input Tokens, Cache Write (5 minutes)',
  'cache_creation.ephemeral_1h_input_tokens': 'Input Tokens, Cache Write (1 hour)',
}

/** `Claude Sonnet 5 Usage - Input Tokens` */
function description({ of, costType, tokenType }: CostLine, modelName: (id: string) => string): string {
  return costType === 'web_search' ? 'Web Search Usage' : `${modelName(of.model ?? 'unknown model')} Usage - ${KINDS[tokenType ?? ''] ?? 'Tokens'}`
}
