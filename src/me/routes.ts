import { Elysia } from 'elysia'
import type { Database } from '../db/connect.ts'
import { GatewayError } from '../errors.ts'
import { principalOf } from '../http/request-context.ts'
import type { Observe } from '../observe/events.ts'
import type { Identity } from '../principal.ts'
import { monthOf, monthStart } from './month.ts'
import { oauthUsage } from './oauth-usage.ts'
import type { PageSignIn } from './page-sign-in.ts'
import { asSignedInPage, MY_PAGE } from './pages.ts'
import { readSpend, type SpendSource } from './read-spend.ts'
import { spendPage } from './spend-page.ts'
import { readDays } from './store.ts'
import { usageAnswer } from './usage-answer.ts'

export interface MeRoutesDeps extends SpendSource {
  db: Database
  pageSignIn: PageSignIn
  /** What administrators say to somebody who is blocked. */
  blockedMessage: string | undefined
  observe: Observe
}

const RAW = { parse: 'none' } as const

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
      const { spend, month } = await readAll(deps, person)
      return answer(usageAnswer(person, spend, month))
    })
    .get('/me', ({ request }) => asSignedInPage(MY_PAGE, deps, request, () => showPage(deps, request)))
    .post('/me/sign-in', ({ request }) => asSignedInPage(MY_PAGE, deps, request, () => deps.pageSignIn.begin(request, MY_PAGE)), RAW)
    .post('/me/sign-out', ({ request }) => asSignedInPage(MY_PAGE, deps, request, () => deps.pageSignIn.end(request, MY_PAGE)), RAW)
}

async function showPage(deps: MeRoutesDeps, request: Request): Promise<Response> {
  const person = await deps.pageSignIn.require(request, MY_PAGE)
  if (person instanceof Response) return person
  return spendPage({ person, ...(await readAll(deps, person)), blockedMessage: deps.blockedMessage })
}

async function readAll(deps: MeRoutesDeps, person: Identity) {
  const spend = await readSpend(deps, person)
  return { spend, month: monthOf(await readDays(deps.db, person, monthStart(spend.now))) }
}

const answer = (body: object): Response => Response.json(body, { headers: { 'cache-control': 'no-store' } })
