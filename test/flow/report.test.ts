import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { parse } from 'csv-parse/sync'
import { startWorld, type World } from '../support/gateway.ts'
import { seeded, setClock, settle, type TestExecution } from '../support/report-rows.ts'

const READ = 'read-key-canary-of-more-than-32-bytes'
const [USAGE, COST, CODE, ANALYTICS] = ['usage_report/messages', 'cost_report', 'usage_report/claude_code', 'analytics/cost'].map((path) => `/v1/organizations/${path}`) as [string, string, string, string]
const BRACKETS = encodeURIComponent('[]')

type Json = Record<string, any>

let world: World
beforeAll(async () => {
  world = await startWorld({ config: { admin: { write_keys: [], read_keys: [{ id: 'finance', key: READ }] } } })
  await setClock(world.database.sql, '2026-08-20T12:34:56Z')
  await settle(world.database.sql, [...KNOWN, ...randomExecutions()])
})
afterAll(() => world.stop())

/** On days of their own, so that they can be told from the random ones. */
const KNOWN: TestExecution[] = [
  // The edges of a day and of a month.
  { at: '2026-06-30T23:59:59.999Z', sub: 'alice', groups: ['eng', 'cc-platform'], input: 1000, output: 1, session: 's1' },
  { at: '2026-07-01T00:00:00Z', sub: 'bob', groups: ['eng'], input: 2000, output: 2, session: 's2', model: 'claude-opus-5-5', upstream: 'bedrock', client: 'desktop', speed: 'fast', inferenceGeo: 'us', serviceTier: 'priority' },
  { at: '2026-07-01T00:00:00Z', sub: 'carol', email: null, groups: [], input: 0, output: 0, cacheRead: 30, cacheWrite5m: 40, cacheWrite1h: 50, webSearches: 2, session: null },
  { at: '2026-07-01T10:30:00Z', sub: 'alice', groups: ['eng', 'cc-platform'], input: 7, output: 11, session: 's1', status: 529, estimated: true },
  { at: '2026-07-01T10:31:59Z', sub: 'alice', groups: ['eng', 'cc-platform'], input: 1, output: 1, session: 's3', kind: 'compaction' },
  // Parts that do not come out even, and a cost that the rates do not explain.
  { at: '2026-07-03T08:00:00Z', sub: 'bob', groups: ['eng'], input: 3, output: 3, cacheRead: 3, rates: [333_333, 333_333, 333_333, 0, 0, 0], cost: 17n },
  { at: '2026-07-03T09:00:00Z', sub: 'bob', groups: ['eng'], input: 5, output: 1, webSearches: 1 },
]

function randomExecutions(): TestExecution[] {
  const { below, oneOf } = seeded(20_260_801)
  return Array.from({ length: 600 }, () => {
    const sub = `user${below(12)}`
    return {
      at: new Date(Date.parse('2026-08-01T00:00:00Z') + below(15 * 86_400) * 1000).toISOString(),
      sub,
      groups: [['eng'], ['eng', 'ops'], [], ['cc-data', 'cc-ml', 'ops']][below(4)] as string[],
      model: oneOf(['claude-sonnet-5', 'claude-haiku-4-5', 'claude-opus-5-5']),
      upstream: oneOf(['anthropic', 'bedrock']),
      client: oneOf(['claude-cli', 'desktop']),
      session: oneOf(['a', 'b', 'c', null]),
      speed: oneOf(['standard', 'fast']),
      inferenceGeo: oneOf(['us', 'not_available']),
      serviceTier: oneOf(['standard', 'priority']),
      input: below(100_000),
      output: below(9999),
      cacheRead: below(1_000_000),
      cacheWrite5m: below(7777),
      cacheWrite1h: below(333),
      webSearches: below(3),
      status: oneOf([200, 200, 200, 500]),
      estimated: oneOf([true, false]),
      rates: [3_000_000_001, 15_000_000_007, 300_000_011, 3_750_000_013, 6_000_000_017, 10_000_019],
    }
  })
}

