// The whole gateway in this process, with its real neighbours: PostgreSQL, an OpenID provider, a scripted upstream.
import { parseConfig } from '../../src/config/load.ts'
import { createGateway, type Gateway } from '../../src/gateway.ts'
import type { AuditEvent, Observation } from '../../src/observe/events.ts'
import { approve, createBrowser } from './browser.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { freePort } from './free-port.ts'
import { startIdp, type TestIdp } from './idp.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

export interface TestGateway {
  url: string
  observed: Observation[]
  /** Resolves with the first matching observation, past or future. */
  saw<evt extends AuditEvent['evt']>(evt: evt, matches?: (event: Extract<AuditEvent, { evt: evt }>) => boolean): Promise<Extract<AuditEvent, { evt: evt }>>
  post(path: string, body: unknown, token?: string, headers?: Record<string, string>): Promise<Response>
  form(path: string, fields: Record<string, string>): Promise<Response>
  get(path: string, token?: string, headers?: Record<string, string>): Promise<Response>
  stop(): Promise<void>
}

export interface World {
  database: TestDatabase
  idp: TestIdp
  upstream: TestUpstream
  gateway: TestGateway
  /** Another replica on the same database, perhaps with other sections. */
  replica(changes?: Record<string, unknown>): Promise<TestGateway>
  signIn(login?: string, at?: TestGateway): Promise<Tokens>
  stop(): Promise<void>
}

export interface Tokens {
  access_token: string
  refresh_token: string
  expires_in: number
  email: string
}

export interface WorldOptions {
  /** Sections laid over the configuration. */
  config?: Record<string, unknown>
  refreshTokens?: boolean
  now?: () => Date
  /** The clock of breakers and streams. */
  nowMs?: () => number
  idleSeconds?: number
}

const SECRET = 'a-test-secret-of-more-than-thirty-two-bytes'

export async function startWorld({ config = {}, refreshTokens = true, now, nowMs, idleSeconds }: WorldOptions = {}): Promise<World> {
  const [port, database, upstream] = await Promise.all([freePort(), createTestDatabase(), startUpstream()])
  const publicUrl = `http://127.0.0.1:${port}`
  const idp = await startIdp({ redirectUri: `${publicUrl}/oauth/callback`, refreshTokens })
  const gateways: TestGateway[] = []
  const boot = async (listenPort: number, changes: Record<string, unknown> = {}) => {
    const text = JSON.stringify({ ...baseConfig({ publicUrl, port: listenPort, database, idp, upstream }), ...config, ...changes })
    const started = await startOne(text, { ...(now && { now }), ...(nowMs && { nowMs }), ...(idleSeconds && { idleSeconds }) })
    gateways.push(started)
    return started
  }
  const gateway = await boot(port)
  return {
    database,
    idp,
    upstream,
    gateway,
    replica: (changes) => boot(0, changes),
    signIn: (login = 'alice', at = gateway) => signIn(at, login, publicUrl),
    async stop() {
      for (const one of gateways) await one.stop()
      await Promise.all([idp.stop(), upstream.stop()])
      await database.drop()
    },
  }
}

function baseConfig({ publicUrl, port, database, idp, upstream }: { publicUrl: string; port: number; database: TestDatabase; idp: TestIdp; upstream: TestUpstream }) {
  return {
    listen: { host: '127.0.0.1', port, public_url: publicUrl, drain_seconds: 0 },
    oidc: { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret, allowed_email_domains: ['example.com'], userinfo_fallback: true },
    session: { jwt_secret: SECRET },
    store: { postgres_url: database.url },
    upstreams: [{ provider: 'anthropic', base_url: upstream.url, auth: { api_key: 'sk-upstream-canary' } }],
    managed: { policies: [{ match: {}, cli: { availableModels: ['claude-sonnet-5', 'claude-haiku-4-5'] } }] },
    rate_limits: { device_authorization: { max: 10_000 }, device_verify: { max: 10_000 } },
  }
}

async function startOne(text: string, { now, nowMs, idleSeconds }: Pick<WorldOptions, 'now' | 'nowMs' | 'idleSeconds'>): Promise<TestGateway> {
  const observed: Observation[] = []
  const waiting = new Set<() => void>()
  const observe = (observation: Observation) => {
    observed.push(observation)
    for (const check of [...waiting]) check()
  }
  const { config, sha256 } = parseConfig(text, 'test.yaml', { GATEHOUSE_ALLOW_LOOPBACK: '1' })
  const gateway: Gateway = await createGateway({ config, observe, allowLoopback: true, environment: process.env, idleSeconds, configFile: { path: 'test.yaml', sha256 }, machine: { host: 'replica.test', pid: 7 }, usage: () => ({ residentBytes: process.memoryUsage.rss(), cpuSeconds: process.cpuUsage().user / 1e6 }), ...(now && { now }), ...(nowMs && { nowMs }) })
  const url = `http://127.0.0.1:${gateway.port}`
  const bearer = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` })
  return {
    url,
    observed,
    saw: (evt, matches = () => true) =>
      new Promise((resolve) => {
        const check = () => {
          const found = observed.find((observation): observation is never => 'evt' in observation && observation.evt === evt && matches(observation as never))
          if (found === undefined) return
          waiting.delete(check)
          resolve(found)
        }
        waiting.add(check)
        check()
      }),
    post: (path, body, token, headers = {}) =>
      fetch(url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...bearer(token), ...headers } }),
    form: (path, fields) => fetch(url + path, { method: 'POST', body: new URLSearchParams(fields) }),
    get: (path, token, headers = {}) => fetch(url + path, { headers: { ...bearer(token), ...headers }, redirect: 'manual' }),
    stop: () => gateway.stop(),
  }
}

export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

/** A whole sign-in; the browser walks through the public URL, the device polls `at`. */
async function signIn(at: TestGateway, login: string, publicUrl: string): Promise<Tokens> {
  const grant = (await (await at.form('/oauth/device_authorization', { surface: 'claude_code' })).json()) as Record<string, string>
  const page = await approve(createBrowser(), `${publicUrl}/device`, grant.user_code as string, login)
  if (page.status !== 200) throw new Error(`sign-in ended with ${page.status}: ${page.text.replace(/<[^>]+>/g, ' ').slice(0, 400)}`)
  const answer = await at.form('/oauth/token', { grant_type: DEVICE_CODE, device_code: grant.device_code as string })
  if (answer.status !== 200) throw new Error(`the token endpoint answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Tokens
}
