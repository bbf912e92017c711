import { Elysia } from 'elysia'
import type { AdminRules, RequireAdmin } from '../http/admin-access.ts'
import { isAdministrator } from '../http/admin-access.ts'
import { readBytes } from '../http/body.ts'
import { readinessAnswer } from '../http/health.ts'
import { adminOf, contextOf } from '../http/request-context.ts'
import { writerOf } from '../http/writer-of.ts'
import type { PageSignIn } from '../me/page-sign-in.ts'
import { asSignedInPage, STATUS_PAGE } from '../me/pages.ts'
import type { Observe } from '../observe/events.ts'
import { changeLogLevel, levelAnswer, type LogLevelDeps } from './change-log-level.ts'
import type { GatewayFacts } from './facts.ts'
import { parseLevel } from './parse.ts'
import { notForYouPage, statusPage } from './status-page.ts'
import { troublesOf, verdictOf } from './verdict.ts'

export interface StatusRoutesDeps extends LogLevelDeps {
  isReady: () => boolean
  facts: () => GatewayFacts
  pageSignIn: PageSignIn
  /** Undefined where there are no administrators. */
  admin: Pick<AdminRules, 'admin_groups'> | undefined
  requireAdmin: RequireAdmin
  observe: Observe
}

const LEVEL_PATH = '/v1/organizations/log_level'
const MAX_BODY_BYTES = 16 * 1024
const RAW = { parse: 'none' } as const

/** How the gateway does, for administrators, and how much it says in its log. */
export function statusRoutes(deps: StatusRoutesDeps) {
  return new Elysia({ name: 'status' })
    .get('/readyz', async ({ request }) => {
      if (new URL(request.url).searchParams.get('verbose') !== '1') return readinessAnswer(deps.isReady())
      await requireAdmin(deps, request)
      const facts = deps.facts()
      const troubles = troublesOf(facts)
      const { ready, version, ...rest } = facts
      return json({ ready, version, verdict: verdictOf(facts, troubles), troubles, ...rest }, ready ? 200 : 503)
    })
    .get('/status', async ({ request }) => {
      if (!presentsCredential(request.headers)) return asSignedInPage(STATUS_PAGE, deps, request, () => showPage(deps, request))
      await requireAdmin(deps, request)
      return statusPage({ facts: deps.facts(), isSignedIn: false })
    })
    .post('/status/sign-in', ({ request }) => asSignedInPage(STATUS_PAGE, deps, request, () => deps.pageSignIn.begin(request, STATUS_PAGE)), RAW)
    .post('/status/sign-out', ({ request }) => asSignedInPage(STATUS_PAGE, deps, request, () => deps.pageSignIn.end(request, STATUS_PAGE)), RAW)
    .get(LEVEL_PATH, ({ request }) => {
      adminOf(request)
      return json(levelAnswer(deps.logLevel.state()))
    })
    .put(LEVEL_PATH, async ({ request }) => {
      const actor = writerOf(request, 'write:log_level', deps.observe)
      const wanted = parseLevel(await readBytes(request, MAX_BODY_BYTES))
      const { requestId, clientIp } = contextOf(request)
      return json(levelAnswer(await changeLogLevel(deps, wanted, { actor: actor.name, requestId, clientIp })))
    })
}

/** Somebody who is signed in and no administrator is told so, and nothing else. */
async function showPage(deps: StatusRoutesDeps, request: Request): Promise<Response> {
  const isAllowed = ({ groups }: { readonly groups: readonly string[] }) => isAdministrator(deps.admin, groups)
  const person = await deps.pageSignIn.require(request, STATUS_PAGE, isAllowed)
  if (person instanceof Response) return person
  if (isAllowed(person)) return statusPage({ facts: deps.facts(), isSignedIn: true })
  deps.observe({ evt: 'admin.denied', ...aboutRequest(request), method: request.method, path: STATUS_PAGE.path, actor: `oidc:${person.sub}` })
  return notForYouPage()
}

/** Throws `unauthenticated`. */
async function requireAdmin(deps: StatusRoutesDeps, request: Request): Promise<void> {
  await deps.requireAdmin(request.headers, { ...contextOf(request), method: request.method, path: new URL(request.url).pathname })
}

/** A program's request, which no page answers. */
function presentsCredential(headers: Headers): boolean {
  // A proxy in front may add a scheme of its own.
  return /^bearer /i.test(headers.get('authorization') ?? '') || headers.has('x-api-key')
}

function aboutRequest(request: Request) {
  const { requestId, clientIp } = contextOf(request)
  return { request_id: requestId, client_ip: clientIp }
}

const json = (body: object, status = 200): Response => Response.json(body, { status, headers: { 'cache-control': 'no-store' } })