const get = (path: string, query: string, headers: Record<string, string> = { 'x-api-key': READ }) => world.gateway.get(`${path}?${query}`, undefined, headers)
const ask = async (path: string, query: string): Promise<Json> => {
  const response = await get(path, query)
  const body = (await response.json()) as Json
  if (response.status !== 200) throw new Error(`${response.status}: ${body.error.message}`)
  return body
}
const fault = async (path: string, query: string) => {
  const response = await get(path, query)
  return [response.status, ((await response.json()) as Json).error?.message]
}
/** Every page of it, one bucket or row each. */
const pages = async (path: string, query: string): Promise<Json[]> => {
  const data: Json[] = []
  for (let page = ''; ; ) {
    const body = await ask(path, `${query}&limit=1${page}`)
    expect(body.data.length).toBeLessThanOrEqual(1)
    data.push(...body.data)
    expect(body.has_more).toBe(body.next_page !== null)
    if (!body.has_more) return data
    page = `&page=${body.next_page}`
  }
}
const csv = async (path: string, query: string): Promise<Record<string, string>[]> => {
  const response = await get(path, `${query}&format=csv`)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8; header=present'])
  return parse(await response.text(), { columns: true })
}
const nano = (cents: string): bigint => {
  const [whole = '', part = ''] = cents.split('.')
  return BigInt(whole) * 10_000_000n + BigInt(part.padEnd(7, '0'))
}
const total = (values: bigint[]) => values.reduce((sum, value) => sum + value, 0n)
const ledger = async (where: string): Promise<bigint> => BigInt((await world.database.sql.unsafe(`select coalesce(sum(cost), 0)::text as cost from usage where ${where}`))[0]?.cost)

const AUGUST = 'starting_at=2026-08-01T00:00:00Z&ending_at=2026-09-01T00:00:00Z'
const JULY = 'starting_at=2026-07-01T00:00:00Z&ending_at=2026-07-04T00:00:00Z'

