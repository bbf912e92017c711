import { Elysia } from 'elysia'
import type { Database } from '../db/connect.ts'
import { GatewayError } from '../errors.ts'
import { principalOf } from '../http/request-context.ts'
import { monthOf, monthStart } from './month.ts'
import { oauthUsage } from './oauth-usage.ts'
import { readSpend, type SpendSource } from './read-spend.ts'
import { readDays } from './store.ts'
import { usageAnswer } from './usage-answer.ts'

export interface MeRoutesDeps extends SpendSource {
  db: Database
}

/** What a person sees of their own spend. */
export function meRoutes(deps: MeRoutesDeps) {
  return new Elysia({ name: 'me' })
    .get('/api/oauth/usage', async ({ request }) => {
      const person = principalOf(request)
      // Contract §9: without the section `admin` this path is nobody's.
      if (deps.spend === undefined) throw new GatewayError('not_found', 'not found')
      return answer(oauthUsage(await readSpend(deps, person)))
    })
    .get('/me/usage', async ({ request }) => {
      const person = principalOf(request)
      const spend = await readSpend(deps, person)
      const days = await readDays(deps.db, person, monthStart(spend.now))
      return answer(usageAnswer(person, spend, monthOf(days)))
    })
}

const answer = (body: object): Response => Response.json(body, { headers: { 'cache-control': 'no-store' } })
