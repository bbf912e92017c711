import { Elysia } from 'elysia'
import { anthropicError } from '../http/errors/anthropic.ts'
import { contextOf, principalOf } from '../http/request-context.ts'
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'
import { managedSettingsAnswer } from './managed-settings-answer.ts'
import { personOf, type Policy } from './policy.ts'

/** `GET /managed/settings`: the caller's policy document, from memory. */
export function policyRoutes({ policy, observe, version }: { policy: Policy; observe: Observe; version: string }) {
  return new Elysia({ name: 'policy' }).get('/managed/settings', ({ request }) => {
    const { requestId, clientIp } = contextOf(request)
    const principal = principalOf(request)
    const { index, document } = policy.forPerson(personOf(principal))
    const response =
      document === undefined
        ? anthropicError(new GatewayError('not_found', 'no managed settings for this account'), requestId)
        : managedSettingsAnswer(document, request.headers.get('if-none-match'), version)
    observe({
      evt: 'managed.serve',
      request_id: requestId,
      client_ip: clientIp,
      sub: principal.sub,
      email: principal.email,
      policy: index ?? null,
      ...(document === undefined ? {} : { checksum: document.checksum }),
      status: response.status,
    })
    return response
  })
}