describe('the usage report', () => {
  test('has the shape of Anthropic’s, with empty buckets and null for what it is not grouped by', async () => {
    expect(await ask(USAGE, JULY)).toEqual({
      data: [
        {
          starting_at: '2026-07-01T00:00:00Z',
          ending_at: '2026-07-02T00:00:00Z',
          results: [
            {
              uncached_input_tokens: 2008,
              cache_creation: { ephemeral_1h_input_tokens: 50, ephemeral_5m_input_tokens: 40 },
              cache_read_input_tokens: 30,
              output_tokens: 14,
              server_tool_use: { web_search_requests: 2 },
              account_id: null, api_key_id: null, workspace_id: null, service_account_id: null, context_window: null,
              user_id: null, email: null, group: null, model: null, upstream: null, client: null, session_id: null, speed: null, inference_geo: null, service_tier: null,
              requests: 3,
              failed_requests: 1,
            },
          ],
        },
        { starting_at: '2026-07-02T00:00:00Z', ending_at: '2026-07-03T00:00:00Z', results: [] },
        { starting_at: '2026-07-03T00:00:00Z', ending_at: '2026-07-04T00:00:00Z', results: [expect.objectContaining({ uncached_input_tokens: 8, requests: 2 })] },
      ],
      has_more: false,
      next_page: null,
    })
  })

  test.each([
    ['1d', 7, 31, '2026-07-20T00:00:00Z'],
    ['1h', 24, 168, '2026-08-05T00:00:00Z'],
    ['1m', 60, 1440, '2026-08-18T00:00:00Z'],
  ])('of %s has %d buckets unless asked for up to %d', async (width, otherwise, most, starting) => {
    const query = `starting_at=${starting}&bucket_width=${width}`
    expect((await ask(USAGE, query)).data).toHaveLength(otherwise)
    expect((await ask(USAGE, `${query}&limit=${most}`)).data).toHaveLength(most)
    expect(await fault(USAGE, `${query}&limit=${most + 1}`)).toEqual([400, `limit: must be between 1 and ${most}`])
  })

  test('begins with the bucket that its start is in, and ends with the one that is filled now or ends by its end', async () => {
    const ends = async (query: string) => {
      const { data } = await ask(USAGE, `${query}&limit=31`)
      return [data[0]?.starting_at, data.at(-1)?.ending_at]
    }
    expect(await ends('starting_at=2026-08-18T23:59:58.427722Z')).toEqual(['2026-08-18T00:00:00Z', '2026-08-21T00:00:00Z'])
    expect(await ends('starting_at=2026-08-18T23:59:58Z&bucket_width=1h&ending_at=2026-08-19T01:59:59Z')).toEqual(['2026-08-18T23:00:00Z', '2026-08-19T01:00:00Z'])
    expect(await ends('starting_at=2026-08-18T00:00:00%2B02:00&ending_at=2026-08-19T00:00:00Z')).toEqual(['2026-08-17T00:00:00Z', '2026-08-19T00:00:00Z'])
    expect((await ask(USAGE, 'starting_at=2026-08-18T00:00:00Z&ending_at=2026-08-18T10:00:00Z')).data).toEqual([])
  })

  test.each([
    ['the last moment of June', 'starting_at=2026-06-30T00:00:00Z&ending_at=2026-07-01T00:00:00Z', 1000],
    ['the first moment of July', 'starting_at=2026-07-01T00:00:00Z&ending_at=2026-07-01T00:01:00Z&bucket_width=1m', 2000],
    ['the first hour of July', 'starting_at=2026-07-01T00:00:00Z&ending_at=2026-07-01T01:00:00Z&bucket_width=1h', 2000],
    ['one minute', 'starting_at=2026-07-01T10:31:00Z&ending_at=2026-07-01T10:32:00Z&bucket_width=1m', 1],
  ])('counts %s in its own bucket', async (_, query, input) => {
    const { data } = await ask(USAGE, query)
    expect(data.map(({ results }: Json) => results[0]?.uncached_input_tokens)).toEqual([input])
  })

  test.each([
    ['user', [['alice', 'alice@example.com', 8], ['bob', 'bob@example.com', 2000], ['carol', null, 0]], ['user_id', 'email']],
    ['group', [[null, 0], ['cc-platform', 8], ['eng', 2008]], ['group']],
    ['model', [['claude-opus-5-5', 2000], ['claude-sonnet-5', 8]], ['model']],
    ['upstream', [['anthropic', 8], ['bedrock', 2000]], ['upstream']],
    ['client', [['claude-cli', 8], ['desktop', 2000]], ['client']],
    ['session', [[null, 0], ['s1', 7], ['s2', 2000], ['s3', 1]], ['session_id']],
    ['speed', [['fast', 2000], ['standard', 8]], ['speed']],
    ['inference_geo', [['not_available', 8], ['us', 2000]], ['inference_geo']],
    ['service_tier', [['priority', 2000], ['standard', 8]], ['service_tier']],
    ['workspace_id', [[null, 2008]], ['workspace_id']],
    ['api_key_id', [[null, 2008]], ['api_key_id']],
    ['account_id', [[null, 2008]], ['account_id']],
    ['context_window', [[null, 2008]], ['context_window']],
  ])('is broken out by %s', async (dimension, expected, fields) => {
    const { data } = await ask(USAGE, `${JULY}&limit=1&group_by${BRACKETS}=${dimension}`)
    expect(data[0].results.map((result: Json) => [...fields.map((field) => result[field]), result.uncached_input_tokens])).toEqual(expected)
  })

  test.each([
    ['models[]=claude-opus-5-5', 2000],
    ['models[]=claude-opus-5-5[1m]', 2000],
    ['models[]=claude-opus-5-5&models[]=claude-sonnet-5', 2008],
    ['service_tiers[]=priority', 2000],
    ['inference_geos[]=us', 2000],
    ['speeds[]=fast', 2000],
    ['user_ids[]=alice', 8],
    ['groups[]=cc-platform', 8],
    ['groups[]=eng', 2008],
    ['groups[]=eng&groups[]=cc-platform', 2008],
    ['upstreams[]=bedrock', 2000],
    ['sessions[]=s1', 7],
    ['clients[]=desktop', 2000],
    ['clients[]=desktop&user_ids[]=alice', undefined],
  ])('is filtered by %s', async (filter, input) => {
    for (const query of [filter, filter.replaceAll('[]=', `${BRACKETS}=`)]) {
      const { data } = await ask(USAGE, `${JULY}&limit=1&${query.replace('[1m]', encodeURIComponent('[1m]'))}`)
      expect(data[0].results[0]?.uncached_input_tokens).toBe(input)
    }
  })

  test('shows of the groups those that it is filtered by', async () => {
    const { data } = await ask(USAGE, `${JULY}&limit=1&group_by[]=group&groups[]=eng`)
    expect(data[0].results.map(({ group }: Json) => group)).toEqual(['eng'])
  })

  test('says the same in hours, minutes and days, page by page', async () => {
    const sum = (data: Json[]) => data.flatMap(({ results }) => results as Json[]).reduce((all, { output_tokens }) => all + output_tokens, 0)
    const day = 'starting_at=2026-08-03T00:00:00Z&ending_at=2026-08-04T00:00:00Z'
    const [byDay, byHour, byMinute] = [await pages(USAGE, `${day}&group_by[]=user`), await pages(USAGE, `${day}&bucket_width=1h`), (await ask(USAGE, `${day}&bucket_width=1m&limit=1440`)).data]
    expect([byHour.length, byMinute.length]).toEqual([24, 1440])
    expect(sum(byDay)).toBeGreaterThan(0)
    expect([sum(byHour), sum(byMinute)]).toEqual([sum(byDay), sum(byDay)])
    expect(await pages(USAGE, `${AUGUST}&group_by[]=model`)).toEqual((await ask(USAGE, `${AUGUST}&group_by[]=model&limit=31`)).data)
  })

  test('does not read a year of single requests, and says what to ask instead', async () => {
    const year = 'starting_at=2025-08-01T00:00:00Z&ending_at=2026-08-01T00:00:00Z'
    for (const query of ['bucket_width=1m', 'group_by[]=session', 'sessions[]=s1']) expect(await fault(USAGE, `${year}&${query}`)).toEqual([400, expect.stringMatching(/^starting_at: more than 31 days .* ask for a month at a time/)])
    expect((await ask(USAGE, `${year}&bucket_width=1h`)).data).toHaveLength(24)
  })
})

