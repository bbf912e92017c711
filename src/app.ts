// The URL surface behind the gate: every routes.ts, mounted in one list.
import { Elysia, type AnyElysia } from 'elysia'
import { auditRoutes } from './audit/routes.ts'
import { DatabaseError } from './db/database-error.ts'
import { GatewayError } from './errors.ts'
import { anthropicError } from './http/errors/anthropic.ts'
import { adminRequestId, contextOf } from './http/request-context.ts'
import { explainRoutes } from './explain/routes.ts'
import { publicRoutes } from './http/routes.ts'
import { meRoutes } from './me/routes.ts'
import { describeError } from './observe/describe-error.ts'
import type { Observe } from './observe/events.ts'
import { oauthRoutes } from './oauth/routes.ts'
import { policyRoutes } from './policy/routes.ts'
import { relayRoutes } from './relay/routes.ts'
import { spendRoutes } from './spend/routes.ts'
import { statusRoutes } from './status/routes.ts'
import { reportRoutes } from './report/routes.ts'
import { telemetryRoutes } from './telemetry/routes.ts'

export interface Parts {
  observe: Observe
  public: Parameters<typeof publicRoutes>[0]
  oauth: Parameters<typeof oauthRoutes>[0]
  policy: Parameters<typeof policyRoutes>[0]
  relay: Parameters<typeof relayRoutes>[0]
  telemetry: Parameters<typeof telemetryRoutes>[0]
  explain: Parameters<typeof explainRoutes>[0]
  me: Parameters<typeof meRoutes>[0]
  /** Where there are administrators. */
  spend: Parameters<typeof spendRoutes>[0] | undefined
  audit: Parameters<typeof auditRoutes>[0]
  report: Parameters<typeof reportRoutes>[0]
  status: Parameters<typeof statusRoutes>[0]
}

/** The router. What nobody mounted is 404; what throws is rendered without its text. */
export function createApp(parts: Parts): AnyElysia {
  return new Elysia({ strictPath: true, normalize: false })
    .onError({ as: 'global' }, ({ error, code, request }) => {
      const { requestId, admin } = contextOf(request)
      const shownId = admin === undefined ? requestId : adminRequestId(requestId)
      if (code === 'NOT_FOUND') return anthropicError(new GatewayError('not_found', 'not found'), shownId)
      if (error instanceof GatewayError) return anthropicError(error, shownId)
      if (error instanceof DatabaseError) {
        parts.observe({ op: 'error', message: error.message, request_id: requestId, repeat: 'store' })
        if (error.code === 'unreachable' || error.code === 'deadline') return anthropicError(new GatewayError('unavailable', 'the gateway cannot reach its store; try again'), shownId)
        return anthropicError(new GatewayError('internal', 'internal error'), shownId)
      }
      parts.observe({ op: 'error', message: `unexpected failure: ${describeError(error)}`, request_id: requestId })
      return anthropicError(new GatewayError('internal', 'internal error'), shownId)
    })
    .use(publicRoutes(parts.public)) //   / /healthz /health /metrics /protocol /api/hello
    .use(statusRoutes(parts.status)) //   /readyz /status /v1/organizations/log_level
    .use(oauthRoutes(parts.oauth)) //     /.well-known/* /oauth/* /device
    .use(policyRoutes(parts.policy)) //   /managed/settings /user/bootstrap
    .use(relayRoutes(parts.relay)) //     /v1/models; /v1/messages goes past the router
    .use(telemetryRoutes(parts.telemetry)) // /v1/metrics /v1/logs /v1/traces
    .use(meRoutes(parts.me)) //           /api/oauth/usage /me /me/usage
    .use(explainRoutes(parts.explain)) // /v1/organizations/policies/effective
    .use(parts.spend === undefined ? new Elysia() : spendRoutes(parts.spend)) // /v1/organizations/spend_limits
    .use(auditRoutes(parts.audit)) //     /v1/organizations/audit_events
    .use(reportRoutes(parts.report)) //   /v1/organizations/usage_report/* cost_report analytics/cost
}
