// A gateway that has seen some of everything: what its metrics then say is what dashboards and alerts are held against.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readExposition, type ReadFamily } from './exposition.ts'
import { ADMIN, LIMITS, READ_KEY, until, WRITE_KEY } from './admin.ts'
import { startCollector } from './collector.ts'
import { startWorld, type World } from './gateway.ts'
import { createPeople, SESSION_SECRET } from './people.ts'
import { answerError, startUpstream } from './upstream.ts'

export interface Traffic {
  world: World
  /** The metrics as an administrator reads them. */
  metrics(): Promise<Map<string, ReadFamily>>
  text(): Promise<string>
  person: (login: string) => Promise<string>
  stop(): Promise<void>
}

export const MODEL = 'claude-sonnet-5'
const ask = { model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }

export async function startTraffic(): Promise<Traffic> {
  const [first, spare, collector] = [await startUpstream(), await startUpstream(), startCollector()]
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-spool-'))
  const upstreams = [first, spare].map(({ url }, at) => ({ name: ['first', 'spare'][at], provider: 'anthropic', priority: at, base_url: url, auth: { api_key: 'sk-upstream-canary' } }))
  const world = await startWorld({
    config: {
      audit: { store: true },
      session: { jwt_secret: SESSION_SECRET },
      upstreams,
      admin: { ...ADMIN, alerts: {} },
      enforcement: { reserve: true },
      quotas: [{ match: { user_id: 'hasty' }, requests_per_minute: 1 }],
      telemetry: { forward_to: [{ url: collector.url }], spool: { dir } },
    },
  })
  const { gateway } = world
  const person = createPeople(world.gateway.url)
  const text = async () => (await fetch(`${gateway.url}/metrics`, { headers: { 'x-api-key': READ_KEY } })).text()
  const metrics = async () => readExposition(await text())

  // Signed in, refreshed, revoked, refused.
  const tokens = await world.signIn('alice')
  await gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
  await gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token: 'nobody-has-this' })
  await gateway.form('/oauth/revoke', { token: (await world.signIn('bob')).access_token })
  await fetch(`${gateway.url}/oauth/callback?state=unknown&code=x`)
  for (const headers of [{}, { authorization: 'Bearer nonsense' }]) await fetch(`${gateway.url}/v1/messages`, { method: 'POST', headers })
  await fetch(`${gateway.url}/metrics`, { headers: { 'x-api-key': 'no-key-of-ours' } })

  // Answered, as a stream, counted, after a failover, by a model nobody serves, beyond a quota, beyond a limit.
  const post = async (body: object, login: string, path = '/v1/messages') => (await gateway.post(path, body, await person(login))).text()
  await post({ ...ask, stream: true }, 'carol')
  await post(ask, 'carol', '/v1/messages/count_tokens')
  first.enqueue(answerError(429, 'slow down', { 'retry-after': '60' }))
  await post(ask, 'carol')
  await post({ ...ask, model: 'gpt-99' }, 'carol')
  for (const _ of [1, 2]) await post(ask, 'hasty')
  await fetch(gateway.url + LIMITS, { method: 'POST', headers: { 'x-api-key': WRITE_KEY, 'content-type': 'application/json' }, body: JSON.stringify({ scope: { type: 'user', user_id: 'dave' }, amount: '0', period: 'daily' }) })
  await post(ask, 'dave')

  await gateway.post('/v1/metrics', {}, await person('carol'))
  await collector.arrived(1)
  const waiting = async (name: string) => (await metrics()).get(name)?.lines[0]?.value
  await until(async () => (await waiting('gatehouse_ledger_settlements_waiting')) === 0 && (await waiting('gatehouse_telemetry_held_bytes')) === 0)
  return {
    world,
    metrics,
    text,
    person,
    async stop() {
      await world.stop()
      await Promise.all([first.stop(), spare.stop(), collector.stop(), rm(dir, { recursive: true })])
    },
  }
}