describe('the cost report', () => {
  test('has the shape of Anthropic’s', async () => {
    const { data } = await ask(COST, JULY)
    expect(data[0]).toEqual({
      starting_at: '2026-07-01T00:00:00Z',
      ending_at: '2026-07-02T00:00:00Z',
      results: [
        {
          currency: 'USD',
          amount: expect.stringMatching(/^\d+(\.\d{1,7})?$/),
          workspace_id: null, description: null, cost_type: null, context_window: null, model: null, token_type: null, service_tier: null, inference_geo: null,
          user_id: null, email: null, group: null, upstream: null, client: null, session_id: null, speed: null,
        },
      ],
    })
    expect(nano(data[0].results[0].amount)).toBe(await ledger(`started_at >= '2026-07-01Z' and started_at < '2026-07-02Z'`))
  })

  test('says by description what was paid for, and the parts are the whole', async () => {
    const { data } = await ask(COST, `${JULY}&group_by[]=description`)
    const lines = data[2].results.map(({ description, cost_type, token_type, model, amount }: Json) => [description, cost_type, token_type, model, nano(amount)])
    expect(lines).toEqual([
      ['Web Search Usage', 'web_search', null, null, 10_000_000n],
      // 333,333 per million is 0 nano-dollars for three tokens: the 17 that were counted stand on the first kind.
      ['Claude Sonnet 5 Usage - Output Tokens', 'tokens', 'output_tokens', 'claude-sonnet-5', 15_000n],
      ['Claude Sonnet 5 Usage - Input Tokens', 'tokens', 'uncached_input_tokens', 'claude-sonnet-5', 15_000n + 17n],
    ])
  })

  test.each(['', ...['user', 'model', 'upstream', 'client', 'session', 'speed', 'inference_geo', 'service_tier', 'description', 'workspace_id'].map((name) => `&group_by[]=${name}`), '&group_by[]=user&group_by[]=model&group_by[]=description', '&group_by[]=session&group_by[]=client&group_by[]=user'])(
    'comes to the ledger’s own sum to the nano-dollar%s',
    async (query) => {
      const rows = (await pages(COST, `${AUGUST}${query}`)).flatMap(({ results }) => results as Json[])
      expect(total(rows.map(({ amount }) => nano(amount)))).toBe(await ledger(`started_at >= '2026-08-01Z' and started_at < '2026-09-01Z'`))
    },
  )

  test('reads at most a week of single requests for an answer, and says that there is more', async () => {
    const first = await ask(COST, `${AUGUST}&limit=31&group_by[]=description`)
    expect([first.data.length, first.data.at(-1).ending_at, first.has_more]).toEqual([7, '2026-08-08T00:00:00Z', true])
    expect((await ask(COST, `${AUGUST}&limit=31&group_by[]=description&page=${first.next_page}`)).data[0].starting_at).toBe('2026-08-08T00:00:00Z')
  })

  test('counts a person for each of their groups', async () => {
    const rows = (await ask(COST, `${AUGUST}&limit=31&group_by[]=group`)).data.flatMap(({ results }: Json) => results as Json[])
    for (const group of ['eng', 'ops', 'cc-ml']) {
      const expected = await ledger(`started_at >= '2026-08-01Z' and group_set in (select id from group_set where groups ? '${group}')`)
      expect(total(rows.filter((row: Json) => row.group === group).map(({ amount }: Json) => nano(amount)))).toBe(expected)
    }
  })

  test('counts a person once, for the group of the billing tag, where there is one', async () => {
    const tagged = await world.replica({ admin: { write_keys: [], read_keys: [{ id: 'finance', key: READ }], billing_group_tag: 'cc-' } })
    const body = (await (await tagged.get(`${COST}?${AUGUST}&limit=31&group_by[]=group`, undefined, { 'x-api-key': READ })).json()) as Json
    const rows = body.data.flatMap(({ results }: Json) => results as Json[])
    expect(new Set(rows.map(({ group }: Json) => group))).toEqual(new Set([null, 'cc-data']))
    expect(total(rows.map(({ amount }: Json) => nano(amount)))).toBe(await ledger(`started_at >= '2026-08-01Z'`))
  })

  test('is of days', async () => {
    expect(await fault(COST, `${JULY}&bucket_width=1h`)).toEqual([400, 'bucket_width: must be 1d'])
    expect((await ask(COST, 'starting_at=2026-08-01T00:00:00Z&bucket_width=1d')).data).toHaveLength(7)
    expect(await fault(COST, `${JULY}&limit=32`)).toEqual([400, 'limit: must be between 1 and 31'])
  })
})

