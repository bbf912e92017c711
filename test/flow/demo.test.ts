// The demonstration as a newcomer meets it: what it prints is run, whom it knows is tried.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { choosePort } from '../../src/demo/choose-port.ts'
import { runDemo } from '../../src/demo/demo.ts'
import { PEOPLE } from '../../src/demo/people.ts'
import type { Gateway } from '../../src/gateway.ts'
import type { AuditEvent, Observation } from '../../src/observe/events.ts'
import { createLogLevel } from '../../src/observe/log-level.ts'
import { createBrowser, type Page } from '../support/browser.ts'
import type { Tokens } from '../support/gateway.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

let gateway: Gateway
const logLevel = createLogLevel('warn')
let printed = ''
const observed: Observation[] = []
const events = (evt: AuditEvent['evt']) => observed.filter((one) => 'evt' in one && one.evt === evt)

beforeAll(async () => {
  gateway = await runDemo({ port: 0, observe: (one) => observed.push(one), logLevel, print: (text) => void (printed += text), wordDelayMs: 0 })
})
afterAll(() => gateway.stop())

const form = (path: string, fields: Record<string, string>) => fetch(gateway.url + path, { method: 'POST', body: new URLSearchParams(fields) })
const get = (path: string, token: string) => fetch(gateway.url + path, { headers: { authorization: `Bearer ${token}` } })
const say = (body: object, token: string) =>
  fetch(`${gateway.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ max_tokens: 300, messages: [{ role: 'user', content: 'hi' }], ...body }) })
const place = (name: string) => new RegExp(`^ +${name} +(http://\\S+)`, 'm').exec(printed)?.[1] as string

/** Walks a browser from the code to the page it ends on; `choose` is the button pressed at the provider. */
async function approve(choose: string): Promise<{ chooser: Page; result: Page; deviceCode: string }> {
  const grant = (await (await form('/oauth/device_authorization', { surface: 'claude_code' })).json()) as Record<string, string>
  const browser = createBrowser()
  const chooser = await browser.submit(`${gateway.url}/device`, { user_code: grant.user_code as string })
  const hidden = Object.fromEntries([...chooser.text.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, unescape(value as string)]))
  const result = await browser.submit(`${place('identity provider')}/authorize`, { ...hidden, person: choose })
  return { chooser, result, deviceCode: grant.device_code as string }
}

const unescape = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
const poll = (deviceCode: string) => form('/oauth/token', { grant_type: DEVICE_CODE, device_code: deviceCode })

async function signIn(login: string): Promise<Tokens> {
  const { deviceCode } = await approve(login)
  return (await (await poll(deviceCode)).json()) as Tokens
}

/** Runs the lines between the two headings in a shell, as they were printed. */
async function runPrintedLines(shell: string): Promise<{ code: number; out: string; err: string }> {
  const lines = printed.slice(printed.indexOf('\n', printed.indexOf('With curl')), printed.indexOf('With a browser'))
  const child = Bun.spawn([shell], { stdin: Buffer.from(lines), stdout: 'pipe', stderr: 'pipe', env: { PATH: process.env.PATH ?? '' } })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { code, out, err }
}

test('the demonstration says more from a signal on, and that the level was changed is an event of its gateway', async () => {
  const said = () => observed.filter((one) => 'op' in one && one.op === 'debug')
  await (await fetch(`${gateway.url}/healthz`)).text()
  expect(said()).toEqual([])
  for (let n = 0; n < 2; n++) logLevel.step(1, 'SIGUSR1')
  expect(events('admin.log_level')).toMatchObject([{ level: 'info', level_before: 'warn' }, { level: 'debug', level_before: 'info' }])
  await (await fetch(`${gateway.url}/healthz`)).text()
  while (said().length === 0) await Bun.sleep(1)
  expect(said()[0]).toMatchObject({ message: expect.stringMatching(/^GET \/healthz: 200 after/) })
  for (let n = 0; n < 2; n++) logLevel.step(-1, 'SIGUSR2')
})

describe('what the demonstration prints', () => {
  test.each(['sh', 'bash'])('signs in and streams when its lines are pasted into %s', async (shell) => {
    const { code, out, err } = await runPrintedLines(shell)
    const [asked, page, answer] = out.trim().split('\n')
    expect({ code, err, page }).toEqual({ code: 0, err: '', page: 'You are signed in' })
    expect(JSON.parse(asked as string).verification_uri_complete).toStartWith(`${gateway.url}/device?user_code=`)
    expect(answer).toStartWith('Good day, Alice! You asked for claude-haiku-4-5')
    expect(events('inference').at(-1)).toMatchObject({ email: 'alice@example.com', status: 200, outcome: 'completed', upstream: 'scripted' })
  })

  test('pins Claude Code to this gateway, which answers discovery there', async () => {
    const settings = JSON.parse(/^ {2}\{[^]*?^ {2}\}/m.exec(printed)?.[0] as string)
    expect(settings).toEqual({ forceLoginMethod: 'gateway', forceLoginGatewayUrl: gateway.url })
    const metadata = (await (await fetch(`${settings.forceLoginGatewayUrl}/.well-known/oauth-authorization-server`)).json()) as { issuer: string }
    expect(metadata.issuer).toBe(gateway.url)
  })

  test('names every person and holds no colour where there is no terminal', () => {
    expect(PEOPLE.filter(({ login, may }) => !new RegExp(`^ +${login} .*${may}$`, 'm').test(printed))).toEqual([])
    expect(printed).not.toContain('\u001b')
  })
})

describe('the people of the demonstration', () => {
  // `claude-sonnet-5` means 5.5 as well, as it does to Claude Code.
  const MODELS = { alice: ['claude-opus-5-5', 'claude-opus-4-7', 'claude-sonnet-5', 'claude-sonnet-5-5', 'claude-haiku-4-5'], bob: ['claude-sonnet-5', 'claude-sonnet-5-5', 'claude-haiku-4-5'], carol: ['claude-haiku-4-5'] }

  test.each(Object.entries(MODELS))('%s is offered the models of their group and no other', async (login, models) => {
    const { access_token: token } = await signIn(login)
    const { data } = (await (await get('/v1/models', token)).json()) as { data: { id: string }[] }
    expect(data.map(({ id }) => id).sort()).toEqual([...models].sort())
    const refused = await say({ model: 'claude-opus-5-5' }, token)
    expect(refused.status).toBe(models.includes('claude-opus-5-5') ? 200 : 400)
  })

  test('get settings by group, with what is denied to everybody united', async () => {
    const denied = async (login: string) => {
      const answer = (await (await get('/managed/settings', (await signIn(login)).access_token)).json()) as { settings: { permissions: { deny: string[] } } }
      return answer.settings.permissions.deny.sort()
    }
    expect(await denied('bob')).toEqual(['Read(./.env)', 'Read(./.env.*)'])
    expect(await denied('carol')).toEqual(['Read(./.env)', 'Read(./.env.*)', 'WebFetch', 'WebSearch'])
  })

  test('Dan is told a general sentence, his device is denied, and the reason is in the audit event', async () => {
    const { result, deviceCode } = await approve('dan')
    const polled = await poll(deviceCode)
    expect([result.status, polled.status, await polled.json()]).toEqual([403, 400, { error: 'access_denied' }])
    expect(result.text).not.toContain('contractors')
    expect(events('device.callback').at(-1)).toMatchObject({ outcome: 'refused', reason: 'group' })
  })

  test('are all on the page that chooses, and its Cancel denies the device', async () => {
    const { chooser, result, deviceCode } = await approve('')
    expect(PEOPLE.filter(({ name }) => !chooser.text.includes(name))).toEqual([])
    expect([result.status, await (await poll(deviceCode)).json()]).toEqual([403, { error: 'access_denied' }])
  })

  test('stay signed in by refresh', async () => {
    const first = await signIn('bob')
    const answer = await form('/oauth/token', { grant_type: 'refresh_token', refresh_token: first.refresh_token })
    const second = (await answer.json()) as Tokens
    expect([answer.status, second.email, (await get('/v1/models', second.access_token)).status]).toEqual([200, 'bob@example.com', 200])
  })
})

describe('the scripted upstream', () => {
  test('answers in one document when no stream is asked, and stops at max_tokens', async () => {
    const { access_token: token } = await signIn('alice')
    const whole = (await (await say({ model: 'claude-sonnet-5' }, token)).json()) as { content: { text: string }[]; stop_reason: string }
    const probe = (await (await say({ model: 'claude-sonnet-5', max_tokens: 1 }, token)).json()) as typeof whole
    expect([whole.content[0]?.text.slice(0, 44), whole.stop_reason]).toEqual(['Good day, Alice! You asked for claude-sonnet', 'end_turn'])
    expect([probe.content[0]?.text, probe.stop_reason]).toEqual(['Good ', 'max_tokens'])
  })

  test('counts tokens', async () => {
    const { access_token: token } = await signIn('alice')
    const body = JSON.stringify({ model: 'claude-sonnet-5', messages: [{ role: 'user', content: 'x'.repeat(400) }] })
    const answer = await fetch(`${gateway.url}/v1/messages/count_tokens`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body })
    const { input_tokens } = (await answer.json()) as { input_tokens: number }
    expect([answer.status, input_tokens > 100 && input_tokens < 200]).toEqual([200, true])
  })

  test.each([{}, { 'x-api-key': 'a-guess' }])('refuses who comes with %j instead of its key', async (headers) => {
    const answer = await fetch(`${place('model upstream')}/v1/messages`, { method: 'POST', headers: headers as Record<string, string>, body: '{}' })
    expect([answer.status, await answer.json()]).toMatchObject([401, { type: 'error', error: { type: 'authentication_error' } }])
  })

  test('is what a client’s refusal comes from when the gateway has none', async () => {
    const { access_token: token } = await signIn('alice')
    const answer = await say({ model: 'claude-sonnet-5', messages: [] }, token)
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { type: 'invalid_request_error', message: 'messages: Field required' } }])
  })
})

