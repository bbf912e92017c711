import { Elysia } from 'elysia'
import type { GatewayConfig } from '../config/schema.ts'
import type { Database } from '../db/connect.ts'
import { GatewayError } from '../errors.ts'
import { adminOf } from '../http/request-context.ts'
import { policyReport } from './policy.ts'
import { findSeenPerson } from './store.ts'

export interface ExplainRoutesDeps {
  config: GatewayConfig
  db: Database
}

/** `GET /v1/organizations/policies/effective?user_id=` or `?user_email=`: what somebody gets, by what was last known of them. */
export function explainRoutes({ config, db }: ExplainRoutesDeps) {
  return new Elysia({ name: 'explain' }).get('/v1/organizations/policies/effective', async ({ request }) => {
    adminOf(request)
    const asked = readPerson(new URL(request.url).searchParams)
    const seen = await findSeenPerson(db, asked)
    if (seen === undefined) throw new GatewayError('not_found', 'nobody of this name has signed in')
    const { person, ...report } = policyReport(config, { email: seen.email, groups: seen.groups })
    return Response.json({ ...report, person: { user_id: seen.sub, issuer: seen.issuer, ...person, last_seen_at: seen.seenAt.toISOString() } }, { headers: { 'cache-control': 'no-store' } })
  })
}

function readPerson(parameters: URLSearchParams): { sub: string } | { email: string } {
  const [sub, email] = [parameters.get('user_id'), parameters.get('user_email')]
  // PostgreSQL takes no NUL in a text; nobody has a name with a control character.
  if (/\p{Cc}/u.test(`${sub ?? ''}${email ?? ''}`)) throw new GatewayError('invalid_request', 'user_id or user_email: has a control character')
  if ((sub === null || sub === '') === (email === null || email === '')) throw new GatewayError('invalid_request', 'user_id or user_email: name one of them')
  return sub === null || sub === '' ? { email: email as string } : { sub }
}