describe('the Claude Code report', () => {
  test('has a record for each person and client of the day, in the shape of Anthropic’s', async () => {
    const body = await ask(CODE, 'starting_at=2026-07-01')
    expect(body).toMatchObject({ has_more: false, next_page: null })
    expect(body.data.map(({ actor, terminal_type, core_metrics }: Json) => [actor, terminal_type, core_metrics.num_sessions])).toEqual([
      [{ type: 'user_actor', email_address: 'alice@example.com', user_id: 'alice' }, 'claude-cli', 2],
      [{ type: 'user_actor', email_address: 'bob@example.com', user_id: 'bob' }, 'desktop', 1],
      [{ type: 'user_actor', email_address: 'carol', user_id: 'carol' }, 'claude-cli', 0],
    ])
    expect(body.data[0]).toEqual({
      date: '2026-07-01T00:00:00Z',
      actor: { type: 'user_actor', email_address: 'alice@example.com', user_id: 'alice' },
      organization_id: expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/),
      customer_type: 'api',
      subscription_type: null,
      terminal_type: 'claude-cli',
      core_metrics: { num_sessions: 2, lines_of_code: { added: 0, removed: 0 }, commits_by_claude_code: 0, pull_requests_by_claude_code: 0 },
      tool_actions: { edit_tool: { accepted: 0, rejected: 0 }, multi_edit_tool: { accepted: 0, rejected: 0 }, write_tool: { accepted: 0, rejected: 0 }, notebook_edit_tool: { accepted: 0, rejected: 0 } },
      model_breakdown: [{ model: 'claude-sonnet-5', tokens: { input: 8, output: 12, cache_read: 0, cache_creation: 0 }, estimated_cost: { currency: 'USD', amount: 0.0204 } }],
    })
  })

  test('comes in pages of 20 unless asked for up to 1000', async () => {
    const all = (await ask(CODE, 'starting_at=2026-08-03&limit=1000')).data
    expect(all.length).toBeGreaterThan(10)
    expect(await pages(CODE, 'starting_at=2026-08-03')).toEqual(all)
    expect((await ask(CODE, 'starting_at=2026-08-03')).data).toEqual(all.slice(0, 20))
    expect(await fault(CODE, 'starting_at=2026-08-03&limit=1001')).toEqual([400, 'limit: must be between 1 and 1000'])
  })

  test.each(['2026-08', '2026-02-30', '2026-08-03T00:00:00Z', 'today'])('is of a day: %s is none', async (day) => {
    expect(await fault(CODE, `starting_at=${day}`)).toEqual([400, 'starting_at: must be a day in UTC, such as 2026-08-01'])
  })
})