describe('the made-up identity provider', () => {
  test('hands a token to nobody without the client’s secret', async () => {
    const answer = await fetch(`${place('identity provider')}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'gatehouse-demo', client_secret: 'guess' }) })
    expect([answer.status, await answer.json()]).toEqual([401, { error: 'invalid_client' }])
  })

  test('answers no page whose name was pointed at this machine', async () => {
    const answer = await fetch(`${place('identity provider')}/authorize`, { headers: { host: 'evil.example' } })
    expect(answer.status).toBe(421)
  })

  test('says its mistake to the person when the client is not its own', async () => {
    const answer = await fetch(`${place('identity provider')}/authorize?client_id=x&redirect_uri=https://evil.example/`, { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
  })
})

describe('the demonstration on its machine', () => {
  test('listens on 127.0.0.1 and on no other address', async () => {
    const ports = [gateway.url, place('identity provider'), place('model upstream')].map((url) => Number(new URL(url).port))
    const table = (await Bun.file('/proc/net/tcp').text()) + (await Bun.file('/proc/net/tcp6').text())
    const listening = [...table.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A /gm)].map(([, address, port]) => ({ address, port: Number.parseInt(port as string, 16) }))
    expect(listening.filter(({ port }) => ports.includes(port)).map(({ address }) => address)).toEqual(ports.map(() => '0100007F'))
  })

  test('takes another port when the usual one is taken', async () => {
    const other = createServer()
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening))
    const { port } = other.address() as { port: number }
    const chosen = await choosePort([port])
    other.close()
    expect(chosen).not.toBe(port)
    expect(chosen).toBeGreaterThan(0)
  })

  test('ends with one sentence when the port that was asked for is taken, and leaves nothing listening', async () => {
    let said = ''
    const { port } = new URL(gateway.url)
    const start = runDemo({ port: Number(port), observe: () => {}, print: (text) => void (said += text) })
    await expect(start).rejects.toThrow(`--port ${port}: the port is already in use`)
    expect(said).not.toContain('With curl')
  })
})
