// GET /v1/organizations/analytics/cost, as the reference gateway answers it since 2.1.317 in the shape of Anthropic's cost
// analytics: a row for each combination that has a cost, dearest first.
import { GatewayError } from '../errors.ts'
import { centsText } from '../spend/amounts.ts'
import type { Cell } from './csv.ts'
import type { Dimension } from './dimensions.ts'
import { isoSeconds, parseMoment, spanOf, WIDTH_MS, type Width } from './moment.ts'
import type { Parameters } from './parameters.ts'
import type { LedgerQuery, LedgerRow, Place } from './query.ts'
import { ROWS_AT_ONCE, type Report } from './report.ts'
import type { ReportDatabase } from './report-database.ts'
import type { ReportFacts } from './report-facts.ts'
import { readByCost, readLedger } from './store.ts'

export const ANALYTICS_PARAMETERS = ['starting_at', 'ending_at', 'time_bucket_width', 'group_by[]', 'actor_ids[]', 'actor_types[]', 'rbac_group_ids[]', 'models[]', 'exclude_deleted_users', 'order_by', 'order', 'limit', 'page', 'format']

/** Its names for what the ledger is broken out by. */
const NAMES: Readonly<Record<string, Dimension>> = { actor: 'user', rbac_group_id: 'group', model: 'model', speed: 'speed', inference_geo: 'inference_geo', service_tier: 'service_tier' }

/** Throws `invalid_request` as `parameter: reason`. */
export function analyticsCost(parameters: Parameters, { now, groupTag, canonicalModel }: ReportFacts): Report {
  const width = parameters.choice('time_bucket_width', ['1d', '1h'] as const)
  const [starting, ending] = [parameters.required('starting_at'), parameters.one('ending_at')]
  if (width !== undefined && ending === undefined) throw new GatewayError('invalid_request', 'ending_at: required when time_bucket_width is set')
  const by = parameters.choices('group_by[]', Object.keys(NAMES)).map((name) => NAMES[name] as Dimension)
  parameters.choices('actor_types[]', ['user_actor'])
  const filters = { user: parameters.many('actor_ids[]'), group: parameters.many('rbac_group_ids[]'), model: parameters.many('models[]').map(canonicalModel) }
  const span = spanOf({ starting: parseMoment(starting, 'starting_at'), ending: ending === undefined ? undefined : parseMoment(ending, 'ending_at'), now, width: width ?? '1d' })
  const orderBy = (parameters.choice('order_by', ['amount', 'list_amount', 'time'] as const) ?? 'amount') === 'time' ? 'time' : 'cost'
  const descending = (parameters.choice('order', ['asc', 'desc'] as const) ?? (orderBy === 'time' ? 'asc' : 'desc')) === 'desc'
  const withoutForgotten = parameters.choice('exclude_deleted_users', ['true', 'false']) === 'true'
  const query: Query = { span, width: width ?? 'all', by, filters, groupTag, sums: ['cost', 'requests'] }
  const limit = parameters.whole('limit', { least: 1, most: 1000, otherwise: 20 })
  const token = parameters.one('page')
  const question = ['analytics', starting, ending, width, by, filters, orderBy, descending, withoutForgotten]
  const read = (db: ReportDatabase, of: Query, after: Position | undefined, most: number) => {
    const part = { limit: most, descending, withoutForgotten }
    return orderBy === 'time' ? readLedger(db, of, { ...part, after: after?.place }) : readByCost(db, of, { ...part, after: after && { cost: BigInt(after.cost), place: after.place } })
  }
  return {
    name: 'analytics-cost',
    span,
    columns: COLUMNS,
    async page(db, tokens) {
      const position = token === undefined ? undefined : (tokens.read(question, token) as Position)
      // An end that was not given is today's, and stays so from page to page.
      const asked = { ...query, span: { from: span.from, to: position?.to ?? span.to } }
      const found = await read(db, asked, position, limit + 1)
      const shown = found.slice(0, limit)
      const next = found.length > limit ? tokens.make(question, positionOf(shown.at(-1) as Row, asked.span.to)) : null
      return { data: shown.map((row) => record(row, asked)), has_more: next !== null, next_page: next, data_refreshed_at: new Date(now).toISOString() }
    },
    async *rows(db) {
      for (let after: Position | undefined; ; ) {
        const found = await read(db, query, after, ROWS_AT_ONCE)
        yield found.map((row) => cells(row, query))
        if (found.length < ROWS_AT_ONCE) break
        after = positionOf(found.at(-1) as Row, span.to)
      }
    },
  }
}

type Query = LedgerQuery<'cost' | 'requests'>
type Row = LedgerRow<'cost' | 'requests'>

interface Position {
  readonly cost: string
  readonly place: Place
  readonly to: number
}

function positionOf({ sums, place }: Row, to: number): Position {
  return { cost: String(sums.cost), place, to }
}

function record({ place, of, sums }: Row, { span, width, by }: Query) {
  return {
    ...bounds(place.bucket, span.to, width),
    group: {
      product: null,
      model: of.model,
      context_window: null,
      inference_geo: of.inference_geo,
      speed: of.speed,
      slack_channel_id: null,
      claude_tag_category: null,
      claude_tag_user_id: null,
      rbac_group_id: of.group,
      workspace_id: null,
      service_tier: of.service_tier,
      user_profile_id: null,
      agent_id: null,
      environment_id: null,
      deployment_id: null,
      session_id: null,
      actor: by.includes('user') ? { type: 'user_actor', user_id: of.user, email_address: of.email, name: of.name, deleted: of.forgotten } : null,
      actor_type: null,
      api_key_id: null,
      cost_type: null,
      token_type: null,
    },
    cost: { currency: 'USD', amount: centsText(sums.cost, 6), list_amount: centsText(sums.cost, 6), requests: Number(sums.requests) },
  }
}

const COLUMNS = ['starting_at', 'ending_at', 'user_id', 'email_address', 'name', 'rbac_group_id', 'model', 'speed', 'inference_geo', 'service_tier', 'amount', 'currency', 'requests']

function cells({ place, of, sums }: Row, { span, width }: Query): Cell[] {
  const { starting_at, ending_at } = bounds(place.bucket, span.to, width)
  return [starting_at, ending_at, of.user, of.email, of.name, of.group, of.model, of.speed, of.inference_geo, of.service_tier, centsText(sums.cost, 6), 'USD', sums.requests]
}

function bounds(start: number, to: number, width: Width | 'all') {
  return { starting_at: isoSeconds(start), ending_at: isoSeconds(width === 'all' ? to : start + WIDTH_MS[width]) }
}
