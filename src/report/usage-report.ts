// GET /v1/organizations/usage_report/messages, in the shape of Anthropic's Admin API. 
import { bucketed } from './bucketed.ts'
import { dimensionCells, dimensionColumns, dimensionFields, readDimensions, readFilters } from './broken-out.ts'
import { FILTERS } from './dimensions.ts'
import { parseMoment, spanOf, type Width } from './moment.ts'
import type { Parameters } from './parameters.ts'
import type { LedgerRow } from './query.ts'
import type { Report } from './report.ts'
import type { ReportFacts } from './report-facts.ts'
import { readLedger } from './store.ts'

export const USAGE_PARAMETERS = ['starting_at', 'ending_at', 'bucket_width', 'group_by[]', ...Object.values(FILTERS), 'limit', 'page', 'format']

/** Buckets of a page, as Anthropic has them. */
const LIMITS: Readonly<Record<Width, { least: number; most: number; otherwise: number }>> = {
  '1d': { least: 1, most: 31, otherwise: 7 },
  '1h': { least: 1, most: 168, otherwise: 24 },
  '1m': { least: 1, most: 1440, otherwise: 60 },
}

/** Throws `invalid_request` as `parameter: reason`. */
export function usageReport(parameters: Parameters, { now, groupTag, canonicalModel }: ReportFacts): Report {
  const width = parameters.choice('bucket_width', ['1d', '1h', '1m'] as const) ?? '1d'
  const [starting, ending] = [parameters.required('starting_at'), parameters.one('ending_at')]
  const by = readDimensions(parameters)
  const filters = readFilters(parameters, canonicalModel)
  const span = spanOf({ starting: parseMoment(starting, 'starting_at'), ending: ending === undefined ? undefined : parseMoment(ending, 'ending_at'), now, width })
  return bucketed<LedgerRow<(typeof SUMS)[number]>>({
    name: 'usage',
    query: { span, width, by, filters, groupTag, sums: SUMS },
    limit: parameters.whole('limit', LIMITS[width]),
    question: ['usage', starting, ending, width, by, filters],
    page: parameters.one('page'),
    read: (db, query, part) => readLedger(db, { ...query, sums: SUMS }, part),
    result: ({ of, sums }) => ({
      uncached_input_tokens: Number(sums.input_tokens),
      cache_creation: { ephemeral_1h_input_tokens: Number(sums.cache_write_1h_tokens), ephemeral_5m_input_tokens: Number(sums.cache_write_5m_tokens) },
      cache_read_input_tokens: Number(sums.cache_read_tokens),
      output_tokens: Number(sums.output_tokens),
      server_tool_use: { web_search_requests: Number(sums.web_searches) },
      account_id: null,
      api_key_id: null,
      workspace_id: null,
      service_account_id: null,
      context_window: null,
      ...dimensionFields(of),
      requests: Number(sums.requests),
      failed_requests: Number(sums.failed_requests),
    }),
    columns: [...dimensionColumns(by), ...MEASURES],
    cells: ({ of, sums }) => [...dimensionCells(of, by), ...SUMS.map((name) => sums[name])],
  })
}

/** What is summed up, in the order of a file. */
const SUMS = ['input_tokens', 'cache_write_1h_tokens', 'cache_write_5m_tokens', 'cache_read_tokens', 'output_tokens', 'web_searches', 'requests', 'failed_requests'] as const
const MEASURES = ['uncached_input_tokens', 'cache_creation_1h_input_tokens', 'cache_creation_5m_input_tokens', 'cache_read_input_tokens', 'output_tokens', 'web_search_requests', 'requests', 'failed_requests']
