import { Elysia } from 'elysia'
import { anthropicError } from '../http/errors/anthropic.ts'
import { contextOf, principalOf } from '../http/request-context.ts'
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'
import { managedSettingsAnswer } from './managed-settings-answer.ts'
import type { ModelTable } from '../models/resolve.ts'
import type { Principal } from '../principal.ts'
import { desktopTelemetry, type ClientTelemetry } from './client-telemetry.ts'
import { desktopBootstrap, desktopSettings, isDesktopSession } from './desktop.ts'
import { personOf, type Policy } from './policy.ts'

export interface PolicyRoutesDeps {
  policy: Policy
  models: ModelTable
  observe: Observe
  version: string
  publicUrl: string
  /** What the configuration calls the gateway; without it no telemetry is asked for. */
  configuredUrl: string | undefined
  telemetry: ClientTelemetry | undefined
  /** Seconds for which Claude Desktop goes by an answer. */
  ttlSeconds: number
  now: () => Date
}

/** What a person's clients are told by their policy, from memory. */
export function policyRoutes(deps: PolicyRoutesDeps) {
  return new Elysia({ name: 'policy' }) //
    .get('/managed/settings', ({ request }) => managedSettings(request, deps))
    .get('/user/bootstrap', ({ request }) => bootstrap(request, deps))
}

/** The caller's policy document; 404 where there is none for them. */
function managedSettings(request: Request, { policy, observe, version }: PolicyRoutesDeps): Response {
  const principal = principalOf(request)
  const own = policy.forPerson(personOf(principal))
  const isWithheld = own.codeTab === 'withheld' && isDesktopSession(request.headers.get('user-agent'))
  const document = isWithheld ? undefined : own.document
  const response =
    document === undefined
      ? notFound(isWithheld ? 'not served to Claude Desktop sessions' : 'no managed settings for this account', request)
      : managedSettingsAnswer(document, { ifNoneMatch: request.headers.get('if-none-match'), isRequired: own.codeTab === 'required', version })
  observe({ evt: 'managed.serve', ...factsOf(request, principal), policy: own.index ?? null, ...(document === undefined ? {} : { checksum: document.checksum }), status: response.status })
  return response
}

/** Claude Desktop's own configuration; 404 unless the person's policy opts in. */
function bootstrap(request: Request, { policy, models, observe, publicUrl, configuredUrl, telemetry, ttlSeconds, now }: PolicyRoutesDeps): Response {
  const principal = principalOf(request)
  const own = policy.forPerson(personOf(principal))
  const settings = desktopSettings(own, models)
  if (settings === undefined) {
    const reason = own.index === undefined ? 'no_policy_matched' : 'policy_not_opted_in'
    observe({ evt: 'desktop_bootstrap.denied', ...factsOf(request, principal), policy: own.index ?? null, reason })
    return notFound(NO_DESKTOP[reason], request)
  }
  observe({ evt: 'desktop_bootstrap.serve', ...factsOf(request, principal), policy: own.index ?? null })
  const facts = { publicUrl, telemetry: desktopTelemetry(telemetry, configuredUrl, principal, own.document?.settings ?? {}), expiresAt: Math.floor(now().getTime() / 1000) + ttlSeconds }
  return Response.json(desktopBootstrap(settings, facts), { headers: { 'cache-control': 'no-store', vary: 'authorization, x-api-key' } })
}

const NO_DESKTOP = {
  no_policy_matched: 'no policy matched',
  policy_not_opted_in: 'the policy matching this user does not opt into desktop: add a "desktop:" block to it',
}

function notFound(message: string, request: Request): Response {
  return anthropicError(new GatewayError('not_found', message), contextOf(request).requestId)
}

function factsOf(request: Request, { issuer, sub, email }: Principal) {
  const { requestId, clientIp } = contextOf(request)
  return { request_id: requestId, client_ip: clientIp, issuer, sub, email }
}
