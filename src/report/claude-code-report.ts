// GET /v1/organizations/usage_report/claude_code, in the shape of Anthropic's Claude Code analytics. What only a client
// knows (lines, commits, tools) is 0.
import { centsText } from '../spend/amounts.ts'
import type { Cell } from './csv.ts'
import { DAY_MS, isoSeconds, parseDay } from './moment.ts'
import type { Parameters } from './parameters.ts'
import type { PersonDay } from './query.ts'
import { ROWS_AT_ONCE, type Report } from './report.ts'
import type { ReportFacts } from './report-facts.ts'
import { readPersonDays } from './store.ts'

export const CLAUDE_CODE_PARAMETERS = ['starting_at', 'limit', 'page', 'format']

/** Throws `invalid_request` as `parameter: reason`. */
export function claudeCodeReport(parameters: Parameters, { organizationId }: ReportFacts): Report {
  const day = parseDay(parameters.required('starting_at'), 'starting_at')
  const limit = parameters.whole('limit', { least: 1, most: 1000, otherwise: 20 })
  const token = parameters.one('page')
  const question = ['claude_code', day]
  return {
    name: 'claude-code',
    span: { from: day, to: day + DAY_MS },
    columns: COLUMNS,
    async page(db, tokens) {
      const after = token === undefined ? undefined : (tokens.read(question, token) as string[])
      const found = await readPersonDays(db, { day, after, limit: limit + 1 })
      const shown = found.slice(0, limit)
      const hasMore = found.length > limit
      return { data: shown.map((one) => record(one, { day, organizationId })), has_more: hasMore, next_page: hasMore ? tokens.make(question, placeOf(shown.at(-1) as PersonDay)) : null }
    },
    async *rows(db) {
      for (let after: string[] | undefined; ; ) {
        const found = await readPersonDays(db, { day, after, limit: ROWS_AT_ONCE })
        yield found.flatMap((one) => cells(one, day))
        if (found.length < ROWS_AT_ONCE) break
        after = placeOf(found.at(-1) as PersonDay)
      }
    },
  }
}

function placeOf({ issuer, sub, client }: PersonDay): string[] {
  return [issuer, sub, client]
}

const UNTOUCHED = { accepted: 0, rejected: 0 }

/** A record of one person and client. */
function record({ sub, email, client, sessions, models }: PersonDay, { day, organizationId }: { day: number; organizationId: string }) {
  return {
    date: isoSeconds(day),
    actor: { type: 'user_actor', email_address: email ?? sub, user_id: sub },
    organization_id: organizationId,
    customer_type: 'api',
    subscription_type: null,
    terminal_type: client,
    core_metrics: { num_sessions: sessions, lines_of_code: { added: 0, removed: 0 }, commits_by_claude_code: 0, pull_requests_by_claude_code: 0 },
    tool_actions: { edit_tool: UNTOUCHED, multi_edit_tool: UNTOUCHED, write_tool: UNTOUCHED, notebook_edit_tool: UNTOUCHED },
    model_breakdown: models.map(({ model, input, output, cacheRead, cacheCreation, cost }) => ({
      model,
      tokens: { input: Number(input), output: Number(output), cache_read: Number(cacheRead), cache_creation: Number(cacheCreation) },
      // A number there, so one here: fifteen digits of it are exact.
      estimated_cost: { currency: 'USD', amount: Number(centsText(BigInt(cost))) },
    })),
  }
}

const COLUMNS = ['date', 'user_id', 'email_address', 'terminal_type', 'num_sessions', 'model', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_creation_tokens', 'amount', 'currency']

/** A row for each model; the sessions are the person's and stand on the first. */
function cells({ sub, email, client, sessions, models }: PersonDay, day: number): Cell[][] {
  return models.map(({ model, input, output, cacheRead, cacheCreation, cost }, at) => [
    isoSeconds(day),
    sub,
    email,
    client,
    at === 0 ? sessions : null,
    model,
    ...[input, output, cacheRead, cacheCreation].map(BigInt),
    centsText(BigInt(cost)),
    'USD',
  ])
}
