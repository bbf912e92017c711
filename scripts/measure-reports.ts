// How long reports take on a month of 1,000 people: fills a scratch PostgreSQL, asks each report over its route, prints
// the median of a few answers. Nothing is asserted: the numbers depend on the machine.
import postgres from 'postgres'
import { connect } from '../src/db/connect.ts'
import { migrate } from '../src/db/migrate.ts'
import { migrations } from '../src/db/migrations.ts'
import { setContext } from '../src/http/request-context.ts'
import { createReportDatabases } from '../src/report/report-database.ts'
import { reportRoutes } from '../src/report/routes.ts'
import { createSealer } from '../src/session/seal.ts'
import { Secret } from '../src/std/secret.ts'
import { startPostgres } from '../test/support/postgres-server.ts'

const executions = Number(process.argv[2] ?? 5_000_000)
const PEOPLE = 1000
const ROUNDS = 3
const MONTH = 'starting_at=2026-08-01T00:00:00Z&ending_at=2026-09-01T00:00:00Z'
const DAY = 'starting_at=2026-08-05T00:00:00Z&ending_at=2026-08-06T00:00:00Z'
const [USAGE, COST, CODE, ANALYTICS] = ['usage_report/messages', 'cost_report', 'usage_report/claude_code', 'analytics/cost']

const QUESTIONS = [
  `${USAGE}?${MONTH}&limit=31`,
  `${USAGE}?${MONTH}&limit=31&group_by[]=model`,
  `${USAGE}?${MONTH}&limit=31&group_by[]=group`,
  `${USAGE}?${MONTH}&limit=31&group_by[]=user`,
  `${USAGE}?${MONTH}&limit=31&group_by[]=user&group_by[]=model`,
  `${USAGE}?${MONTH}&limit=31&user_ids[]=user7&group_by[]=model`,
  `${USAGE}?${MONTH}&bucket_width=1h&limit=168&group_by[]=model`,
  `${USAGE}?${DAY}&bucket_width=1m&limit=1440`,
  `${USAGE}?${DAY}&group_by[]=session&user_ids[]=user7`,
  `${COST}?${MONTH}&limit=31`,
  `${COST}?${MONTH}&limit=31&group_by[]=user`,
  `${COST}?${MONTH}&limit=31&group_by[]=group`,
  `${COST}?${DAY}&group_by[]=description`,
  `${COST}?${MONTH}&limit=31&group_by[]=description`,
  `${CODE}?starting_at=2026-08-05&limit=1000`,
  `${ANALYTICS}?${MONTH}&group_by[]=actor&limit=1000`,
  `${ANALYTICS}?${MONTH}&group_by[]=rbac_group_id&limit=1000`,
  `${ANALYTICS}?${MONTH}&group_by[]=actor&time_bucket_width=1d&limit=1000`,
  `${COST}?${MONTH}&group_by[]=user&group_by[]=model&format=csv`,
  `${USAGE}?${DAY}&group_by[]=session&format=csv`,
]

const server = await startPostgres()
const sql = postgres(server.url, { max: 1, onnotice: () => {} })
const db = connect({ url: server.url, maxConnections: 2, observe: () => {} })
try {
  await migrate(db, migrations, () => {})
  await timed('filled', fill)
  const [counts] = await sql`select (select count(*) from usage) as executions, (select count(*) from usage_hour) as hours, (select count(*) from usage_day) as days, (select count(distinct sub) from usage_hour) as people,
    (select sum(cost) from usage) = (select sum(cost) from usage_hour) as consistent`
  say(`${counts?.executions} executions, ${counts?.hours} rows by hour, ${counts?.days} by day, ${counts?.people} people, sums agree: ${counts?.consistent}`)
  for (const question of QUESTIONS) await measure(question)
} finally {
  await db.close()
  await sql.end({ timeout: 1 })
  await server.stop()
}

