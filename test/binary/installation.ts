// Everything the compiled file needs to serve, on ports of its own: an empty database, a real OpenID provider, a
// scripted upstream and a directory with gateway.yaml.
import { approve, createBrowser } from '../support/browser.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from '../support/free-port.ts'
import { DEVICE_CODE } from '../support/gateway.ts'
import { startIdp, type TestIdp } from '../support/idp.ts'
import { startUpstream, type TestUpstream } from '../support/upstream.ts'
import { directoryWith, start, type Program, type RunOptions } from './program.ts'

export interface Installation {
  readonly directory: string
  readonly port: number
  readonly url: string
  readonly database: TestDatabase
  readonly idp: TestIdp
  readonly upstream: TestUpstream
  /** Writes gateway.yaml, each given section laid over the usual one, a list in its place. */
  configure(sections?: Sections, name?: string): Promise<void>
  /** Starts the compiled file on gateway.yaml; with `name`, on another file written before. */
  serve(options?: RunOptions, name?: string): Program
  /** Signs alice in at a running gateway; her bearer token. */
  signIn(): Promise<string>
  /** Asks the running gateway for a streamed answer. */
  ask(token: string): Promise<Response>
  remove(): Promise<void>
}

type Sections = Record<string, object>

const PROMPT = JSON.stringify({ model: 'claude-haiku-4-5', max_tokens: 16, stream: true, messages: [{ role: 'user', content: 'ping' }] })

export async function createInstallation(scheme: 'http' | 'https' = 'http'): Promise<Installation> {
  const [port, database, upstream, { path: directory, remove }] = await Promise.all([freePort(), createTestDatabase({ migrated: false }), startUpstream(), directoryWith({})])
  const url = `${scheme}://127.0.0.1:${port}`
  const idp = await startIdp({ redirectUri: `${url}/oauth/callback` })
  const programs: Program[] = []
  const usual: Sections = {
    listen: { host: '127.0.0.1', port, public_url: url },
    oidc: { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret, userinfo_fallback: true },
    session: { jwt_secret: 'a-secret-of-the-tests-that-is-long-enough' },
    store: { postgres_url: database.url },
  }
  const installation: Installation = {
    ...{ directory, port, url, database, idp, upstream },
    async configure(sections = {}, name = 'gateway.yaml') {
      const merged = Object.keys({ ...usual, ...sections }).map((key) => [key, Array.isArray(sections[key]) ? sections[key] : { ...usual[key], ...sections[key] }])
      const upstreams = [{ provider: 'anthropic', base_url: upstream.url, auth: { api_key: 'sk-upstream' } }]
      // JSON is YAML.
      await Bun.write(`${directory}/${name}`, JSON.stringify({ upstreams, ...Object.fromEntries(merged) }, null, 2))
    },
    serve({ env = {}, cwd = directory } = {}, name = 'gateway.yaml') {
      const program = start(['serve', '--config', `${directory}/${name}`], { cwd, env: { GATEHOUSE_ALLOW_LOOPBACK: '1', ...env } })
      programs.push(program)
      return program
    },
    signIn: () => signIn(url),
    ask: (token) => fetch(`${url}/v1/messages?beta=true`, { method: 'POST', body: PROMPT, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'anthropic-version': '2023-06-01' } }),
    async remove() {
      await Promise.all(programs.map((program) => program.end()))
      await Promise.all([idp.stop(), upstream.stop()])
      await database.drop()
      await remove()
    },
  }
  await installation.configure()
  return installation
}

async function signIn(url: string): Promise<string> {
  const form = (path: string, fields: Record<string, string>) => fetch(url + path, { method: 'POST', body: new URLSearchParams(fields) })
  const grant = (await (await form('/oauth/device_authorization', { surface: 'claude_code' })).json()) as { device_code: string; user_code: string }
  await approve(createBrowser(), `${url}/device`, grant.user_code, 'alice')
  const answer = await form('/oauth/token', { grant_type: DEVICE_CODE, device_code: grant.device_code })
  if (answer.status !== 200) throw new Error(`the sign-in ended with ${answer.status}: ${await answer.text()}`)
  return ((await answer.json()) as { access_token: string }).access_token
}

/** Resolves when the program says that it listens. */
export async function listening(program: Program): Promise<void> {
  await program.printed(/ listens on /)
}

/** Asks again until the answer has this status. */
export async function untilStatus(url: string, status: number): Promise<void> {
  while ((await fetch(url)).status !== status) await Bun.sleep(20)
}
