// T207, T280, T281: processes are killed at random moments while they serve, and database connections with them. What the
// upstream executed is in the ledger once; what is there besides is what a dead process might have sent, and says so.
// KILLS and SEED repeat or lengthen a run: scripts/torture kills five hundred.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { freePort } from '../support/free-port.ts'
import { messageEvents, startUpstream, type TestUpstream } from '../support/upstream.ts'
import { createInstallation, listening, type Installation } from './installation.ts'
import type { Program } from './program.ts'

const KILLS = Number(process.env.KILLS ?? 20)
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const WORKERS = 12
const random = randomOf(SEED)

let installation: Installation
let upstream: TestUpstream
beforeAll(async () => {
  installation = await createInstallation()
  upstream = await startUpstream(async (answer, request) => {
    answer.head(200, { 'content-type': 'text/event-stream' })
    for (const event of messageEvents(request.json().model)) {
      if (random() < 0.4) await Bun.sleep(random() * 8)
      await answer.chunk(event)
    }
    answer.end()
  })
})
afterAll(async () => {
  await installation.remove()
  await upstream.stop()
})

/** mulberry32: the same seed makes the same run, as far as machines allow. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Replica {
  readonly name: string
  readonly url: string
  program: Program
}

test(`${KILLS} kills (SEED=${SEED}) lose nothing and count nothing twice`, async () => {
  const sections = { upstreams: [{ provider: 'anthropic', base_url: upstream.url, auth: { api_key: 'sk-upstream' } }], enforcement: { reserve: true }, admin: {} }
  await installation.configure(sections)
  const otherPort = await freePort()
  await installation.configure({ ...sections, listen: { host: '127.0.0.1', port: otherPort, public_url: installation.url } }, 'other.yaml')
  const replicas: Replica[] = []
  for (const [name, port] of [['gateway.yaml', installation.port], ['other.yaml', otherPort]] as const) {
    const program = installation.serve({}, name)
    await listening(program)
    replicas.push({ name, url: `http://127.0.0.1:${port}`, program })
  }
  const token = await installation.signIn()

  let isOver = false
  let asked = 0
  async function work(): Promise<void> {
    while (!isOver) {
      const tag = `t${asked++}`
      const replica = replicas[random() < 0.5 ? 0 : 1] as Replica
      const leaving = new AbortController()
      if (random() < 0.1) setTimeout(() => leaving.abort(), random() * 30)
      const body = JSON.stringify({ model: 'claude-haiku-4-5', max_tokens: 100, stream: true, messages: [{ role: 'user', content: 'ping' }], metadata: { user_id: tag } })
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'x-claude-code-session-id': tag }
      const answered = await fetch(`${replica.url}/v1/messages`, { method: 'POST', body, headers, signal: leaving.signal }).then((response) => response.text(), () => undefined).catch(() => undefined)
      if (answered === undefined) await Bun.sleep(2)
    }
  }
  const workers = Array.from({ length: WORKERS }, work)

  for (let kill = 0; kill < KILLS; kill++) {
    await Bun.sleep(random() * 120)
    if (random() < 0.2) await installation.database.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gatehouse' and datname = current_database() and random() < 0.5`
    const replica = replicas[random() < 0.5 ? 0 : 1] as Replica
    await replica.program.end()
    replica.program = installation.serve({}, replica.name)
    await listening(replica.program)
  }
  isOver = true
  await Promise.all(workers)
  for (const { program } of replicas) program.signal('SIGTERM')
  expect(await Promise.all(replicas.map(({ program }) => program.exited))).toEqual([0, 0])

  const { sql } = installation.database
  await sql`select spend_sweep('0 seconds', 1000000)`
  const rows = await sql`select session, outcome, cost from usage`
  const executed = upstream.requests.map((request) => request.json().metadata.user_id as string)
  const written = rows.map(({ session }) => session as string)
  console.log(`${KILLS} kills: ${executed.length} executions of ${asked} requests, ${rows.filter(({ outcome }) => outcome === 'swept').length} swept, ${rows.filter(({ outcome }) => outcome === 'completed').length} completed`)

  expect(executed.length).toBeGreaterThan(KILLS)
  expect(new Set(executed).size).toBe(executed.length)
  // Lost: executed and not written. Double: written twice.
  const known = new Set(written)
  expect(executed.filter((tag) => !known.has(tag))).toEqual([])
  expect(written.length).toBe(known.size)
  const sent = new Set(executed)
  expect(rows.filter(({ session, outcome }) => !sent.has(session) && outcome !== 'swept' && outcome !== 'client_gone' && outcome !== 'failed')).toEqual([])
  const [sums] = await sql`
    select (select sum(cost) from usage)::text as ledger, (select sum(cost) from usage_hour)::text as hours, (select sum(cost) from usage_day)::text as days, (select sum(spent) from spend_day where scope = 'user')::text as people,
      (select sum(spent) from spend_day where scope = 'organization')::text as organization, (select sum(held) from spend_day)::text as held, (select count(*) from usage_hold)::int as holds`
  expect([sums?.hours, sums?.days, sums?.people, sums?.organization, sums?.held, sums?.holds]).toEqual([sums?.ledger, sums?.ledger, sums?.ledger, sums?.ledger, '0', 0])
}, 60_000 + KILLS * 3000)