async function fill(): Promise<void> {
  await sql`insert into person (issuer, sub, email, name, groups) select 'https://idp.example.com', 'user' || n, 'user' || n || '@example.com', 'User ' || n, '[]' from generate_series(0, ${PEOPLE - 1}::int) n`
  await sql`insert into group_set (id, groups) select md5('set' || n)::uuid, jsonb_build_array('everybody', 'team-' || n, 'site-' || n % 5) from generate_series(0, 39) n`
  await sql.unsafe(`create table usage_2026_08_measured partition of usage for values from ('2026-08-01Z') to ('2026-09-01Z')`).catch(() => {})
  // In the order of time, as it comes about: working hours of working days, people of different zeal, mostly one model.
  await sql`insert into usage
    select gen_random_uuid(), 0, at, 'message', 'https://idp.example.com', 'user' || person, md5('set' || person % 40)::uuid, person || '-' || day || '-' || n % 4, case when n % 20 = 0 then 'desktop' else 'claude-cli' end,
      '2.1.330', model, model, upstream, 'bedrock', model, 'eu-west-1', null, 20 + n % 900, 50 + n % 1500, 30000 + n % 60000, n % 3000, 0, 0, (n % 500 = 0)::int, 'standard', 'not_available', 'standard', 200, 'completed', n % 100 = 0,
      900, 9000, 'list', rate, rate * 5, rate / 10, rate * 5 / 4, rate * 2, 10000000,
      ((20 + n % 900) * rate + (50 + n % 1500) * rate * 5 + (30000 + n % 60000) * rate / 10 + (n % 3000) * rate * 5 / 4) / 1000000 + (n % 500 = 0)::int * 10000000
    from (
      select n, floor(power(random(), 1.5) * ${PEOPLE})::int as person, day, '2026-08-01Z'::timestamptz + make_interval(days => day, secs => 7 * 3600 + into_day * 11 * 3600) as at,
        case when n % 10 < 7 then 'claude-sonnet-5' when n % 10 < 9 then 'claude-haiku-4-5' else 'claude-opus-5-5' end as model,
        case when n % 10 < 7 then 3000000000 when n % 10 < 9 then 1000000000 else 5000000000 end as rate, case when n % 50 = 0 then 'vertex' else 'bedrock' end as upstream
      from generate_series(0, ${executions - 1}::int) n, lateral (select n * 21.0 / ${executions}::int as position) p,
        lateral (select (array[2,3,4,5,6,9,10,11,12,13,16,17,18,19,20,23,24,25,26,27,30])[1 + floor(position)::int] as day, (position - floor(position))::float8 as into_day) d
    ) made`
  await sql`insert into usage_hour
    select date_trunc('hour', started_at, 'UTC'), issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier, count(*), 0, sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),
      sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(web_searches), sum(cost), coalesce(sum(cost) filter (where estimated), 0)
    from usage group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 order by 1`
  await sql`insert into usage_day
    select date_trunc('day', hour, 'UTC'), issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier, sum(requests), sum(failed_requests), sum(input_tokens), sum(output_tokens),
      sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(web_searches), sum(cost), sum(estimated_cost)
    from usage_hour group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 order by 1`
  await sql`analyze`
}

async function measure(question: string): Promise<void> {
  const routes = reportRoutes({ reports: createReportDatabases(db), sealer: createSealer([new Secret('measure-measure-measure-measure-measure')]), observe: () => {}, publicUrl: 'https://gateway.example.com', groupTag: undefined, modelName: (id) => id })
  const rounds = []
  let bytes = 0
  for (let round = 0; round < ROUNDS; round++) {
    const request = new Request(`http://gatehouse.internal/v1/organizations/${question}`)
    setContext(request, { requestId: 'measure', clientIp: '127.0.0.1', principal: undefined, admin: { name: 'measure', mayWrite: false }, receivedAt: Date.now(), receivedMs: 0, idleLimit: { lift() {}, restore() {} } })
    const begun = performance.now()
    const response = await routes.handle(request)
    const text = await response.text()
    rounds.push(performance.now() - begun)
    if (response.status !== 200) throw new Error(`${question}: ${response.status} ${text}`)
    bytes = text.length
  }
  const median = rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number
  say(`${median.toFixed(0).padStart(6)} ms ${(bytes / 1024).toFixed(0).padStart(7)} KB  ${question.replace(MONTH, 'August').replace(DAY, 'a day')}`)
}

async function timed(what: string, work: () => Promise<void>): Promise<void> {
  const begun = performance.now()
  await work()
  say(`${what} in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
