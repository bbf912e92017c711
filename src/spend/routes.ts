import { Elysia } from 'elysia'
import type { Database } from '../db/connect.ts'
import { GatewayError } from '../errors.ts'
import type { AdminActor } from '../http/admin-access.ts'
import { readBytes } from '../http/body.ts'
import { createPageTokens, type Sealer } from '../http/page-token.ts'
import { adminOf, contextOf } from '../http/request-context.ts'
import { writerOf } from '../http/writer-of.ts'
import type { Observe } from '../observe/events.ts'
import { redact } from '../observe/redact.ts'
import { auditAnswer, listAnswer } from './answers.ts'
import { effectivePage, peopleRange, type Place } from './effective.ts'
import type { LimitList } from './limit-list.ts'
import { limitAnswer } from './limit-row.ts'
import type { LimitRules } from './limits-of.ts'
import { parseLimit } from './parse.ts'
import { isId, readAuditQuery, readEffectiveQuery, readListQuery, readReason } from './read-query.ts'
import { refuse } from './refuse.ts'
import { deleteLimit, findLimit, listAudit, listLimits, listPoolSpending, listSpending, putLimit, type Change } from './store.ts'
import { warningFor } from './warning-for.ts'

export interface SpendRoutesDeps {
  db: Database
  /** For what reads long: nobody's request waits behind it. */
  reads: Database
  sealer: Sealer
  limits: LimitList
  rules: LimitRules
  observe: Observe
  /** For events that are stored with the change they are about. */
  tell: Observe
}

const PATH = '/v1/organizations/spend_limits'
const WRITE = 'write:spend_limits'
const MAX_BODY_BYTES = 64 * 1024

/** Spend limits: set, listed, deleted; what holds for whom; who changed what (contract §6). */
export function spendRoutes({ db, reads, sealer, limits, rules, observe, tell }: SpendRoutesDeps) {
  const pages = createPageTokens(sealer, 'does not belong to this query: begin with its first page')
  return new Elysia({ name: 'spend' })
    .post(PATH, async ({ request }) => {
      const actor = writerOf(request, WRITE, observe)
      const { reason, ...wanted } = parseLimit(await readBytes(request, MAX_BODY_BYTES))
      const { result: put, events } = await putLimit(db, wanted, changeBy(actor, request, reason))
      events.forEach(tell)
      if (put === null) refuse('expires_at', 'is past')
      await refreshed(limits, request, observe)
      const { limit, seen } = put
      return answer({ ...limitAnswer(limit, seen), ...warningFor(limit, seen) })
    })
    .get(PATH, async ({ request }) => {
      adminOf(request)
      const { limit, ...range } = readListQuery(parametersOf(request))
      return answer(listAnswer(await listLimits(db, { ...range, most: limit + 1 }), { limit, isBackwards: range.before !== undefined }))
    })
    .get(`${PATH}/effective`, async ({ request }) => {
      adminOf(request)
      const query = readEffectiveQuery(parametersOf(request))
      const { limit: _, page, ...question } = query
      const place = page === undefined ? undefined : (pages.read(question, page) as Place)
      const [people, pools] = await Promise.all([listSpending(reads, peopleRange(query, place)), listPoolSpending(reads)])
      const { data, next } = effectivePage(query, place, { people, pools, limits: limits.current(), rules })
      return answer({ data, next_page: next === undefined ? null : pages.make(question, next) })
    })
    .get(`${PATH}/audit`, async ({ request }) => {
      adminOf(request)
      const { limit, after } = readAuditQuery(parametersOf(request))
      return answer(auditAnswer(await listAudit(reads, { after, most: limit + 1 }), limit))
    })
    .get(`${PATH}/:id`, async ({ request, params }) => {
      adminOf(request)
      const found = isId(params.id, 'spl_') ? await findLimit(db, params.id) : undefined
      if (found === undefined) throw notFound()
      return answer(limitAnswer(found.row, found.seen))
    })
    .delete(`${PATH}/:id`, async ({ request, params }) => {
      const actor = writerOf(request, WRITE, observe)
      const change = changeBy(actor, request, readReason(parametersOf(request)))
      const { result: gone, events } = isId(params.id, 'spl_') ? await deleteLimit(db, params.id, change) : NOTHING
      events.forEach(tell)
      if (gone === null) throw notFound()
      await refreshed(limits, request, observe)
      return answer({ type: 'spend_limit_deleted', id: gone.id })
    })
}

/** A key that somebody pastes into a reason would be in the trail for ever. */
function changeBy(actor: AdminActor, request: Request, reason: string | undefined): Change {
  const { requestId, clientIp } = contextOf(request)
  return { actor: actor.name, reason: reason && redact(reason), requestId, clientIp }
}

/** The change is committed: where the list cannot be read again now, the poll does it, and the answer stays the truth. */
async function refreshed(limits: LimitList, request: Request, observe: Observe): Promise<void> {
  await limits.refresh().catch((error: Error) => observe({ op: 'warn', message: `spend limits: ${error.message}`, request_id: contextOf(request).requestId, repeat: 'limits.refresh' }))
}

const parametersOf = (request: Request): URLSearchParams => new URL(request.url).searchParams
const NOTHING = { result: null, events: [] }
const notFound = () => new GatewayError('not_found', 'spend limit not found')
const answer = (body: object): Response => Response.json(body, { headers: { 'cache-control': 'no-store' } })
