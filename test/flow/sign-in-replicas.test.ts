// Sign-in where several gateways share a store, where one dies, and where the store does.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { TestGateway } from '../support/gateway.ts'
import { hashToken } from '../../src/oauth/codes.ts'
import { claimsOf, startEvilWorld, type Device, type EvilWorld } from '../support/evil-world.ts'

/** Two pools of the default size. */
const CONNECTIONS = 10

let world: EvilWorld
let replica: TestGateway
beforeAll(async () => {
  world = await startEvilWorld()
  replica = await world.replica()
})
afterAll(() => world.stop())

describe('two replicas', () => {
  // T062
  test('give one token for a hundred polls of an approved code at once', async () => {
    const device = await world.begin()
    await world.approve(device.user_code)
    const answers = await whileLocked(device, () => Promise.all(Array.from({ length: 100 }, (_, n) => world.poll(device, n % 2 === 0 ? world.gateway : replica))))
    const won = answers.filter(({ status }) => status === 200)
    expect(won).toHaveLength(1)
    const { access_token } = (await won[0]?.json()) as { access_token: string }
    const losers = await Promise.all(answers.filter((answer) => answer !== won[0]).map((answer) => answer.json()))
    expect(new Set(losers.map((body) => (body as { error: string }).error))).toEqual(new Set(['expired_token']))
    const { sql } = world.database
    expect(await sql`select sid from session`).toEqual([{ sid: claimsOf(access_token).sid }] as never)
    expect(await sql`select from refresh_token`).toHaveLength(1)
  })

  test('share every step of one sign-in, and the end of it', async () => {
    const device = await world.begin(replica)
    await world.approve(device.user_code)
    const { access_token } = (await (await world.poll(device, replica)).json()) as { access_token: string }
    expect((await world.gateway.get('/v1/models', access_token)).status).toBe(200)
    await world.gateway.form('/oauth/revoke', { token: access_token })
    expect((await world.gateway.get('/v1/models', access_token)).status).toBe(401)
    // T109: the other one reads the list once a second.
    const giveUpAt = performance.now() + 10_000
    while ((await replica.get('/v1/models', access_token)).status !== 401 && performance.now() < giveUpAt) await Bun.sleep(50)
    expect((await replica.get('/v1/models', access_token)).status).toBe(401)
  })

  // T086
  test('never give a token after one of them said that the code has expired', async () => {
    for (let round = 0; round < 20; round++) {
      const device = await world.begin()
      await world.approve(device.user_code)
      await world.wait(device, 600 - 0.02)
      const statuses: number[] = []
      for (let n = 0; n < 12; n++) statuses.push((await world.poll(device, n % 2 === 0 ? world.gateway : replica)).status)
      expect([200, 400]).toContain(statuses[0] as number)
      expect(statuses.slice(1).every((status) => status === 400)).toBe(true)
    }
  })
})

/** Holds the grant until every connection of both replicas stands in front of it. */
async function whileLocked<value>(device: Device, work: () => Promise<value>): Promise<value> {
  const { sql } = world.database
  let running: Promise<value> | undefined
  await sql.begin(async (held) => {
    await held`select from device_grant where device_code_hash = ${hashToken(device.device_code)} for update`
    running = work()
    for (let waiting = 0; waiting < CONNECTIONS; ) {
      const [row] = await sql`select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
      waiting = row?.waiting as number
    }
  })
  return running as Promise<value>
}

describe('an approval', () => {
  // T084
  test('outlives the replica that took it', async () => {
    const doomed = await startEvilWorld()
    const survivor = await doomed.replica()
    const device = await doomed.begin()
    expect((await doomed.approve(device.user_code)).status).toBe(200)
    await doomed.gateway.stop()
    expect((await doomed.poll(device, survivor)).status).toBe(200)
    await doomed.stop()
  })
})

describe('without its store', () => {
  test('sign-in says so to the client and to the person, and signed-in people go on', async () => {
    const broken = await startEvilWorld()
    const { access_token, refresh_token } = await broken.signIn()
    const device = await broken.begin()
    const away = await broken.leave(device.user_code)
    await broken.database.sql`alter table device_grant rename to device_grant_gone`
    await broken.database.sql`alter table refresh_token rename to refresh_token_gone`
    await broken.database.sql`alter table sign_in_attempt rename to sign_in_attempt_gone`
    const forClients = [await broken.gateway.form('/oauth/device_authorization', {}), await broken.poll(device), await broken.refresh(refresh_token), await broken.gateway.form('/oauth/revoke', { token: refresh_token })]
    for (const response of forClients) {
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' })
    }
    const forPeople = [await broken.press(device.user_code), await broken.press(device.user_code, { path: '/device/deny' }), await broken.comeBack(away), await broken.gateway.get(`/device?user_code=${device.user_code}`)]
    for (const response of forPeople) {
      expect(response.status).toBe(503)
      expect(await response.text()).toContain('Sign-in is not available now')
    }
    expect((await broken.gateway.get('/v1/models', access_token)).status).toBe(200)
    await broken.stop()
  })
})
