// The compiled program between its real neighbours, seen only from outside: HTTP, what it prints and how it ends.
import { createHmac } from 'node:crypto'
import { createInstallation, listening, type Installation } from '../binary/installation.ts'
import type { Program } from '../binary/program.ts'
import { approve, createBrowser, type Browser } from '../support/browser.ts'
import { freePort } from '../support/free-port.ts'
import { DEVICE_CODE, type Tokens } from '../support/gateway.ts'

export type Sections = Record<string, unknown>

export interface Device {
  device_code: string
  user_code: string
  verification_uri: string
  verification_uri_complete: string
  expires_in: number
  interval: number
}

/** One running process of the program. */
export interface Running {
  readonly url: string
  readonly program: Program
  form(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Response>
  get(path: string, token?: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body: unknown, token?: string, headers?: Record<string, string>): Promise<Response>
  begin(): Promise<Device>
  poll(device: Pick<Device, 'device_code'>): Promise<Response>
  signIn(login?: string): Promise<Tokens>
  refresh(refreshToken: string): Promise<Response>
  /** The first audit line of this kind, now or later. */
  audited(evt: string, matches?: (line: AuditLine) => boolean): Promise<AuditLine>
}

export type AuditLine = Record<string, any>

export interface ContractWorld extends Running {
  readonly installation: Installation
  /** Another process on the same database under the same public URL, with other sections. */
  boot(changes?: Sections): Promise<Running>
  /** Starts the program on these sections and returns how it ended, without waiting for it to listen. */
  refuse(changes: Sections): Promise<{ exitCode: number; output: string }>
  /** Lets time pass for one code, as far as the store is concerned. */
  wait(device: Pick<Device, 'user_code'>, seconds: number): Promise<void>
  stop(): Promise<void>
}

export const SECRET = 'the-signing-secret-of-the-contract-suite'
const AUDIT_TIMEOUT_MS = 5_000
const UNLIMITED = { device_authorization: { max: 100_000 }, device_verify: { max: 100_000 } }

export async function startContractWorld(changes: Sections = {}): Promise<ContractWorld> {
  const installation = await createInstallation()
  const base = JSON.parse(await Bun.file(`${installation.directory}/gateway.yaml`).text()) as Record<string, object>
  const common = laidOver(laidOver(base, { session: { jwt_secret: SECRET }, rate_limits: UNLIMITED, listen: { drain_seconds: 5 } }), changes)
  let files = 0

  async function write(sections: Sections): Promise<string> {
    const name = `contract-${files++}.json`
    await Bun.write(`${installation.directory}/${name}`, JSON.stringify(laidOver(common, sections)))
    return name
  }

  async function launch(sections: Sections, port: number): Promise<Running> {
    const program = installation.serve({}, await write(sections))
    await listening(program)
    return running(`http://127.0.0.1:${port}`, installation.url, program)
  }

  return {
    ...(await launch({}, installation.port)),
    installation,
    async boot(sections = {}) {
      const port = await freePort()
      return launch(laidOver({ listen: { port } }, sections), port)
    },
    async refuse(sections) {
      const port = await freePort()
      const program = installation.serve({}, await write(laidOver({ listen: { port } }, sections)))
      const exitCode = await program.exited
      return { exitCode, output: program.stdout() + program.stderr() }
    },
    async wait({ user_code }, seconds) {
      const { sql } = installation.database
      const span = sql`make_interval(secs => ${seconds})`
      await sql`update device_grant set created_at = created_at - ${span}, expires_at = expires_at - ${span}, last_polled_at = last_polled_at - ${span} where user_code = ${user_code.replace('-', '')}`
    },
    stop: () => installation.remove(),
  }
}

/** Objects are merged one level deep; everything else, and `null`, replaces. */
function laidOver(below: Sections, above: Sections): Record<string, object> {
  const isPlain = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)
  return Object.fromEntries(
    Object.keys({ ...below, ...above })
      .map((key) => [key, !(key in above) ? below[key] : isPlain(below[key]) && isPlain(above[key]) ? { ...below[key], ...above[key] } : above[key]])
      .filter(([, value]) => value !== null),
  )
}

function running(url: string, publicUrl: string, program: Program): Running {
  const bearer = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` })
  const form: Running['form'] = (path, fields, headers = {}) => fetch(url + path, { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' })
  const self: Running = {
    url,
    program,
    form,
    get: (path, token, headers = {}) => fetch(url + path, { headers: { ...bearer(token), ...headers }, redirect: 'manual' }),
    post: (path, body, token, headers = {}) =>
      fetch(url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...bearer(token), ...headers }, redirect: 'manual' }),
    begin: async () => (await form('/oauth/device_authorization', { surface: 'claude_code' })).json() as Promise<Device>,
    poll: ({ device_code }) => form('/oauth/token', { grant_type: DEVICE_CODE, device_code }),
    async signIn(login = 'alice') {
      const device = await self.begin()
      const page = await approve(createBrowser(), `${publicUrl}/device`, device.user_code, login)
      const answer = await self.poll(device)
      if (answer.status !== 200) throw new Error(`the sign-in ended with ${page.status} and ${answer.status}: ${await answer.text()}`)
      return (await answer.json()) as Tokens
    },
    refresh: (refresh_token) => form('/oauth/token', { grant_type: 'refresh_token', refresh_token }),
    async audited(evt, matches = () => true) {
      for (const deadline = Date.now() + AUDIT_TIMEOUT_MS; Date.now() < deadline; await Bun.sleep(10)) {
        const found = auditLines(program).find((line) => line.evt === evt && matches(line))
        if (found !== undefined) return found
      }
      throw new Error(`no ${evt} in ${JSON.stringify(auditLines(program).slice(-5), null, 1)}`)
    },
  }
  return self
}

export function auditLines(program: Program): AuditLine[] {
  const whole = program.stderr().split('\n').slice(0, -1)
  return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as AuditLine).filter((line) => 'evt' in line)
}

/** Walks from the button to the provider and agrees there; the URL that the provider sends the browser back to, not visited. */
export async function walkToCallback(browser: Browser, publicUrl: string, userCode: string, login = 'alice'): Promise<string> {
  let at = `${publicUrl}/device`
  let response = await browser.once(at, sameOriginForm({ user_code: userCode }))
  for (let step = 0; step < 20; step++) {
    const location = response.headers.get('location')
    if (location !== null) {
      at = new URL(location, at).href
      if (at.startsWith(`${publicUrl}/oauth/callback`)) return at
      response = await browser.once(at)
      continue
    }
    const page = await response.text()
    const action = /action="([^"]+)"/.exec(page)?.[1] ?? at
    const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1] ?? ''
    at = new URL(action, at).href
    response = await browser.once(at, sameOriginForm({ prompt, ...(prompt === 'login' ? { login, password: 'x' } : {}) }))
  }
  throw new Error(`the walk did not end: ${at}`)
}

export const sameOriginForm = (fields: Record<string, string>): RequestInit => ({ method: 'POST', body: new URLSearchParams(fields), headers: { 'sec-fetch-site': 'same-origin' } })

/** The parts of a bearer, unverified. */
export function decodeToken(token: string): { header: Record<string, any>; claims: Record<string, any> } {
  const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString('utf8'))
  return { header: JSON.parse(header ?? ''), claims: JSON.parse(claims ?? '') }
}

/** Signs as the gateway does. */
export function signToken(header: object, claims: object, secret = SECRET): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** "400 access_denied" */
export const errorOf = async (response: Response): Promise<string> => `${response.status} ${((await response.json()) as { error: string }).error}`