describe('the cost analytics', () => {
  test('have the shape of the reference gateway’s', async () => {
    const { data, ...rest } = await ask(ANALYTICS, `${JULY}&group_by[]=actor`)
    expect(rest).toEqual({ has_more: false, next_page: null, data_refreshed_at: '2026-08-20T12:34:56.000Z' })
    expect(data).toHaveLength(3)
    expect(data[0]).toEqual({
      starting_at: '2026-07-01T00:00:00Z',
      ending_at: '2026-07-04T00:00:00Z',
      group: {
        product: null, model: null, context_window: null, inference_geo: null, speed: null, slack_channel_id: null, claude_tag_category: null, claude_tag_user_id: null, rbac_group_id: null,
        workspace_id: null, service_tier: null, user_profile_id: null, agent_id: null, environment_id: null, deployment_id: null, session_id: null,
        actor: { type: 'user_actor', user_id: 'carol', email_address: null, name: null, deleted: true },
        actor_type: null, api_key_id: null, cost_type: null, token_type: null,
      },
      cost: { currency: 'USD', amount: expect.stringMatching(/^\d+\.\d{6,7}$/), list_amount: expect.any(String), requests: 1 },
    })
  })

  test.each(['', '&group_by[]=actor', '&group_by[]=actor&time_bucket_width=1d', '&order_by=time&group_by[]=actor&group_by[]=model&time_bucket_width=1d', '&order_by=time&order=desc&group_by[]=actor&time_bucket_width=1d', '&order=asc&group_by[]=model&group_by[]=speed'])(
    'page through every row once, in order, to the ledger’s sum%s',
    async (query) => {
      const all = (await ask(ANALYTICS, `${AUGUST}&limit=1000${query}`)).data
      expect(await pages(ANALYTICS, `${AUGUST}${query}`)).toEqual(all)
      expect(total(all.map(({ cost }: Json) => nano(cost.amount)))).toBe(await ledger(`started_at >= '2026-08-01Z'`))
      const keys = all.map(({ starting_at, cost }: Json) => (query.includes('order_by=time') ? starting_at : nano(cost.amount)))
      const isFalling = !query.includes('order_by=time') !== query.includes('order=')
      expect(keys).toEqual([...keys].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0) * (isFalling ? -1 : 1)))
    },
  )

  test('are of 20 rows unless asked for up to 1000', async () => {
    expect((await ask(ANALYTICS, `${AUGUST}&group_by[]=actor&time_bucket_width=1d`)).data).toHaveLength(20)
    expect(await fault(ANALYTICS, `${AUGUST}&limit=1001`)).toEqual([400, 'limit: must be between 1 and 1000'])
  })

  test.each([
    ['actor_ids[]=alice&group_by[]=actor', ['alice']],
    ['rbac_group_ids[]=eng&group_by[]=actor', ['bob', 'alice']],
    ['exclude_deleted_users=true&group_by[]=actor', ['bob', 'alice']],
    ['actor_types[]=user_actor&group_by[]=actor', ['carol', 'bob', 'alice']],
  ])('are filtered by %s', async (query, people) => {
    expect((await ask(ANALYTICS, `${JULY}&${query}`)).data.map(({ group }: Json) => group.actor.user_id)).toEqual(people)
  })

  test.each([
    ['time_bucket_width=1d&starting_at=2026-08-01T00:00:00Z', 'ending_at: required when time_bucket_width is set'],
    [`${JULY}&time_bucket_width=9q`, 'time_bucket_width: must be 1d or 1h'],
    [`${JULY}&actor_types[]=robot`, 'actor_types[]: must be user_actor'],
    [`${JULY}&order_by=zz`, 'order_by: must be amount, list_amount or time'],
    [`${JULY}&order=zz`, 'order: must be asc or desc'],
  ])('refuse %s', async (query, message) => {
    expect(await fault(ANALYTICS, query)).toEqual([400, message])
  })
})

