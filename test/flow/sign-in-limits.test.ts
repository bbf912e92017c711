// Limits per address on beginning a sign-in and on trying codes.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { SAME_ORIGIN, startEvilWorld, type Device, type EvilWorld } from '../support/evil-world.ts'

let world: EvilWorld
beforeAll(async () => {
  world = await startEvilWorld({ config: { rate_limits: { device_authorization: { max: 3, window_seconds: 600 }, device_verify: { max: 2, window_seconds: 300 } } } })
})
afterAll(() => world.stop())

const from = (address: string) => ({ 'x-forwarded-for': address })
const begin = (address: string) => fetch(`${world.gateway.url}/oauth/device_authorization`, { method: 'POST', body: new URLSearchParams({}), headers: from(address) })
const enter = (path: string, user_code: string, address: string) =>
  fetch(world.gateway.url + path, { method: 'POST', body: new URLSearchParams({ user_code }), headers: { ...SAME_ORIGIN, ...from(address) }, redirect: 'manual' })

describe('an address that begins too many sign-ins', () => {
  // T079
  test('is told when to come back, and others are not', async () => {
    for (let n = 0; n < 3; n++) expect((await begin('198.51.100.1')).status).toBe(200)
    const refused = await begin('198.51.100.1')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 601)
    expect(await refused.json()).toMatchObject({ error: expect.any(String) })
    expect((await begin('198.51.100.2')).status).toBe(200)
    expect(await world.database.sql`select from device_grant where requester_ip = '198.51.100.1'`).toHaveLength(3)
  })

  test('is one /64 where it is IPv6', async () => {
    for (let n = 0; n < 3; n++) expect((await begin(`2001:db8:1:2::${n + 1}`)).status).toBe(200)
    expect((await begin('2001:db8:1:2:ffff::1')).status).toBe(429)
    expect((await begin('2001:db8:1:3::1')).status).toBe(200)
  })
})

describe('an address that tries too many codes', () => {
  // T068
  test('is sent away with a page, also with a good code, and to either button', async () => {
    const { user_code } = await world.begin()
    expect((await enter('/device', 'BBBB-BBBB', '198.51.100.3')).status).toBe(400)
    expect((await enter('/device/deny', 'BBBB-BBBC', '198.51.100.3')).status).toBe(400)
    for (const path of ['/device', '/device/deny']) {
      const refused = await enter(path, user_code, '198.51.100.3')
      expect(refused.status).toBe(429)
      expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 301)
      expect(refused.headers.get('content-type')).toContain('text/html')
    }
    expect((await enter('/device', user_code, '198.51.100.4')).status).toBe(303)
    expect(await world.gateway.saw('device.verify', (event) => event.outcome === 'rate_limited')).toMatchObject({ client_ip: '198.51.100.3' })
  })

  test('cannot guess by looking at the page instead, though people may reload it', async () => {
    const device = (await (await begin('198.51.100.5')).json()) as Device
    const look = (code: string) => world.gateway.get(`/device?user_code=${code}`, undefined, from('198.51.100.6'))
    for (let n = 0; n < 20; n++) expect((await look(n % 2 === 0 ? device.user_code : 'BBBB-BBBB')).status).toBe(n % 2 === 0 ? 200 : 400)
    expect((await look(device.user_code)).status).toBe(429)
    expect((await look('BBBB-BBBB')).status).toBe(429)
    expect((await world.gateway.get('/device', undefined, from('198.51.100.6'))).status).toBe(200)
  })

  test('is not spent by a stranger’s site that posts from a person’s browser', async () => {
    const { user_code } = (await (await begin('198.51.100.7')).json()) as Device
    const foreign = { 'sec-fetch-site': 'cross-site', ...from('198.51.100.8') }
    for (let n = 0; n < 5; n++) expect((await world.press(user_code, { headers: foreign })).status).toBe(403)
    expect((await enter('/device', user_code, '198.51.100.8')).status).toBe(303)
  })
})

describe('an office behind one address', () => {
  // B15: Claude Desktop keeps no refresh token, so that each of its people begins a sign-in every hour.
  test('may sign in as often as it has people, for what turns out well does not count', async () => {
    for (let n = 0; n < 8; n++) {
      const { user_code } = await world.begin()
      expect([n, (await world.approve(user_code)).status]).toEqual([n, 200])
    }
  })
})
