import { createHash } from 'node:crypto'
import { Elysia } from 'elysia'
import { GatewayError } from '../errors.ts'
import { createPageTokens, type Sealer } from '../http/page-token.ts'
import { adminOf, contextOf } from '../http/request-context.ts'
import { canonicalModelId } from '../models/spellings.ts'
import type { Observe } from '../observe/events.ts'
import { ANALYTICS_PARAMETERS, analyticsCost } from './analytics-cost.ts'
import { CLAUDE_CODE_PARAMETERS, claudeCodeReport } from './claude-code-report.ts'
import { COST_PARAMETERS, costReport } from './cost-report.ts'
import { csvAnswer, wantsCsv } from './csv-answer.ts'
import { readParameters, type Parameters } from './parameters.ts'
import type { Report } from './report.ts'
import type { ReportDatabases } from './report-database.ts'
import type { ReportFacts } from './report-facts.ts'
import { readClock } from './store.ts'
import { USAGE_PARAMETERS, usageReport } from './usage-report.ts'

export interface ReportRoutesDeps {
  reports: ReportDatabases
  sealer: Sealer
  observe: Observe
  publicUrl: string
  /** `admin.billing_group_tag` */
  groupTag: string | undefined
  /** What people call a model of this id. */
  modelName: (id: string) => string
}

/** What was used and what it cost, for administrators: JSON in pages, or CSV. */
export function reportRoutes({ reports: { hasty, patient }, sealer, observe, publicUrl, groupTag, modelName }: ReportRoutesDeps) {
  const tokens = createPageTokens(sealer, 'not a next_page of this report, or of one with other parameters; begin again without it')
  const facts = { groupTag, modelName, canonicalModel: (spelling: string) => canonicalModelId(spelling) ?? spelling, organizationId: uuidOf(publicUrl) }

  const answer = (taken: readonly string[], report: (parameters: Parameters, facts: ReportFacts) => Report) => async ({ request }: { request: Request }) => {
    adminOf(request)
    const parameters = readParameters(new URL(request.url).searchParams, taken)
    const asCsv = wantsCsv(request, parameters.choice('format', ['json', 'csv'] as const))
    if (asCsv && parameters.one('page') !== undefined) throw new GatewayError('invalid_request', 'page: a file of CSV holds all pages')
    const asked = report(parameters, { ...facts, now: await readClock(hasty) })
    if (!asCsv) return Response.json(await asked.page(hasty, tokens), { headers: { 'cache-control': 'no-store' } })
    return csvAnswer(asked, asked.rows(patient), { observe, requestId: contextOf(request).requestId })
  }

  return new Elysia({ name: 'report' })
    .get('/v1/organizations/usage_report/messages', answer(USAGE_PARAMETERS, usageReport))
    .get('/v1/organizations/usage_report/claude_code', answer(CLAUDE_CODE_PARAMETERS, claudeCodeReport))
    .get('/v1/organizations/cost_report', answer(COST_PARAMETERS, costReport))
    .get('/v1/organizations/analytics/cost', answer(ANALYTICS_PARAMETERS, analyticsCost))
}

/** The same for every replica. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(`gatehouse organization ${text}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