describe('CSV', () => {
  test.each([
    [USAGE, `${AUGUST}&group_by[]=user&group_by[]=model`],
    [USAGE, 'starting_at=2026-08-03T00:00:00Z&ending_at=2026-08-05T00:00:00Z&bucket_width=1h&group_by[]=session'],
  ])('holds all pages of the usage report: %s?%s', async (path, query) => {
    const rows = await csv(path, query)
    const results = (await ask(path, `${query}&limit=${query.includes('1h') ? 168 : 31}`)).data.flatMap(({ starting_at, results }: Json) => results.map((result: Json) => [starting_at, result.user_id ?? '', result.session_id ?? '', result.model ?? '', String(result.output_tokens), String(result.cache_creation.ephemeral_1h_input_tokens)]))
    expect(rows.map((row) => [row.starting_at, row.user_id ?? '', row.session_id ?? '', row.model ?? '', row.output_tokens, row.cache_creation_1h_input_tokens])).toEqual(results)
  })

  test.each(['', '&group_by[]=description', '&group_by[]=user&group_by[]=session'])('of the cost report comes to the ledger’s sum%s', async (query) => {
    const rows = await csv(COST, AUGUST + query)
    expect(total(rows.map(({ amount }) => nano(amount as string)))).toBe(await ledger(`started_at >= '2026-08-01Z'`))
  })

  test('of the cost analytics and of Claude Code comes to the ledger’s sum', async () => {
    expect(total((await csv(ANALYTICS, `${AUGUST}&group_by[]=actor&time_bucket_width=1d`)).map(({ amount }) => nano(amount as string)))).toBe(await ledger(`started_at >= '2026-08-01Z'`))
    const day = await csv(CODE, 'starting_at=2026-08-03')
    expect(total(day.map(({ amount }) => nano(amount as string)))).toBe(await ledger(`started_at >= '2026-08-03Z' and started_at < '2026-08-04Z'`))
  })

  test('is what Accept asks for, and a file', async () => {
    const response = await get(COST, JULY, { 'x-api-key': READ, accept: 'text/csv' })
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="cost-2026-07-01-to-2026-07-04.csv"')
    expect((await response.text()).split('\r\n')[0]).toBe('starting_at,ending_at,amount,currency')
    expect((await get(COST, `${JULY}&format=json`, { 'x-api-key': READ, accept: 'text/csv' })).headers.get('content-type')).toMatch(/json/)
  })

  test('has no page, and at most a year', async () => {
    expect(await fault(COST, `${JULY}&format=csv&page=x`)).toEqual([400, 'page: a file of CSV holds all pages'])
    expect(await fault(COST, 'starting_at=2020-01-01T00:00:00Z&format=csv')).toEqual([400, 'starting_at: more than 400 days before ending_at; ask for a year at a time'])
  })

  test('of nothing is its header', async () => {
    expect(await csv(COST, 'starting_at=2025-01-01T00:00:00Z&ending_at=2025-03-01T00:00:00Z')).toEqual([])
  })
})

describe('a page', () => {
  test('is of the question it was made for, and unaltered', async () => {
    const { next_page: token } = await ask(USAGE, `${AUGUST}&limit=1`)
    expect(token).toMatch(/^page_/)
    const message = 'page: not a next_page of this report, or of one with other parameters; begin again without it'
    const altered = `${token.slice(0, -5)}${token.at(-5) === 'A' ? 'B' : 'A'}${token.slice(-4)}`
    for (const query of [`${AUGUST}&page=${altered}`, `${AUGUST}&page=x`, `${AUGUST}&page=page_e30`, `${AUGUST}&group_by[]=user&page=${token}`, `${JULY}&page=${token}`]) expect(await fault(USAGE, query)).toEqual([400, message])
    for (const [path, query] of [[COST, AUGUST], [ANALYTICS, AUGUST], [CODE, 'starting_at=2026-08-01']] as const) expect(await fault(path, `${query}&page=${token}`)).toEqual([400, message])
    expect((await ask(USAGE, `${AUGUST}&limit=3&page=${token}`)).data[0].starting_at).toBe('2026-08-02T00:00:00Z')
  })

  test('is opened by every replica', async () => {
    const { next_page: token } = await ask(USAGE, `${AUGUST}&limit=1`)
    const other = await world.replica()
    expect((await other.get(`${USAGE}?${AUGUST}&limit=1&page=${token}`, undefined, { 'x-api-key': READ })).status).toBe(200)
  })
})

