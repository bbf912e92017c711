import { Elysia } from 'elysia'
import { GatewayError } from '../errors.ts'
import { createPageTokens, type Sealer } from '../http/page-token.ts'
import { adminOf, contextOf } from '../http/request-context.ts'
import { escaped } from '../observe/audit-line.ts'
import type { Observe } from '../observe/events.ts'
import { fileAnswer } from '../report/file-answer.ts'
import { readParameters } from '../report/parameters.ts'
import type { ReportDatabases } from '../report/report-database.ts'
import { eventBatches, EVENT_PARAMETERS, eventPage, formatOf, FORMS, readEventQuery } from './event-query.ts'

export interface AuditRoutesDeps {
  reports: ReportDatabases
  sealer: Sealer
  observe: Observe
  /** `audit.store` */
  isStored: boolean
}

/** The stored audit trail, for administrators: JSON in pages, or a file. */
export function auditRoutes({ reports, sealer, observe, isStored }: AuditRoutesDeps) {
  const tokens = createPageTokens(sealer, 'not a next_page of these events, or of others; begin again without it')
  return new Elysia({ name: 'audit' }).get('/v1/organizations/audit_events', async ({ request }) => {
    adminOf(request)
    if (!isStored) throw new GatewayError('not_found', 'audit events are not stored: audit.store is false')
    const parameters = readParameters(new URL(request.url).searchParams, EVENT_PARAMETERS)
    const [query, format] = [readEventQuery(parameters), formatOf(request, parameters)]
    if (format === 'json') return json(await eventPage(reports.hasty, query, tokens))
    if (query.page !== undefined) throw new GatewayError('invalid_request', 'page: a file holds all pages')
    return fileAnswer(FORMS[format], eventBatches(reports.patient, query.filter), { observe, requestId: contextOf(request).requestId })
  })
}

function json(body: object): Response {
  return new Response(escaped(JSON.stringify(body)), { headers: { 'content-type': 'application/json;charset=utf-8', 'cache-control': 'no-store' } })
}
