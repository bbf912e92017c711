// The whole gateway in front of the provider that can say anything, under an https name as behind a proxy. The browser
// is reduced to its two requests, so that a test can change each of them.
import { startEvilIdp, type EvilIdp } from './evil-idp.ts'
import { DEVICE_CODE, startWorld, type TestGateway, type Tokens, type World } from './gateway.ts'

export const PUBLIC_URL = 'https://gateway.example'
export const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }

export interface Device {
  device_code: string
  user_code: string
  verification_uri: string
  verification_uri_complete: string
  expires_in: number
  interval: number
}

/** A browser between the button and its return. */
export interface Away {
  /** Where it was sent. */
  url: URL
  cookie: string
}

export interface EvilWorld extends Pick<World, 'database' | 'gateway' | 'replica' | 'stop'> {
  idp: EvilIdp
  begin(at?: TestGateway): Promise<Device>
  /** Presses a button: Approve unless `path` says otherwise. */
  press(userCode: string, options?: { path?: string; headers?: Record<string, string>; at?: TestGateway }): Promise<Response>
  /** Presses Approve and keeps what the browser got. */
  leave(userCode: string): Promise<Away>
  /** Comes back as a person who agreed at the provider, with these changes to the request. */
  comeBack(away: Away, change?: { cookie?: string; parameters?: Record<string, string>; method?: string; headers?: Record<string, string> }): Promise<Response>
  /** From the code to the page that says so. */
  approve(userCode: string): Promise<Response>
  poll(device: Device, at?: TestGateway): Promise<Response>
  /** Lets time pass for one code, as far as the store is concerned. */
  wait(device: Device, seconds: number): Promise<void>
  refresh(refreshToken: string, at?: TestGateway): Promise<Response>
  signIn(at?: TestGateway): Promise<Tokens>
}

export async function startEvilWorld({ config = {} }: { config?: Record<string, unknown> } = {}): Promise<EvilWorld> {
  const idp = startEvilIdp()
  const world = await startWorld({
    config: {
      listen: { host: '127.0.0.1', port: 0, public_url: PUBLIC_URL, drain_seconds: 0, trusted_proxies: ['127.0.0.1'] },
      oidc: { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret, userinfo_fallback: true, allowed_email_domains: ['corp.example'] },
      ...config,
    },
  })
  const { gateway, database } = world

  const self: EvilWorld = {
    ...world,
    idp,
    begin: async (at = gateway) => (await at.form('/oauth/device_authorization', { surface: 'claude_code' })).json() as Promise<Device>,
    press: (user_code, { path = '/device', headers = SAME_ORIGIN, at = gateway } = {}) =>
      fetch(at.url + path, { method: 'POST', body: new URLSearchParams({ user_code }), headers, redirect: 'manual' }),
    async leave(userCode) {
      const response = await self.press(userCode)
      if (response.status !== 303) throw new Error(`POST /device answered ${response.status}`)
      return { url: new URL(response.headers.get('location') ?? ''), cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? '' }
    },
    comeBack(away, { cookie = away.cookie, parameters = {}, method = 'GET', headers = {} } = {}) {
      const callback = idp.authorize(away.url)
      for (const [name, value] of Object.entries(parameters)) callback.searchParams.set(name, value)
      return fetch(gateway.url + callback.pathname + callback.search, { method, headers: { cookie, ...headers }, redirect: 'manual' })
    },
    approve: async (userCode) => self.comeBack(await self.leave(userCode)),
    poll: ({ device_code }, at = gateway) => at.form('/oauth/token', { grant_type: DEVICE_CODE, device_code }),
    async wait({ user_code }, seconds) {
      const span = database.sql`make_interval(secs => ${seconds})`
      await database.sql`
        with grant_ as (
          update device_grant set created_at = created_at - ${span}, expires_at = expires_at - ${span}, last_polled_at = last_polled_at - ${span}
          where user_code = ${user_code.replace('-', '')}
          returning device_code_hash
        )
        update sign_in_attempt set expires_at = expires_at - ${span} from grant_ where sign_in_attempt.device_code_hash = grant_.device_code_hash`
    },
    refresh: (refresh_token, at = gateway) => at.form('/oauth/token', { grant_type: 'refresh_token', refresh_token }),
    async signIn(at = gateway) {
      const device = await self.begin(at)
      const page = await self.approve(device.user_code)
      const answer = await self.poll(device, at)
      if (page.status !== 200 || answer.status !== 200) throw new Error(`sign-in ended with ${page.status} and ${answer.status}`)
      return (await answer.json()) as Tokens
    },
    async stop() {
      await world.stop()
      idp.stop()
    },
  }
  return self
}

/** The claims of a bearer, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
}