describe('what is asked', () => {
  const HOSTILE = [`' or 1=1--`, `"; drop table usage;--`, `$1`, '{}', '[]', '\\', '🐘', '%', '_', `(select pg_sleep(5))`]
  const named = [[USAGE, JULY], [COST, JULY], [ANALYTICS, JULY]] as const

  test.each(['starting_at', 'ending_at', 'bucket_width', 'time_bucket_width', 'group_by[]', 'limit', 'page', 'format', 'order_by', 'order', 'exclude_deleted_users'])('is refused when %s is none of its values', async (name) => {
    for (const [path, query] of named) for (const value of HOSTILE) expect((await get(path, `${new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(query)), [name]: value })}`)).status).toBe(400)
  })

  test.each(['user_ids[]', 'groups[]', 'models[]', 'upstreams[]', 'clients[]', 'sessions[]', 'speeds[]', 'inference_geos[]', 'service_tiers[]'])('of %s finds nothing, whatever it looks like', async (name) => {
    for (const path of [USAGE, COST]) for (const value of HOSTILE) expect((await ask(path, `${JULY}&${new URLSearchParams({ [name]: value })}`)).data.map(({ results }: Json) => results)).toEqual([[], [], []])
  })

  test.each([
    ['limit=-1', 'limit: must be between 1 and 31'],
    ['limit=1e9', 'limit: must be between 1 and 31'],
    ['limit=1&limit=2', 'limit: given twice'],
    ['offset=-1', expect.stringMatching(/^offset: not a parameter of this report, which takes starting_at, /)],
    ['group_by=model', expect.stringMatching(/^group_by: not a parameter/)],
    ['workspace_ids[]=x', expect.stringMatching(/^workspace_ids\[\]: not a parameter/)],
    ['user_ids[]=%00', 'user_ids[]: has a control character'],
    ['user_ids[]=a%0ab', 'user_ids[]: has a control character'],
    [`user_ids[]=${'a'.repeat(1001)}`, 'user_ids[]: longer than 1000 characters'],
    ['group_by[]=id', expect.stringMatching(/^group_by\[\]: must be user, group, /)],
  ])('is refused with its reason: %s', async (query, message) => {
    expect(await fault(USAGE, `${JULY}&${query}`)).toEqual([400, message])
  })

  test.each([
    ['', 'starting_at: required'],
    ['starting_at=', 'starting_at: required'],
    ['starting_at=2026-08-01', 'starting_at: must be an RFC 3339 timestamp with a time zone, such as 2026-08-01T00:00:00Z'],
    ['starting_at=2026-02-30T00:00:00Z', 'starting_at: must be an RFC 3339 timestamp with a time zone, such as 2026-08-01T00:00:00Z'],
    ['starting_at=2026-08-01T25:00:00Z', 'starting_at: must be an RFC 3339 timestamp with a time zone, such as 2026-08-01T00:00:00Z'],
    ['starting_at=2026-08-01T00:00:00', 'starting_at: must be an RFC 3339 timestamp with a time zone, such as 2026-08-01T00:00:00Z'],
    ['starting_at=2026-08-02T00:00:00Z&ending_at=2026-08-01T00:00:00Z', 'starting_at: must be before ending_at, which is now unless given'],
    ['starting_at=2026-08-21T00:00:00Z', 'starting_at: must be before ending_at, which is now unless given'],
  ])('begins somewhere: %p', async (query, message) => {
    for (const path of [USAGE, COST, ANALYTICS]) expect(await fault(path, query)).toEqual([400, message])
  })
})

test('reports are an administrator’s alone, and a key that reads suffices', async () => {
  const { access_token } = await world.signIn('alice')
  for (const path of [USAGE, COST, ANALYTICS]) {
    expect((await get(path, JULY)).status).toBe(200)
    expect((await get(path, JULY, {})).status).toBe(401)
    expect((await get(path, JULY, { authorization: `Bearer ${access_token}` })).status).toBe(401)
  }
  const plain = await world.replica({ admin: undefined })
  expect((await plain.get(`${COST}?${JULY}`, access_token)).status).toBe(404)
})
